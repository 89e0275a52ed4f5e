"""Personal fields of events, sealed before they are encoded and opened after they are decoded. Pure: keys come in as arguments.

An event's field is personal if it is annotated `Personal` or `Personal | None`; anywhere else in an event the type is refused.
Stored, such a field is

    {"scope": "<scope>", "key": "<uuid of the data key>", "sealed": "<base64>"}

    sealed = nonce (12 random bytes) || AES-256-GCM(data key, nonce, UTF-8 of the text, AAD) || tag (16)
    AAD    = originator_id (16 bytes) || originator_version (4, big-endian) || the field's name in UTF-8

so that a value moved to another stream, version or field does not open. The log's hashes are over the stored, sealed bytes.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CorruptError, InvalidError, RuleError
from domain.model import EVENTS
from domain.personal import KeyScope, Personal
from domain.ports import Event

NONCE = 12
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of a scope, unwrapped; it never shows itself."""

    id: UUID
    cipher: AESGCM


Keys = Mapping[str, DataKey | None]
"""By scope; None where the key is destroyed."""


class Sealed(Personal):
    """A personal value as it is stored. Whoever forgets to open it has a redacted one."""

    __slots__ = ("box", "key")
    key: UUID
    box: bytes

    def __init__(self, scope: KeyScope, key: UUID, box: bytes) -> None:
        object.__setattr__(self, "_scope", scope)  # it was looked at when the value was made
        object.__setattr__(self, "_text", None)
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "box", box)


def personal_fields(event_class: type[Any]) -> tuple[str, ...]:
    """The names of its personal fields; TypeError if `Personal` stands where it could not be sealed."""
    hints = get_type_hints(event_class)
    found = [field.name for field in fields(event_class) if _mentions(hints[field.name])]
    for name in found:
        if hints[name] not in (Personal, Personal | None):
            raise TypeError(
                f"{event_class.__qualname__}.{name}: a personal field is Personal or Personal | None"
            )
    return tuple(found)


def _mentions(hint: Any) -> bool:
    return hint is Personal or any(map(_mentions, get_args(hint)))


FIELDS: Mapping[type[Any], tuple[str, ...]] = {
    cls: names for cls in EVENTS.values() if (names := personal_fields(cls))
}
"""The personal fields of every event class that has some."""


def scopes_of(events: Iterable[Event]) -> set[str]:
    """The scopes whose keys are needed to seal or open `events`; empty when none of them has anything personal."""
    return {
        value.scope
        for event in events
        for name in FIELDS.get(type(event), ())
        if (value := getattr(event, name)) is not None
    }


def seal(event: E, keys: Keys) -> E:
    """`event` as it may be stored. RuleError if a key is destroyed: nothing personal is kept under that scope again."""
    names = _held(event)
    return _with(event, {name: _seal(event, name, keys) for name in names}) if names else event


def unseal(event: E, keys: Keys) -> E:
    """`event` with its personal fields readable, or redacted where the key is destroyed. CorruptError if one does not open."""
    names = _held(event)
    return _with(event, {name: _open(event, name, keys) for name in names}) if names else event


def _held(event: Event) -> list[str]:
    """The names of its personal fields that hold something: most passes have none."""
    return [name for name in FIELDS.get(type(event), ()) if getattr(event, name) is not None]


def _seal(event: Event, name: str, keys: Keys) -> Sealed:
    value: Personal = getattr(event, name)
    if value.text is None:
        raise InvalidError(f"{name} is redacted: there is nothing to store")
    key = keys[value.scope]
    if key is None:
        raise RuleError(
            f"the key of {value.scope} is destroyed: nothing personal is stored under this scope again; take a new one"
        )
    nonce = os.urandom(NONCE)
    try:
        text = value.text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(f"{name} has a character that is not text (half of a surrogate pair)") from error
    return Sealed(value.scope, key.id, nonce + key.cipher.encrypt(nonce, text, _place(event, name)))


def _open(event: Event, name: str, keys: Keys) -> Personal:
    value: Sealed = getattr(event, name)
    key = keys[value.scope]
    if key is None:
        return Personal(value.scope, None)
    if key.id != value.key:
        raise CorruptError(
            f"{_where(event, name)} was sealed with the key {value.key} of {value.scope}, and the vault has {key.id}: "
            "restore vault_keys from a backup"
        )
    try:
        text = key.cipher.decrypt(value.box[:NONCE], value.box[NONCE:], _place(event, name)).decode()
    except (InvalidTag, ValueError) as error:
        raise CorruptError(
            f"{_where(event, name)} does not open: it was changed, or it was sealed for another place"
        ) from error
    return Personal(value.scope, text)


def _place(event: Event, name: str) -> bytes:
    return event.originator_id.bytes + event.originator_version.to_bytes(4, "big") + name.encode()


def _where(event: Event, name: str) -> str:
    return f"{name} of {event.originator_id} version {event.originator_version}"


def _with(event: E, values: Mapping[str, object]) -> E:
    """A copy of the (frozen) event, with `values`."""
    copy = object.__new__(type(event))
    vars(copy).update(vars(event), **values)
    return copy
