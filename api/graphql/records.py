"""Records of persons as a look by an inquiry 查询 shows them: rows of the read models, with what the log alone has of each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import strawberry

from api.graphql.lists import Due
from api.graphql.shown import shown
from api.graphql.sites import AtSite
from api.graphql.types import Personal, Position
from api.graphql.visitors import Visitor
from domain.access import Decision
from domain.credential import Credential, CredentialState
from domain.credentials import CredentialKind
from domain.gatepass import GatePass
from domain.ports import Entry, EventLog
from domain.site import Direction
from domain.visitor import Visitor as Visit


class Record:
    """What was found. `subject` is whose record it is, as the look names it; `texts` what of it can be searched for."""

    @property
    def subject(self) -> UUID:
        """An id in the log."""
        return cast("UUID", vars(self)["id"])

    @property
    def texts(self) -> tuple[str, ...]:
        """What it says of a person, where that is not redacted."""
        return tuple(
            value.text
            for value in vars(self).values()
            if isinstance(value, Personal) and value.text is not None
        )


@strawberry.type(description="访客记录: one visit, with who came.")
class VisitorRecord(Visitor, Record):
    name: Personal = strawberry.field(description="姓名: of the visitor.")
    phone: Personal | None = strawberry.field(description="电话: of the visitor, if it was given.")
    plate: Personal | None = strawberry.field(description="车牌: of the visitor's car, if it was given.")


@strawberry.type(description="通行记录: one passage at a gate.")
class PassRecord(AtSite, Record):
    id: UUID = strawberry.field(description="Its id in the log.")
    gate: str = strawberry.field(description="出入口: the code of the gate.")
    direction: Direction = strawberry.field(description="Which way the gate is passed.")
    credential: CredentialKind = strawberry.field(description="凭证: what was shown at the gate.")
    decision: Decision = strawberry.field(description="What came of it: as a guard decided, if one did.")
    reason: str = strawberry.field(description="By which rule the gate decided.")
    passed_at: datetime = strawberry.field(description="When somebody stood there.")
    value: Personal | None = strawberry.field(
        description="The plate, the number or the code as it was read; null of a face, and where it is not kept."
    )
    credential_id: Personal | None = strawberry.field(
        description="Of the credential, or the visit, by which the gate opened."
    )
    frame_sha256: str | None = strawberry.field(description="The digest of what the camera saw.")
    position: Position = strawberry.field(description="Where it stands in the log.")


@strawberry.type(description="凭证记录: one credential, with whose it is and what it says.")
class CredentialRecord(AtSite, Record):
    id: UUID = strawberry.field(description="Its id in the log.")
    kind: CredentialKind = strawberry.field(description="What is shown at the gate.")
    resident: UUID = strawberry.field(description="A random id, which says nothing of who it is.")
    state: CredentialState = strawberry.field(description="凭证状态.")
    valid_from: datetime = strawberry.field(description="From when on it is good.")
    valid_until: datetime = strawberry.field(description="Up to, and not at, this time.")
    ended_at: datetime | None = strawberry.field(description="注销: when it was revoked, or expired.")
    holder: Personal = strawberry.field(description="持有人: the resident's name.")
    value: Personal | None = strawberry.field(description="The plate, or the card's number; null of a face.")


@strawberry.type(
    description="图像记录: a file of an incident, or what the camera saw of a lead. Its bytes: GET /api/evidence/{sha256}."
)
class ImageRecord(AtSite, Record):
    sha256: str = strawberry.field(description="The digest of its bytes.")
    media_type: str = strawberry.field(description="As it was said when it was attached.")
    at: datetime = strawberry.field(description="When it was attached, or found alike.")
    incident_id: UUID | None = strawberry.field(description="事件: to which it is attached.")
    lead_id: UUID | None = strawberry.field(description="线索: in which it was seen.")

    @property
    def subject(self) -> UUID:
        """What names it."""
        return cast("UUID", self.incident_id or self.lead_id)


async def visitors(log: EventLog, rows: Sequence[Any]) -> list[VisitorRecord]:
    """The visits of these rows, with what was said of each when it was asked for."""
    said = await log.histories(Visit, [row["visitor_id"] for row in rows], version=1)
    return [
        shown(
            VisitorRecord,
            row,
            id=row["visitor_id"],
            due=Due.of(row),
            **_personal(said[row["visitor_id"]], ("name", "phone", "plate")),
        )
        for row in rows
    ]


async def credentials(log: EventLog, rows: Sequence[Any]) -> list[CredentialRecord]:
    """The credentials of these rows, with what was said of each when it was registered."""
    said = await log.histories(Credential, [row["credential_id"] for row in rows], version=1)
    return [
        shown(
            CredentialRecord,
            row,
            id=row["credential_id"],
            **_personal(said[row["credential_id"]], ("holder", "value")),
        )
        for row in rows
    ]


async def passes(log: EventLog, rows: Sequence[Any]) -> list[PassRecord]:
    """The passes that these rows name, which are in the log alone."""
    histories = await log.histories(GatePass, [row["pass_id"] for row in rows])
    return [_pass(histories[row["pass_id"]]) for row in rows]


async def images(_log: EventLog, rows: Sequence[Any]) -> list[ImageRecord]:
    """The files of these rows: nothing of them is sealed but their bytes, which are not here."""
    return [shown(ImageRecord, row) for row in rows]


def _pass(entries: Sequence[Entry]) -> PassRecord:
    passed = entries[0].event
    return PassRecord(
        id=passed.originator_id,
        site_id=passed.site_id,
        gate=passed.gate,
        direction=passed.direction,
        credential=passed.credential,
        decision=entries[-1].event.TO or passed.decision,
        reason=passed.reason,
        passed_at=passed.timestamp,
        frame_sha256=passed.frame_sha256,
        position=Position(entries[0].position),
        value=Personal.maybe(passed.value),
        credential_id=Personal.maybe(passed.credential_id),
    )


def _personal(entries: Sequence[Entry], names: Sequence[str]) -> Mapping[str, Personal | None]:
    """These fields of the first of `entries`, as they are shown."""
    return {name: Personal.maybe(getattr(entries[0].event, name)) for name in names}
