"""The HTTP application: GraphQL, health, documents. It is handed the system; it starts nothing itself."""

import asyncio
from pathlib import Path

import asyncpg
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
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
from api.protection import protect
from api.reports import routes as reports
from projections.status import statuses

PATIENCE = 3.0
"""Seconds for the database to answer a question about its health."""
_PAGE = (Path(__file__).parent / "index.html").read_text(encoding="utf-8")


def application(system: System) -> FastAPI:
    """The application that serves `system`."""
    app = FastAPIOffline(
        title="Anju 安居",
        summary="Backend of a neighbourhood-safety command centre",
        description="GraphQL lives at `/graphql`; this page describes the rest.",
        version="0.1.0",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from whatever `Host` a request names
    )
    app.state.system = system
    errors.handle_errors(app)
    schema.mount(app)
    reports.mount(app)
    open311.mount(app, system)
    app.include_router(audit.router)
    app.include_router(evidence.router)

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @app.get("/healthz", tags=["health"], summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["health"],
        summary="The database and the bus answer",
        responses={503: {"description": "One does not"}},
    )
    async def readyz() -> JSONResponse:
        checks = {
            "database": await _database_answers(system),
            **({} if system.bus is None else {"bus": system.bus.connected}),
        }
        ready = all(checks.values())
        return JSONResponse(
            {"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503
        )

    @app.get("/metrics", tags=["health"], summary="Measurements, in the text format of Prometheus")
    async def metrics() -> Response:
        position = await system.log.position()
        with refusals("the metrics cannot be read"):
            rows = await statuses(system.pool)
        return Response(exposition(position, rows), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    protect(app, system.settings)
    return app


async def _database_answers(system: System) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):  # also for a free connection
            await system.pool.fetchval("select 1")
    except (asyncpg.PostgresError, *LOST):
        return False
    return True
