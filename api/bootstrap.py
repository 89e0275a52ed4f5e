"""The composition root: the only place where adapters are made. Everything else is handed what it needs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg

from adapters.bus import Bus, bus
from adapters.database import NO_SCHEMA, UNMIGRATED, create_pool
from adapters.digests import Digests, load_digests
from adapters.event_log import PostgresLog, event_log
from adapters.evidence import EvidenceStore
from adapters.signing import CHECKPOINT_KEY, Signer, make_key, read_key
from adapters.tail import Tail
from adapters.vault import Vault
from api.closure_feed import ClosureFeed
from api.feed import Feed
from api.limits import read_limits
from api.oidc import Provider, provider
from api.reports.jobs import Jobs, reporting
from api.settings import Settings
from api.tokens import Issuer, load_issuer
from domain.checkpoint import PublicKey
from domain.deadlines import DEFAULT_LIMITS, Limits
from domain.errors import NotFoundError, UnavailableError
from recognition.models import SFACE, YUNET, Progress, ensure, locate_pack

if TYPE_CHECKING:
    from recognition.faces import FaceFinder

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class System:
    """Everything that is running: what the API, the workers and the commands work with."""

    settings: Settings
    pool: asyncpg.Pool
    vault: Vault
    log: PostgresLog
    tail: Tail
    bus: Bus | None
    issuer: Issuer
    evidence: EvidenceStore
    feed: Feed
    closure_feed: ClosureFeed
    digests: Digests
    reports: Jobs
    limits: Limits = DEFAULT_LIMITS
    now: Clock = wall_clock
    provider: Provider | None = None


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the database; UnavailableError says that it does not answer, or has no schema."""
    url = settings.require_database_url
    try:
        pool = await create_pool(url)
    except UNMIGRATED as error:
        raise UnavailableError(NO_SCHEMA) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise UnavailableError(
            f"the database does not answer: {error}; is ANJU_DATABASE_URL right?"
        ) from error
    async with pool:
        if await pool.fetchval("select to_regclass('vault_keys')") is None:
            raise UnavailableError(NO_SCHEMA)
        yield pool


@asynccontextmanager
async def system(
    settings: Settings, *, with_bus: bool = True, now: Clock = wall_clock
) -> AsyncIterator[System]:
    """Start what `settings` say, and stop all of it on leaving, in the opposite order."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database(settings))
        vault = Vault(pool, settings.keyring)
        await vault.forget_destroyed()
        log = await stack.enter_async_context(
            event_log(pool, settings.require_database_url, vault, archive_dir=settings.archive_dir)
        )
        tail = await stack.enter_async_context(Tail(settings.require_database_url, {"keys": vault.forget}))
        connection = await stack.enter_async_context(bus(settings.require_nats_url)) if with_bus else None
        issuer = await asyncio.to_thread(load_issuer, settings.data_dir)
        digests = await asyncio.to_thread(load_digests, settings.digest_key)
        limits = read_limits(settings.limits) if settings.limits else DEFAULT_LIMITS
        yield System(
            settings=settings,
            pool=pool,
            vault=vault,
            log=log,
            tail=tail,
            bus=connection,
            issuer=issuer,
            provider=await stack.enter_async_context(provider(settings)),
            digests=digests,
            reports=await stack.enter_async_context(reporting(pool, settings.reports_dir, now)),
            evidence=EvidenceStore(settings.evidence_dir),
            feed=await stack.enter_async_context(Feed(log, tail)),
            closure_feed=await stack.enter_async_context(ClosureFeed(pool, tail, now)),
            limits=limits,
            now=now,
        )


def face_finder(settings: Settings, progress: Progress, pack: str | None = None) -> "FaceFinder":
    """The engine that finds faces: YuNet and SFace, fetched if they are not here, or an InsightFace pack that is here. Blocks."""
    from recognition.faces import FaceEngine  # here: OpenCV and ONNX Runtime are of no use to who only serves
    from recognition.packs import InsightFacePack

    if pack is None:
        paths = ensure(settings.models_dirs, models=(YUNET, SFACE), progress=progress)
        return FaceEngine(paths[YUNET.name], paths[SFACE.name])
    folder = locate_pack(pack, settings.models_dirs)
    if folder is None:
        raise NotFoundError(
            f"there is no model pack {pack!r} in {settings.models_dirs[0]} or ~/.insightface/models; "
            "packs are not fetched: their weights are for non-commercial research only"
        )
    return InsightFacePack(folder.name, folder.parent)


def checkpoint_signer(settings: Settings) -> Signer:
    """Who signs this log's checkpoints; the key in the data folder is made if there is none."""
    return Signer(settings.log_origin, make_key(settings.data_dir / CHECKPOINT_KEY))


def checkpoint_key(settings: Settings) -> PublicKey | None:
    """What checks this log's checkpoints; None if none was ever signed with this data folder."""
    path = settings.data_dir / CHECKPOINT_KEY
    return Signer(settings.log_origin, read_key(path)).public if path.exists() else None
