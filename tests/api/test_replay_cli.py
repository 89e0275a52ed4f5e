"""`anju replay`: every event and what it changed, at any moment, and never a personal value."""

import re
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from given import NOW, destroy, order, person, report

from domain import commands
from domain.errors import InvalidError, NotFoundError
from domain.incident import Incident
from domain.people import Role
from domain.personal import Personal, of_subject

SCOPE = of_subject(UUID(int=7))


@pytest.fixture
def anju(invoke):
    """Run `anju replay` with arguments; see `invoke`."""
    return partial(invoke, "replay")


@pytest.fixture
async def incident(log, site):
    """Its id: reported at position 7 by somebody who said their name, accepted, dispatched at position 9."""
    done = await report(log, site, reporter=Personal(SCOPE, "陈女士 13800000000"))
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
    by = person(Role.DISPATCHER)
    later = order(by=by, at=NOW + timedelta(hours=1))
    await commands.act(log, later, Incident, Incident.dispatch, done.id, lead_unit="police-station")
    return done.id


async def test_it_shows_every_event_and_what_came_of_it(anju, incident):
    code, found = await anju(incident, "--json")
    assert (code, found["kind"], found["version"]) == (0, "incident", 3)
    assert [(event["position"], event["version"], event["topic"]) for event in found["events"]] == [
        (7, 1, "incident.reported"),
        (8, 2, "incident.accepted"),
        (9, 3, "incident.dispatched"),
    ]
    last = found["events"][-1]
    assert (last["actor"], last["happened_at"]) == ("p-dispatcher", "2026-03-01T09:00:00Z")
    assert last["recorded_at"] > last["happened_at"]
    assert last["changed"]["state"] == {"before": "ACCEPTED", "after": "DISPATCHED"}
    assert found["state"]["lead_unit"] == "police-station"


async def test_a_person_reads_it_in_words_and_in_the_time_of_the_place(anju, incident):
    code, text = await anju(incident)
    assert code == 0
    for words in ("incident.dispatched", "p-dispatcher", "2026-03-01 17:00:00", "→ DISPATCHED"):
        assert words in text
    assert re.search(r"lead_unit +police-station\n", re.sub(r" +\n", "\n", text))
    assert "sign:police-station until 2026-03-02 14:30:00 (limits-2026-1)" in " ".join(text.split())


async def test_what_is_personal_stays_sealed_and_needs_no_master_key(anju, log, incident, tmp_path):
    (tmp_path / "master-keys").unlink()
    for arguments in ((), ("--json",), ("--diff", 1, 9)):
        _, shown = await anju(incident, *arguments)
        assert "[sealed]" in str(shown)
        assert "陈女士" not in str(shown)
        assert "13800000000" not in str(shown)
    assert not (tmp_path / "data" / "master-keys").exists()


async def test_what_was_forgotten_is_redacted(anju, log, incident):
    await destroy(log, SCOPE)
    _, found = await anju(incident, "--json")
    assert found["state"]["reporter"] == "[redacted]"


async def test_it_shows_what_the_log_knew_at_a_position_and_at_a_time(anju, log, incident):
    _, found = await anju(incident, "--position", 8, "--json")
    assert (found["version"], found["state"]["state"]) == (2, "ACCEPTED")
    recorded = (await log.history(incident))[1].recorded_at
    _, found = await anju(incident, "--at", recorded.isoformat(), "--json")
    assert (found["version"], found["state"]["state"]) == (2, "ACCEPTED")


async def test_it_shows_what_differs_between_two_moments_and_the_events_between(anju, log, incident):
    code, found = await anju(incident, "--diff", 7, 9, "--json")
    assert (code, [event["position"] for event in found["events"]]) == (0, [8, 9])
    assert found["changed"].keys() == {"state", "lead_unit", "legs", "deadlines"}
    assert found["changed"]["state"] == {"before": "REPORTED", "after": "DISPATCHED"}
    first, _, last = [entry.recorded_at.isoformat() for entry in await log.history(incident)]
    assert (await anju(incident, "--diff", first, last, "--json"))[1] == found
    _, text = await anju(incident, "--diff", 7, 8)
    assert "REPORTED" in text
    assert "incident.dispatched" not in text


async def test_before_there_was_anything_everything_differs(anju, incident):
    _, found = await anju(incident, "--diff", 1, 7, "--json")
    assert found["changed"]["category"] == {"before": None, "after": "noise"}


async def test_any_other_aggregate_is_replayed_as_well(anju, site):
    _, found = await anju(site.id, "--json")
    assert (found["kind"], found["state"]["state"], found["version"]) == ("site", "OPERATING", 6)


async def test_nothing_with_this_id_names_the_kinds_there_are(anju, site):
    with pytest.raises(NotFoundError, match=f"has the id {UUID(int=5)}; what has one: .*incident"):
        await anju(UUID(int=5))


async def test_before_its_first_event_there_was_nothing_to_show(anju, incident):
    with pytest.raises(NotFoundError, match=r"no incident .* yet at 6: its first event has position 7"):
        await anju(incident, "--position", 6)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--at", "2026-03-01T08:00:00"), "has no time zone: write it with an offset"),
        (("--at", "9"), "'9' is no time"),
        (("--at", "yesterday"), "'yesterday' is no time"),
        (("--diff", "7", "tomorrow"), "'tomorrow' is no time"),
        (("--diff", "9", "7"), "9 is after 7: name the earlier moment first"),
    ],
)
async def test_what_is_no_moment_is_refused(anju, incident, arguments, why):
    with pytest.raises(InvalidError, match=why):
        await anju(incident, *arguments)


async def test_a_wrong_call_is_exit_code_2(anju, incident):
    assert (await anju("no-uuid"))[0] == 2
    assert (await anju(incident, "--position", 0))[0] == 2
    assert (await anju(incident, "--position", 7, "--at", "2026-03-01T08:00:00Z"))[0] == 2
