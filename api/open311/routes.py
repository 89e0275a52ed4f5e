"""/open311/v2: Open311 GeoReport v2, in XML and JSON. Everybody may read; who reports shows a key. See docs/open311.md."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import FastAPI, Path, Request
from fastapi.responses import Response

from adapters.database import refusals
from api import errors
from api.bootstrap import System
from api.open311 import asked, documents
from api.open311.city import OURS, City, Jurisdiction, read_city
from api.open311.form import read_form
from api.open311.parameters import CHOOSING, FORM, JURISDICTION, PAGING, SPANNING
from api.open311.reporting import report
from api.open311.writing import Data, Format, written
from api.settings import Settings
from domain.errors import AnjuError, NotFoundError
from domain.people import Scope
from projections import public
from projections.reading import reading

BASE = "/open311/v2"
STATUS = errors.STATUS | {"INVALID": 400}
"""The specification knows no 422."""
How = Annotated[str, Path(description="xml or json")]
Code = Annotated[str, Path(description="Of the service, the request or the token.")]
_SAID: dict[str, Any] = {
    "text/xml": {},
    "application/json": {"schema": {"description": "As GeoReport v2 has it."}},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "What was asked for.", "content": _SAID},
    400: {"description": "A list of errors: something is missing, or cannot be so.", "content": _SAID},
    403: {"description": "A list of errors: the api_key is missing or not known.", "content": _SAID},
    404: {"description": "A list of errors: no such thing is public.", "content": _SAID},
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and what answers it. code: of the service, request or token that the address names; empty if it names none."""

    system: System
    city: City
    request: Request
    code: str

    @property
    def query(self) -> asked.Query:
        return self.request.query_params

    def jurisdiction(self) -> Jurisdiction:
        """The one that is asked about; raises what `City.jurisdiction_of` raises."""
        return self.city.jurisdiction_of(self.query.get("jurisdiction_id") or None)

    @property
    def categories(self) -> list[str]:
        """What is public at all: the services."""
        return [service.code for service in self.city.service]

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        with refusals("the requests cannot be read"):
            async with reading(self.system.pool) as connection:
                yield connection


Work = Callable[[_Asked], Awaitable[Data]]


def mount(app: FastAPI, settings: Settings) -> None:
    """Serve it; InvalidError if the city's file cannot be used."""
    city = app.state.city = read_city(settings.open311 or OURS)

    def add(method: str, path: str, root: str, work: Work, summary: str, **described: object) -> None:
        async def of_all(request: Request, how: How) -> Response:
            return await _answered(work, _Asked(request.app.state.system, city, request, ""), root, how)

        async def of_one(request: Request, code: Code, how: How) -> Response:
            return await _answered(work, _Asked(request.app.state.system, city, request, code), root, how)

        app.add_api_route(
            f"{BASE}/{path}.{{how}}",
            of_one if "{code}" in path else of_all,
            methods=[method],
            tags=["open311"],
            summary=summary,
            operation_id=f"open311_{work.__name__}",
            description="As [GeoReport v2](https://wiki.open311.org/GeoReport_v2/) specifies it; see docs/open311.md.",
            response_class=Response,
            responses=_ANSWERS,
            openapi_extra=described,
        )

    one = [JURISDICTION]
    add("GET", "discovery", "discovery", discovery, "Where Open311 is and what it speaks")
    add("GET", "services", "services", services, "What can be reported", parameters=one)
    add(
        "GET",
        "services/{code}",
        "service_definition",
        definition,
        "The questions of a service",
        parameters=one,
    )
    add(
        "POST",
        "requests",
        "service_requests",
        post,
        "Report something, by a form with an api_key",
        requestBody=FORM,
    )
    asked_for = [*one, *SPANNING, *PAGING]
    what = "What was reported, the newest first"
    add("GET", "requests", "service_requests", requests, what, parameters=[*CHOOSING, *asked_for])
    add("GET", "requests/{code}", "service_requests", request, "One request", parameters=one)
    add(
        "GET",
        "tokens/{code}",
        "service_requests",
        token,
        "The request of a token, which is its id",
        parameters=one,
    )
    what = "How requests stand that changed"
    add("GET", "servicerequestupdates", "service_request_updates", updates, what, parameters=asked_for)


async def _answered(work: Work, what: _Asked, root: str, how: str) -> Response:
    """What `work` gives, or why not, in the format that was asked for; in XML if that is none of ours."""
    known = Format.JSON if how == Format.JSON else Format.XML
    try:
        if how != known:
            raise NotFoundError(f"there is no .{how:.20} here: ask for .xml or .json")
        return written(await work(what), root, known)
    except AnjuError as error:
        if (status := STATUS.get(error.code)) is None:
            raise
        return written([{"code": str(status), "description": str(error)}], "errors", known, status)


async def discovery(what: _Asked) -> Data:
    return documents.discovery(what.city, f"{str(what.request.base_url).rstrip('/')}{BASE}")


async def services(what: _Asked) -> Data:
    what.jurisdiction()  # all of them offer the same, but there must be one
    return [documents.service(one) for one in what.city.service]


async def definition(what: _Asked) -> Data:
    what.jurisdiction()  # all of them offer the same, but there must be one
    return documents.definition(what.city.service_of(what.code))


async def post(what: _Asked) -> Data:
    return await report(what.system, what.city, await read_form(what.request))


async def requests(what: _Asked) -> Data:
    jurisdiction = what.jurisdiction()
    page = asked.page(what.query)
    wanted = asked.wanted(what.query, what.city, what.system.now())
    async with what.reading() as connection:
        rows = await public.incidents(
            connection,
            Scope(jurisdiction.township),
            wanted.categories,
            ids=wanted.ids,
            since=wanted.since,
            until=wanted.until,
            opened=wanted.opened,
            first=page.first,
            skip=page.skip,
        )
    return [documents.request(row, what.city, jurisdiction) for row in rows]


async def request(what: _Asked) -> Data:
    return [documents.request(await _one(what), what.city, what.jurisdiction())]


async def token(what: _Asked) -> Data:
    return [{"service_request_id": str((await _one(what)).incident_id), "token": what.code}]


async def updates(what: _Asked) -> Data:
    jurisdiction = what.jurisdiction()
    page = asked.page(what.query)
    since, until = asked.span(what.query, what.system.now())
    async with what.reading() as connection:
        rows = await public.incidents(
            connection,
            Scope(jurisdiction.township),
            what.categories,
            by=public.By.CHANGE,
            since=since,
            until=until,
            first=page.first,
            skip=page.skip,
        )
    return documents.updates(rows)


async def _one(what: _Asked) -> public.PublicIncident:
    jurisdiction = what.jurisdiction()
    found = asked.id_of(what.code)
    if found is not None:
        async with what.reading() as connection:
            scope = Scope(jurisdiction.township)
            rows = await public.incidents(connection, scope, what.categories, ids=[found], first=1)
        if rows:
            return rows[0]
    raise NotFoundError(f"{what.code!r:.80} was not found: nothing with this id is public")
