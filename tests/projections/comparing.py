"""What comparing a read model with the oracle takes: sites, questions, a model that begins anew, and a log in torn pages."""

import os
from datetime import UTC, date, datetime

from given import build_site
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from tangles import DAYS

from domain.people import CITY, Scope
from projections.period import Period

EXAMPLES = settings(
    max_examples=int(os.environ.get("ANJU_ORACLE_EXAMPLES", "100")),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""How many logs are made, of some dozens of histories each; one database serves them all, and to shrink one takes minutes."""
SITES = (("runjinyuan", "yuhai"), ("gaoqiao", "yuhai"), ("shaozhai", "tangxia"))
TOWNSHIPS = tuple(sorted({township for _, township in SITES}))
LATER = datetime(2030, 1, 1, tzinfo=UTC)

days = st.one_of(st.sampled_from(DAYS), st.dates(date(2019, 12, 20), date(2020, 5, 20)))
periods = st.builds(lambda one, other: Period(min(one, other), max(one, other)), days, days)


async def built(log):
    """The SITES, in operation, each with an open gate `main` and a guarded gate `garage`."""
    return [await build_site(log, code, township, garage=True) for code, township in SITES]


def lives(most, steps):
    """(seed, steps) of each history of an example."""
    life = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, steps))
    return st.lists(life, min_size=most // 4, max_size=most)


def mostly(rare):
    """None three times of four, else one of `rare`."""
    return st.one_of(st.none(), st.none(), st.none(), rare)


def places(sites):
    """The part of a question that says where: (scope, township, site_id)."""
    scopes = [*map(Scope, TOWNSHIPS), *(Scope(site_id=site.id) for site in sites)]
    return st.fixed_dictionaries(
        {
            "scope": st.one_of(st.just(CITY), st.just(CITY), st.sampled_from(scopes)),
            "township": mostly(st.sampled_from(TOWNSHIPS)),
            "site_id": mostly(st.sampled_from([site.id for site in sites])),
        }
    )


class Torn:
    """The log, in pages of random size."""

    def __init__(self, log, random):
        self.log, self.random = log, random

    async def read(self, after, limit, topics, **how):
        return await self.log.read(after, self.random.randint(1, limit), topics, **how)


async def emptied(pool, projection, position):
    """Let the read model begin anew behind `position`, as if the log began there."""
    async with pool.acquire() as connection:
        for table in projection.tables:
            await connection.execute(f"delete from {table}")
        await connection.execute("delete from projections where name = $1", projection.name)
        await connection.execute(
            "insert into projections (name, version, position) values ($1, $2, $3)",
            projection.name,
            projection.version,
            position,
        )
