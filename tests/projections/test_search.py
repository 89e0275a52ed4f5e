"""Search finds what is said of incidents, in any script and by any part of a word, and nothing that is not to be seen."""

from random import Random

import incidents as made
import pytest
from given import NOW, destroy, report
from histories import entries_of, everything, fold_in_pieces, lived, reported, request
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.errors import CorruptError, InvalidError
from domain.personal import Personal, of_subject
from projections import incidents, search
from projections.incidents import NEWEST, By, IncidentFilter, Order, Reader, listed
from projections.search import LONGEST, PROJECTION, folded, grams, words

STAFF = Reader(confidential=True)
TEXTS = [
    "夜间施工噪声扰民",
    "噪音太大，KTV 音响",
    "虹桥路12号楼 漏水",
    "100% 'quoted' back\\slash_",
    "Ｗｉｆｉ 探针离线",
    "声",
]


async def fold(pool, entries, seed=0):
    await pool.execute("delete from incidents; delete from work; delete from search")
    for projection in (incidents.PROJECTION, PROJECTION):
        await fold_in_pieces(Random(seed), projection, pool, entries)


async def found(pool, text, reader=STAFF, **wanted):
    """The numbers of the incidents with `text`, newest first."""
    async with pool.acquire() as connection:
        rows = await listed(connection, reader, IncidentFilter(text=text, **wanted), first=1000)
    return [row.incident_id.int for row in rows]


@pytest.fixture
async def told(pool):
    """An incident for each of TEXTS, numbered from 0 and newest last."""
    said = [made.reported(n, description=text) for n, text in enumerate(TEXTS)]
    await fold(pool, entries_of([request(one, 0) for one in said]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("噪声", [0]),
        ("声", [5, 0]),
        ("噪", [1, 0]),
        ("施工噪声扰", [0]),
        ("噪扰", []),
        ("施工 噪声", [0]),
        ("噪声 施工", [0]),
        ("噪声 漏水", []),
        ("ktv", [1]),
        ("tV", [1]),
        ("KTV音响", []),  # a space stands between them
        ("2号楼", [2]),
        ("12 漏", [2]),
        ("wifi", [4]),
        ("ＷＩＦＩ　离线", [4]),
        ("100%", [3]),
        ("1%", []),
        ("'quoted'", [3]),
        ("'", [3]),
        ("k\\s", [3]),
        ("\\", [3]),
        ("h_", [3]),
        ("s_a", []),
        ("，", [1]),
    ],
)
async def test_a_word_is_found_wherever_it_stands_and_however_it_is_written(pool, told, text, expected):
    assert await found(pool, text) == expected


@given(
    texts=st.lists(
        st.text("声噪夜aAß 1%_\\'&|:*!()<>", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=5
    ),
    text=st.text("声噪夜aAß 1%_\\'&|:*!()<>", min_size=1, max_size=5).filter(str.strip),
)
@example(texts=["a'b"], text="'")
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_what_is_found_has_every_word_somewhere_and_nothing_else_has(pool, texts, text):
    said = [made.reported(n, description=one) for n, one in enumerate(texts)]
    await fold(pool, entries_of([request(one, 0) for one in said]))
    expected = [
        n for n, one in enumerate(texts) if all(word in one.casefold() for word in text.casefold().split())
    ]
    assert await found(pool, text) == expected[::-1]


@given(seed=st.integers(0, 1 << 32))
@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_wherever_the_batches_end_the_index_holds_what_was_said(pool, seed):
    random = Random(seed)
    entries = entries_of(lived(random, [reported(n, made.SITE, NOW) for n in range(10)]))
    await fold(pool, entries, seed)
    texts = {}
    for entry in entries:
        if field := search.SAID.get(type(entry.event)):
            texts.setdefault(entry.event.originator_id, []).append(folded(getattr(entry.event, field)))
    rows = await pool.fetch("select incident_id, text, tsvector_to_array(grams) as grams from search")
    assert {row["incident_id"]: row["text"] for row in rows} == {
        incident: " ".join(said) for incident, said in texts.items()
    }
    assert all(set(row["grams"]) == grams(row["text"]) for row in rows)


async def test_what_was_said_later_is_found_too_also_together_with_the_report(pool):
    incident = made.handling()
    incident.comment(by=made.HANDLER, at=NOW, text="水泵坏了")
    await fold(pool, entries_of([request(incident, 0)]))
    assert await found(pool, "水泵") == await found(pool, "水泵 太吵") == [incident.id.int]


async def test_search_is_a_filter_like_the_others_and_goes_in_every_order(pool, told):
    assert await found(pool, "噪", township="yuhai", states=["REPORTED"]) == [1, 0]
    assert await found(pool, "噪", states=["CLOSED"]) == []
    async with pool.acquire() as connection:
        wanted = IncidentFilter(text="噪")
        rows = await listed(connection, STAFF, wanted, first=9, order=Order(By.LAST_AT))
        assert [row.incident_id.int for row in rows] == [1, 0]
        (page,) = await listed(connection, STAFF, wanted, first=1)
        (rest,) = await listed(connection, STAFF, wanted, first=9, after=NEWEST.place(page))
        assert (page.incident_id.int, rest.incident_id.int) == (1, 0)
        assert await incidents.counted(connection, STAFF, wanted) == {"REPORTED": 2}


async def test_a_confidential_incident_is_found_by_its_units_and_the_centre_only(pool):
    secret = made.reported(1, confidential=True, description="举报")
    secret.accept(by=made.INTAKE, at=NOW)
    secret.dispatch(by=made.DISPATCHER, at=NOW, lead_unit=made.UNIT, assisting=[made.WATER])
    await fold(pool, entries_of([request(secret, 0)]))
    for who in (made.HANDLER, made.PLUMBER, made.SUPERVISOR):
        assert await found(pool, "举报", Reader.of(who)) == [1]
    for who in (made.STRANGER, made.GRID_WORKER, made.ADMIN):
        assert await found(pool, "举报", Reader.of(who)) == []
        async with pool.acquire() as connection:
            counts = await incidents.counted(connection, Reader.of(who), IncidentFilter(text="举报"))
        assert counts == {}


async def test_who_reported_it_is_never_found_whether_the_key_is_there_or_not(log, pool, site):
    scope = of_subject(made.reported(9).id)
    await report(log, site, reporter=Personal(scope, "李某 13900001111"))
    await fold(pool, await everything(log))
    assert await found(pool, "李某") == await found(pool, "139") == []
    before = await pool.fetch("select * from search")
    await destroy(log, scope)
    await fold(pool, await everything(log))
    assert await pool.fetch("select * from search") == before
    assert len(await found(pool, "施工")) == 1


async def test_what_is_said_after_very_much_is_kept_in_the_log_and_not_searched(pool):
    incident = made.handling()
    for n in range(LONGEST // 2000 + 1):
        incident.comment(by=made.HANDLER, at=NOW, text=f"{n}" + "长" * 1998)
    incident.comment(by=made.HANDLER, at=NOW, text="水泵")
    await fold(pool, entries_of([request(incident, 0)]), seed=2)
    assert await pool.fetchval("select length(text) from search") == LONGEST
    assert await found(pool, "长长") == [incident.id.int]
    assert await found(pool, "水泵") == []


async def test_the_most_different_text_there_can_be_is_folded(pool):
    letters = [chr(0x4E00 + n) for n in range(LONGEST)]
    incident = made.handling()
    for start in range(0, LONGEST, 2000):
        incident.comment(by=made.HANDLER, at=NOW, text="".join(letters[start : start + 2000]))
    await fold(pool, entries_of([request(incident, 0)]))
    assert await found(pool, letters[5] + letters[6] + letters[7]) == [incident.id.int]


@pytest.mark.parametrize("text", ["", "  ", "\t\u3000", "x" * 101])
def test_a_search_for_nothing_or_for_a_whole_page_is_refused(text):
    with pytest.raises(InvalidError, match="what is searched for"):
        words(text)


async def test_a_remark_on_what_was_never_reported_is_refused(pool):
    incident = made.after(1)
    incident.comment(by=made.HANDLER, at=NOW, text="水泵")
    stray = entries_of([request(incident, 0)])[-1:]
    with pytest.raises(CorruptError, match="never reported"):
        await fold_in_pieces(Random(0), PROJECTION, pool, stray)
