"""调解成功率: what came of the disputes that were accepted in a period, in all and for each township, room, mediator or mechanism."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import aiosql
import asyncpg

from projections.question import Question

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
DEFINITIONS = {
    "accepted": "Disputes accepted in the period; all other counts are of these, whenever it came to it.",
    "handled": "agreed + failed. Withdrawn disputes, and those that are still mediated, are not handled.",
    "success_of_handled": "agreed / (agreed + failed).",
    "success_of_accepted": "agreed / accepted.",
    "median_days_to_agreement": (
        "From acceptance to agreement, of those agreed, in days of 24 hours; "
        "the median interpolates between the two nearest values. A clock that ran back counts as no time."
    ),
    "performing": "Agreements of which the performance began; breached: by a party, once or more often.",
    "fulfilment": "fulfilled / agreed.",
    "confirmed": "Agreements that a court confirmed 司法确认, of confirmations_requested; some it refused.",
    "by room and mediator": "Those of the last assignment; a mediator who stepped aside, and the room with them, no longer counts.",
}


class MediationGroup(StrEnum):
    """What the figures are counted for, each."""

    TOWNSHIP = "TOWNSHIP"
    ROOM = "ROOM"
    MEDIATOR = "MEDIATOR"
    MECHANISM = "MECHANISM"


@dataclass(frozen=True, slots=True)
class Mediation:
    """Counts of DEFINITIONS. median_days_to_agreement: None when none was agreed. position: of the log, counted to."""

    accepted: int
    agreed: int
    failed: int
    withdrawn: int
    referred: int
    performing: int
    breached: int
    fulfilled: int
    confirmations_requested: int
    confirmed: int
    confirmations_refused: int
    median_days_to_agreement: float | None
    position: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of the query."""
        return cls(*(row[name] for name in cls.__slots__))

    @property
    def handled(self) -> int:
        """Agreed or failed."""
        return self.agreed + self.failed

    @property
    def success_of_handled(self) -> float | None:
        """Agreed / handled, 0..1; None when none was handled."""
        return self.agreed / self.handled if self.handled else None

    @property
    def success_of_accepted(self) -> float | None:
        """Agreed / accepted, 0..1; None when none was accepted."""
        return self.agreed / self.accepted if self.accepted else None

    @property
    def fulfilment(self) -> float | None:
        """Fulfilled / agreed, 0..1; None when none was agreed."""
        return self.fulfilled / self.agreed if self.agreed else None


async def mediation(connection: asyncpg.Connection, question: Question) -> Mediation:
    """The figures of all disputes that the question is about."""
    rows = [row async for row in SQL.figures(connection, **question.values(), by=None)]
    return Mediation.of(next(row for row in rows if row["total"]))


async def mediation_by(
    connection: asyncpg.Connection, question: Question, by: MediationGroup
) -> dict[str | None, Mediation]:
    """The figures of each township, room, mediator or mechanism; those of None have none."""
    rows = SQL.figures(connection, **question.values(), by=by)
    return {row["part"]: Mediation.of(row) async for row in rows if not row["total"]}


async def lineage(connection: asyncpg.Connection, question: Question, *, first: int, after: int) -> list[Any]:
    """The disputes that were counted, in the order of their acceptance: at most `first` rows beyond log position `after` of
    (dispute_id, accepted_position, agreed_position, failed_position).
    """
    return [row async for row in SQL.lineage(connection, **question.values(), first=first, after=after)]
