"""Commands on the real log: who may, where, once, all or nothing, and anew if somebody else was faster."""

import asyncio
from dataclasses import replace

import pytest
from given import NOW, build_site, order, person, report
from incidents import LIMITS, UNIT, running

from domain import commands
from domain.errors import ConflictError, ForbiddenError, InvalidError, RuleError
from domain.incident import Incident, IncidentState
from domain.people import Role, Scope
from domain.ports import Request

S = IncidentState
WHY = {"reason": "another dog"}


class Racing:
    """The log, on which somebody else does `change` as soon as the aggregate `victim` was loaded, `times` times."""

    def __init__(self, log, victim, change, times=1):
        self._log, self._victim, self._change, self.left = log, victim, change, times

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def load(self, kind, aggregate_id, **given):
        found = await self._log.load(kind, aggregate_id, **given)
        if aggregate_id == self._victim and self.left:
            self.left -= 1
            await self._change()
        return found


@pytest.fixture
async def pair(log, site):
    """The ids of two reports of the same matter."""
    return (await report(log, site)).id, (await report(log, site)).id


def merge(log, pair, by=None):
    return commands.merge_incident(log, by or order(Role.INTAKE), pair[0], into=pair[1])


def unmerge(log, pair, by=None):
    return commands.unmerge_incident(log, by or order(Role.SUPERVISOR), pair[0], main=pair[1], **WHY)


async def states(log, pair):
    """(state, version) of both."""
    found = [await log.load(Incident, one) for one in pair]
    return [(one.state, one.version) for one in found]


UNTOUCHED = [(S.REPORTED, 1), (S.REPORTED, 1)]
MERGED = [(S.MERGED, 2), (S.REPORTED, 2)]


async def test_a_merger_and_its_undoing_change_both_in_one_request(log, pair):
    before, given = await log.position(), order(Role.INTAKE)
    done = await merge(log, pair, given)
    assert (done.id, done.version, done.position, done.repeated) == (pair[0], 2, before + 2, False)
    appended = await log.find(given.request_id)
    assert (appended.first, appended.last) == (before + 1, before + 2)
    assert await states(log, pair) == MERGED

    done = await unmerge(log, pair)
    assert (done.id, done.version, done.position) == (pair[0], 3, before + 4)
    assert await states(log, pair) == [(S.REPORTED, 3), (S.REPORTED, 3)]
    page = await log.read(before, 9)
    assert [entry.event.TOPIC.removeprefix("incident.") for entry in page.entries] == [
        "merged",
        "duplicate_added",
        "unmerged",
        "duplicate_removed",
    ]


async def test_a_merger_that_is_refused_changes_neither(log, pair):
    await commands.act(log, order(Role.INTAKE), Incident, Incident.reject, pair[1], reason="not ours")
    before = await log.position()
    with pytest.raises(RuleError, match="duplicate_added is refused: the incident is REJECTED"):
        await merge(log, pair)
    with pytest.raises(RuleError, match="is not merged into"):
        await unmerge(log, pair)
    with pytest.raises(RuleError, match="cannot be merged into itself"):
        await merge(log, (pair[0], pair[0]))
    assert await log.position() == before


@pytest.mark.parametrize(
    ("undo", "victim"),
    [(False, 0), (False, 1), (True, 1)],  # nothing can happen to a merged one
)
async def test_a_merger_is_decided_anew_if_either_has_changed_meanwhile(log, pair, undo, victim):
    async def comment():
        by = order(Role.INTAKE)
        await commands.act(log, by, Incident, Incident.comment, pair[victim], text="look at both")

    if undo:
        await merge(log, pair)
    racing = Racing(log, pair[victim], comment, times=2)
    done = await (unmerge if undo else merge)(racing, pair)
    assert (racing.left, done.repeated) == (0, False)
    first, second = [await log.load(Incident, one) for one in pair]
    assert (first.state is S.MERGED, bool(second.duplicates)) == (not undo, not undo)


@pytest.mark.parametrize("victim", [0, 1])
async def test_a_merger_that_is_not_possible_any_more_changes_neither(log, pair, victim):
    async def reject():
        await commands.act(
            log, order(Role.INTAKE), Incident, Incident.reject, pair[victim], reason="not ours"
        )

    with pytest.raises(RuleError, match="is refused: the incident is REJECTED"):
        await merge(Racing(log, pair[victim], reject), pair)
    expected = list(UNTOUCHED)
    expected[victim] = (S.REJECTED, 2)
    assert await states(log, pair) == expected


async def test_of_two_that_are_merged_into_each_other_at_the_same_time_one_goes_on(log, pair):
    results = await asyncio.gather(merge(log, pair), merge(log, pair[::-1]), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Done", "RuleError"]
    assert sorted(await states(log, pair)) == sorted(MERGED)


async def test_whoever_is_responsible_for_one_township_merges_nothing_with_another(log, site):
    elsewhere = await build_site(log, code="tangxia-1", township="tangxia")
    pair = [(await report(log, place)).id for place in (site, elsewhere)]
    scope = Scope(township="yuhai")
    intake = person(Role.INTAKE, name="local", scope=scope)
    for ids in (pair, pair[::-1]):
        with pytest.raises(ForbiddenError, match="local is responsible for township yuhai, and this lies"):
            await merge(log, ids, order(by=intake))
    assert await states(log, pair) == UNTOUCHED
    await merge(log, pair)  # the city's own intake may
    with pytest.raises(ForbiddenError, match="this lies outside"):
        await unmerge(log, pair, order(by=person(Role.SUPERVISOR, scope=scope)))
    assert await states(log, pair) == MERGED


async def test_only_who_may_merges_and_undoes_it(log, pair):
    with pytest.raises(ForbiddenError, match=r"incident\.merge needs one of these roles: intake"):
        await merge(log, pair, order(Role.SUPERVISOR))
    with pytest.raises(ForbiddenError, match=r"incident\.unmerge needs one of these roles"):
        await unmerge(log, pair, order(Role.DISPATCHER))


async def test_a_merger_that_is_asked_for_again_under_the_same_id_is_done_once(log, pair):
    given = order(Role.INTAKE)
    done = await asyncio.gather(*(merge(log, pair, given) for _ in range(5)))
    assert [one.repeated for one in done].count(False) == 1
    assert len({one.position for one in done}) == 1  # that of the last event: there both can be read
    assert await states(log, pair) == MERGED


async def test_a_merger_that_was_undone_is_not_done_again_by_a_late_repeat(log, pair):
    given = order(Role.INTAKE)
    first = await merge(log, pair, given)
    await unmerge(log, pair)
    late = await merge(log, pair, given)
    assert (late.position, late.repeated) == (first.position, True)
    assert await states(log, pair) == [(S.REPORTED, 3), (S.REPORTED, 3)]


# --- time limits and versions -----------------------------------------------------------------------------------------


async def test_the_commands_that_take_time_limits_are_given_those_of_the_order(log, site):
    unit = person(Role.UNIT_HANDLER, units=(UNIT,))
    intake, dispatcher, handler, verifier = (
        replace(given, limits=LIMITS)
        for given in (order(Role.INTAKE), order(Role.DISPATCHER), order(by=unit), order(Role.VERIFIER))
    )
    made = await report(log, site, by=intake)

    async def due(by, method, **fields):
        again = order(by=by.by)
        await commands.act(log, replace(again, limits=by.limits), Incident, method, made.id, **fields)
        return running(await log.load(Incident, made.id))

    assert await due(intake, Incident.accept) == {}
    assert await due(dispatcher, Incident.dispatch, lead_unit=UNIT) == {
        f"sign:{UNIT}": 1,
        f"handle:{UNIT}": 10,
    }
    water = {"sign:water": 1, "handle:water": 10}
    assert (await due(dispatcher, Incident.ask_assistance, unit="water")).items() >= water.items()
    await due(dispatcher, Incident.release_assistance, unit="water", **WHY)
    await due(handler, Incident.sign)
    await due(handler, Incident.start_handling)
    assert await due(handler, Incident.give_feedback, result="swept") == {"verify": 5}
    again = await due(verifier, Incident.verify, passed=False, note="dirty")
    assert again == {f"handle:{UNIT}": 10}


def accept(log, incident_id, by=None, **given):
    return commands.act(log, by or order(Role.INTAKE), Incident, Incident.accept, incident_id, **given)


async def test_a_command_for_another_version_is_refused_and_told_the_current_one(log, pair):
    for wrong in (0, 2, 7):
        with pytest.raises(ConflictError, match=f"is at version 1, not {wrong}: read it again") as refused:
            await accept(log, pair[0], expected_version=wrong)
        assert refused.value.current == 1
    assert (await accept(log, pair[0], expected_version=1)).version == 2


async def test_a_command_for_a_version_is_not_decided_anew(log, pair):
    async def comment():
        await commands.act(log, order(Role.INTAKE), Incident, Incident.comment, pair[0], text="wait")

    with pytest.raises(ConflictError) as refused:
        await accept(Racing(log, pair[0], comment), pair[0], expected_version=1)
    assert refused.value.current == 2
    racing = Racing(log, pair[0], comment, times=commands.RETRIES - 1)
    assert (await accept(racing, pair[0])).version == commands.RETRIES + 2


async def test_a_command_that_loses_every_race_gives_up(log, pair):
    async def comment():
        await commands.act(log, order(Role.INTAKE), Incident, Incident.comment, pair[0], text="wait")

    with pytest.raises(ConflictError):
        await accept(Racing(log, pair[0], comment, times=99), pair[0])
    assert (await log.load(Incident, pair[0])).version == 1 + commands.RETRIES


async def test_a_command_for_a_version_that_is_asked_for_again_is_done_once(log, pair):
    given = order(Role.INTAKE, at=NOW)
    first = await accept(log, pair[0], given, expected_version=1)
    again = await accept(log, pair[0], given, expected_version=1)
    assert (again.position, again.repeated) == (first.position, True)
    assert (await log.load(Incident, pair[0])).version == 2


async def test_a_command_that_could_be_done_once_more_says_the_version_there_is_when_it_is_asked_for_again(
    log, pair
):
    given = order(Role.INTAKE)
    done = [
        await commands.act(log, given, Incident, Incident.comment, pair[0], text="wait") for _ in range(2)
    ]
    assert [(one.version, one.repeated) for one in done] == [(2, False), (2, True)]


# --- one id, two commands ----------------------------------------------------------------------------------------------

USED = "was used for something else: each request needs its own"


def comment(log, incident_id, by):
    return commands.act(log, by, Incident, Incident.comment, incident_id, text="look")


async def test_another_command_under_the_same_id_is_refused_and_a_repeat_is_not(log, pair):
    given, position = order(Role.INTAKE), await log.position()
    first = await accept(log, pair[0], given)
    for _ in range(2):
        with pytest.raises(InvalidError, match=USED):  # it could be done
            await comment(log, pair[0], given)
        with pytest.raises(InvalidError, match=USED):  # it could not
            await commands.act(log, given, Incident, Incident.reject, pair[0], reason="not ours")
        with pytest.raises(InvalidError, match=USED):  # about two
            await merge(log, pair, given)
        again = await accept(log, pair[0], given)
        assert again == replace(first, repeated=True)
    assert await log.position() == position + 1


async def test_a_repeat_that_could_be_done_again_is_done_once(log, pair):
    given = order(Role.INTAKE)
    first = await comment(log, pair[0], given)
    again = await comment(log, pair[0], given)
    assert (again.position, again.repeated) == (first.position, True)
    assert (await log.load(Incident, pair[0])).version == 2


async def test_of_two_commands_at_once_under_one_id_one_is_done_and_the_other_told(log, pair):
    given = order(Role.INTAKE)
    results = await asyncio.gather(
        *(comment(log, pair[0], given) for _ in range(3)),
        *(accept(log, pair[0], given) for _ in range(3)),
        return_exceptions=True,
    )
    done = [one for one in results if isinstance(one, commands.Done)]
    refused = [one for one in results if isinstance(one, InvalidError)]
    assert (len(done), len(refused)) == (3, 3)
    assert [one.repeated for one in done].count(False) == 1
    assert all(USED in str(one) for one in refused)
    assert (await log.load(Incident, pair[0])).version == 2


async def test_what_was_made_under_an_id_is_made_by_that_command_alone(log, site):
    given = order(Role.INTAKE)
    made = await report(log, site, by=given)
    with pytest.raises(InvalidError, match=USED):
        await comment(log, made.id, given)
    assert (await report(log, site, by=given)).repeated


async def test_which_command_it_was_stands_beside_the_event(log, pair):
    await merge(log, pair)
    page = await log.read(await log.position() - 2, 2)
    assert [entry.metadata for entry in page.entries] == [{"command": "incident.merge"}] * 2


async def test_what_was_appended_before_commands_were_written_down_is_repeated(log, pair):
    given = order(Role.INTAKE)
    incident = await log.load(Incident, pair[0])
    incident.accept(by=given.by, at=given.at)
    await log.append(Request(given.request_id, incident.collect_events(), {}))
    assert (await accept(log, pair[0], given)).repeated
