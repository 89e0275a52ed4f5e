"""What can go wrong with a file that should have pictures in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.errors import InvalidError

if TYPE_CHECKING:
    from pathlib import Path


class UnreadableError(InvalidError):
    """`path` gives no pictures, or not all that it promises, for `reason`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read: {reason}")
        self.path = path
        self.reason = reason
