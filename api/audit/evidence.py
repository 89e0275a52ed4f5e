"""/api/evidence: bytes in, by whoever may attach evidence; bytes out, to whoever may read an incident or a lead that names them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from adapters.evidence import content
from api.graphql.context import context_getter
from domain.errors import InvalidError, NotFoundError
from domain.observation import require_sha256
from domain.reading import Shown
from projections import evidence

router = APIRouter(prefix="/api/evidence", tags=["evidence"])

_SHOWN_AS_IT_IS = ("image/", "video/", "audio/", "application/pdf")


_KEEP: dict[str, Any] = {
    "status_code": 201,
    "summary": "Keep a picture, a film or a document; attach it to an incident by the digest that comes back",
}


@router.put("", **_KEEP)
@router.post("", **_KEEP)
async def put(request: Request, content_length: Annotated[int | None, Header(ge=0)] = None) -> dict[str, Any]:
    context = await context_getter(request)
    person = context.allow("incident.attach_evidence")
    store = context.system.evidence
    if (content_length or 0) > store.largest:
        raise InvalidError(f"evidence has at most {store.largest} bytes; this has {content_length}")
    kept = await store.put(request.stream(), person.id)
    return {"sha256": kept.sha256, "size": kept.size}


@router.get(
    "/{sha256}",
    summary="The bytes, after their digest was compared; the read is recorded",
    response_class=StreamingResponse,
)
async def get(request: Request, sha256: str) -> StreamingResponse:
    context = await context_getter(request)
    person = context.person
    require_sha256(sha256, "the evidence's SHA-256")
    async with context.reading() as connection:
        found = await evidence.naming(connection, person, sha256)
    sent = (
        context.system.evidence.sent
    )  # whoever attaches a digest without having had the bytes opens them to nobody
    naming = [one for one in found if one.attached_by is None or sent(sha256, one.attached_by)]
    if not naming:
        raise NotFoundError(f"no incident or lead that you may read names evidence {sha256}")
    path = await context.system.evidence.checked(sha256)
    await context.record_read(
        Shown.EVIDENCE, [one.id for one in naming], place=naming[0], asked=f"sha256={sha256}", found=1
    )
    said = naming[0].media_type
    headers = {
        "Content-Length": str(path.stat().st_size),
        "Content-Disposition": f'attachment; filename="{sha256}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",  # the media type is what somebody said that it is
    }
    media_type = said if said.startswith(_SHOWN_AS_IT_IS) else "application/octet-stream"
    return StreamingResponse(content(path), headers=headers, media_type=media_type)
