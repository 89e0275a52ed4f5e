"""The scenario is always the same, holds every site of the story, says what is made up, and can be loaded again."""

import asyncio
import tomllib
from collections import Counter
from datetime import date

import pytest
from given import NOW

from api import scenario as module
from api.scenario import Scenario, load, load_scenario, long_way
from domain.errors import CorruptError
from domain.incident import Incident, IncidentState
from domain.model import EVENTS
from domain.site import Site, SiteState, site_id
from projections.closure import PROJECTION
from projections.closure_figures import Question, closure
from projections.period import Period, day_of
from projections.runner import catch_up


def quiet(done, of):
    """Progress that nobody watches."""


@pytest.fixture
def small():
    """The scenario with a sample of twelve incidents, two of them open."""
    whole = load_scenario()
    return Scenario(whole.facts, {**whole.synthetic, "sample": {"reported": 12, "open": 2, "seed": 7}})


def test_it_is_always_the_same():
    assert list(load_scenario().incidents()) == list(load_scenario().incidents())
    assert load_scenario().sites == load_scenario().sites


def test_the_sample_has_the_rate_of_the_story_and_lies_in_its_months():
    incidents = list(load_scenario().incidents())
    closed = sum(incident.closes for incident in incidents)
    assert (len(incidents), closed) == (768, 767)
    assert f"{100 * closed / len(incidents):.2f}" == "99.87"
    assert {incident.site for incident in incidents} == set(load_scenario().sites)
    days = [day_of(incident.reported_at) for incident in incidents]
    assert date(2018, 1, 1) <= min(days) <= max(days) <= date(2018, 11, 30)


def test_the_facts_are_those_of_the_story():
    platform = load_scenario().facts["platform"]
    assert (platform["reported"], platform["closed"], platform["closure_rate_percent"]) == (
        351_129,
        350_672,
        99.87,
    )
    programme = load_scenario().facts["programme"]
    assert (len(programme["operating"]), len(programme["under_construction"])) == (14, 18)


def test_every_site_of_the_story_is_there_under_a_code_of_its_own():
    programme = load_scenario().facts["programme"]
    names = [name for name, _ in load_scenario().sites.values()]
    assert Counter(names) == Counter(programme["operating"] + programme["under_construction"])
    assert len({site_id(code) for code in load_scenario().sites}) == 32
    assert {township for _, township in load_scenario().sites.values()} == set(
        load_scenario().synthetic["townships"]
    )


def test_what_is_made_up_says_so():
    assert load_scenario().synthetic["notice"] == "synthetic"
    assert all("synthetic" in incident.description for incident in load_scenario().incidents())


def test_a_made_up_part_that_names_other_sites_than_the_story_is_refused(monkeypatch, tmp_path):
    folder = module._FOLDER
    (tmp_path / "ruian.toml").write_text(
        (folder / "ruian.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    text = (folder / "synthetic.toml").read_text(encoding="utf-8").replace("凤山小区", "凤凰小区")
    (tmp_path / "synthetic.toml").write_text(text, encoding="utf-8")
    assert tomllib.loads(text)
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    with pytest.raises(CorruptError, match="disagree on operating"):
        load_scenario()


async def test_loaded_it_is_in_the_log_as_it_was_told(log, pool, small):
    loaded = await load(small, log, quiet)
    assert (loaded.reported, loaded.closed) == (12, 10)
    for code, (name, township) in small.sites.items():
        site = await log.load(Site, site_id(code))
        operating = code in small.synthetic["operating"]
        assert (site.name, site.township) == (name, township)
        assert site.state is (SiteState.OPERATING if operating else SiteState.UNDER_CONSTRUCTION)
        assert set(site.gates) == {"main"}
    entries = (await log.read(0, 10_000, frozenset(EVENTS))).entries
    ids = {entry.event.originator_id for entry in entries if isinstance(entry.event, Incident.Reported)}
    states = Counter([(await log.load(Incident, incident_id)).state for incident_id in ids])
    assert states == {IncidentState.CLOSED: 10, IncidentState.HANDLING: 2}
    actors = {entry.event.actor for entry in entries}
    assert {"demo-admin", "demo-grid-worker", "demo-verifier"} <= actors

    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        figure = await closure(
            connection, Question(period=Period(date(2018, 1, 1), date(2018, 11, 30)), now=NOW)
        )
    assert (figure.received, figure.cohort_closed, figure.position) == (12, 10, await log.position())


async def test_loaded_twice_it_changes_nothing(log, small):
    first = await load(small, log, quiet)
    position = await log.position()
    assert await load(small, log, quiet) == first
    assert await log.position() == position


@pytest.mark.parametrize("after", [0.01, 0.1, 0.25])
async def test_loading_that_was_cut_off_anywhere_is_finished_by_the_next(log, small, after):
    loading = asyncio.create_task(load(small, log, quiet))
    await asyncio.wait([loading], timeout=after)
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    loaded = await load(small, log, quiet)
    assert (loaded.reported, loaded.closed) == (12, 10)
    # 14 sites with 6 events, 18 with 3; 9 incidents with 7, 1 with 21, 2 with 5: nothing missing and nothing twice
    assert await log.position() == 14 * 6 + 18 * 3 + 9 * 7 + 21 + 2 * 5


async def test_one_incident_goes_the_long_way_and_ends_closed(log, small):
    await load(small, log, quiet)
    topics = [type(entry.event).TOPIC.split(".")[1] for entry in await log.history(long_way())]
    assert {"returned", "extension_granted", "reworked", "evaluated", "reopened"} < set(topics)
    assert (topics.count("dispatched"), topics.count("closed")) == (3, 2)
    incident = await log.load(Incident, long_way())
    assert (incident.state, incident.round) == (IncidentState.CLOSED, 3)
