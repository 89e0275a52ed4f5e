"""Reading 调阅: who was shown what of persons or of the past, in which role and why; recorded before it is shown.

Looks by an inquiry 查询 and reviews of a lead 线索 have events of their own; this is everything else that somebody reads.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.errors import InvalidError, RuleError
from domain.inquiry import require_investigator
from domain.lifecycle import Step, require_aware, require_text

if TYPE_CHECKING:
    from domain.inquiry import Inquiry
    from domain.people import Person

MOST = 1000
"""Subjects of one reading: what is more is recorded as several."""
LONGEST_PURPOSE = 200
LONGEST_QUESTION = 2000


class Shown(StrEnum):
    """What was shown: something personal, how something stood in the past, or the log itself."""

    REPORTER = "REPORTER"  # 举报人 of an incident
    PARTIES = "PARTIES"  # 当事人 of a dispute, and what they agreed
    VISITORS = "VISITORS"
    CREDENTIALS = "CREDENTIALS"
    CONSENTS = "CONSENTS"
    WATCHED = "WATCHED"  # 布控对象
    SEARCHED = "SEARCHED"  # what an inquiry looked for
    LOOKS = "LOOKS"  # the record of reads itself
    EVIDENCE = "EVIDENCE"
    PAST = "PAST"  # a thing, or a list of them, as it stood at a moment
    HISTORY = "HISTORY"
    REPLAY = "REPLAY"
    DIFFERENCE = "DIFFERENCE"
    EVENTS = "EVENTS"
    PROOF = "PROOF"
    EXPORT = "EXPORT"
    OPERATION = "OPERATION"  # whatever an auditor asks, beside what of the above it shows


OF_THE_LOG = frozenset(
    {Shown.HISTORY, Shown.REPLAY, Shown.DIFFERENCE, Shown.EVENTS, Shown.PROOF, Shown.EXPORT}
)
"""What is read out of the log itself, by nobody's daily work: only with a reason."""


class Reading(Aggregate):
    """One thing that somebody was shown. It lies where that lies: at a site, in a township, or (without both) in the city."""

    TOPIC = "reading"

    class Event(Step):
        """`actor` is the person behind it."""

    class Recorded(Event, Aggregate.Created):
        """调阅. purpose, asked: in clear; they never name a person.

        subjects: the ids of what was shown, in order. asked: the question, where it says better than ids what was shown, such as a
        stretch of the log. fields: which fields, if not all. found: how much was shown; None if that was not known before.
        """

        TOPIC = "reading.recorded"
        township: str | None
        site_id: UUID | None
        shown: Shown
        subjects: tuple[UUID, ...]
        asked: str | None
        fields: tuple[str, ...]
        purpose: str | None
        inquiry_id: UUID | None
        found: int | None

    Created = Recorded

    def __init__(
        self,
        *,
        actor: str,
        township: str | None,
        site_id: UUID | None,
        shown: Shown,
        subjects: tuple[UUID, ...],
        asked: str | None,
        fields: tuple[str, ...],
        purpose: str | None,
        inquiry_id: UUID | None,
        found: int | None,
    ) -> None:
        self.read_by = actor
        self.township = township
        self.site_id = site_id
        self.shown = shown
        self.subjects = subjects
        self.asked = asked
        self.fields = fields
        self.purpose = purpose
        self.inquiry_id = inquiry_id
        self.found = found

    @classmethod
    def record(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        by: Person,
        at: datetime,
        shown: Shown,
        subjects: Collection[UUID] = (),
        asked: str | None = None,
        fields: Collection[str] = (),
        township: str | None = None,
        site_id: UUID | None = None,
        purpose: str | None = None,
        inquiry: Inquiry | None = None,
        found: int | None = None,
    ) -> Reading:
        """`by` is about to be shown this. RuleError if a reason is missing, or `inquiry` is not one by which `by` may look."""
        if not subjects and asked is None:
            raise InvalidError("a reading is of something: name its subjects, or what was asked")
        if len(subjects) > MOST:
            raise InvalidError(f"a reading is of {len(subjects)} things; at most {MOST} are recorded as one")
        if shown in OF_THE_LOG and purpose is None and inquiry is None:
            raise RuleError(
                f"{shown} is read out of the log: say why, with the header Anju-Purpose (or an inquiry, with Anju-Inquiry)"
            )
        if inquiry is not None:
            require_investigator(inquiry, by=by, at=at)
        return cls._create(
            cls.Recorded,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            township=township,
            site_id=site_id,
            shown=shown,
            subjects=tuple(sorted(set(subjects))),
            asked=asked and require_text(asked, "asked", LONGEST_QUESTION),
            fields=tuple(sorted(set(fields))),
            purpose=purpose and require_text(purpose, "purpose", LONGEST_PURPOSE),
            inquiry_id=inquiry and inquiry.id,
            found=found,
        )
