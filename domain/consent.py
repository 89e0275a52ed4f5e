"""Consent 同意: a resident lets a gate know them by their face or their plate, for one purpose, until they say otherwise.

Face Measures, articles 5 to 8: a notice that was shown, a consent for each purpose, the guardian's for a child under 14, an end.
Every consent has a key of its own, under which everything lies that was enrolled by it: withdrawing one forgets that and no more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.deadlines import Deadline, Timed, passed, require_end
from domain.errors import RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.personal import KeyScope, Personal, of_subject

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST = timedelta(days=2 * 365)
"""A consent ends, and may be renewed. The law names no length: this is our rule `RULE`."""
RULE = "consent-1"
EXPIRE = "expire"


class ConsentState(StrEnum):
    """Whether the resident may be known by it: only while it is GIVEN."""

    GIVEN = "GIVEN"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"  # 撤回


class Purpose(StrEnum):
    """What for: a consent is for one of them."""

    FACE_ACCESS = "FACE_ACCESS"  # 人脸通行
    PLATE_ACCESS = "PLATE_ACCESS"  # 车牌通行


S = ConsentState


class Consent(Aggregate):
    """One resident's consent to one purpose at one site. `resident` is a random id, not a name; `scope` is the key it lies under."""

    TOPIC = "consent"

    class Event(Step):
        """`actor` is whoever wrote down what the resident said."""

    class Given(Event, Timed, Aggregate.Created):
        """The resident (or the guardian) said yes, having seen the notice."""

        TOPIC = "consent.given"
        TO = S.GIVEN
        site_id: UUID
        township: str
        resident: UUID
        purpose: Purpose
        notice_version: str
        name: Personal
        under_14: bool
        guardian: Personal | None

    Created = Given

    class Renewed(Event, Timed):
        """Yes again, to the notice as it is now, before the consent ended."""

        TOPIC = "consent.renewed"
        FROM = (S.GIVEN,)
        notice_version: str
        under_14: bool
        guardian: Personal | None

        def apply(self, aggregate: Consent) -> None:
            super().apply(aggregate)
            aggregate.notice_version = self.notice_version
            aggregate.under_14 = self.under_14
            aggregate.guardian = self.guardian

    class Withdrawn(Event, Timed):
        """撤回: matching stops with this event. It says nothing of why, and nothing of whether a case holds the key."""

        TOPIC = "consent.withdrawn"
        FROM, TO = (S.GIVEN, S.EXPIRED), S.WITHDRAWN

    class Expired(Event, Timed):
        """It was not renewed in time."""

        TOPIC = "consent.expired"
        FROM, TO = (S.GIVEN,), S.EXPIRED

    state: ConsentState
    deadlines: tuple[Deadline, ...]

    def __init__(
        self,
        *,
        site_id: UUID,
        township: str,
        resident: UUID,
        purpose: Purpose,
        notice_version: str,
        name: Personal,
        under_14: bool,
        guardian: Personal | None,
    ) -> None:
        self.site_id = site_id
        self.township = township
        self.resident = resident
        self.purpose = purpose
        self.notice_version = notice_version
        self.name = name
        self.under_14 = under_14
        self.guardian = guardian

    @classmethod
    def give(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        site: Site,
        by: Person,
        at: datetime,
        resident: UUID,
        purpose: Purpose,
        notice_version: str,
        name: Personal,
        until: datetime,
        under_14: bool = False,
        guardian: Personal | None = None,
    ) -> Consent:
        """同意: the resident, or the guardian of a child under 14, says yes. Their names are sealed under the key of this consent."""
        scope = of_subject(id)
        return cls._create(
            cls.Given,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            site_id=site.id,
            township=site.township,
            resident=resident,
            purpose=purpose,
            notice_version=require_text(notice_version, "notice version", 100),
            name=name.require_under(scope, "name", 200),
            under_14=under_14,
            guardian=_guardian(scope, guardian, under_14=under_14),
            deadlines=_until(at, until),
        )

    def renew(
        self,
        *,
        by: Person,
        at: datetime,
        notice_version: str,
        until: datetime,
        under_14: bool = False,
        guardian: Personal | None = None,
    ) -> None:
        """The resident says yes again; a consent that has ended is not renewed but given anew."""
        if self.state is S.GIVEN:
            require_standing(self, self.purpose, self.resident, at)
        advance(
            self,
            self.Renewed,
            by=by,
            at=at,
            notice_version=require_text(notice_version, "notice version", 100),
            under_14=under_14,
            guardian=_guardian(self.scope, guardian, under_14=under_14),
            deadlines=_until(at, until),
        )

    def withdraw(self, *, by: Person, at: datetime) -> None:
        """撤回: no reason is asked, and the key goes in the same request."""
        advance(self, self.Withdrawn, by=by, at=at, deadlines=())

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """It has ended, if that is so."""
        if passed(self.deadlines, name, at):
            advance(self, self.Expired, by=by, at=at, deadlines=())

    @property
    def scope(self) -> KeyScope:
        """Under whose key lies what was enrolled by it."""
        return of_subject(self.id)

    @property
    def until(self) -> datetime | None:
        """When it ends; None if it has ended."""
        return next((deadline.due_at for deadline in self.deadlines), None)

    def stands(self, at: datetime) -> bool:
        """Whether the resident may be known by it at `at`: also when nobody has noticed yet that it has ended."""
        return self.state is S.GIVEN and self.until is not None and require_aware(at) < self.until


def require_standing(consent: Consent, purpose: Purpose, resident: UUID, at: datetime) -> datetime:
    """Until when `resident` consents to `purpose`; RuleError if they do not."""
    if consent.purpose is not purpose or consent.resident != resident:
        raise RuleError(
            f"consent {consent.id} is another's, or for {consent.purpose}: {purpose} needs its own"
        )
    if not consent.stands(at) or consent.until is None:
        state = consent.state if consent.state is not S.GIVEN else "over"
        raise RuleError(f"consent {consent.id} is {state}: {purpose} needs one that is given and not over")
    return consent.until


def _guardian(scope: KeyScope, guardian: Personal | None, *, under_14: bool) -> Personal | None:
    if under_14 and guardian is None:
        raise RuleError("a child under 14 is enrolled with the guardian's consent: say who the guardian is")
    if guardian is None:
        return None
    if not under_14:
        raise RuleError("a guardian consents for a child under 14 only: from 14 on, the resident does")
    return guardian.require_under(scope, "guardian", 200)


def _until(at: datetime, until: datetime) -> tuple[Deadline, ...]:
    return (Deadline(EXPIRE, require_end("a consent", at, until, LONGEST), RULE),)
