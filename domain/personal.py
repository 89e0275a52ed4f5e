"""Personal: text about a person, kept under the key of a scope, so that destroying one key forgets it everywhere at once.

A scope is who or what is forgotten together: `subject:<uuid>` is one person, `day:<site>:<date>` everybody who passed a site that day.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, NewType, NoReturn, Self
from uuid import UUID

from domain.errors import InvalidError
from domain.lifecycle import require_text
from domain.observation import require_code

if TYPE_CHECKING:
    from collections.abc import Mapping

KeyScope = NewType("KeyScope", str)

_SHAPE = re.compile(
    r"subject:(?P<subject>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|day:(?P<site>[a-z0-9]+(?:-[a-z0-9]+)*):(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})",
    re.ASCII,
)


def of_subject(subject: UUID) -> KeyScope:
    """The scope of one person. `subject` is a random id, never anything that says who it is."""
    return KeyScope(f"subject:{subject}")


def of_day(site: str, day: date) -> KeyScope:
    """The scope of whoever was seen at the site with this code on `day`."""
    return KeyScope(f"day:{require_code(site, 'site code')}:{day.isoformat()}")


def require_key_scope(value: str) -> KeyScope:
    """`value`, if it is a scope in the one way of writing it."""
    shape = _SHAPE.fullmatch(value)
    if shape is None or not _is_day(shape["day"]):
        raise InvalidError(
            f"{value!r} is not a scope: write subject:<uuid> (lower case) or day:<site>:<date>"
        )
    return KeyScope(value)


def _is_day(day: str | None) -> bool:
    try:
        return day is None or bool(date.fromisoformat(day))
    except ValueError:
        return False


class Personal:
    """Immutable. `text` is None once the key of `scope` is destroyed: the value is redacted.

    Deliberately no dataclass: whatever writes dataclasses as they are (JSON, logs, pickles) refuses this one, and what prints it
    shows the scope only. Whoever wants the text has to say `.text`.
    """

    __slots__ = ("_scope", "_text")
    _scope: KeyScope
    _text: str | None

    def __init__(self, scope: str, text: str | None) -> None:
        object.__setattr__(self, "_scope", require_key_scope(scope))
        object.__setattr__(self, "_text", text)

    @property
    def scope(self) -> KeyScope:
        """Whose key it is kept under."""
        return self._scope

    @property
    def text(self) -> str | None:
        """What it says; None when redacted."""
        return self._text

    @property
    def redacted(self) -> bool:
        """Whether the key is gone, and the text with it."""
        return self._text is None

    def require(self, what: str, longest: int) -> Self:
        """This value, trimmed, if its text says something and can be stored; see `require_text`. InvalidError."""
        text = require_text(self._text or "", what, longest)
        return self if text == self._text else type(self)(self._scope, text)

    def require_under(self, scope: KeyScope, what: str, longest: int) -> Self:
        """The same, if it is kept under `scope`: what one key is to forget must not lie under another."""
        if self._scope != scope:
            raise InvalidError(
                f"{what} is under {self._scope}: seal it under {scope}, with which it is forgotten"
            )
        return self.require(what, longest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and (self._scope, self._text) == (other._scope, other._text)

    def __hash__(self) -> int:
        return hash((self._scope, self._text))

    def __repr__(self) -> str:
        return f"Personal({self._scope}, {'redacted' if self.redacted else '...'})"

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"{name} cannot be set: a personal value does not change")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _seen: Mapping[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a personal value is not pickled: it is written sealed, or not at all")
