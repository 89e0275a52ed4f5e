"""/api/evidence: bytes in, by whoever may attach evidence; bytes out, to whoever may read an incident or a lead that names them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import StreamingResponse

from adapters.evidence import content
from api.graphql.context import context_getter
from api.identity import person_of
from api.openapi import NOT_FOUND
from domain.errors import InvalidError, NotFoundError
from domain.observation import require_sha256
from domain.reading import Shown
from projections import evidence

router = APIRouter(prefix="/api/evidence", tags=["evidence"], dependencies=[Depends(person_of)])


@dataclass(frozen=True, slots=True)
class Sent:
    """What is kept. Not whether it was there already: that somebody else has it is nobody's business."""

    sha256: str
    size: int


_SHOWN_AS_IT_IS = ("image/", "video/", "audio/", "application/pdf")
_BYTES = {"type": "string", "format": "binary", "minLength": 1}


@router.post(
    "",
    status_code=201,
    summary="Keep a picture, a film or a document; attach it to an incident by the digest that comes back",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The bytes of the file; its media type is said when it is attached.",
            "content": {"application/octet-stream": {"schema": _BYTES}},
        }
    },
)
async def keep(
    request: Request, content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None
) -> Sent:
    """At most 256 MiB. The same bytes again are kept once."""
    context = await context_getter(request)
    person = context.allow("incident.attach_evidence")
    store = context.system.evidence
    if (content_length or 0) > store.largest:
        raise InvalidError(f"evidence has at most {store.largest} bytes; this has {content_length}")
    kept = await store.put(request.stream(), person.id)
    return Sent(kept.sha256, kept.size)


@router.get(
    "/{sha256}",
    summary="The bytes, after their digest was compared; the read is recorded",
    response_class=StreamingResponse,
    responses={200: {"content": {"*/*": {}}}, **NOT_FOUND},
)
async def get(
    request: Request,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Of the bytes, in hex.")],
) -> StreamingResponse:
    """To whoever may read an incident, or a lead, that names it."""
    context = await context_getter(request)
    person = context.person
    require_sha256(sha256, "the evidence's SHA-256")
    async with context.reading() as connection:
        found = await evidence.naming(connection, person, sha256)
    # whoever attaches a digest without having had the bytes opens them to nobody
    sent = context.system.evidence.sent
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
    }
    media_type = said if said.startswith(_SHOWN_AS_IT_IS) else "application/octet-stream"
    return StreamingResponse(content(path), headers=headers, media_type=media_type)
