"""The audit of reads: every look is there with who, why, at what and how much, counted as one counts by hand, and shows nobody."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from given import NOW
from histories import append, entries_of, everything, fold_in_pieces, request
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from looking import ASKER, DAY, FAR, HERE, MATE, NEXT, OFFICER, PLATE, REVIEWER, inquiry, lead, look, reading

from domain.errors import CorruptError
from domain.inquiry import Inquiry, Records
from domain.people import CITY, Scope
from domain.reading import Shown
from projections.period import Period
from projections.reads import PROJECTION, By, Count, GroundFilter, Kind, LookFilter, counted, grounds, looks

HOUR = timedelta(hours=1)
ALL = LookFilter()


async def looks_of(pool, wanted=ALL, *, first=1000, after=None):
    async with pool.acquire() as connection:
        return await looks(connection, wanted, first=first, after=after)


async def grounds_of(pool, wanted=GroundFilter(), *, first=1000, after=None):  # noqa: B008  (it is frozen)
    async with pool.acquire() as connection:
        return await grounds(connection, wanted, first=first, after=after)


async def fold(pool, *aggregates, seed=0):
    await pool.execute("delete from looks; delete from look_grounds")
    entries = entries_of([request(one, 0) for one in aggregates])
    await fold_in_pieces(Random(seed), PROJECTION, pool, entries)
    return entries


async def test_a_look_is_there_with_who_why_at_what_and_how_much(pool):
    made = inquiry(1, HERE, NEXT)
    look(made, NOW + HOUR, by=MATE, site=NEXT, records=Records.IMAGES, found=3, what=PLATE)
    await fold(pool, made)
    (row,) = await looks_of(pool)
    assert dict(row) == {
        "position": 3,
        "ground_id": made.id,
        "looked_by": "mate",
        "looked_at": NOW + HOUR,
        "looked_on": date(2026, 3, 1),
        "records": "IMAGES",
        "township": None,
        "site_id": NEXT.id,
        "since": NOW - DAY,
        "until": NOW,
        "searched": True,
        "subjects": [],
        "asked": None,
        "fields": [],
        "found": 3,
        "kind": "INQUIRY",
        "case_number": "2026-17",
        "purpose": "where was the car",
        "decided_by": OFFICER.id,
    }


async def test_what_was_searched_for_is_in_the_log_alone(log, pool):
    made = inquiry(1, HERE)
    look(made, NOW, what=PLATE)
    await append(log, [made])
    await fold_in_pieces(Random(0), PROJECTION, pool, await everything(log))
    stored = await pool.fetch("select t::text from looks t union all select t::text from look_grounds t")
    assert len(stored) == 2
    assert not any(PLATE in row[0] or PLATE[1:] in row[0] for row in stored)


@pytest.mark.parametrize(("face", "images"), [(True, 2), (False, 1)])
async def test_a_reviewer_who_saw_the_images_of_a_lead_has_looked_too(pool, face, images):
    made, evidence = lead(5, NEXT, face=face)
    made.reject(by=REVIEWER, at=NOW + HOUR, seen=evidence)
    await fold(pool, made)
    (row,) = await looks_of(pool)
    assert (row["kind"], row["looked_by"], row["case_number"]) == ("LEAD", REVIEWER.id, "2026-18")
    assert (row["records"], row["site_id"], row["found"]) == ("IMAGES", NEXT.id, images)
    (ground,) = await grounds_of(pool)
    assert (ground["state"], ground["requested_by"], ground["decided_by"]) == (
        "REJECTED",
        "asker",
        REVIEWER.id,
    )


async def test_what_a_role_let_somebody_read_is_there_with_its_own_purpose(pool):
    made = reading(1, HERE, purpose="appeal of 2026-03", found=2)
    await fold(pool, made)
    (row,) = await looks_of(pool)
    seen = (
        "kind",
        "ground_id",
        "looked_by",
        "records",
        "township",
        "site_id",
        "subjects",
        "purpose",
        "found",
    )
    assert [row[name] for name in seen] == [
        *("ROLE", None, OFFICER.id, "REPORTER", "yuhai", HERE.id, [UUID(int=1001), UUID(int=1002)]),
        *("appeal of 2026-03", 2),
    ]
    assert not await grounds_of(pool)
    for wanted, rows in [
        (LookFilter(scope=Scope("yuhai")), 1),
        (LookFilter(scope=Scope("tangxia")), 0),
        (LookFilter(scope=Scope(site_id=NEXT.id)), 0),
        (LookFilter(subject=UUID(int=1002)), 1),
        (LookFilter(subject=UUID(int=1003)), 0),
        (LookFilter(records=Shown.REPORTER), 1),
        (LookFilter(records=Shown.PARTIES), 0),
    ]:
        assert len(await looks_of(pool, wanted)) == rows


async def test_a_reading_by_an_inquiry_is_one_of_its_looks(pool):
    asked = inquiry(1, HERE)
    await fold(pool, asked, reading(2, FAR, by=MATE, inquiry=asked))
    (row,) = await looks_of(pool, LookFilter(scope=Scope("yuhai")))
    assert (row["kind"], row["ground_id"], row["purpose"]) == ("INQUIRY", asked.id, "where was the car")


async def test_an_inquiry_shows_its_state_who_answers_for_it_and_what_it_was_used_for(pool):
    used, unused, turned_down = inquiry(1, HERE), inquiry(2, HERE, NEXT), inquiry(3, HERE, FAR)
    for n in range(3):
        look(used, NOW + n * HOUR, found=n)
    unused.close(by=ASKER, at=NOW, reason="done")
    await fold(pool, used, unused, turned_down)
    seen = [
        (row["ground_id"].int, row["state"], row["decided_by"], row["looks"], row["found"], row["last_at"])
        for row in await grounds_of(pool)
    ]
    assert seen == [
        (3, "APPROVED", OFFICER.id, 0, 0, None),
        (2, "CLOSED", OFFICER.id, 0, 0, None),
        (1, "APPROVED", OFFICER.id, 3, 3, NOW + 2 * HOUR),
    ]
    for wanted, expected in [
        (GroundFilter(state="CLOSED"), [2]),
        (GroundFilter(kind="LEAD"), []),
        (GroundFilter(case_number="2026-17"), [3, 2, 1]),
        (GroundFilter(requested_by="mate"), []),
        (GroundFilter(scope=Scope("yuhai")), [2, 1]),
        (GroundFilter(scope=Scope(site_id=HERE.id)), [1]),
    ]:
        assert [row["ground_id"].int for row in await grounds_of(pool, wanted)] == expected
    (first,) = await grounds_of(pool, first=1)
    assert [row["ground_id"].int for row in await grounds_of(pool, after=first["position"])] == [2, 1]


async def test_a_day_is_one_of_shanghai(pool):
    midnight = datetime(2026, 3, 2, 16, tzinfo=UTC)
    made = inquiry(1, HERE)
    look(made, midnight - timedelta(seconds=1))
    look(made, midnight)
    await fold(pool, made)
    async with pool.acquire() as connection:
        assert await counted(connection, ALL, By.DAY) == [
            Count("2026-03-02", 1, 1),
            Count("2026-03-03", 1, 1),
        ]


def by_hand(entries):
    """(position, ground, person, day, records, site, found) of every look, newest first, with where its ground lies."""
    places, found = {None: CITY}, []
    for position, _, event, _ in entries:
        key = event.originator_id
        match event.TOPIC:
            case "inquiry.requested" | "lead.proposed":
                places[key] = event
            case "inquiry.looked":
                found.append((position, event, event.records, event.at_site, event.found))
            case "lead.confirmed" | "lead.rejected":
                images = 2 if event.seen.reference_sha256 else 1
                found.append((position, event, "IMAGES", places[key].site_id, images))
            case "reading.recorded":
                found.append((position, event, event.shown, event.site_id, event.found))
    rows = []
    for position, event, records, site, amount in reversed(found):
        of_role = event.TOPIC == "reading.recorded"
        key = event.inquiry_id if of_role else event.originator_id
        ground = places[key] if key else event
        day = (event.timestamp + 8 * HOUR).date()
        row = (position, key, event.actor, day, records, site, amount)
        rows.append((row, Scope(ground.township, ground.site_id)))
    return rows


def at_random(random):
    """Some inquiries and leads, and who looked by them when."""
    crowd = [inquiry(n, *random.sample([HERE, NEXT, FAR], random.randint(1, 3))) for n in range(1, 5)]
    for made in random.choices(crowd, k=random.randrange(25)):
        site = random.choice([HERE, NEXT, FAR])
        if site.id in made.sites:
            at = NOW + HOUR * random.randrange(100)
            look(
                made,
                at,
                by=random.choice([ASKER, MATE]),
                site=site,
                records=random.choice(list(Records)),
                found=random.randrange(4),
            )
    for n in range(10, 13):
        made, evidence = lead(n, random.choice([HERE, FAR]))
        decide = random.choice([made.confirm, made.reject])
        decide(by=REVIEWER, at=NOW + HOUR * random.randrange(20), seen=evidence)
        crowd.append(made)
    random.shuffle(crowd)
    asked = [made for made in crowd if isinstance(made, Inquiry)]
    for n in range(20, 26):
        at, place = NOW + HOUR * random.randrange(100), random.choice([HERE, FAR])
        by, inquired = random.choice([(MATE, asked[0]), (OFFICER, None)])
        crowd.append(reading(n, place, by=by, at=at, inquiry=inquired, found=random.choice([None, 2])))
    return crowd


@given(seed=st.integers(0, 1 << 32))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_looks_and_their_counts_are_those_counted_by_hand(pool, seed):
    random = Random(seed)
    known = by_hand(await fold(pool, *at_random(random), seed=seed))
    day = date(2026, 3, 1) + DAY * random.randrange(4)
    inquiries = {UUID(int=n) for n in range(1, 10)}
    filters = [
        (LookFilter(), lambda *_: True),
        (LookFilter(ground_id=UUID(int=2)), lambda row, _: row[1] == UUID(int=2)),
        (LookFilter(kind=Kind.INQUIRY), lambda row, _: row[1] in inquiries),
        (LookFilter(looked_by="mate"), lambda row, _: row[2] == "mate"),
        (LookFilter(period=Period(day, day)), lambda row, _: row[3] == day),
        (LookFilter(records=Records.IMAGES), lambda row, _: row[4] == "IMAGES"),
        (LookFilter(site_id=FAR.id), lambda row, _: row[5] == FAR.id),
        *(
            (
                LookFilter(scope=scope),
                lambda _, place, scope=scope: scope.covers(place.township, place.site_id),
            )
            for scope in (CITY, Scope("yuhai"), Scope(site_id=FAR.id))
        ),
    ]
    for wanted, keeps in filters:
        expected = [row for row, place in known if keeps(row, place)]
        found, after = [], None
        while page := await looks_of(pool, wanted, first=random.randint(1, 9), after=after):
            found += page
            after = page[-1]["position"]
        fields = ("position", "ground_id", "looked_by", "looked_on", "records", "site_id", "found")
        assert [tuple(row[field] for field in fields) for row in found] == expected
        for by, column in ((By.GROUND, 1), (By.PERSON, 2), (By.DAY, 3)):
            times, shown = Counter(), Counter()
            for row in expected:
                key = str(row[column] or "ROLE")
                times[key] += 1
                shown[key] += row[6] or 0
            async with pool.acquire() as connection:
                counts = await counted(connection, wanted, by)
            assert counts == [Count(key, times[key], shown[key]) for key in sorted(times)]


async def test_a_look_by_no_right_is_refused_and_not_passed_over(pool):
    made = inquiry(1, HERE)
    look(made, NOW)
    (_, _, looked) = entries_of([request(made, 0)])
    assert isinstance(looked.event, Inquiry.Looked)
    with pytest.raises(CorruptError, match="never asked for"):
        await fold_in_pieces(Random(0), PROJECTION, pool, [looked])
