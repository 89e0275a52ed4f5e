"""Visitor 访客: somebody whom a resident lets in, through some gates, for some hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.access import Known, Standing, open_digest, seal_digest
from domain.credentials import CredentialKind
from domain.deadlines import Deadline, Timed, passed
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware
from domain.observation import require_code
from domain.personal import KeyScope, Personal, of_subject
from domain.plates import read_plate, require_readable

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST = timedelta(days=7)
"""Of a visit. Whoever comes for longer is registered as a resident."""
USES = range(1, 21)
"""How often one visit may enter."""
RULE = "visit-1"
ANSWER, END, LEAVE = "answer", "end", "leave"
"""Deadlines: the host's answer, the arrival, and the departure are due when the visit ends."""


class VisitorState(StrEnum):
    """Where the visit stands."""

    REQUESTED = "REQUESTED"  # 预约
    APPROVED = "APPROVED"  # 授权
    REJECTED = "REJECTED"
    CHECKED = "CHECKED"  # 核验
    ENTERED = "ENTERED"
    LEFT = "LEFT"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    NO_SHOW = "NO_SHOW"
    OVERSTAY = "OVERSTAY"  # 超时未离


class Requester(StrEnum):
    """Who asked for the visit."""

    HOST = "HOST"
    VISITOR = "VISITOR"


S = VisitorState


class Visitor(Aggregate):
    """One visit of one visitor. host: the resident's random id. gates: the codes of those it is for; none means all.

    What is personal lies under the key of the visit, `of_subject(id)`. `entries` counts how often the visitor entered.
    """

    TOPIC = "visitor"

    class Event(Step):
        """`actor` is the person who did it or wrote it down, or the gate's worker."""

    class Requested(Event, Timed, Aggregate.Created):
        """预约. It is good from `valid_from` up to, and not at, `valid_until`, for `uses` entries."""

        TOPIC = "visitor.requested"
        TO = S.REQUESTED
        site_id: UUID
        township: str
        host: UUID
        requester: Requester
        gates: tuple[str, ...]
        valid_from: datetime
        valid_until: datetime
        uses: int
        name: Personal
        phone: Personal | None
        plate: Personal | None
        plate_digest: Personal | None

    Created = Requested

    class Approved(Event, Timed):
        """授权: the host said yes. code_digest: the keyed digest, in hexadecimal, of the code that the visitor was given."""

        TOPIC = "visitor.approved"
        FROM, TO = (S.REQUESTED,), S.APPROVED
        host: UUID
        code_digest: Personal | None

        def apply(self, aggregate: Visitor) -> None:
            super().apply(aggregate)
            aggregate.code_digest = self.code_digest

    class Rejected(Event, Timed):
        """The host said no."""

        TOPIC = "visitor.rejected"
        FROM, TO = (S.REQUESTED,), S.REJECTED
        host: UUID

    class Checked(Event, Timed):
        """核验: at a gate, the visitor was found to be the one who is expected."""

        TOPIC = "visitor.checked"
        FROM, TO = (S.APPROVED, S.LEFT), S.CHECKED
        gate: str

    class Entered(Event, Timed):
        """The visitor is inside."""

        TOPIC = "visitor.entered"
        FROM, TO = (S.CHECKED,), S.ENTERED
        gate: str

        def apply(self, aggregate: Visitor) -> None:
            super().apply(aggregate)
            aggregate.entries += 1

    class Left(Event, Timed):
        """The visitor is outside again, in time or not."""

        TOPIC = "visitor.left"
        FROM, TO = (S.ENTERED, S.OVERSTAY), S.LEFT
        gate: str

    class Revoked(Event, Timed):
        """Called off before the visitor was inside."""

        TOPIC = "visitor.revoked"
        FROM, TO = (S.REQUESTED, S.APPROVED, S.CHECKED), S.REVOKED

    class Expired(Event, Timed):
        """The host did not answer in time, or the visitor stood at the gate and did not go in."""

        TOPIC = "visitor.expired"
        FROM, TO = (S.REQUESTED, S.CHECKED), S.EXPIRED

    class NotShown(Event, Timed):
        """The visitor never came."""

        TOPIC = "visitor.not_shown"
        FROM, TO = (S.APPROVED,), S.NO_SHOW

    class Overstayed(Event, Timed):
        """超时未离: the time is over, and the visitor is still inside. Somebody goes and asks."""

        TOPIC = "visitor.overstayed"
        FROM, TO = (S.ENTERED,), S.OVERSTAY

    state: VisitorState
    deadlines: tuple[Deadline, ...]

    def __init__(
        self,
        *,
        actor: str,
        site_id: UUID,
        township: str,
        host: UUID,
        requester: Requester,
        gates: tuple[str, ...],
        valid_from: datetime,
        valid_until: datetime,
        uses: int,
        name: Personal,
        phone: Personal | None,
        plate: Personal | None,
        plate_digest: Personal | None,
    ) -> None:
        self.requested_by = actor
        self.site_id = site_id
        self.township = township
        self.host = host
        self.requester = requester
        self.gates = gates
        self.valid_from = valid_from
        self.valid_until = valid_until
        self.uses = uses
        self.name = name
        self.phone = phone
        self.plate = plate
        self.plate_digest = plate_digest
        self.code_digest: Personal | None = None
        self.entries = 0

    @classmethod
    def request(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        site: Site,
        by: Person,
        at: datetime,
        host: UUID,
        requester: Requester,
        valid_from: datetime,
        valid_until: datetime,
        name: Personal,
        phone: Personal | None = None,
        plate: Personal | None = None,
        plate_digest: bytes | None = None,
        gates: tuple[str, ...] = (),
        uses: int = 1,
    ) -> Visitor:
        """预约: somebody is to come, between two times, at most a week apart. plate_digest: if the plate itself may open a gate."""
        require_aware(at)
        if not max(require_aware(valid_from), at) < require_aware(valid_until) <= valid_from + LONGEST:
            raise RuleError(
                f"a visit ends after it begins, in the future, and within {LONGEST.days} days: "
                f"not from {valid_from} to {valid_until}"
            )
        if uses not in USES:
            raise InvalidError(f"a visit is for {USES.start} to {USES.stop - 1} entries, not {uses}")
        scope = of_subject(id)
        return cls._create(
            cls.Requested,
            id=id,
            timestamp=at,
            actor=by.id,
            site_id=site.id,
            township=site.township,
            host=host,
            requester=requester,
            gates=tuple(site.gate(code).code for code in gates),
            valid_from=valid_from,
            valid_until=valid_until,
            uses=uses,
            name=name.require_under(scope, "name", 200),
            phone=phone and phone.require_under(scope, "phone", 40),
            plate=_plate(scope, plate, digested=plate_digest is not None),
            plate_digest=seal_digest(scope, plate_digest),
            deadlines=(Deadline(ANSWER, valid_until, RULE),),
        )

    def approve(self, *, by: Person, at: datetime, host: UUID, code_digest: bytes | None = None) -> None:
        """授权: `host`, whose visitor it is, says yes; `by` wrote it down, and is not who wrote down a visitor's own request."""
        self._require_answer(by, at, host)
        advance(
            self,
            self.Approved,
            by=by,
            at=at,
            host=host,
            code_digest=seal_digest(of_subject(self.id), code_digest),
            deadlines=self._due(END),
        )

    def reject(self, *, by: Person, at: datetime, host: UUID) -> None:
        """`host` says no."""
        self._require_host(host)
        advance(self, self.Rejected, by=by, at=at, host=host, deadlines=())

    def check(self, *, by: Person, at: datetime, gate: str) -> None:
        """核验: the visitor is at `gate` and is the one who is expected, in time, with an entry left."""
        self._require_good(at, gate)
        if self.entries >= self.uses:
            raise RuleError(
                f"the visit was for {self.uses} entries, and they are used: request another visit"
            )
        advance(
            self, self.Checked, by=by, at=at, gate=require_code(gate, "gate code"), deadlines=self._due(END)
        )

    def enter(self, *, by: Person, at: datetime, gate: str) -> None:
        """The visitor went in by `gate`."""
        self._require_good(at, gate)
        advance(
            self, self.Entered, by=by, at=at, gate=require_code(gate, "gate code"), deadlines=self._due(LEAVE)
        )

    def leave(self, *, by: Person, at: datetime, gate: str) -> None:
        """The visitor went out by `gate`: any of the site's, at any time."""
        advance(self, self.Left, by=by, at=at, gate=require_code(gate, "gate code"), deadlines=())

    def revoke(self, *, by: Person, at: datetime) -> None:
        """Call it off; whoever is inside is not put out by this."""
        advance(self, self.Revoked, by=by, at=at, deadlines=())

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """The visit's time is over, if that is so: what that means depends on where the visitor is."""
        if not passed(self.deadlines, name, at):
            return
        match self.state:
            case S.APPROVED:
                advance(self, self.NotShown, by=by, at=at, deadlines=())
            case S.ENTERED:
                advance(self, self.Overstayed, by=by, at=at, deadlines=())
            case _:
                advance(self, self.Expired, by=by, at=at, deadlines=())

    def known(self) -> tuple[Known, ...]:
        """What a gate opens for on this visit: the code, and the plate if it was given for that."""
        digests = {CredentialKind.CODE: self.code_digest, CredentialKind.PLATE: self.plate_digest}
        return tuple(
            Known(
                id=self.id,
                kind=kind,
                digest=digest,
                standing=self._standing(),
                site_id=self.site_id,
                gates=self.gates,
                valid_from=self.valid_from,
                valid_until=self.valid_until,
            )
            for kind, sealed in digests.items()
            if (digest := open_digest(sealed)) is not None
        )

    def _standing(self) -> Standing:
        match self.state:
            case S.APPROVED | S.CHECKED | S.ENTERED:  # whoever is inside has to get out
                return Standing.GOOD
            case S.LEFT:
                return Standing.GOOD if self.entries < self.uses else Standing.USED_UP
            case S.REVOKED:
                return Standing.REVOKED
            case S.EXPIRED | S.NO_SHOW | S.OVERSTAY:
                return Standing.EXPIRED
            case S.REQUESTED | S.REJECTED:
                return Standing.NOT_APPROVED

    def _require_host(self, host: UUID) -> None:
        if host != self.host:
            raise RuleError(f"resident {host} is not the host of this visit: the host alone answers")

    def _require_answer(self, by: Person, at: datetime, host: UUID) -> None:
        self._require_host(host)
        if self.requester is Requester.VISITOR and by.id == self.requested_by:
            raise RuleError(
                f"{by.id} wrote down the visitor's request: somebody else has to write down the host's approval"
            )
        if require_aware(at) >= self.valid_until:
            raise RuleError(f"the visit was to end at {self.valid_until}: request another visit")

    def _require_good(self, at: datetime, gate: str) -> None:
        if self.gates and gate not in self.gates:
            raise RuleError(f"the visit is for the gates {', '.join(self.gates)}, not {gate!r}")
        if not self.valid_from <= require_aware(at) < self.valid_until:
            raise RuleError(f"the visit is from {self.valid_from} up to {self.valid_until}, not at {at}")

    def _due(self, name: str) -> tuple[Deadline, ...]:
        return (Deadline(name, self.valid_until, RULE),)


def _plate(scope: KeyScope, plate: Personal | None, *, digested: bool) -> Personal | None:
    if plate is None:
        if digested:
            raise InvalidError("a digest of a plate comes with the plate")
        return None
    given = plate.require_under(scope, "plate", 64)
    return require_readable(given) if digested else read_plate(given.text or "").personal(scope)
