"""An event class that changed twice: what was stored before is read as it is today, all the way, and stays as it was stored."""

from uuid import uuid4

import pytest
from eventsourcing.domain import Aggregate
from given import NOW

from adapters import codec
from adapters.verify import verify
from domain.errors import CorruptError
from domain.ports import Request
from projections.runner import Projection, catch_up

READ = "meter.read"


class Meter(Aggregate):
    """An aggregate of this test: a meter and its last reading."""

    class Installed(Aggregate.Created):
        TOPIC = "meter.installed"

    Created = Installed

    class Event(Aggregate.Event):
        pass

    def __init__(self):
        self.watt_hours = 0


class ReadFirst(Meter.Event):
    """Version 1: as the display shows it."""

    shown: str


class ReadSecond(Meter.Event):
    """Version 2: a number and its unit."""

    class_version = 2
    value: float
    unit: str

    @staticmethod
    def upcast_v1_v2(state):
        value, state["unit"] = state.pop("shown").split()
        state["value"] = float(value)


class ReadThird(Meter.Event):
    """Version 3: always in Wh."""

    class_version = 3
    watt_hours: int

    @staticmethod
    def upcast_v1_v2(state):
        ReadSecond.upcast_v1_v2(state)

    @staticmethod
    def upcast_v2_v3(state):
        state["watt_hours"] = round(state.pop("value") * {"Wh": 1, "kWh": 1000}[state.pop("unit")])

    def apply(self, aggregate):
        aggregate.watt_hours = self.watt_hours


@pytest.fixture
async def meter(log, known):
    """A meter that was read once by the code of each version; the code of the third is running."""
    known(Meter.Installed, Meter.Installed.TOPIC)
    made = Meter._create(Meter.Installed, id=uuid4(), timestamp=NOW)
    await log.append(Request(uuid4(), made.collect_events(), {}))
    for event_class, fields in (
        (ReadFirst, {"shown": "12.5 kWh"}),
        (ReadSecond, {"value": 800.0, "unit": "Wh"}),
        (ReadThird, {"watt_hours": 13_000}),
    ):
        known(event_class, READ)
        loaded = await log.load(Meter, made.id)
        loaded.trigger_event(event_class, timestamp=NOW, **fields)
        await log.append(Request(uuid4(), loaded.collect_events(), {}))
    return made.id


async def test_every_version_is_read_as_today(log, meter):
    readings = [12_500, 800, 13_000]
    assert [entry.event.watt_hours for entry in (await log.history(meter))[1:]] == readings
    page = await log.read(0, 10, frozenset({READ}))
    assert [entry.event.watt_hours for entry in page.entries] == readings
    assert {type(entry.event) for entry in page.entries} == {ReadThird}
    assert [(await log.load(Meter, meter, version=n)).watt_hours for n in (2, 3, 4)] == readings


async def test_a_projection_folds_every_version_as_today(log, pool, meter):
    folded = []

    async def fold(_connection, entries):
        folded.extend(entry.event.watt_hours for entry in entries)

    await catch_up(Projection("meters", 1, frozenset({READ}), fold, ()), pool, log)
    assert folded == [12_500, 800, 13_000]


async def test_the_stored_bytes_stay_and_the_chain_holds(pool, database_url, meter):
    rows = await pool.fetch(
        "select state from events where originator_id = $1 order by originator_version", meter
    )
    first, second, third = (row["state"] for row in rows[1:])
    assert b'"shown":"12.5 kWh"' in first
    assert b"class_version" not in first
    assert second.startswith(b'{"class_version":2,')
    assert third.startswith(b'{"class_version":3,')
    assert (await verify(database_url)).holds


async def test_an_event_of_a_newer_version_is_refused_and_not_half_read(log, known, meter):
    known(ReadSecond, READ)
    with pytest.raises(
        CorruptError, match=r"stored as version 3, and this code knows 2: the log is from a newer"
    ):
        await log.load(Meter, meter)


def test_a_class_that_never_changed_refuses_a_newer_version_too(known):
    known(ReadFirst, READ)
    state = b'{"class_version":2,' + codec.encode(_first())[1][1:]
    with pytest.raises(CorruptError, match="stored as version 2, and this code knows 1"):
        codec.decode(READ, state)


@pytest.mark.parametrize("shown", ["12.5", "much kWh", "1 stone"])
def test_an_old_event_that_an_upcaster_cannot_understand_is_corrupt(known, shown):
    known(ReadFirst, READ)
    _, state = codec.encode(_first(shown))
    known(ReadThird, READ)
    with pytest.raises(CorruptError, match=r"meter\.read of version 1 cannot be brought to version 3"):
        codec.decode(READ, state)


@pytest.mark.parametrize("mark", [b'"2"', b"0", b"-1", b"2.5", b"02", b"99999999999"])
def test_a_class_version_that_is_none_is_corrupt(known, mark):
    known(ReadThird, READ)
    with pytest.raises(CorruptError, match="no class version"):
        codec.decode(READ, b'{"class_version":' + mark + b',"originator_version":1}')


def _first(shown="12.5 kWh"):
    return ReadFirst(originator_id=uuid4(), originator_version=2, timestamp=NOW, shown=shown)
