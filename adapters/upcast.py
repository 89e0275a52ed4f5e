"""Old events, brought to what their classes are today, as JSON: so they are decoded like any other, and are never rewritten.

A class of `class_version` N > 1 is stored with that number as the first member. It has a static `upcast_vM_vM+1(state)` for every
M below N, which changes the plain dict of a stored event in place (the library's own convention).
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from domain.errors import CorruptError

PREFIX = b'{"class_version":'
_NUMBER = re.compile(rb'\{"class_version":([1-9][0-9]{0,8}),')

Upcaster = Callable[[dict[str, Any]], None]


def version_of(event_class: type[Any]) -> int:
    """The version of the class as the code has it; 1 if it never changed."""
    return int(getattr(event_class, "class_version", 1))


def stamp(event_class: type[Any], state: bytes) -> bytes:
    """`state`, a JSON object with members, with the version of its class in front unless that is 1."""
    version = version_of(event_class)
    return state if version == 1 else b"%s%d,%s" % (PREFIX, version, state[1:])


def stored_version(state: bytes) -> int:
    """The class version that `state` was stored with; CorruptError if it is not written as `stamp` does."""
    if not state.startswith(PREFIX):
        return 1
    if found := _NUMBER.match(state):
        return int(found[1])
    raise CorruptError(f"this is no class version: {state[:40]!r}")


def upcasters(event_class: type[Any]) -> tuple[Upcaster, ...]:
    """The class's upcasters: the first from version 1 to 2. TypeError names the one that is missing."""
    names = [f"upcast_v{number}_v{number + 1}" for number in range(1, version_of(event_class))]
    for name in names:
        if not isinstance(vars(event_class).get(name), staticmethod):
            raise TypeError(f"{event_class.__qualname__} lacks @staticmethod {name}(state)")
    return tuple(getattr(event_class, name) for name in names)


def upcast(event_class: type[Any], state: bytes) -> bytes:
    """`state` as the class would be stored today, without its version. CorruptError if it is newer, or does not fit an upcaster."""
    known, stored = version_of(event_class), stored_version(state)
    if stored == known:
        return state
    topic = event_class.TOPIC
    if stored > known:
        raise CorruptError(
            f"{topic} was stored as version {stored}, and this code knows {known}: the log is from a newer Anju; update this one"
        )
    try:
        values: dict[str, Any] = msgspec.json.decode(state, type=dict[str, Any])
        values.pop("class_version", None)
        for step in upcasters(event_class)[stored - 1 :]:
            step(values)
    except (msgspec.DecodeError, LookupError, ValueError) as error:
        raise CorruptError(
            f"{topic} of version {stored} cannot be brought to version {known}: {error!r}"
        ) from error
    return msgspec.json.encode(values)
