"""A reading says who was shown what and why; what is read out of the log has a reason, or is not read."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from looking import ASKER, HERE, MATE, OFFICER, inquiry, reading

from domain.errors import InvalidError, RuleError
from domain.lifecycle import require_text
from domain.people import Role
from domain.reading import MOST, OF_THE_LOG, Reading, Shown

DAY = timedelta(days=1)


def test_it_says_who_what_where_and_why():
    made = reading(1, purpose="  appeal of 2026-03 ", fields=["reporter", "reporter"], found=2)
    (event,) = made.collect_events()
    assert (event.actor, event.timestamp, event.shown) == (OFFICER.id, NOW, Shown.REPORTER)
    assert event.subjects == (UUID(int=1001), UUID(int=1002))
    assert (event.township, event.site_id, event.fields) == ("yuhai", HERE.id, ("reporter",))
    assert (event.purpose, event.inquiry_id, event.found) == ("appeal of 2026-03", None, 2)


@pytest.mark.parametrize("shown", sorted(Shown))
def test_only_what_is_read_out_of_the_log_needs_a_reason(shown):
    if shown not in OF_THE_LOG:
        assert reading(1, shown=shown).purpose is None
        return
    with pytest.raises(RuleError, match="say why, with the header Anju-Purpose"):
        reading(1, shown=shown)
    assert reading(1, shown=shown, purpose="audit of March").purpose == "audit of March"
    assert reading(1, shown=shown, by=MATE, inquiry=inquiry(9, HERE)).inquiry_id == UUID(int=9)


@pytest.mark.parametrize(
    "nothing", ["", " \u3000\t", "\u200b\u200d", "\ufeff", "\u2060 \u00ad", "\u3164", "\u2800", "\u0301"]
)
def test_a_text_that_shows_nothing_is_empty(nothing):
    with pytest.raises(InvalidError, match="purpose is empty"):
        require_text(nothing, "purpose")


@pytest.mark.parametrize("something", ["回访", "e\u0301", "👩\u200d🚒", "?", "\U00032000", "\ue000"])
def test_a_text_that_shows_anything_is_not(something):
    assert require_text(f" {something}\n", "purpose") == something


def test_an_inquiry_is_a_reason_for_its_investigators_only_while_it_is_approved():
    made = inquiry(9, HERE)
    with pytest.raises(RuleError, match="is no investigator"):
        reading(1, by=person(Role.AUDITOR), inquiry=made)
    with pytest.raises(RuleError, match="ended at"):
        reading(1, by=ASKER, at=NOW + 20 * DAY, inquiry=made)
    made.close(by=ASKER, at=NOW, reason="done")
    with pytest.raises(RuleError, match="is CLOSED"):
        reading(1, by=ASKER, inquiry=made)


def test_a_reading_of_nothing_of_too_much_or_for_too_long_a_purpose_is_none():
    about = {"id": UUID(int=1), "by": OFFICER, "at": NOW, "shown": Shown.REPORTER}
    with pytest.raises(InvalidError, match="name its subjects"):
        Reading.record(**about)
    with pytest.raises(InvalidError, match=f"at most {MOST}"):
        Reading.record(**about, subjects=[UUID(int=n) for n in range(MOST + 1)])
    with pytest.raises(InvalidError, match="purpose has 201 characters; at most 200"):
        Reading.record(**about, subjects=[UUID(int=1)], purpose="x" * 201)
