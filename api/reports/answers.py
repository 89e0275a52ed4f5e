"""A report in an answer: whole, while it is written, or as a promise with a place to look."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.errors import STATUS, UNEXPECTED
from api.reports.files import MEDIA
from api.reports.jobs import Job, State
from api.reports.spool import following
from domain import policy
from domain.errors import AnjuError
from domain.people import Person

JOBS = "/api/reports/jobs"


def permit(person: Person, lineage: str | None) -> None:
    """ForbiddenError unless the person may have such a report: when it is asked for, and again when it is fetched."""
    policy.require(person, "read.figures")
    if lineage is not None:
        policy.require(person, "read.incidents")  # it names them


def accepted(job: Job, *, preferred: bool) -> JSONResponse:
    """202: it goes on."""
    headers = {"Location": _place(job), "Retry-After": "1"}
    if preferred:
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse(told(job), 202, headers)


def told(job: Job) -> dict[str, Any]:
    """How far it is; where the file is, or why there is none, and how long that can be asked."""
    state = job.state
    return {
        "id": str(job.id),
        "report": job.wanted.filename,
        "state": state,
        "progress": round(job.progress, 3),
        "startedAt": job.wanted.asked.now.isoformat(),
        "keptUntil": job.kept_until and job.kept_until.isoformat(),
        "link": f"{_place(job)}/file" if state is State.DONE else None,
        "problem": None if job.error is None else _problem(job.error),
    }


def sent(job: Job, over: Callable[[], None]) -> StreamingResponse:
    """200: the file, from its beginning, as far as it goes and then as it grows. over: called at the end, whatever the end is.

    Of a report that cannot be written to its end the answer breaks off: it is no shorter report that seems to be whole.
    """
    whole = job.ended()
    descriptor = job.spool.opened()

    def let_go() -> None:
        os.close(descriptor)
        over()

    headers = {"Content-Disposition": f'attachment; filename="{job.wanted.filename}"'}
    if whole:
        headers["Content-Length"] = str(job.spool.size)
    if job.tag is not None:
        headers["ETag"] = job.tag
    content = following(job.spool, descriptor, job.ended)
    return _Sent(content, let_go, headers, MEDIA[job.wanted.how])


class _Sent(StreamingResponse):
    """Lets go of what it sends, also if the caller hung up before the first byte: then nobody ever asks for the content."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        let_go: Callable[[], None],
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._let_go = let_go

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._let_go()


def _place(job: Job) -> str:
    return f"{JOBS}/{job.id}"


def _problem(error: BaseException) -> dict[str, Any]:
    if isinstance(error, AnjuError) and error.code in STATUS:
        return {"title": error.code, "status": STATUS[error.code], "detail": str(error)}
    return {"title": "INTERNAL", "status": 500, "detail": UNEXPECTED}
