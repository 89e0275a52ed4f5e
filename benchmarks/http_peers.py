"""The servers of `over_http.py`: our application, and what stands beside it, each a process of its own on the same database."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import uvloop
from fastapi import Depends, FastAPI
from figures import SITES
from pydantic import BaseModel
from sqlalchemy import JSON, URL, ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from adapters.database import create_pool
from adapters.event_log import event_log
from adapters.vault import Vault
from api.bootstrap import system, wall_clock
from api.http import application
from api.serving import serving
from api.settings import load_settings
from domain.deadlines import Urgency
from domain.incident import Incident, Source
from domain.people import Person, Role
from domain.ports import Request
from projections import closure_figures
from projections.closure_figures import Basis, Question
from projections.period import Period, percent

Started = Callable[[str, Path, Connection], Coroutine[Any, Any, None]]
"""A server: it is given the database's address and the data folder, and tells its own address."""
READER = Person("bench", frozenset({Role.SUPERVISOR, Role.INTAKE}))
THREADS = 40
"""Of Starlette, in which synchronous routes run: as many connections, so that none waits for one."""


class Report(BaseModel):
    """What is reported."""

    site: str
    source: Source
    category: str
    description: str


@asynccontextmanager
async def running(server: Started, database_url: str, data_dir: Path) -> AsyncIterator[tuple[str, str]]:
    """The address of `server` in a process of its own, and a token for it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(server, database_url, data_dir, there), daemon=True)
    process.start()
    try:
        yield await asyncio.to_thread(here.recv)
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _run(server: Started, database_url: str, data_dir: Path, ready: Connection) -> None:
    uvloop.run(server(database_url, data_dir, ready))


async def anju(database_url: str, data_dir: Path, ready: Connection) -> None:
    """What `anju serve` runs. One person asks for all clients, so they may ask as often as they like."""
    settings = load_settings(database_url=database_url, data_dir=data_dir, rate=1_000_000)
    async with (
        system(settings, with_bus=False) as started,
        serving(application(started), "127.0.0.1", 0) as url,
    ):
        ready.send((url, started.issuer.sign(READER, started.now())))
        await asyncio.Event().wait()


async def bare(database_url: str, data_dir: Path, ready: Connection) -> None:
    """FastAPI and the same functions of the read model and the log, with nobody who asks whether one may."""
    async with (
        create_pool(database_url) as pool,
        event_log(pool, database_url, Vault(pool, data_dir / "master-keys")) as log,
    ):
        app = FastAPI()
        sites = {site.code: site for site in SITES}

        @app.get("/closure")
        async def closure(start: date, end: date) -> dict[str, Any]:
            question = Question(period=Period(start, end), now=wall_clock())
            async with pool.acquire() as connection:
                counts = await closure_figures.closure(connection, question)
            closed, whole = counts.fraction(Basis.COHORT)
            return {
                "data": {
                    "closureRate": {
                        "rate": counts.rate(Basis.COHORT),
                        "percent": str(percent(closed, whole)),
                        "closed": closed,
                        "open": counts.received - closed,
                        "received": counts.received,
                        "backlog": counts.backlog,
                        "closings": counts.closings,
                        "reopened": counts.reopened,
                        "overdue": counts.overdue,
                        "returned": counts.returned,
                        "extended": counts.extended,
                        "reworked": counts.failed,
                        "onTimeRate": counts.on_time_rate,
                        "position": counts.position,
                    }
                }
            }

        @app.post("/incidents")
        async def report(given: Report) -> dict[str, Any]:
            made = Incident.report(
                id=uuid4(),
                site=sites[given.site],
                by=READER,
                at=wall_clock(),
                source=given.source,
                category=given.category,
                description=given.description,
                urgency=Urgency.NORMAL,
            )
            done = await log.append(Request(uuid4(), made.collect_events(), {}))
            return {"id": made.id, "version": made.version, "position": done.last}

        async with serving(app, "127.0.0.1", 0) as url:
            ready.send((url, ""))
            await asyncio.Event().wait()


class Base(DeclarativeBase):
    """The tables of the CRUD application."""


class Row(Base):
    __tablename__ = "crud_incidents"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    site: Mapped[str] = mapped_column(index=True)
    source: Mapped[str]
    category: Mapped[str]
    description: Mapped[str]
    state: Mapped[str] = mapped_column(default="REPORTED")
    reported_at: Mapped[datetime] = mapped_column(default=wall_clock, index=True)
    version: Mapped[int] = mapped_column(default=1)


class Audit(Base):
    __tablename__ = "crud_audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey(Row.id), index=True)
    actor: Mapped[str]
    action: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=wall_clock)
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)


async def crud(database_url: str, _data_dir: Path, ready: Connection) -> None:
    """FastAPI and SQLAlchemy as their documentation shows: a route in a thread, a session, a row and its audit row."""
    parts = urlsplit(database_url)
    address = URL.create(
        "postgresql+psycopg",
        parts.username,
        database=parts.path.lstrip("/"),
        query={"host": parse_qs(parts.query)["host"][0]},
    )
    engine = create_engine(address, pool_size=THREADS)
    Base.metadata.create_all(engine)
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(engine) as opened:
            yield opened

    @app.post("/incidents")
    def report(given: Report, session: Annotated[Session, Depends(session)]) -> dict[str, Any]:
        row = Row(**given.model_dump(mode="json"))
        session.add(row)
        session.flush()
        session.add(
            Audit(incident_id=row.id, actor=READER.id, action="report", changes=given.model_dump(mode="json"))
        )
        session.commit()
        session.refresh(row)
        return {"id": row.id, "version": row.version}

    async with serving(app, "127.0.0.1", 0) as url:
        ready.send((url, ""))
        await asyncio.Event().wait()
