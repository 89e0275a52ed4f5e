"""/api/reports/jobs: the reports that were not ready at once, for whoever asked for them and nobody else."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse

from api.identity import Asking
from api.openapi import NOT_FOUND
from api.reports.answers import JOBS, permit, sent, told
from api.reports.files import MEDIA
from api.reports.jobs import Job, Jobs
from domain.errors import NotFoundError
from domain.people import Person

router = APIRouter(prefix=JOBS, tags=["reports"])
Id = Annotated[UUID, Path(description="As the answer 202 gave it.")]


@router.get("", summary="Your reports that are being written or kept, the oldest first")
async def jobs(request: Request, person: Asking) -> list[dict[str, Any]]:
    """Each as `/api/reports/jobs/{id}` tells it."""
    return [told(job) for job in _jobs(request).of(person)]


@router.get("/{id}", summary="How far a report is", responses=NOT_FOUND)
async def status(request: Request, id: Id, person: Asking) -> dict[str, Any]:  # noqa: A002  (the path's word)
    """Its state, its progress from 0 to 1, and the link to its file once it is written."""
    return told(_found(request, person, id))


@router.get(
    "/{id}/file",
    summary="The report",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file.",
            "content": {
                media.split(";")[0]: {"schema": {"description": "The report."}} for media in MEDIA.values()
            },
        },
        **NOT_FOUND,
    },
)
async def file(request: Request, id: Id, person: Asking) -> StreamingResponse:  # noqa: A002  (the path's word)
    """In the format that was asked for; kept for an hour."""
    job = _found(request, person, id)
    if not job.ended():
        raise NotFoundError(f"the report is not written yet: ask {JOBS}/{id} until its state is DONE")
    return sent(job, lambda: None)


@router.delete("/{id}", status_code=204, summary="Stop a report, or let its file go", responses=NOT_FOUND)
async def forget(request: Request, id: Id, person: Asking) -> None:  # noqa: A002  (the path's word)
    """There is nothing left of it then."""
    _jobs(request).forget(_found(request, person, id))


def _jobs(request: Request) -> Jobs:
    found: Jobs = request.app.state.system.reports
    return found


def _found(request: Request, person: Person, number: UUID) -> Job:
    job = _jobs(request).find(person, number)
    permit(person, job.wanted.lineage)  # what a role allowed then, it may not allow now
    return job
