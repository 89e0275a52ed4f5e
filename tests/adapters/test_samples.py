"""What was ever stored can still be read, and no event class changes unnoticed."""

from enum import StrEnum

import pytest
import samples
from eventsourcing.domain import Aggregate

from adapters.upcast import upcasters
from domain.model import AGGREGATES, EVENTS, category, event_classes


@pytest.mark.parametrize("event_class", EVENTS.values(), ids=EVENTS)
def test_every_version_ever_stored_still_loads_and_the_class_is_what_its_newest_sample_says(event_class):
    found = samples.problems(event_class)
    assert not found, "\n\n".join(found)


def test_no_sample_is_of_a_topic_that_is_gone():
    gone = {path.name.rsplit(".", 2)[0] for path in samples.DIRECTORY.glob("*.json")} - set(EVENTS)
    assert not gone, f"these may stand in a log, and nothing reads them any more: {gone}"


def test_all_events_of_an_aggregate_are_of_one_category_so_that_it_lies_in_one_partition():
    for kind in AGGREGATES:
        assert len({category(topic) for topic in event_classes(kind)}) == 1


class Colour(StrEnum):
    RED = "RED"


class MoreColour(StrEnum):
    RED = "RED"
    GREEN = "GREEN"


class Lamp(Aggregate):
    class Event(Aggregate.Event):
        actor: str

    class Lit(Event):
        colour: Colour


class Renamed(Lamp.Event):
    hue: Colour


class Widened(Lamp.Event):
    colour: MoreColour


class Retyped(Lamp.Event):
    colour: int


class Added(Lamp.Event):
    colour: Colour
    watts: int = 5


class AddedWithVersion(Lamp.Event):
    class_version = 2
    colour: Colour
    watts: int

    @staticmethod
    def upcast_v1_v2(state):
        state["watts"] = 5


LIT = "lamp.lit"


@pytest.fixture
def before(known, tmp_path):
    """The directory with the sample of Lamp.Lit, version 1."""
    assert list(samples.write(known(Lamp.Lit, LIT), directory=tmp_path))
    assert samples.problems(Lamp.Lit, tmp_path) == []
    return tmp_path


@pytest.mark.parametrize("changed", [Renamed, Widened, Retyped, Added])
def test_a_class_that_changed_without_a_new_version_is_found_and_the_message_says_what_to_do(
    known, before, changed
):
    (problem, *_) = samples.problems(known(changed, LIT), before)
    assert "class_version = 2" in problem
    assert "upcast_v1_v2" in problem
    assert "python -m tests.samples" in problem


def test_a_new_version_without_a_sample_is_found(known, before):
    assert samples.problems(known(AddedWithVersion, LIT), before) == [
        "lamp.lit has no sample of version 2: run python -m tests.samples"
    ]


def test_a_new_version_without_an_upcaster_is_refused(known, before):
    class Unfinished(Lamp.Event):
        class_version = 2

    with pytest.raises(TypeError, match=r"Unfinished lacks @staticmethod upcast_v1_v2"):
        upcasters(Unfinished)


def test_with_a_new_version_an_upcaster_and_a_sample_all_is_well_and_the_old_bytes_stay(known, before):
    stored = samples.read(LIT, 1, before)["stored"]
    written = list(samples.write(known(AddedWithVersion, LIT), directory=before))
    assert [path.name for path in written] == ["lamp.lit.v1.json", "lamp.lit.v2.json"]
    assert samples.read(LIT, 1, before)["stored"] == stored
    assert samples.read(LIT, 1, before)["decoded"]["watts"] == "5"
    assert samples.problems(AddedWithVersion, before) == []


def test_an_upcaster_that_changes_what_old_events_say_is_found(known, before, monkeypatch):
    list(samples.write(known(AddedWithVersion, LIT), directory=before))

    class Otherwise(AddedWithVersion):
        @staticmethod
        def upcast_v1_v2(state):
            state["watts"] = 7

    (problem,) = samples.problems(known(Otherwise, LIT), before)
    assert "is read otherwise than before" in problem
    assert '+ "watts": "7"' in problem


def test_an_upcaster_that_no_longer_works_is_found(known, before):
    list(samples.write(known(AddedWithVersion, LIT), directory=before))

    class Broken(AddedWithVersion):
        @staticmethod
        def upcast_v1_v2(state):
            del state["hue"]

    (problem,) = samples.problems(known(Broken, LIT), before)
    assert "version 1 of lamp.lit no longer loads" in problem


def test_a_new_name_for_the_class_alone_changes_nothing_that_is_stored(known, before):
    class Shone(Lamp.Event):
        """Another word for Lit."""

        colour: Colour

    assert samples.problems(known(Shone, LIT), before) == []
