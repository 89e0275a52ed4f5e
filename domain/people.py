"""Who acts: a named person with roles, inside a scope. Devices and workers act under a name of their own, never a person's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a person is trusted with; `domain/policy.py` says what each may do."""

    GRID_WORKER = "grid_worker"  # 网格员
    INTAKE = "intake"  # 受理员
    DISPATCHER = "dispatcher"  # 派遣员
    UNIT_HANDLER = "unit_handler"
    UNIT_LEAD = "unit_lead"
    VERIFIER = "verifier"  # 核查员
    SUPERVISOR = "supervisor"
    MEDIATOR = "mediator"  # 调解员
    GUARD = "guard"
    REVIEWER = "reviewer"
    INVESTIGATOR = "investigator"
    PRIVACY_OFFICER = "privacy_officer"
    AUDITOR = "auditor"
    STATISTICIAN = "statistician"
    DEVICE = "device"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a person may act and look: the city (both None), one township, or one site."""

    township: str | None = None
    site_id: UUID | None = None

    def covers(self, township: str | None, site_id: UUID | None) -> bool:
        """Whether a thing of `township` and `site_id` lies inside. One without a site is its township's; without both, the city's."""
        return self.township in (None, township) and self.site_id in (None, site_id)

    def __str__(self) -> str:
        if self.site_id:
            return f"site {self.site_id}"
        return f"township {self.township}" if self.township else "the city"


CITY = Scope()
"""Everywhere."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the identity provider vouches for them; `id` is a staff number, not a name."""

    id: str
    roles: frozenset[Role]
    scope: Scope = CITY
    units: frozenset[str] = frozenset()
