"""Event classes to stored bytes and back: plain JSON that an auditor can read, typed when it is read.

Personal fields go in and come out sealed; see adapters/sealing.py.
Events of older versions are brought up to date on the way; see adapters/upcast.py.
"""

from typing import Any
from uuid import UUID

import msgspec

from adapters.sealing import Sealed
from adapters.upcast import PREFIX, stamp, upcast, upcasters
from domain.errors import CorruptError, InvalidError
from domain.model import EVENTS
from domain.personal import require_key_scope
from domain.ports import Event

LARGEST = 1 << 20
"""Bytes of the largest event that is stored."""


class _Box(msgspec.Struct, frozen=True):
    """A sealed field, as it is written."""

    scope: str
    key: UUID
    sealed: bytes


def _write(value: object) -> _Box:
    if not isinstance(value, Sealed):  # a personal value that is not sealed goes nowhere
        raise TypeError(f"{type(value).__name__} is not written as it is")
    return _Box(value.scope, value.key, value.box)


def _restore(_type: type[Any], value: Any) -> Sealed:
    box = msgspec.convert(value, _Box)
    return Sealed(require_key_scope(box.scope), box.key, box.sealed)


_encoder = msgspec.json.Encoder(enc_hook=_write)
_decoders = {topic: msgspec.json.Decoder(cls, dec_hook=_restore) for topic, cls in EVENTS.items()}
_changed = {topic for topic, cls in EVENTS.items() if upcasters(cls)}


def encode(event: Event) -> tuple[str, bytes]:
    """(topic, JSON bytes) of `event`; InvalidError if it cannot be stored."""
    topic: str = type(event).TOPIC  # type: ignore[attr-defined]  # every event class of the domain has one
    try:
        state = stamp(type(event), _encoder.encode(event))
    except (TypeError, ValueError) as error:
        raise InvalidError(f"{topic} cannot be stored: {error}") from error
    if len(state) > LARGEST:
        raise InvalidError(
            f"{topic} has {len(state)} bytes; at most {LARGEST} are stored: attach the rest as evidence"
        )
    return topic, state


def decode(topic: str, state: bytes) -> Any:
    """The event that `encode` made into (`topic`, `state`); CorruptError if there is no such class or the bytes do not fit it."""
    try:
        decoder = _decoders[topic]
        if topic in _changed or state.startswith(PREFIX):
            state = upcast(decoder.type, state)
        return decoder.decode(state)
    except KeyError:
        raise CorruptError(
            f"no event class has the topic {topic!r}: is this log from a newer version?"
        ) from None
    except (msgspec.DecodeError, InvalidError) as error:
        raise CorruptError(f"{topic} does not decode: {error}") from error
