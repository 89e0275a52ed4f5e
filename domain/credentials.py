"""Credentials: by what somebody can be known at a gate."""

from __future__ import annotations

from enum import StrEnum


class CredentialKind(StrEnum):
    """What is shown at a gate. NONE: nothing was shown."""

    FACE = "FACE"
    PLATE = "PLATE"
    CARD = "CARD"
    CODE = "CODE"  # of a visitor
    NONE = "NONE"
