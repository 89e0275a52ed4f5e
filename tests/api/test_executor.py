"""Whatever is asked, our executor answers as the library's does; and what is read together is read once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import strawberry
from graphql import ExecutionResult, execute, parse, subscribe
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Library

from api.graphql.executor import Executor
from api.graphql.together import together
from domain.errors import ForbiddenError

# --- a small world, in which anything may be wrong -----------------------------------------------------------------------


@dataclass
class Asked:
    """Of one operation: what was called, and how often."""

    calls: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Later:
    """An attribute that has to be awaited, as often as anybody likes."""

    value: Any

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"


def of(row, name):
    """What the world says of it, raised if it is an error."""
    value = row.world[name]
    if isinstance(value, Exception):
        raise value
    return value


async def friends(asked, rows):
    asked.calls.append(("friends", len(rows)))
    await asyncio.sleep(0)
    return [of(row, "friend") for row in rows]


async def scores(asked, rows):
    asked.calls.append(("scores", len(rows)))
    await asyncio.sleep(0)
    return [of(row, "score") for row in rows]


@strawberry.type
class Thing:
    world: strawberry.Private[dict[str, Any]]
    name: str
    nick: str | None
    number: int
    share: float | None
    flag: bool
    colour: Colour
    maybe_colour: Colour | None
    id: UUID
    at: datetime | None
    tags: list[str]
    grid: list[list[int | None] | None] | None
    child: "Thing | None"
    twin: "Thing"
    children: list["Thing"]
    others: list["Thing | None"] | None
    friend: "Thing | None" = together(friends, description="")
    score: int = together(scores, description="")

    @strawberry.field
    def loud(self) -> str:
        return of(self, "loud")

    @strawberry.field
    async def slow(self) -> int | None:
        await asyncio.sleep(0)
        return of(self, "slow")

    @strawberry.field
    def counted(self, info: strawberry.Info, plus: int = 1) -> int:
        info.context.calls.append("counted")
        return of(self, "counted") + plus


@strawberry.type
class Query:
    @strawberry.field
    async def things(self, info: strawberry.Info) -> list[Thing]:
        return info.root_value

    @strawberry.field
    def thing(self, info: strawberry.Info) -> Thing | None:
        return info.root_value[0] if info.root_value else None


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: strawberry.Info) -> AsyncIterator[Thing]:
        for one in info.root_value:
            yield one


world = strawberry.Schema(Query, subscription=Subscription, execution_context_class=Executor)

WRONG = st.sampled_from(
    [None, ValueError("no"), [1], {"a": 1}, 1.5, float("nan"), "red", "xx", 2**40, object, Later("late"), Later(KeyError("k"))]
)  # fmt: skip
LEAVES = {
    "name": st.text("ab", max_size=2), "nick": st.none() | st.just("n"), "number": st.integers(0, 9), "share": st.none() | st.just(0.5),
    "flag": st.booleans(), "colour": st.sampled_from(Colour), "maybe_colour": st.none() | st.sampled_from(Colour),
    "id": st.just(UUID(int=7)), "at": st.none() | st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    "tags": st.lists(st.just("t"), max_size=2) | st.just(("t", "u")),
    "grid": st.none() | st.lists(st.none() | st.lists(st.none() | st.integers(0, 3), max_size=2), max_size=2),
}  # fmt: skip
SAID = {
    "loud": st.just("LOUD"),
    "slow": st.none() | st.just(3),
    "counted": st.just(1),
    "score": st.integers(0, 9),
}


@st.composite
def things(draw, depth=2, wrong=False):
    """A thing with all below it; `wrong`: one value in twenty is not what it should be."""

    def drawn(right):
        return draw(WRONG) if wrong and draw(st.integers(0, 19)) == 0 else draw(right)

    leaf = things(depth - 1, wrong) if depth else None
    objects = {
        "child": st.none() if leaf is None else st.none() | leaf,
        "twin": st.deferred(lambda: things(0, wrong)) if depth else st.none(),
        "children": st.just([]) if leaf is None else st.lists(leaf, max_size=3),
        "others": st.none() if leaf is None else st.none() | st.lists(st.none() | leaf, max_size=2),
    }
    inside = {name: drawn(kind) for name, kind in SAID.items()}
    inside["friend"] = None if leaf is None else drawn(st.none() | leaf)
    values = {name: drawn(kind) for name, kind in (LEAVES | objects).items()}
    return Thing(world=inside, **values)


PLAIN = ["name", "nick", "number", "share", "flag", "colour", "maybeColour", "id", "at", "tags", "grid", "loud", "__typename"]  # fmt: skip
RESOLVED = ["slow", "counted", "counted(plus: 2)", "score"]
OBJECTS = ["child", "twin", "children", "others"]


@st.composite
def selections(draw, depth, *, asking):
    """What may stand between braces."""
    fields = PLAIN + (RESOLVED if asking else [])
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.integers(0, 9))
        condition = draw(st.sampled_from(["", "", "", "@include(if: $yes)", "@skip(if: $yes)"]))
        if kind < 5 or not depth:
            name = draw(st.sampled_from(fields))
            alias = draw(
                st.sampled_from(["", f"{name.split('(', maxsplit=1)[0].strip('_')}{'2' * ('(' in name)}_x: "])
            )
            parts.append(f"{alias if '(' not in name else alias or 'counted2: '}{name} {condition}")
        elif kind < 8:
            name = draw(st.sampled_from(OBJECTS + (["friend"] if asking else [])))
            parts.append(f"{name} {condition} {draw(selections(depth - 1, asking=asking))}")
        elif kind == 8:
            parts.append(f"... on Thing {condition} {draw(selections(depth - 1, asking=asking))}")
        else:
            parts.append(f"...F {condition}")
    return "{ " + " ".join(parts) + " }"


@st.composite
def documents(draw, *, asking):
    root = draw(st.sampled_from(["things", "thing"]))
    return (
        f"query ($yes: Boolean! = {draw(st.sampled_from(['true', 'false']))}) "
        f"{{ {root} {draw(selections(3, asking=asking))} }} fragment F on Thing {draw(selections(0, asking=asking))}"
    )


async def answered(kind, document, root):
    """The answer by an executor of this kind, and what was called for it."""
    asked = Asked()
    found = execute(world._schema, parse(document), root, asked, executor_class=kind)
    result = found if isinstance(found, ExecutionResult) else await found
    return json.dumps(result.data), [error.formatted for error in result.errors or ()], asked.calls


@given(documents(asking=False), st.lists(things(), max_size=3))
@settings(max_examples=150, deadline=None)
async def test_what_is_at_hand_is_answered_byte_for_byte_as_by_the_library(document, root):
    assert await answered(Executor, document, root) == await answered(Library, document, root)


@given(documents(asking=False), st.lists(things(wrong=True), max_size=3))
@settings(max_examples=300, deadline=None)
async def test_so_is_what_is_wrong_with_its_message_its_path_and_the_null_that_is_left(document, root):
    assert await answered(Executor, document, root) == await answered(Library, document, root)


@given(documents(asking=True), st.lists(things(wrong=True), max_size=3))
@settings(max_examples=300, deadline=None)
async def test_so_is_what_is_asked_for_and_resolvers_are_called_as_often(document, root):
    data, errors, calls = await answered(Executor, document, root)
    same, others, all_calls = await answered(Library, document, root)
    assert data == same
    # Where several errors take the same with them, the first is told; which one that is depends on who waits for what.
    assert bool(errors) == bool(others)
    if not errors:
        assert calls.count("counted") == all_calls.count("counted")


def thing(**changed):
    values = {
        "name": "a", "nick": None, "number": 1, "share": None, "flag": True, "colour": Colour.RED, "maybe_colour": None,
        "id": UUID(int=7), "at": None, "tags": [], "grid": None, "child": None, "twin": None, "children": [], "others": None,
    }  # fmt: skip
    inside = {"loud": "A", "slow": 1, "counted": 1, "friend": None, "score": 5}
    return Thing(world=inside | {k: v for k, v in changed.items() if k in inside}, **values | {k: v for k, v in changed.items() if k in values})  # fmt: skip


async def test_what_stands_beside_the_rows_of_a_list_is_asked_for_once():
    row = thing(children=[thing(friend=thing(name="b"), score=n) for n in range(50)])
    document = "{ thing { children { name score friend { name score } } } }"
    data, errors, calls = await answered(Executor, document, [row])
    assert not errors
    assert sorted(calls) == [("friends", 50), ("scores", 50), ("scores", 50)]
    assert json.loads(data)["thing"]["children"][7] == {
        "name": "a",
        "score": 7,
        "friend": {"name": "b", "score": 5},
    }


async def test_what_is_refused_for_one_row_is_told_at_that_row_and_the_others_are_answered():
    refused = ForbiddenError("not you")
    row = thing(others=[thing(score=1), thing(score=refused), thing(score=3)])
    data, errors, _ = await answered(Executor, "{ thing { others { score } } }", [row])
    assert json.loads(data)["thing"]["others"] == [{"score": 1}, None, {"score": 3}]
    assert [(error["message"], error["path"]) for error in errors] == [
        ("not you", ["thing", "others", 1, "score"])
    ]


async def test_a_variable_decides_anew_in_each_operation_of_the_same_document():
    document = parse("query ($yes: Boolean!) { thing { name tags @include(if: $yes) } }")
    for yes in (True, False, True):
        result = execute(world._schema, document, [thing()], Asked(), {"yes": yes}, executor_class=Executor)
        assert ("tags" in result.data["thing"]) is yes


async def test_a_subscription_remembers_no_more_after_a_thousand_events_than_after_one():
    made = []

    class Noted(Executor):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    document = parse("subscription { ticks { name child { name } score } }")
    events = await subscribe(world._schema, document, [thing()] * 1000, Asked(), executor_class=Noted)
    sizes = []
    async for told in events:
        assert told.data == {"ticks": {"name": "a", "child": None, "score": 5}}
        sizes.append(len(made[0]._relevant_sub_fields) + len(made[0]._columns))
    assert len(sizes) == 1000
    assert set(sizes) == {sizes[0]}


async def test_whoever_wants_to_see_every_field_does():
    seen = []

    def look(next_, source, info, **arguments):
        seen.append(info.field_name)
        return next_(source, info, **arguments)

    execute(world._schema, parse("{ thing { name tags } }"), [thing()], Asked(), middleware=[look], executor_class=Executor)  # fmt: skip
    assert seen == ["thing", "name", "tags"]
