"""The schema as others rely on it: written down, described, labelled, and broken only with a word about it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
)
from typer.testing import CliRunner

from api.cli import app
from api.graphql.labels import LABELS
from api.graphql.schema import schema, sdl

ROOT = Path(__file__).resolve().parents[2]
FILE = "docs/schema.graphql"
CHANGELOG = ROOT / "docs" / "CHANGELOG.md"
TYPES = {name: kind for name, kind in schema._schema.type_map.items() if not name.startswith("__")}
ENUMS = {name: kind for name, kind in TYPES.items() if isinstance(kind, GraphQLEnumType)}


# --- written down ----------------------------------------------------------------------------------------------------


def unannounced(before: str, after: str, changelog: str) -> list[str]:
    """The breaking changes between two schemas that the section Breaking of the changelog does not name."""
    breaking = re.search(r"^## Breaking\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    named = breaking.group(1) if breaking else ""
    changes = find_breaking_changes(build_schema(before), build_schema(after))
    return [change.description for change in changes if change.description not in named]


def before_its_last_change() -> str:
    """The file as it was before it changed, whether or not the change is committed; as it is, where there is no history."""

    def git(*command: str) -> str | None:
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, check=False)
        return done.stdout.decode() if done.returncode == 0 else None

    now = (ROOT / FILE).read_text(encoding="utf-8")
    for commit in (git("log", "--format=%H", "-2", "--", str(FILE)) or "").split():
        was = git("show", f"{commit}:{FILE}")
        if was is not None and was != now:
            return was
    return now


def test_the_file_is_the_schema():
    assert (ROOT / FILE).read_text(encoding="utf-8") == sdl(), (
        f"run `anju schema > {FILE}` and look at what changed"
    )


def test_the_command_prints_the_schema():
    assert CliRunner().invoke(app, ["schema"]).stdout == sdl()


def test_a_breaking_change_is_named_in_the_changelog():
    left = unannounced(before_its_last_change(), sdl(), CHANGELOG.read_text(encoding="utf-8"))
    assert not left, f"clients break: name each under `## Breaking` in {CHANGELOG.relative_to(ROOT)}: {left}"


def test_a_breaking_change_that_nobody_names_is_found():
    before, after = "type Query { a: Int b: Int }", "type Query { a: Int! }"
    (found,) = unannounced(before, after, "# Changes\n\n## Added\n\n- Query.b was removed.\n")
    assert "Query.b" in found
    assert unannounced(before, after, f"# Changes\n\n## Breaking\n\n- {found}\n") == []
    assert unannounced(before, before, "") == []


# --- described -------------------------------------------------------------------------------------------------------


def undescribed() -> Iterator[str]:
    for name, kind in TYPES.items():
        if not kind.description:
            yield name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            yield from (f"{name}.{field}" for field, of in kind.fields.items() if not of.description)
        if isinstance(kind, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, of in kind.values.items() if not of.description)


def test_everything_in_the_schema_has_a_description():
    found = set(undescribed())
    assert not found, f"these have no description: {sorted(found)}"


# --- labelled --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENUMS)
def test_every_value_of_an_enum_has_a_label(name):
    values = set(ENUMS[name].values)
    labelled = set(LABELS.get(name, {}))
    assert labelled == values, (
        f'in api/graphql/labels.py, LABELS["{name}"] lacks {sorted(values - labelled)} and has {sorted(labelled - values)} too much: '
        'add lines like "CLOSED": "办结 closed"'
    )


def test_a_label_is_a_chinese_word_and_english_ones():
    for name, labels in LABELS.items():
        assert len(set(labels.values())) == len(labels), name
        for value, label in labels.items():
            assert re.fullmatch(r"\S*[\u4e00-\u9fff]+\S* [A-Za-z][\x20-\x7e]*", label), (
                f"{name}.{value}: {label!r}"
            )


async def test_labels_are_told_to_anybody(running, asker):
    every = await asker.answer("{ labels { enum value zh en } }", None)
    assert {(one["enum"], one["value"]) for one in every["data"]["labels"]} == {
        (name, value) for name, kind in ENUMS.items() for value in kind.values
    }
    one = await asker.answer('{ labels(enum: "IncidentState") { enum value zh en } }', None)
    assert {"enum": "IncidentState", "value": "CLOSED", "zh": "办结", "en": "closed"} in one["data"]["labels"]
    assert {label["enum"] for label in one["data"]["labels"]} == {"IncidentState"}


async def test_labels_of_what_is_no_enum_are_refused(running, asker):
    for name in ("Incident", "nothing", "__TypeKind"):
        refusal = await asker.refusal("query($enum: String) { labels(enum: $enum) { zh } }", None, enum=name)
        assert refusal["code"] == "INVALID"
        assert "IncidentState" in refusal["message"]


async def test_introspection_shows_the_labels(running, asker):
    answer = await asker.answer('{ __type(name: "IncidentState") { enumValues { name description } } }', None)
    assert {"name": "CLOSED", "description": "办结 closed"} in answer["data"]["__type"]["enumValues"]
