"""Search: a page of the newest incidents that say a word, by the index of pairs, beside a plain ILIKE that reads the table.

351,129 incidents, described in Chinese with some Latin, the matters as unequally frequent as in life. Both sides hold the same texts;
the other one is a table with nothing but its key, as one has it without an index for search. p50 of 20 queries each.
"""

import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from uuid import UUID

import asyncpg
import uvloop
from common import BY, NOW, SITE, migrated
from harness import Row, arguments, compare, show

from domain.incident import Incident, Source
from domain.ports import Entry
from projections import incidents, search

INCIDENTS = 351_129
BATCH = 2000
PAGE = 20
QUERIES = 20
Query = Callable[[asyncpg.Connection, str], Awaitable[list[UUID]]]
MATTERS = (
    *("电动车违停占用消防通道", "夜间施工噪声扰民", "楼道堆放杂物", "垃圾清运不及时", "高空抛物", "路灯不亮", "下水道堵塞污水外溢"),
    *("井盖破损", "流动摊贩占道经营", "违章搭建", "宠物狗未拴绳", "楼上漏水", "KTV音响太吵", "物业费纠纷", "电梯故障困人"),
    *("门禁 A3 读卡器失灵", "wifi 探针离线", "燃气泄漏报警", "树木倒伏", "邻里争吵", "疑似传销聚集", "拖欠工资", "围墙开裂", "失火冒烟"),
)  # fmt: skip
ROADS = (
    "玉海街道虹桥路",
    "安阳街道万松路",
    "塘下镇广场路",
    "莘塍街道南滨江大道",
    "高楼镇街中路",
    "湖岭镇新兴路",
)
ENDS = (
    "请尽快处理",
    "影响居民出行",
    "已多次反映",
    "希望回复",
    "存在安全隐患",
    "现场有老人和小孩",
    "拍照附后",
)
WORDS = ("噪声", "抛物", "漏水", "KTV", "A3", "占用消防通道", "传销", "12号楼 漏水", "吵")


def descriptions(chance: random.Random) -> Iterator[str]:
    """Texts, the first matters far more often than the last."""
    weights = [1 / (rank + 1) ** 1.5 for rank in range(len(MATTERS))]
    while True:
        (matter,) = chance.choices(MATTERS, weights)
        house = f"{chance.randrange(1, 300)}号{chance.randrange(1, 40)}号楼{chance.randrange(1, 5)}单元"
        yield f"{chance.choice(ROADS)}{house}{matter}，{chance.choice(ENDS)}，{chance.choice(ENDS)}。"


def entries() -> Iterator[Entry]:
    """A report for each incident, one a minute."""
    texts = descriptions(random.Random(1))
    for number in range(INCIDENTS):
        at = NOW + timedelta(minutes=number)
        one = Incident.report(
            id=UUID(int=number + 1),
            site=SITE,
            by=BY,
            at=at,
            source=Source.HOTLINE,
            category="noise",
            description=next(texts),
        )
        (reported,) = one.collect_events()
        yield Entry(number + 1, at, reported, {})


async def fill(connection: asyncpg.Connection) -> None:
    """The read models as the folds make them, and the plain table."""
    waiting = entries()
    while batch := list(islice(waiting, BATCH)):
        async with connection.transaction():
            await incidents.fold(connection, batch)
            await search.fold(connection, batch)
    await connection.execute(
        "create table plain as select incident_id, reported_at, description from incidents;"
        "alter table plain add primary key (incident_id)"
    )
    await connection.execute("vacuum analyze")


async def ours(connection: asyncpg.Connection, word: str) -> list[UUID]:
    wanted = incidents.IncidentFilter(text=word)
    found = await incidents.listed(connection, incidents.Reader(), wanted, first=PAGE)
    return [row.incident_id for row in found]


async def plain(connection: asyncpg.Connection, word: str) -> list[UUID]:
    rows = await connection.fetch(
        "select incident_id, reported_at, description from plain where description ilike all($1::text[]) "
        "order by reported_at desc, incident_id desc limit $2",
        [f"%{part}%" for part in word.split()],
        PAGE,
    )
    return [row["incident_id"] for row in rows]


async def milliseconds(query: Query, connection: asyncpg.Connection, word: str) -> float:
    """p50."""
    times = []
    for _ in range(QUERIES):
        began = time.perf_counter()
        await query(connection, word)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


async def main() -> list[Row]:
    async with migrated() as server:
        connection = await asyncpg.connect(server.url)
        await fill(connection)
        rows = []
        for word in WORDS:
            assert await ours(connection, word) == await plain(connection, word)
            found = sum(
                (
                    await incidents.counted(
                        connection, incidents.Reader(), incidents.IncidentFilter(text=word)
                    )
                ).values()
            )
            rows.append(
                await compare(
                    f"p50 ms, the newest {PAGE} of {found:,} with {word}",
                    partial(milliseconds, ours, connection, word),
                    partial(milliseconds, plain, connection, word),
                    at_most=0.05,
                )
            )
        await connection.close()
    return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
