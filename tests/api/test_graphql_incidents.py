"""Incidents over GraphQL: who sees what of them, now and then, in any order, and for how many statements."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, build_site, destroy, person
from histories import append
from incidents import (
    DISPATCHER,
    HANDLER,
    INTAKE,
    LIMITS,
    PLUMBER,
    STRANGER,
    SUPERVISOR,
    TIMER,
    UNIT,
    VERIFIER,
    WATER,
)

from adapters import vault
from api.graphql.types import cursor
from domain.incident import Incident, Source
from domain.mechanisms import JointMechanism
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from projections.all import PROJECTIONS
from projections.runner import catch_up

HOUR = timedelta(hours=1)
PICTURE = "a" * 64
GRID_WORKER = person(Role.GRID_WORKER)
OFFICER = person(Role.PRIVACY_OFFICER)


def made(site, number=1, *, at=NOW, **changed):
    """An incident at `site`, not in the log yet."""
    fields = {"source": Source.CITIZEN, "category": "noise", "description": f"夜间施工 {number}"}
    return Incident.report(id=UUID(int=number), site=site, by=INTAKE, at=at, **(fields | changed))


def handled(site, number=1, *, at=NOW, **changed):
    """One that UNIT works on, assisted by WATER, which has not signed; a step every hour."""
    incident = made(site, number, at=at, **changed)
    incident.accept(by=INTAKE, at=at + HOUR)
    incident.dispatch(by=DISPATCHER, at=at + 2 * HOUR, lead_unit=UNIT, assisting=[WATER], limits=LIMITS)
    incident.sign(by=HANDLER, at=at + 3 * HOUR)
    incident.start_handling(by=HANDLER, at=at + 4 * HOUR)
    return incident


async def told(running, *incidents):
    """Put them into the log and all read models."""
    await append(running.log, incidents, first_number=await running.log.position())
    await folded(running)


async def folded(running):
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)


ONE = "query($id: UUID!, $asOf: DateTime, $atPosition: Position) {{ incident(id: $id, asOf: $asOf, atPosition: $atPosition) {{ {} }} }}"
LIST = """
query($filter: IncidentFilter, $orderBy: IncidentOrder, $first: Int! = 50, $after: String, $asOf: DateTime, $atPosition: Position) {
  incidents(filter: $filter, orderBy: $orderBy, first: $first, after: $after, asOf: $asOf, atPosition: $atPosition) {
    edges { node { id state description } } pageInfo { hasNextPage endCursor }
  }
}
"""


async def shown(asker, fields, by=SUPERVISOR, number=1, **then):
    return await asker.data(ONE.format(fields), by, id=str(UUID(int=number)), **then)


async def numbers(asker, by=SUPERVISOR, **asked):
    """The numbers of the incidents that are listed."""
    page = await asker.data(LIST, by, **asked)
    return [UUID(edge["node"]["id"]).int for edge in page["edges"]]


# --- what is shown of one ------------------------------------------------------------------------------------------------


async def test_everything_that_a_command_centre_needs_of_an_incident_is_there(running, asker, site):
    incident = handled(site, occurred_at=NOW - HOUR)
    incident.attach_evidence(
        by=HANDLER, at=NOW + 5 * HOUR, sha256=PICTURE, media_type="image/jpeg", note="门口"
    )
    incident.tag_mechanism(by=DISPATCHER, at=NOW + 5 * HOUR, mechanism=JointMechanism.DISPUTE_MEDIATION)
    incident.open_dispute(by=INTAKE, at=NOW + 5 * HOUR, dispute_id=UUID(int=77))
    incident.request_extension(by=HANDLER, at=NOW + 6 * HOUR, until=NOW + 90 * HOUR, reason="下雨")
    incident.supervise(by=SUPERVISOR, at=NOW + 6 * HOUR, note="看紧")
    other = made(site, 2)
    other.merge(by=INTAKE, at=NOW + 7 * HOUR, into=incident)
    await told(running, incident, other)
    found = await shown(
        asker,
        """confidential level supervised parked extensions extensionUntil returns reopenings mechanism mergedInto dueName overdue
        site { id code name township households } units { unit lead leg }
        deadlines { name dueAt missed rule clock } lastEvent { topic labelZh labelEn state actor }
        evidence { sha256 mediaType note by at } duplicates disputeIds""",
    )
    assert found == {
        "confidential": False,
        "level": 0,
        "supervised": True,
        "parked": False,
        "extensions": 0,
        "extensionUntil": (NOW + 90 * HOUR).isoformat(),
        "returns": 0,
        "reopenings": 0,
        "mechanism": "DISPUTE_MEDIATION",
        "mergedInto": None,
        "dueName": f"sign:{WATER}",
        "overdue": [],
        "site": {"id": str(site.id), "code": "runjinyuan", "name": "润锦苑", "township": "yuhai", "households": None},
        "units": [{"unit": UNIT, "lead": True, "leg": "SIGNED"}, {"unit": WATER, "lead": False, "leg": "DISPATCHED"}],
        "deadlines": [
            {"name": f"sign:{WATER}", "dueAt": (NOW + 3 * HOUR).isoformat(), "missed": False, "rule": "limits-test", "clock": None},
            {"name": f"handle:{UNIT}", "dueAt": (NOW + 12 * HOUR).isoformat(), "missed": False, "rule": "limits-test", "clock": None},
            {"name": f"handle:{WATER}", "dueAt": (NOW + 12 * HOUR).isoformat(), "missed": False, "rule": "limits-test", "clock": None},
        ],
        "lastEvent": {
            "topic": "incident.duplicate_added", "labelZh": "并入重复件", "labelEn": "another was merged into it",
            "state": "HANDLING", "actor": INTAKE.id,
        },
        "evidence": [
            {"sha256": PICTURE, "mediaType": "image/jpeg", "note": "门口", "by": HANDLER.id, "at": (NOW + 5 * HOUR).isoformat()}
        ],
        "duplicates": [str(other.id)],
        "disputeIds": [str(UUID(int=77))],
    }  # fmt: skip
    assert (await shown(asker, "state mergedInto", number=2)) == {
        "state": "MERGED",
        "mergedInto": str(incident.id),
    }


async def test_a_deadline_says_by_which_clock_it_runs_if_the_limits_are_those_in_force(running, asker, site):
    incident = made(site, urgency="EMERGENCY")
    incident.accept(by=INTAKE, at=NOW)
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=UNIT, limits=running.limits)
    await told(running, incident)
    found = await shown(asker, "deadlines { name clock rule }")
    assert found["deadlines"] == [
        {"name": f"sign:{UNIT}", "clock": "WALL", "rule": running.limits.rule},
        {"name": f"handle:{UNIT}", "clock": "WALL", "rule": running.limits.rule},
    ]


async def test_a_missed_deadline_is_shown_as_missed_until_it_is_made_good(running, asker, site):
    incident = handled(site)
    incident.pass_deadline(by=TIMER, at=NOW + 3 * HOUR, name=f"sign:{WATER}")
    await told(running, incident)
    found = await shown(asker, "overdue deadlines { name missed }")
    assert found["overdue"] == [f"sign:{WATER}"]
    assert found["deadlines"][0] == {"name": f"sign:{WATER}", "missed": True}
    incident.sign(by=PLUMBER, at=NOW + 6 * HOUR, unit=WATER)
    await told(running, incident)
    found = await shown(asker, "overdue deadlines { name missed }")
    assert found["overdue"] == [f"sign:{WATER}"]
    assert [one["missed"] for one in found["deadlines"]] == [False, False]


async def test_the_photo_of_a_closing_on_the_spot_is_evidence(running, asker, site):
    incident = made(site)
    incident.accept(by=INTAKE, at=NOW)
    incident.close_on_the_spot(by=GRID_WORKER, at=NOW, photo_sha256=PICTURE, note="已清理")
    await told(running, incident)
    assert (await shown(asker, "evidence { sha256 mediaType note }"))["evidence"] == [
        {"sha256": PICTURE, "mediaType": None, "note": "已清理"}
    ]


# --- what is confidential, and what is personal --------------------------------------------------------------------------

SECRET = "description timeline { topic said } lastEvent { said } evidence { note }"


async def test_nothing_that_is_said_in_a_confidential_incident_is_shown_to_who_may_not_read_it(
    running, asker, site
):
    incident = handled(site, confidential=True, description="举报某单位")
    incident.attach_evidence(
        by=HANDLER, at=NOW + 5 * HOUR, sha256=PICTURE, media_type="image/jpeg", note="举报信"
    )
    incident.comment(by=HANDLER, at=NOW + 5 * HOUR, text="举报人说")
    await told(running, incident)
    known = await running.log.position()  # who asks as of a moment is recorded
    for by in (SUPERVISOR, INTAKE, HANDLER, PLUMBER):
        found = await shown(asker, SECRET, by)
        assert [one["said"] for one in found["timeline"] if one["said"]] == [
            "举报某单位",
            "举报信",
            "举报人说",
        ], by.id
        assert (found["description"], found["lastEvent"]["said"]) == ("举报某单位", "举报人说")
        assert found["evidence"] == [{"note": "举报信"}]
    for by in (STRANGER, GRID_WORKER, person(Role.ADMIN)):
        for then in (
            {},
            {"asOf": (NOW + 99 * HOUR).isoformat()},
            {"atPosition": known},
        ):
            answer = await asker.answer(ONE.format(SECRET), by, id=str(incident.id), **then)
            assert "举报" not in str(answer), by.id
            assert len(answer["data"]["incident"]["timeline"]) == 7
            assert answer["data"]["incident"]["evidence"] is None


async def test_who_reported_a_confidential_incident_is_not_shown_to_other_units(running, asker, site):
    subject = of_subject(UUID(int=9))
    incident = handled(site, confidential=True, reporter=Personal(subject, "李某 13900001111"))
    await told(running, incident)
    for by in (INTAKE, HANDLER):
        assert (await shown(asker, "reporter { text redacted }", by))["reporter"] == {
            "text": "李某 13900001111", "redacted": False,
        }  # fmt: skip
    for by in (STRANGER, GRID_WORKER):
        answer = await asker.answer(ONE.format("id reporter { text }"), by, id=str(incident.id))
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        assert answer["data"]["incident"] == {"id": str(incident.id), "reporter": None}
    await destroy(running.log, subject)
    assert (await shown(asker, "reporter { text redacted }"))["reporter"] == {"text": None, "redacted": True}


# --- lists ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def board(running, site):
    """1 and 2 are handled and due at 3 h and 23 h after NOW, 3 is urgent and reported, 4 is closed, 5 lies in another township."""
    far = await build_site(running.log, "shaozhai", "tangxia")
    four = handled(site, 4, at=NOW - 40 * HOUR, source=Source.HOTLINE, description="路灯不亮")
    four.sign(by=PLUMBER, at=NOW - 35 * HOUR, unit=WATER)
    four.give_feedback(by=PLUMBER, at=NOW - 34 * HOUR, result="done", unit=WATER)
    four.give_feedback(by=HANDLER, at=NOW - 33 * HOUR, result="done", limits=LIMITS)
    four.verify(by=VERIFIER, at=NOW - 32 * HOUR, passed=True, note="亮了")
    two = handled(site, 2, at=NOW + 20 * HOUR, category="theft")
    two.tag_mechanism(by=DISPATCHER, at=NOW + 25 * HOUR, mechanism=JointMechanism.DISPUTE_MEDIATION)
    three = made(site, 3, at=NOW + 30 * HOUR, urgency="URGENT", category="fire")
    await told(running, handled(site, 1), two, three, four, made(far, 5, at=NOW - HOUR))


FILTERS = [
    ({"state": "REPORTED"}, [3, 5]),
    ({"state": ["CLOSED", "HANDLING"]}, [2, 1, 4]),
    ({"site": "shaozhai"}, [5]),
    ({"township": "yuhai"}, [3, 2, 1, 4]),
    ({"category": ["theft", "fire"]}, [3, 2]),
    ({"urgency": "URGENT"}, [3]),
    ({"source": "HOTLINE"}, [4]),
    ({"mechanism": "DISPUTE_MEDIATION"}, [2]),
    ({"unit": WATER}, [2, 1, 4]),
    ({"leadUnit": WATER}, []),
    ({"leadUnit": UNIT, "state": "CLOSED"}, [4]),
    ({"dueBefore": (NOW + 10 * HOUR).isoformat()}, [1]),
    ({"dueFrom": (NOW + 10 * HOUR).isoformat()}, [2]),
    ({"reportedFrom": NOW.isoformat(), "reportedUntil": (NOW + 30 * HOUR).isoformat()}, [2, 1]),
    ({"closedFrom": (NOW - 33 * HOUR).isoformat(), "closedUntil": NOW.isoformat()}, [4]),
    ({"closedFrom": NOW.isoformat()}, []),
    ({"everOverdue": False, "supervised": False, "parked": False, "confidential": False, "returned": False}, [3, 2, 1, 5, 4]),
    ({"extended": True}, []),
    ({"text": "路灯"}, [4]),
    ({"text": "施工", "township": "tangxia"}, [5]),
]  # fmt: skip


async def test_a_filter_keeps_what_it_says_and_the_counts_are_of_all_it_keeps(running, asker, board):
    counts = "query($filter: IncidentFilter) { incidents(filter: $filter, first: 1) { counts { state incidents } } }"
    for wanted, expected in FILTERS:
        assert await numbers(asker, filter=wanted) == expected, wanted
        found = (await asker.data(counts, SUPERVISOR, filter=wanted))["counts"]
        assert sum(one["incidents"] for one in found) == len(expected), wanted


async def test_what_is_past_due_is_overdue_at_the_moment_asked_about(running, asker, board):
    for hours, late in ((2, []), (3, [1]), (30, [2, 1])):
        wanted = {"overdue": True, "reportedFrom": NOW.isoformat()}
        then = (NOW + hours * HOUR).isoformat()
        assert [n for n in await numbers(asker, filter=wanted, asOf=then) if n in {1, 2}] == late, hours
    assert await numbers(asker, filter={"overdue": True}) == [2, 1]
    assert await numbers(asker, filter={"overdue": False}) == [3, 5, 4]


ORDERS = [
    ({"field": "REPORTED_AT", "direction": "DESC"}, [3, 2, 1, 5, 4]),
    ({"field": "REPORTED_AT", "direction": "ASC"}, [4, 5, 1, 2, 3]),
    ({"field": "DUE_AT", "direction": "ASC"}, [1, 2]),
    ({"field": "DUE_AT", "direction": "DESC"}, [2, 1]),
    ({"field": "URGENCY", "direction": "DESC"}, [3, 2, 1, 5, 4]),
    ({"field": "URGENCY", "direction": "ASC"}, [4, 5, 1, 2, 3]),
    ({"field": "CLOSED_AT", "direction": "DESC"}, [4]),
    ({"field": "LAST_AT", "direction": "ASC"}, [4, 5, 1, 2, 3]),
]


async def test_in_every_order_pages_follow_each_other_and_a_cursor_of_another_order_is_refused(
    running, asker, board
):
    for order, expected in ORDERS:
        found, after = [], None
        while True:
            page = await asker.data(LIST, SUPERVISOR, orderBy=order, first=1, after=after)
            found += [UUID(edge["node"]["id"]).int for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert found == expected, order
        for other, _ in ORDERS:
            if other != order:
                refusal = await asker.refusal(LIST, SUPERVISOR, orderBy=other, after=after)
                assert refusal["code"] == "INVALID", (order, other)


async def test_a_cursor_that_nobody_gave_is_refused(running, asker, board):
    order = {"field": "URGENCY", "direction": "DESC"}
    for rank in ("", "0", "4", "-1", "9" * 20, "x"):
        after = cursor("URGENCY DESC", rank, NOW.isoformat(), UUID(int=1))
        assert (await asker.refusal(LIST, SUPERVISOR, orderBy=order, after=after))["code"] == "INVALID", rank
    after = cursor("REPORTED_AT DESC", 1, NOW.isoformat(), UUID(int=1))
    assert (await asker.refusal(LIST, SUPERVISOR, after=after))["code"] == "INVALID"


async def test_what_cannot_be_asked_for_is_refused_with_the_reason(running, asker, board):
    then = NOW.isoformat()
    for asked, why in (
        ({"filter": {"unit": "\x00"}}, "unit"),
        ({"filter": {"leadUnit": "A B"}}, "unit"),
        ({"filter": {"category": ["noise", "No!"]}}, "category"),
        ({"filter": {"text": " "}}, "searched"),
        ({"filter": {"closedFrom": "2026-01-01T00:00:00"}}, "time zone"),
        ({"filter": {"dueBefore": "2026-01-01T00:00:00"}}, "time zone"),
        ({"asOf": "2026-01-01T00:00:00"}, "time zone"),
        ({"asOf": then, "atPosition": 1}, "asOf and atPosition"),
        ({"atPosition": 10_000}, "beyond the end of the log"),
        ({"asOf": then, "filter": {"text": "路灯"}}, "text"),
        ({"asOf": then, "orderBy": {"field": "DUE_AT", "direction": "ASC"}}, "DUE_AT"),
        ({"asOf": then, "orderBy": {"field": "CLOSED_AT", "direction": "ASC"}}, "CLOSED_AT"),
        ({"atPosition": 1, "filter": {"overdue": True}}, "overdue"),
    ):
        refusal = await asker.refusal(LIST, SUPERVISOR, **asked)
        assert refusal["code"] == "INVALID", asked
        assert why in refusal["message"], refusal
    counts = "query($asOf: DateTime) { incidents(asOf: $asOf) { counts { state } } }"
    assert "counts" in (await asker.refusal(counts, SUPERVISOR, asOf=then))["message"]


# --- then ----------------------------------------------------------------------------------------------------------------


async def test_an_incident_is_shown_as_it_stood_at_a_time_or_was_known_at_a_position_with_all_that_is_read_of_it(
    running, asker, board
):
    fields = "state version leadUnit closedAt timeline { position topic } lastEvent { topic } deadlines { name } units { unit }"
    history = await running.log.history(UUID(int=4))
    for entry in history:
        version = entry.event.originator_version
        for then in ({"atPosition": entry.position}, {"asOf": entry.event.timestamp.isoformat()}):
            found = await shown(asker, fields, number=4, **then)
            assert found["version"] == version
            assert [one["position"] for one in found["timeline"]] == [
                one.position for one in history[:version]
            ]
            assert found["lastEvent"] == {"topic": entry.event.TOPIC}
            assert (found["closedAt"] is None) == (version < len(history))
            assert len(found["units"]) == (2 if version >= 3 else 0)
    assert await shown(asker, "id", number=4, atPosition=history[0].position - 1) is None
    before = history[0].event.timestamp - timedelta(microseconds=1)
    assert await shown(asker, "id", number=4, asOf=before.isoformat()) is None


async def test_a_list_is_as_it_stood_then_with_its_filters_page_after_page(running, asker, board):
    at = {"asOf": (NOW - 36 * HOUR).isoformat()}
    assert await numbers(asker, **at) == [4]
    assert await numbers(asker, filter={"state": "HANDLING"}, **at) == [4]
    assert await numbers(asker, filter={"state": "CLOSED"}, **at) == []
    at = {"asOf": (NOW + 21 * HOUR).isoformat()}
    found, after = [], None
    while True:
        page = await asker.data(LIST, SUPERVISOR, first=1, after=after, **at)
        found += [(UUID(edge["node"]["id"]).int, edge["node"]["state"]) for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == [(2, "ACCEPTED"), (1, "HANDLING"), (5, "REPORTED"), (4, "CLOSED")]


async def test_then_is_waited_for_as_a_write_of_ones_own_is(working, asker, site):
    await append(working.log, [made(site)], first_number=1000)
    end = await working.log.position()
    assert await numbers(asker, atPosition=end) == [1]
    assert await numbers(asker, atPosition=end - 1) == []


async def test_somebody_of_another_township_sees_nothing_of_then_either(running, asker, board):
    stranger = person(Role.INTAKE, scope=Scope("tangxia"))
    end = await running.log.position()
    assert await numbers(asker, stranger, atPosition=end) == [5]
    assert await shown(asker, "id", stranger, number=1, atPosition=end) is None
    statistician = person(Role.STATISTICIAN)
    assert (await asker.refusal(LIST, statistician, atPosition=end))["code"] == "FORBIDDEN"


# --- open work -----------------------------------------------------------------------------------------------------------

WORK = """
query($unit: String, $first: Int! = 50, $after: String) { openWork(unit: $unit, first: $first, after: $after) {
  edges { node { duty unit assisting dueAt incidentId incident { id state site { code } } } } pageInfo { hasNextPage endCursor }
} }
"""


async def test_a_unit_sees_what_it_has_to_do_in_the_order_in_which_it_is_due(running, asker, board):
    def task(number, duty, hours, *, assisting=False):
        return {
            "duty": duty, "unit": WATER if assisting else UNIT, "assisting": assisting,
            "dueAt": (NOW + hours * HOUR).isoformat(), "incidentId": str(UUID(int=number)),
            "incident": {"id": str(UUID(int=number)), "state": "HANDLING", "site": {"code": "runjinyuan"}},
        }  # fmt: skip

    for unit, expected in (
        (UNIT, [task(1, "HANDLE", 12), task(2, "HANDLE", 32)]),
        (WATER, [task(1, "SIGN", 3, assisting=True), task(2, "SIGN", 23, assisting=True)]),
    ):
        page = await asker.data(WORK, SUPERVISOR, unit=unit)
        assert [edge["node"] for edge in page["edges"]] == expected
        first = await asker.data(WORK, SUPERVISOR, unit=unit, first=1)
        rest = await asker.data(WORK, SUPERVISOR, unit=unit, after=first["pageInfo"]["endCursor"])
        assert [edge["node"] for edge in first["edges"] + rest["edges"]] == expected
    centre, after = [], None
    for _ in range(2):  # neither has a limit: their cursors are of no due
        page = await asker.data(WORK, SUPERVISOR, first=1, after=after)
        centre += [
            (edge["node"]["duty"], edge["node"]["unit"], edge["node"]["dueAt"]) for edge in page["edges"]
        ]
        after = page["pageInfo"]["endCursor"]
    assert (centre, page["pageInfo"]["hasNextPage"]) == ([("ACCEPT", None, None)] * 2, False)
    for stranger in ("x", cursor("None", UUID(int=1), "NAP"), cursor("2026-01-01", UUID(int=1), "SIGN")):
        assert (await asker.refusal(WORK, SUPERVISOR, after=stranger))["code"] == "INVALID"


async def test_how_much_everybody_has_to_do_is_counted_within_ones_scope(running, asker, board):
    loads = "{ unitLoads { unit open overdue soon } }"
    found = await asker.data(loads, SUPERVISOR)
    assert [(one["unit"], one["open"]) for one in found] == [(None, 2), (UNIT, 2), (WATER, 2)]
    found = await asker.data(loads, person(Role.INTAKE, scope=Scope("tangxia")))
    assert found == [{"unit": None, "open": 1, "overdue": 0, "soon": 0}]


# --- statements ----------------------------------------------------------------------------------------------------------

RICH = """
query($first: Int!, $atPosition: Position) { incidents(first: $first, atPosition: $atPosition) { edges { node {
  id state site { code } timeline { said labelZh } lastEvent { topic } evidence { sha256 } deadlines { name clock } duplicates disputeIds
  reporter { text }
} } } }
"""
MOST_STATEMENTS = 23
RICH_WORK = "query($first: Int!) { openWork(first: $first) { edges { node { duty incident { site { code } timeline { said } } } } } }"


async def statements(running):
    """What is sent to PostgreSQL from now on, on any of the pool's connections; also by asyncpg itself, which asks for types."""
    sent, pool = [], running.pool
    free = pool.get_max_size() - pool.get_size() + pool.get_idle_size()
    lent = [await pool.acquire() for _ in range(free)]
    for connection in lent:
        connection.add_query_logger(lambda record: sent.append(record.query.strip()))
        await pool.release(connection)
    await asyncio.sleep(0)
    sent.clear()  # what giving them back took
    return sent


async def test_a_list_of_fifty_takes_as_many_statements_as_one_of_two(running, asker, site, monkeypatch):
    monkeypatch.setattr(vault, "LIFETIME", 60.0)  # keys are read once, however long the lists take
    crowd = [
        made(
            site,
            number,
            at=NOW + number * HOUR,
            reporter=Personal(of_subject(UUID(int=number)), f"李 {number}"),
        )
        for number in range(1, 61)
    ]
    await told(running, *crowd)
    end = await running.log.position()
    for question, then in ((RICH, {}), (RICH, {"atPosition": end}), (RICH_WORK, {})):
        counts = []
        for first in (50, 2, 50):  # once before, for the keys
            sent = await statements(running)
            page = await asker.data(question, SUPERVISOR, first=first, **then)
            assert len(page["edges"]) == first
            counts.append(Counter(one for one in sent if not re.search("typeinfo_tree|'jit'", one)))
        assert counts[1] == counts[2], (counts[1] - counts[2], counts[2] - counts[1])
        assert counts[2].total() <= MOST_STATEMENTS
