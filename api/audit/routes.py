"""/api/audit: the log for auditors. Every answer that shows events is recorded first; see docs/audit.md."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from adapters.audit_events import EventFilter
from api.audit import events, export, past, shapes, verifying
from api.audit.record import INQUIRY, PURPOSE
from api.graphql.context import Context, context_getter
from api.graphql.types import LAST
from api.identity import person_of
from api.openapi import NOT_FOUND
from domain.errors import InvalidError
from domain.model import EVENTS, category
from domain.reading import Shown

BASE = "/api/audit"
_CHUNK = 1 << 16
_NOT_KEPT = {"Cache-Control": "no-store"}


class Asked(BaseModel):
    """Which events; everything given must hold."""

    model_config = ConfigDict(extra="forbid")

    topic: str | None = Field(
        None, description="Such as incident.reported.", json_schema_extra={"enum": [*sorted(EVENTS)]}
    )
    category: str | None = Field(
        None,
        description="The first word of topics, such as incident.",
        json_schema_extra={"enum": [*sorted({category(topic) for topic in EVENTS})]},
    )
    aggregate: UUID | None = Field(None, description="Of this incident, site, key, ..")
    actor: str | None = Field(
        None, max_length=200, pattern=r"\S", description="The person, device or worker behind it."
    )
    correlation: str | None = Field(
        None, max_length=200, pattern=r"\S", description="Of the metadata, or the id of the request."
    )
    from_: datetime | None = Field(None, alias="from", description="Recorded at this time or later.")
    to: datetime | None = Field(None, description="Recorded before this time.")
    after: int = Field(
        0, ge=0, le=LAST, description="Only beyond this position: `through` of the page before."
    )
    through: int | None = Field(None, ge=0, le=LAST, description="Only up to this position.")

    def filter(self) -> EventFilter:
        """As the log is asked."""
        return EventFilter(
            topic=self.topic,
            category=self.category,
            aggregate_id=self.aggregate,
            actor=self.actor,
            correlation=self.correlation,
            since=self.from_,
            until=self.to,
        )


class Page(Asked):
    """And how many of them."""

    first: int = Field(
        100, description=f"1 to {events.MOST}.", json_schema_extra={"minimum": 1, "maximum": events.MOST}
    )


async def why(
    _purpose: Annotated[
        str | None,
        Header(alias=PURPOSE, description="Why, URL-encoded. It, or an inquiry, where events are shown."),
    ] = None,
    _inquiry: Annotated[
        UUID | None, Header(alias=INQUIRY, description="An approved inquiry of the person asking.")
    ] = None,
) -> None:
    """For the description of the routes that say it: `Recorder` reads both where it records."""


router = APIRouter(prefix=BASE, tags=["audit"], dependencies=[Depends(person_of)])
READING: Any = {"dependencies": [Depends(why)], "responses": NOT_FOUND}
Subject = Annotated[
    UUID,
    Path(
        description="The id of an incident, a site, a device, ..: whatever has a history in the log.",
        examples=[
            "4ee9517c-2531-5961-8e98-5775ff2395cc"
        ],  # of the demonstration: the one that goes the long way
    ),
]
Positive = Annotated[
    int | None, Query(ge=1, le=LAST, description="A position; without it, as far as there are any.")
]
First = Annotated[
    int,
    Query(description=f"1 to {verifying.MOST}.", json_schema_extra={"minimum": 1, "maximum": verifying.MOST}),
]
"""Checked where it is used, in words of our own; in the description it is a bound as any other."""


@router.get("/events", summary="A page of events, oldest first", response_model=events.Events, **READING)
async def page(request: Request, asked: Annotated[Page, Query()]) -> Response:
    """Go on with `after` = `through` while `more`: where matches are rare a page may be short, or empty."""
    found = await events.page(
        await context_getter(request), asked.filter(), asked.first, asked.after, asked.through
    )
    return _json(found)


@router.get(
    "/events.jsonl",
    summary="All of them, one JSON object a line",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}}}, **NOT_FOUND},
    dependencies=[Depends(why)],
)
async def lines(request: Request, asked: Annotated[Asked, Query()]) -> StreamingResponse:
    """Up to where the log was when it was asked."""
    content = await events.lines(await context_getter(request), asked.filter(), asked.after, asked.through)
    return StreamingResponse(content, headers=_NOT_KEPT, media_type="application/jsonl")


@router.get(
    "/history/{id}",
    summary="Every event of one thing, and what it changed",
    response_model=shapes.Replayed,
    **READING,
)
async def history(request: Request, id: Subject) -> Response:  # noqa: A002  (the path's word)
    """From the first to the last. What is personal stays sealed; fields that show it are in GraphQL."""
    seen = await events.seen(await context_getter(request), Shown.HISTORY, id)
    return _json(past.facts(seen, with_state=True))


@router.get(
    "/replay/{id}",
    summary="One thing as the log knew it at a moment",
    response_model=shapes.Replayed,
    **READING,
)
async def replay(
    request: Request,
    id: Subject,  # noqa: A002  (the path's word)
    at: Annotated[datetime | None, Query(description="What was recorded by this time.")] = None,
    position: Annotated[int | None, Query(ge=1, le=LAST, description="Or by this position.")] = None,
) -> Response:
    """At a time or at a position (now, without either): what was recorded by then."""
    if at is not None and position is not None:
        raise InvalidError("a moment is a time or a position: choose one of `at` and `position`")
    last = position if at is None else past.time(at.isoformat())
    seen = await events.seen(await context_getter(request), Shown.REPLAY, id, None, last)
    return _json(past.facts(seen, with_state=True))


@router.get(
    "/diff/{id}", summary="What differs between two moments", response_model=shapes.Difference, **READING
)
async def diff(
    request: Request,
    id: Subject,  # noqa: A002  (the path's word)
    from_: Annotated[str, Query(alias="from", description="A position, or a time with its zone.")],
    to: Annotated[str, Query(description="The same, later.")],
) -> Response:
    """Between two moments, the earlier one first: the events after the one up to the other, and what they changed."""
    context = await context_getter(request)
    seen = await events.seen(context, Shown.DIFFERENCE, id, past.moment(from_), past.moment(to))
    return _json(past.facts(seen, with_state=False))


@router.get(
    "/verify",
    summary="Recompute the hash chain and compare it with the checkpoints",
    response_model=shapes.Verification,
    responses={
        202: {
            "model": shapes.Verification,
            "description": "It takes longer: look where Location says",
            "headers": {"Location": {"description": "What became of it.", "schema": {"type": "string"}}},
        }
    },
)
async def verify(
    request: Request,
    from_: Annotated[Positive, Query(alias="from")] = None,
    to: Positive = None,
) -> Response:
    """Answers with what was found, or with 202 if it takes longer than three seconds. One runs at a time."""
    found = await verifying.verification(await context_getter(request), from_, to)
    told = shapes.Verification.of(found)
    if not found.running:
        return _json(told)
    return _json(told, 202, {"Location": f"{BASE}/verifications/{found.id}"})


@router.get(
    "/verifications",
    summary="What verifications found, the newest first",
    response_model=list[shapes.Verification],
)
async def verifications(request: Request, first: First = 20) -> Response:
    """Whoever had the log verified, over HTTP or GraphQL."""
    found = await verifying.newest(await context_getter(request), first)
    return _json([shapes.Verification.of(one) for one in found])


@router.get(
    "/verifications/{id}",
    summary="How far one is, or what it found",
    response_model=shapes.Verification,
    responses=NOT_FOUND,
)
async def verification(
    request: Request,
    id: Annotated[UUID, Path(description="As `verify` gave it.")],  # noqa: A002  (the path's word)
) -> Response:
    """Ask again until `running` is false."""
    return _json(shapes.Verification.of(await verifying.look(await context_getter(request), id)))


@router.get("/checkpoints", summary="Signed checkpoints, the newest first", response_model=shapes.Checkpoints)
async def checkpoints(
    request: Request,
    first: First = 100,
    before: Annotated[int | None, Query(ge=1, le=LAST, description="Only smaller ones.")] = None,
) -> Response:
    """Each was checked before it is shown; go on with `before` = the last `size`."""
    key, found = await verifying.signed(await context_getter(request), first, before)
    return _json(shapes.Checkpoints.of(key, found))


@router.get(
    "/proofs/{id}",
    summary="A bundle that proves the history of one thing",
    response_model=dict[str, object],
    **READING,
)
async def proof(request: Request, id: Subject) -> Response:  # noqa: A002  (the path's word)
    """What `anju proof` makes: check_bundle.py checks it with plain Python, without this server. Its form: docs/proof.md."""
    made = await proved(await context_getter(request), Shown.PROOF, id)
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    return Response(text, headers=_attached(f"{id}.proof.json"), media_type="application/json")


@router.get(
    "/cases/{id}.zip",
    summary="One case with its evidence, its proof and a verifier, for whoever has nothing of ours",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **NOT_FOUND},
    dependencies=[Depends(why)],
)
async def case(request: Request, id: Subject) -> StreamingResponse:  # noqa: A002  (the path's word)
    """For a court: what it holds and how to check it stands in its README.md, in Chinese and English."""
    context = await context_getter(request)
    file = TemporaryFile()  # noqa: SIM115  (closed when it is sent: until it is whole, an error can still be told)
    try:
        made = await proved(context, Shown.EXPORT, id)
        evidence = await export.evidence_of(context.system.evidence, made)
        await asyncio.to_thread(export.pack, file, made, evidence)
    except BaseException:  # also a caller who hangs up: nobody else closes it
        file.close()
        raise
    headers = _attached(f"{id}.zip") | {"Content-Length": str(file.tell())}
    return StreamingResponse(_sent(file), headers=headers, media_type="application/zip")


async def proved(context: Context, shown: Shown, subject: UUID) -> dict[str, Any]:
    """The bundle that proves `subject`, recorded as read."""
    found = await events.located(context, subject)
    await context.record_read(shown, [subject], place=found.place, found=len(found.history))
    return await export.prove(context.system, subject)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(value)
    return Response(body, status, _NOT_KEPT | (headers or {}), media_type="application/json")


def _attached(name: str) -> dict[str, str]:
    return _NOT_KEPT | {"Content-Disposition": f'attachment; filename="{name}"'}
