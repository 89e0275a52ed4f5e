"""GET /api/reports/NAME.FORMAT: the reports for programs and browsers, as far as the person asking may see."""

from collections.abc import Iterator
from datetime import date
from tempfile import TemporaryFile
from typing import IO, Annotated

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.bootstrap import System
from api.identity import Asking
from api.openapi import NOT_FOUND
from api.reports import sources
from api.reports.asked import Asked, Name, Where
from api.reports.files import MEDIA, Format, write
from api.reports.produce import produce
from api.reports.shape import Report
from domain import policy
from domain.errors import NotFoundError
from domain.mechanisms import JointMechanism
from domain.people import Person
from projections.period import Grain, Period

_CHUNK = 1 << 16
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
    bom: bool = Field(False, description="Begin CSV so that spreadsheets read it as UTF-8.")


def mount(app: FastAPI) -> None:
    """Serve the reports."""
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
                "description": "The report, whole.",
            },
            **NOT_FOUND,
        },
    )
    async def report(
        request: Request,
        report: Annotated[str, Path(json_schema_extra={"enum": names}, description="Which one.")],
        how: Annotated[str, Path(json_schema_extra={"enum": formats}, description="The format.")],
        parameters: Annotated[Parameters, Query()],
        person: Asking,
    ) -> StreamingResponse:
        """As far as the person asking may see: `scope` says how far that is. Nothing is sent before the report is whole."""
        if report not in names or how not in formats:
            raise NotFoundError(
                f"there is no {report}.{how}: the reports are {', '.join(names)}, as {', '.join(formats)}"
            )
        return await _answer(request.app.state.system, person, Name(report), Format(how), parameters)


async def _answer(
    system: System, person: Person, name: Name, how: Format, given: Parameters
) -> StreamingResponse:
    policy.require(person, "read.figures")
    if given.lineage is not None:
        policy.require(person, "read.incidents")  # it names them
    asked = Asked(
        name=name,
        period=Period(given.from_, given.to),
        now=system.now(),
        scope=person.scope,
        where=Where(
            township=given.township,
            site=given.site,
            category=given.category,
            unit=given.unit,
            mechanism=given.mechanism,
        ),
        as_of=given.as_of,
        by=given.by,
        group=given.group,
    )
    build = sources.builder(given.lineage)
    file = TemporaryFile()  # noqa: SIM115  (closed when it is sent: until it is whole, an error can still be told)
    try:
        await produce(system.pool, build, asked, lambda made: write(made, how, file, bom=given.bom))
    except BaseException:  # also a caller who hangs up: nobody else closes it
        file.close()
        raise
    size = file.tell()
    period = f"{asked.period.start}-{asked.period.end}"
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{name}-{period}.{how}"',
    }
    return StreamingResponse(_sent(file), headers=headers, media_type=MEDIA[how])


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
