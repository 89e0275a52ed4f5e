"""/api/audit: the log for auditors. Every answer that shows events is recorded first; see docs/audit.md."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from adapters.audit_events import EventFilter
from adapters.verifications import Verification
from api.audit import events, export, past, verifying
from api.graphql.context import Context, context_getter
from api.graphql.types import LAST
from domain.checkpoint import time_text
from domain.errors import InvalidError
from domain.reading import Shown

BASE = "/api/audit"
_CHUNK = 1 << 16
_NOT_KEPT = {"Cache-Control": "no-store"}


class Asked(BaseModel):
    """Which events; everything given must hold."""

    model_config = ConfigDict(extra="forbid")

    topic: str | None = Field(None, description="Such as incident.reported.")
    category: str | None = Field(None, description="The first word of topics, such as incident.")
    aggregate: UUID | None = Field(None, description="Of this incident, site, key, ..")
    actor: str | None = Field(None, description="The person, device or worker behind it.")
    correlation: str | None = Field(None, description="Of the metadata, or the id of the request.")
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

    first: int = Field(100, description=f"1 to {events.MOST}.")


router = APIRouter(prefix=BASE, tags=["audit"])


@router.get("/events", summary="A page of events, oldest first")
async def page(request: Request, asked: Annotated[Page, Query()]) -> Response:
    found = await events.page(
        await context_getter(request), asked.filter(), asked.first, asked.after, asked.through
    )
    return _json(found)


@router.get("/events.jsonl", summary="All of them, one JSON object a line")
async def lines(request: Request, asked: Annotated[Asked, Query()]) -> StreamingResponse:
    content = await events.lines(await context_getter(request), asked.filter(), asked.after, asked.through)
    return StreamingResponse(content, headers=_NOT_KEPT, media_type="application/jsonl")


@router.get("/history/{id}", summary="Every event of one thing, and what it changed")
async def history(request: Request, id: UUID) -> Response:  # noqa: A002  (the path's word)
    seen = await events.seen(await context_getter(request), Shown.HISTORY, id)
    return _json(past.facts(seen, with_state=True))


@router.get("/replay/{id}", summary="One thing as the log knew it at a moment")
async def replay(
    request: Request,
    id: UUID,  # noqa: A002
    at: datetime | None = None,
    position: Annotated[int | None, Query(ge=1, le=LAST)] = None,
) -> Response:
    if at is not None and position is not None:
        raise InvalidError("a moment is a time or a position: choose one of `at` and `position`")
    last = position if at is None else past.time(at.isoformat())
    seen = await events.seen(await context_getter(request), Shown.REPLAY, id, None, last)
    return _json(past.facts(seen, with_state=True))


@router.get("/diff/{id}", summary="What differs between two moments")
async def diff(
    request: Request,
    id: UUID,  # noqa: A002
    from_: Annotated[str, Query(alias="from", description="A position, or a time with its zone.")],
    to: Annotated[str, Query(description="The same, later.")],
) -> Response:
    context = await context_getter(request)
    seen = await events.seen(context, Shown.DIFFERENCE, id, past.moment(from_), past.moment(to))
    return _json(past.facts(seen, with_state=False))


@router.get(
    "/verify",
    summary="Recompute the hash chain and compare it with the checkpoints",
    responses={202: {"description": "It takes longer: look where Location says"}},
)
async def verify(
    request: Request,
    from_: Annotated[int | None, Query(alias="from", ge=1)] = None,
    to: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    found = await verifying.verification(await context_getter(request), from_, to)
    if not found.running:
        return _json(_told(found))
    return _json(_told(found), 202, {"Location": f"{BASE}/verifications/{found.id}"})


@router.get("/verifications", summary="What verifications found, the newest first")
async def verifications(request: Request, first: int = 20) -> Response:
    return _json([_told(one) for one in await verifying.newest(await context_getter(request), first)])


@router.get("/verifications/{id}", summary="How far one is, or what it found")
async def verification(request: Request, id: UUID) -> Response:  # noqa: A002
    return _json(_told(await verifying.look(await context_getter(request), id)))


@router.get("/checkpoints", summary="Signed checkpoints, the newest first")
async def checkpoints(
    request: Request, first: int = 100, before: Annotated[int | None, Query(ge=1, le=LAST)] = None
) -> Response:
    key, found = await verifying.signed(await context_getter(request), first, before)
    return _json(
        {
            "key": key and str(key),
            "fingerprint": key and key.fingerprint,
            "checkpoints": [
                {
                    "size": one.checkpoint.size,
                    "root": one.checkpoint.root.hex(),
                    "last_hash": one.checkpoint.last_hash.hex(),
                    "recorded_at": time_text(one.checkpoint.recorded_at),
                    "made_at": time_text(one.checkpoint.made_at),
                    "note": one.note,
                }
                for one in found
            ],
        }
    )


@router.get("/proofs/{id}", summary="A bundle that proves the history of one thing")
async def proof(request: Request, id: UUID) -> Response:  # noqa: A002
    made = await proved(await context_getter(request), Shown.PROOF, id)
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    return Response(text, headers=_attached(f"{id}.proof.json"), media_type="application/json")


@router.get(
    "/cases/{id}.zip",
    summary="One case with its evidence, its proof and a verifier, for whoever has nothing of ours",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
async def case(request: Request, id: UUID) -> StreamingResponse:  # noqa: A002
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


def _told(one: Verification) -> dict[str, Any]:
    return asdict(one) | {"hash": one.hash and one.hash.hex()}


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(value)
    return Response(body, status, _NOT_KEPT | (headers or {}), media_type="application/json")


def _attached(name: str) -> dict[str, str]:
    return _NOT_KEPT | {"Content-Disposition": f'attachment; filename="{name}"'}
