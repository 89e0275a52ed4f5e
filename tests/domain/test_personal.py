"""A personal value says what it is only to who asks for the text."""

import copy
import json
import pickle
from datetime import date
from uuid import UUID, uuid4

import msgspec
import pytest

from domain.errors import InvalidError
from domain.personal import Personal, of_day, of_subject, require_key_scope

SUBJECT = of_subject(UUID(int=7))


def test_it_is_redacted_when_it_has_no_text():
    assert Personal(SUBJECT, None).redacted
    assert not Personal(SUBJECT, "李某").redacted


def test_values_are_equal_by_scope_and_text_and_usable_as_keys():
    assert {Personal(SUBJECT, "a"), Personal(SUBJECT, "a")} == {Personal(SUBJECT, "a")}
    assert Personal(SUBJECT, "a") != Personal(SUBJECT, None)
    assert Personal(SUBJECT, "a") != Personal(of_subject(uuid4()), "a")


@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__])
def test_no_way_of_printing_shows_the_text(show):
    assert "李某" not in show(Personal(SUBJECT, "李某"))


@pytest.mark.parametrize("write", [json.dumps, msgspec.json.encode, msgspec.to_builtins, pickle.dumps])
def test_no_general_serialiser_takes_it(write):
    with pytest.raises(TypeError):
        write(Personal(SUBJECT, "李某"))


def test_it_does_not_change():
    value = Personal(SUBJECT, "李某")
    for name in ("text", "_text", "scope"):
        with pytest.raises(AttributeError):
            setattr(value, name, None)
    assert copy.deepcopy(value) is copy.copy(value) is value


def test_scopes_are_made_in_the_one_way_of_writing_them():
    assert require_key_scope(of_subject(UUID(int=7))) == "subject:00000000-0000-0000-0000-000000000007"
    assert require_key_scope(of_day("runjinyuan", date(2026, 3, 1))) == "day:runjinyuan:2026-03-01"


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "subject:",
        "subject:李某",
        "subject:00000000-0000-0000-0000-00000000000G",
        "subject:00000000-0000-0000-0000-0000000000AA",
        "subject:{00000000-0000-0000-0000-000000000007}",
        "subject:00000000-0000-0000-0000-000000000007\n",
        "day:runjinyuan:2026-02-30",
        "day:runjinyuan:20260301",
        "day:Runjinyuan:2026-03-01",
        "day::2026-03-01",
        "case:00000000-0000-0000-0000-000000000007",
    ],
)
def test_anything_else_is_not_a_scope(scope):
    with pytest.raises(InvalidError, match="is not a scope"):
        Personal(scope, "x")
