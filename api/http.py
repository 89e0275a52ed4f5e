"""The HTTP application: GraphQL, health, documents. It is handed the system; it starts nothing itself."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from adapters.database import LOST, refusals
from api import errors
from api.audit import evidence
from api.audit import routes as audit
from api.bootstrap import System
from api.graphql import schema
from api.metrics import exposition
from api.open311 import routes as open311
from api.openapi import describe, refusal
from api.protection import protect
from api.reports import routes as reports
from api.settings import Settings
from projections.status import statuses

PATIENCE = 3.0
"""Seconds for the database to answer a question about its health."""
_PAGE = (Path(__file__).parent / "index.html").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Health:
    """The process answers."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True)
class Readiness:
    """checks: by server, whether it answers."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, bool]


def application(system: System) -> FastAPI:
    """The application that serves `system`."""
    app = interface(system.settings)
    app.state.system = system
    protect(app, system.settings)
    return app


def interface(settings: Settings) -> FastAPI:
    """Everything that can be asked, before there is a system to answer."""
    app = FastAPIOffline(
        title="Anju 安居",
        summary="Backend of a neighbourhood-safety command centre",
        description="GraphQL lives at `/graphql`; this page describes the rest.",
        version="0.1.0",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from whatever `Host` a request names
    )
    errors.handle_errors(app)
    schema.mount(app, settings)
    reports.mount(app)
    open311.mount(app, settings)
    app.include_router(audit.router)
    app.include_router(evidence.router)

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @app.get("/healthz", tags=["health"], summary="The process answers")
    async def healthz() -> Health:
        """Asks neither the database nor the bus: whoever restarts what is not healthy must not restart for them."""
        return Health()

    @app.get(
        "/readyz",
        tags=["health"],
        summary="The database and the bus answer",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "One does not"}},
    )
    async def readyz(request: Request) -> JSONResponse:
        """503 says that another process should be asked."""
        system: System = request.app.state.system
        checks = {
            "database": await _database_answers(system),
            **({} if system.bus is None else {"bus": system.bus.connected}),
        }
        ready = all(checks.values())
        answer = Readiness("ok" if ready else "unavailable", checks)
        return JSONResponse(asdict(answer), 200 if ready else 503)

    @app.get(
        "/metrics",
        tags=["health"],
        summary="Measurements, in the text format of Prometheus",
        response_class=PlainTextResponse,
        responses={503: refusal("The database does not answer")},
    )
    async def metrics(request: Request) -> Response:
        """How far the log and each read model are; names of nobody."""
        system: System = request.app.state.system
        position = await system.log.position()
        with refusals("the metrics cannot be read"):
            rows = await statuses(system.pool)
        return Response(exposition(position, rows), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    describe(app)
    return app


def description(settings: Settings) -> str:
    """The description of the interface, as it stands in docs/openapi.json."""
    return json.dumps(interface(settings).openapi(), ensure_ascii=False, indent=1) + "\n"


async def _database_answers(system: System) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):  # also for a free connection
            await system.pool.fetchval("select 1")
    except (asyncpg.PostgresError, *LOST):
        return False
    return True
