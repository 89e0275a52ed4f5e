"""A stored sample of every version of every event class, with what the class was like then: `<topic>.v<N>.json`.

stored       the bytes that the codec wrote, as text; never changed
decoded      the fields that today's class reads from them, as Python writes them
fingerprint  names, types and vocabularies of the class at that version (JSON Schema)

python -m tests.samples                     write what is missing; upcast fields of older samples are read anew
python -m tests.samples --replace TOPIC     write the current version again: only while no log anywhere holds one
"""

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID, uuid5

import msgspec

from adapters import codec
from adapters.sealing import Sealed
from adapters.upcast import stored_version, upcasters, version_of
from domain.errors import CorruptError
from domain.observation import NAMESPACE
from domain.personal import Personal, of_subject

DIRECTORY = Path(__file__).parent
EXAMPLES: dict[Any, Callable[[str], Any]] = {
    str: lambda name: f"{name} 一",
    int: lambda name: 1 if name == "originator_version" else 42,
    float: lambda _name: 0.5,
    bool: lambda _name: True,
    bytes: lambda name: name.encode(),
    UUID: lambda name: uuid5(NAMESPACE, name),
    datetime: lambda _name: datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC),
    date: lambda _name: date(2026, 3, 1),
    Personal: lambda name: Sealed(of_subject(uuid5(NAMESPACE, name)), uuid5(NAMESPACE, "key"), name.encode()),
}
"""A value for a field of the type, made from the field's name."""


def example(kind: Any, name: str) -> Any:
    """A value of type `kind` for the field `name`, always the same."""
    if make := EXAMPLES.get(kind):
        return make(name)
    if isinstance(kind, TypeVar):  # the library's word for the type of an aggregate's id
        return example(UUID, name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1]
    if dataclasses.is_dataclass(kind):
        return filled(kind)
    return _example_of_many(get_origin(kind), get_args(kind), name)


def _example_of_many(origin: Any, arguments: Sequence[Any], name: str) -> Any:
    if origin in (Union, UnionType):
        return example(next(part for part in arguments if part is not NoneType), name)
    if origin in (tuple, list, set, frozenset):
        return origin([example(arguments[0], name)])
    if origin is dict:
        return {example(arguments[0], name): example(arguments[1], name)}
    raise TypeError(
        f"{name}: there is no example of its type: add one to EXAMPLES in tests/samples/__init__.py"
    )


def filled(event_class: Any) -> Any:
    """An instance of the dataclass with an example in every field."""
    hints = get_type_hints(event_class)
    return event_class(
        **{field.name: example(hints[field.name], field.name) for field in dataclasses.fields(event_class)}
    )


def fingerprint(event_class: type[Any]) -> Any:
    """What the class stores, as a JSON Schema without prose or names of classes: it changes when what is stored may change."""
    (schema,), classes = msgspec.json.schema_components(
        [event_class], schema_hook=lambda kind: {"$comment": kind.__qualname__}
    )
    return _plain(schema, classes)


def _plain(schema: Any, classes: dict[str, Any], *, names: bool = False) -> Any:
    """`names`: the keys of this object are fields' names, and not words of JSON Schema."""
    match schema:
        case {"$ref": str(reference)}:
            return _plain(classes[reference.rpartition("/")[2]], classes)
        case dict():
            return {
                key: _plain(value, classes, names=key == "properties")
                for key, value in schema.items()
                if names or key not in {"title", "description"}
            }
        case list() | tuple():
            return [_plain(value, classes) for value in schema]
        case _:
            return schema


def fields_of(event: Any) -> dict[str, str]:
    """The event's fields as Python writes them, so that types count too."""
    return {name: repr(value) for name, value in vars(event).items()}


def path_of(topic: str, version: int, directory: Path = DIRECTORY) -> Path:
    return directory / f"{topic}.v{version}.json"


def read(topic: str, version: int, directory: Path = DIRECTORY) -> dict[str, Any]:
    return json.loads(path_of(topic, version, directory).read_text(encoding="utf-8"))


def write(event_class: type[Any], *, replace: bool = False, directory: Path = DIRECTORY) -> Iterator[Path]:
    """Write the sample of the current version if it is missing (or to be replaced), and read the older ones anew."""
    topic, current = event_class.TOPIC, version_of(event_class)
    for version in range(1, current + 1):
        path = path_of(topic, version, directory)
        if version == current and (replace or not path.exists()):
            _, state = codec.encode(filled(event_class))
            sample = {"stored": state.decode(), "decoded": {}, "fingerprint": fingerprint(event_class)}
        else:
            sample = read(topic, version, directory)
        sample["decoded"] = fields_of(codec.decode(topic, sample["stored"].encode()))
        text = json.dumps(sample, ensure_ascii=False, indent=2) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            yield path


def problems(event_class: type[Any], directory: Path = DIRECTORY) -> list[str]:
    """What is wrong between the class and its samples; empty if nothing is."""
    topic, current = event_class.TOPIC, version_of(event_class)
    missing = [n for n in range(1, current + 1) if not path_of(topic, n, directory).exists()]
    if missing:
        return [f"{topic} has no sample of version {missing[0]}: run python -m tests.samples"]
    upcasters(event_class)
    if found := list(_changes(event_class, read(topic, current, directory))):
        return found
    for version in range(1, current + 1):
        sample = read(topic, version, directory)
        state = sample["stored"].encode()
        if stored_version(state) != version:
            found.append(f"{topic}.v{version}.json holds an event of version {stored_version(state)}")
        try:
            event = codec.decode(topic, state)
        except CorruptError as error:
            found.append(f"version {version} of {topic} no longer loads: {error}")
            continue
        if fields_of(event) != sample["decoded"]:
            found.append(
                f"{topic} version {version} is read otherwise than before:\n{_diff(sample['decoded'], fields_of(event))}\n"
                "If its upcasters are meant to do that: run python -m tests.samples, and look at what it changes"
            )
        if version == current and not found and codec.encode(event) != (topic, state):
            found.append(f"{topic} is written otherwise than before: {codec.encode(event)[1]!r}")
    return found


def _changes(event_class: type[Any], sample: dict[str, Any]) -> Iterator[str]:
    now = fingerprint(event_class)
    if now != sample["fingerprint"]:
        topic, version = event_class.TOPIC, version_of(event_class)
        yield (
            f"{topic} stores something else than its version {version} did:\n{_diff(sample['fingerprint'], now)}\n"
            f"Events of version {version} are in the log for ever. So give the class class_version = {version + 1} and\n"
            f"@staticmethod upcast_v{version}_v{version + 1}(state), which changes the stored dict in place; then run\n"
            "python -m tests.samples and commit the new sample. docs/events.md shows an example.\n"
            f"(Only if no log anywhere holds a {topic} yet: python -m tests.samples --replace {topic})"
        )


def _diff(before: Any, after: Any) -> str:
    texts = [json.dumps(value, ensure_ascii=False, indent=1).splitlines() for value in (before, after)]
    return "\n".join(
        line for line in difflib.unified_diff(*texts, n=0, lineterm="") if line[:2] not in {"--", "++", "@@"}
    )
