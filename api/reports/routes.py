"""GET /api/reports/NAME.FORMAT: the reports for programs and browsers, as far as the person asking may see.

A short one is sent whole. A long one is sent while it is written, if its format can be (CSV and JSON). What cannot be sent within
PATIENCE, or is asked for with `Prefer: respond-async`, is a job: see job_routes.
"""

import asyncio
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.graphql.context import context_getter
from api.identity import Asking
from api.openapi import NOT_FOUND
from api.reports import job_routes, sources
from api.reports.answers import accepted, permit, sent
from api.reports.asked import Asked, Name, Where
from api.reports.files import MEDIA, Format
from api.reports.jobs import Job, Jobs, UnchangedError, Wanted
from api.reports.shape import Report
from domain.errors import NotFoundError
from domain.mechanisms import JointMechanism
from domain.people import Person
from projections.period import Grain, Period

PATIENCE = 10.0
"""Seconds after which the answer is that it goes on."""
STREAMED = 1 << 20
"""Bytes: a longer report is sent from when so much is written, a shorter one when it is whole, with its length."""
_HUNG_UP = 499
_JSON = "application/json"
_BASE = "/api/reports"


class Parameters(BaseModel):
    """What is asked, as the options of `anju report`."""

    model_config = ConfigDict(extra="forbid")

    from_: date = Field(alias="from", description="The first day.")
    to: date = Field(description="The last day, included.")
    as_of: date | None = Field(None, description="Only what was done by the end of this day counts.")
    township: str | None = Field(None, description="Only this township (its code).")
    site: str | None = Field(None, description="Only this site (its code).")
    category: str | None = Field(None, description="Only incidents of this category.")
    unit: str | None = Field(None, description="Only what this unit leads.")
    mechanism: JointMechanism | None = Field(None, description="Only under this joint mechanism.")
    by: Grain | None = Field(None, description="A row for each of these.")
    group: str | None = Field(None, description="A row for each TOWNSHIP, SITE, CATEGORY, UNIT, ..")
    lineage: str | None = Field(None, description="List what this count was counted from.")
    after_position: int | None = Field(
        None, ge=0, description="Wait until this position of the log is counted: what a command answered."
    )
    bom: bool = Field(False, description="Begin CSV so that spreadsheets read it as UTF-8.")

    def wanted(self, name: Name, how: Format, person: Person, now: datetime) -> Wanted:
        """The report that is asked for, as far as this person may see."""
        asked = Asked(
            name=name,
            period=Period(self.from_, self.to),
            now=now,
            scope=person.scope,
            where=Where(
                township=self.township,
                site=self.site,
                category=self.category,
                unit=self.unit,
                mechanism=self.mechanism,
            ),
            as_of=self.as_of,
            by=self.by,
            group=self.group,
        )
        return Wanted(asked=asked, how=how, lineage=self.lineage, bom=self.bom)


def mount(app: FastAPI) -> None:
    """Serve the reports."""
    app.include_router(job_routes.router)
    names = [name.value for name in Name]
    formats = [how.value for how in MEDIA]

    @app.get(
        f"{_BASE}/{{report}}.{{how}}",
        tags=["reports"],
        summary="The figures of a period, with their definitions",
        response_class=StreamingResponse,
        responses={
            200: {
                "model": Report,
                "content": {
                    media.split(";")[0]: {} for how, media in MEDIA.items() if how is not Format.JSON
                },
                "description": "The report.",
            },
            202: {
                "description": "It takes longer: look where Location says",
                "content": {
                    _JSON: {"schema": {"description": "The job, as /api/reports/jobs/{id} tells it."}}
                },
            },
            304: {"description": "It is what If-None-Match names"},
            **NOT_FOUND,
        },
    )
    async def report(
        request: Request,
        *,
        report: Annotated[str, Path(json_schema_extra={"enum": names}, description="Which one.")],
        how: Annotated[str, Path(json_schema_extra={"enum": formats}, description="The format.")],
        parameters: Annotated[Parameters, Query()],
        person: Asking,
        prefer: Annotated[list[str], Header(description="`respond-async`: answer 202 at once.")] = [],  # noqa: B006  (FastAPI copies it)
        if_none_match: Annotated[list[str], Header(description="ETags of reports that you have.")] = [],  # noqa: B006
    ) -> Response:
        """As far as the person asking may see: `scope` says how far that is."""
        if report not in names or how not in formats:
            raise NotFoundError(
                f"there is no {report}.{how}: the reports are {', '.join(names)}, as {', '.join(formats)}"
            )
        permit(person, parameters.lineage)
        context = await context_getter(request)
        wanted = parameters.wanted(Name(report), Format(how), person, context.system.now())
        sources.require_known(wanted.asked, wanted.lineage)
        waits = [
            context.caught_up(projection, parameters.after_position)
            for projection in sources.reads(wanted.asked.name)
        ]
        await asyncio.gather(*waits)
        # Every parameter was read: it is a day, a code or a word of ours, and names nobody.
        question = urlencode(parameters.model_dump(mode="json", by_alias=True, exclude_none=True))
        await context.record_operation(f"{_BASE}/{report}.{how}?{question}")
        jobs = context.system.reports
        if "respond-async" in {each.lower() for each in _listed(prefer)}:
            job = jobs.start(person, wanted)
            jobs.keep(job)
            return accepted(job, preferred=True)
        return await _answer(request, jobs, jobs.start(person, wanted, _listed(if_none_match)))


async def _answer(request: Request, jobs: Jobs, job: Job) -> Response:
    """What can be said within PATIENCE. For a caller who hangs up nothing is written any further."""
    try:
        hung_up = await _wait(request, job)
        if _sendable(job):
            return sent(job, lambda: jobs.forget(job))
        if not hung_up:
            jobs.keep(job)
            return accepted(job, preferred=False)
    except UnchangedError:
        jobs.forget(job)
        return Response(status_code=304, headers={"ETag": job.tag or ""})
    except BaseException:  # also a caller who hangs up: nobody else lets the job go
        jobs.forget(job)
        raise
    jobs.forget(job)
    return Response(status_code=_HUNG_UP)


async def _wait(request: Request, job: Job) -> bool:
    """Wait until it can be sent, at most PATIENCE; whether the caller hung up before."""
    hanging_up = asyncio.create_task(_hang_up(request))
    written = asyncio.create_task(_write(job))
    try:
        await asyncio.wait({hanging_up, written}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        return hanging_up.done()
    finally:
        hanging_up.cancel()
        written.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _write(job: Job) -> None:
    while not _sendable(job):
        await job.spool.grew.wait()


def _sendable(job: Job) -> bool:
    """Whether it has ended, or goes on beyond what is sent at once. The beginning of a workbook is written last."""
    return job.task.done() or (job.wanted.how is not Format.XLSX and job.spool.size >= STREAMED)


def _listed(headers: list[str]) -> set[str]:
    """What stands between the commas of a header, without parameters."""
    return {part.split(";")[0].strip() for header in headers for part in header.split(",")}
