"""The whole year: its numbers are the story's, its incidents keep the rules, and killed or told again it is in the log once."""

from collections import Counter
from datetime import date, timedelta
from io import StringIO
from random import Random

import asyncpg
import psutil
import pytest
from commanding import MODELS
from given import order
from rich.console import Console

from adapters.verify import verify
from api import demo
from api.full_year import begun, build_sites, tell_part, tell_year
from api.scenario import FOUNDED, STAFF, load_scenario
from api.year.life import tell
from api.year.plan import RUNJINYUAN, Ending, plan_year, spread
from domain.commands import plan_site
from domain.deadlines import Urgency
from domain.errors import UnavailableError
from domain.incident import Incident, IncidentState
from domain.model import event_classes
from domain.people import Role
from domain.policy import ALLOWED
from domain.site import Site, site_id
from projections.period import day_of

STATES = IncidentState
SMALL = 500


@pytest.fixture(scope="module")
def whole():
    return plan_year(load_scenario())


@pytest.fixture(scope="module")
def small():
    """A five-hundredth of the year, with its shares."""
    return plan_year(load_scenario(), part=SMALL)


def quiet(done, of):
    """Progress that nobody watches."""


def site_of(place):
    return Site.plan(
        code=place.code, name=place.name, township=place.township, by=STAFF[Role.ADMIN], at=FOUNDED
    )


@pytest.fixture(scope="module")
def incidents(whole):
    """Two days of the year, driven: (case, events of its incident)."""
    sites = {place.code: site_of(place) for place in whole.places}
    shares, ratings = whole.made_up["shares"], whole.made_up["ratings"]["weights"]
    days = list(whole.chapters(part=61, of=273))  # 1 March and 29 November
    chance = Random(1)
    return [
        (case, tell(case, sites[case.site], chance, shares, ratings))
        for chapter in days
        for case in chapter.cases
    ]


# --- the plan --------------------------------------------------------------------------------------------------------


def test_with_the_sample_it_has_the_numbers_of_the_story(whole):
    sample = load_scenario().synthetic["sample"]
    assert whole.reported + sample["reported"] == 351_129
    assert whole.closed + sample["reported"] - sample["open"] == 350_672
    days = whole.days()
    assert (days[0].date, days[-1].date) == (date(2018, 1, 1), date(2018, 11, 30))
    assert sum(one.reported for one in days) == whole.reported
    assert sum(one.open for one in days) == whole.open == 456


def test_what_a_day_reports_is_reported_on_it_and_ends_as_planned(whole):
    chapters = whole.chapters(part=2, of=50)
    planned = {one.date.isoformat(): one for one in whole.days()}
    for chapter in chapters:
        of_day = planned[chapter.name]
        ends = Counter(case.ending for case in chapter.cases)
        assert (ends[Ending.OPEN], ends[Ending.REJECTED]) == (of_day.open, of_day.rejected)
        assert ends[Ending.CLOSED] + ends[Ending.OPEN] == of_day.reported
        assert sum(case.duplicate is not None for case in chapter.cases) == of_day.merged
        assert {day_of(case.reported_at) for case in chapter.cases} == {of_day.date}


def test_it_is_always_the_same_and_another_number_is_another_year(whole, small):
    again = plan_year(load_scenario())
    first, other = (next(year.chapters(part=9, of=1000)) for year in (whole, again))
    assert first == other
    ids = {case.id for chapter in small.chapters() for case in chapter.cases}
    assert not ids & {case.id for case in first.cases}


def test_it_has_every_township_and_every_site_of_the_story(whole):
    assert len({place.township for place in whole.places}) == load_scenario().facts["city"]["townships"] == 23
    assert {place.code for place in whole.places if not place.made_up} == set(load_scenario().sites)
    assert all("synthetic" in place.name for place in whole.places if place.made_up)


def test_the_criminal_cases_of_the_story_lie_before_the_year_and_none_in_it(small):
    before = [
        case for chapter in small.chapters() if chapter.name in {"2016", "2017"} for case in chapter.cases
    ]
    assert Counter(day_of(case.reported_at).year for case in before) == {2016: 47, 2017: 1}
    assert {(case.site, case.category.code) for case in before} == {(RUNJINYUAN, "criminal-case")}
    within = [
        case for chapter in small.chapters() if chapter.name not in {"2016", "2017"} for case in chapter.cases
    ]
    assert "criminal-case" not in {case.category.code for case in within}


def test_a_day_off_is_quieter_and_the_night_too(whole):
    planned = {one.date: one.reported for one in whole.days()}
    assert planned[date(2018, 10, 1)] < 0.8 * planned[date(2018, 9, 28)]
    hours = Counter(
        (case.reported_at + timedelta(hours=8)).hour for case in next(whole.chapters(100, 1000)).cases
    )
    assert hours[9] > 4 * hours[3]


def test_whole_parts_add_up():
    assert spread(10, [1, 1, 1]) == [3, 4, 3]
    assert sum(spread(457, [0.1] * 334)) == 457
    assert spread(0, [1, 2]) == [0, 0]


# --- the lives -------------------------------------------------------------------------------------------------------


def folded(events, incident_id):
    found = None
    for event in events:
        if event.originator_id == incident_id:
            found = event.mutate(found)
    return found


def test_an_incident_ends_as_it_was_planned(incidents):
    closed = {STATES.CLOSED, STATES.EVALUATED}
    for case, events in incidents:
        incident = folded(events, case.id)
        match case.ending:
            case Ending.CLOSED:
                assert incident.state in closed
            case Ending.REJECTED:
                assert incident.state is STATES.REJECTED
            case Ending.OPEN:
                assert incident.state not in {*closed, STATES.REJECTED, STATES.MERGED}
        if case.duplicate:
            assert folded(events, case.duplicate).merged_into == case.id
            assert incident.duplicates == {case.duplicate}


def test_time_never_runs_back(incidents):
    for _, events in incidents:
        times = [event.timestamp for event in events]
        assert times == sorted(times)


def test_it_has_everything_that_the_figures_count_and_a_few_per_cent_late(incidents):
    topics = Counter(type(event) for _, events in incidents for event in events)
    for kind in (
        Incident.ClosedOnTheSpot,
        Incident.Returned,
        Incident.ReturnRefused,
        Incident.ExtensionGranted,
        Incident.ExtensionRefused,
        Incident.Reworked,
        Incident.Evaluated,
        Incident.Reopened,
        Incident.Merged,
        Incident.Rejected,
    ):
        assert topics[kind], kind
    late = {
        event.originator_id
        for _, events in incidents
        for event in events
        if isinstance(event, Incident.Overdue) and event.name.startswith("handle:")
    }
    assert 0.01 < len(late) / topics[Incident.Dispatched] < 0.06
    assert {case.urgency for case, _ in incidents} == set(Urgency)


def test_everybody_had_the_role_for_what_they_did(incidents):
    commands = {
        Incident.Reported: "report",
        Incident.Accepted: "accept",
        Incident.Dispatched: "dispatch",
        Incident.Signed: "sign",
        Incident.FeedbackGiven: "give_feedback",
        Incident.Closed: "verify",
        Incident.ClosedOnTheSpot: "close_on_the_spot",
        Incident.Returned: "decide_return",
        Incident.ExtensionGranted: "decide_extension",
        Incident.Reopened: "reopen",
        Incident.Evaluated: "evaluate",
    }
    for _, events in incidents:
        for event in events:
            if command := commands.get(type(event)):
                allowed = {role.replace("_", "-") for role in ALLOWED[f"incident.{command}"]}
                assert event.actor.startswith("demo-")
                assert event.actor.rpartition("-")[0].endswith(tuple(allowed)), event


def test_what_is_made_up_says_so_and_names_nobody(incidents):
    for _, events in incidents:
        assert "synthetic" in events[0].description
        assert events[0].reporter is None


# --- in the log ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def place(running, small):
    """The system with the year's sites, those of the story among them."""
    for one in small.places:
        if not one.made_up:
            await plan_site(
                running.log, order(Role.ADMIN), code=one.code, name=one.name, township=one.township
            )
    await build_sites(small, running.log)
    return running


async def states(pool):
    """How many incidents of the log stand in which state."""
    rows = await pool.fetch(
        "select array_agg(topic order by originator_version) as topics from events "
        "where category = 'incident' group by originator_id"
    )
    leads = {event.TOPIC: event.TO for event in event_classes(Incident).values() if event.TO}
    return Counter([leads[topic] for topic in row["topics"] if topic in leads][-1] for row in rows)


async def agrees(running, year):
    found = await states(running.pool)
    earlier = sum(year.criminal_cases.values())
    assert found[STATES.CLOSED] + found[STATES.EVALUATED] == year.closed + earlier
    assert (found[STATES.REJECTED], found[STATES.MERGED]) == (year.rejected, year.merged)
    assert found.total() == year.cases + year.merged
    assert (await verify(running.settings.require_database_url)).holds


async def test_told_by_two_processes_it_is_whole_and_told_again_it_adds_nothing(place, small):
    heard = []
    told = await tell_year(small, place.settings, lambda done, of: heard.append((done, of)))
    assert told.incidents == small.cases
    assert max(heard) == (small.cases, small.cases)
    await agrees(place, small)
    position = await place.log.position()
    again = await tell_year(small, place.settings, quiet)
    assert (again.incidents, again.events) == (0, 0)
    assert await place.log.position() == position


async def test_stopped_in_the_middle_it_goes_on(place, small):
    class StoppedError(Exception):
        pass

    def stop(done, of):
        if done > of / 2:
            raise StoppedError

    assert await begun(small, place.log)
    with pytest.raises(StoppedError):
        await tell_part(small, place.log, stop)
    rest = await tell_part(small, place.log, quiet)
    assert 0 < rest.incidents < small.cases
    await agrees(place, small)


async def test_a_process_that_is_killed_is_told_and_the_next_try_completes_it(place, small):
    def kill(done, of):
        for child in psutil.Process().children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()

    with pytest.raises(UnavailableError, match=r"the year is told in part: .* start again to go on"):
        await tell_year(small, place.settings, kill)
    await tell_year(small, place.settings, quiet)
    await agrees(place, small)


async def test_what_a_process_is_refused_is_said(place, small):
    nowhere = place.settings.model_copy(update={"database_url": "postgresql://nobody@/x?host=/nowhere"})
    with pytest.raises(UnavailableError, match="the database does not answer"):
        await tell_year(small, nowhere, quiet)


async def test_households_are_counted_and_counted_once(place, small):
    version = (await place.log.load(Site, site_id(RUNJINYUAN))).version
    await build_sites(small, place.log)
    found = await place.log.load(Site, site_id(RUNJINYUAN))
    assert found.version == version
    assert found.households in range(300, 2600)


async def test_the_demonstration_tells_it_and_its_figures_come_back(settings, small):
    settings = settings.model_copy(update={"models_dir": MODELS})

    async def shown(year):
        said = StringIO()
        code = await demo.run(settings, Console(file=said, width=120), stay=False, year=year)
        return code, said.getvalue()

    code, said = await shown(small)
    assert code == 0, said
    assert "办结率 1,466 / 1,468 = 99.86 %" in said
    assert f"{small.rejected} rejected, {small.merged} merged" in said
    superuser = await asyncpg.connect(settings.database_url)
    await superuser.execute(
        "update closure_days set cohort_closed = cohort_closed - 1 where dimension = 'ALL' "
        "and day = (select min(day) from closure_days where cohort_closed > 0 and day >= '2018-01-01')"
    )
    await superuser.close()
    code, said = await shown(small)
    assert code == 1
    assert said.count("✗") == 2  # closed, and the rate of them
