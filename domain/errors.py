"""Every refusal Anju can give: one root, named leaves. A message says what was refused, why, and what would be accepted.

The edge maps `code` to GraphQL `extensions.code`, to an HTTP status and to an exit code in one place, `api/errors.py`.
"""

from __future__ import annotations

from typing import ClassVar


class AnjuError(Exception):
    """The root. `code` is stable: clients may rely on it."""

    code: ClassVar[str] = "INTERNAL"


class InvalidError(AnjuError):
    """A value or a file that cannot be what it should be; nothing was changed."""

    code = "INVALID"


class RuleError(InvalidError):
    """A rule of the domain refuses the command; the message names the rule."""


class ForbiddenError(AnjuError):
    """This person may not do this here."""

    code = "FORBIDDEN"


class UnauthenticatedError(AnjuError):
    """Nobody, or nobody we can believe, is asking."""

    code = "UNAUTHENTICATED"


class TokenError(UnauthenticatedError):
    """A token was shown, and it is not believed."""


class NotFoundError(AnjuError):
    """There is no such thing, or none this person may see."""

    code = "NOT_FOUND"


class ConflictError(AnjuError):
    """Somebody else changed it first: read again, decide again. `current` is the version it has now."""

    code = "CONFLICT"

    def __init__(self, message: str, *, current: int) -> None:
        super().__init__(message)
        self.current = current


class TooCostlyError(AnjuError):
    """More is asked for in one go than is given. `measure` is what was measured, `cost` how much it is, `limit` what is given."""

    code = "TOO_COSTLY"

    def __init__(self, message: str, *, measure: str, cost: float, limit: float) -> None:
        super().__init__(message)
        self.measure = measure
        self.cost = cost
        self.limit = limit


class UnavailableError(AnjuError):
    """A server, a file or a device that is needed is not there; the message says how to mend it."""

    code = "UNAVAILABLE"


class BusyError(UnavailableError):
    """More waits than is taken in: try again in a moment."""


class TooSlowError(AnjuError):
    """Changes come faster than they are taken. `last`: the position of the last one that was told; go on after it."""

    code = "TOO_SLOW"

    def __init__(self, message: str, *, last: int) -> None:
        super().__init__(message)
        self.last = last


class CorruptError(AnjuError):
    """Stored data is not what was written; nothing may be built on it."""

    code = "CORRUPT"
