"""Who waits for the log or a projection to grow is woken by NOTIFY; a lost connection is made again, and a poll backs it up."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import asyncpg

from adapters.database import LOST, connect
from domain.errors import UnavailableError

logger = logging.getLogger("anju.tail")
POSITIONS = ("log", "projections")
HEARTBEAT = 15.0
"""Seconds after which the connection is asked whether it is still there: a network that went away says nothing by itself."""
RETRY = 1.0
"""Seconds before a lost connection is made again."""


class Tail:
    """One listening connection for the whole process; an async context manager.

    `others`: further channels, and what to call with the payload of what is said there.
    """

    def __init__(self, database_url: str, others: Mapping[str, Callable[[str], None]] | None = None) -> None:
        self._url = database_url
        self._others = others or {}
        self._heard: dict[str, int] = {}
        self._waiting: set[tuple[str, int, asyncio.Future[None]]] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="log-tail")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, name: str, beyond: int, timeout: float) -> None:  # noqa: ASYNC109  (a bound, not a deadline)
        """Return when `name` ("log" or a projection's) was heard to pass position `beyond`, or after `timeout` seconds.

        Also when the connection was made again, because something may have been missed: look, and wait again.
        """
        if self._heard.get(name, 0) > beyond:
            return
        waiter = (name, beyond, asyncio.get_running_loop().create_future())
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter[2]
        except TimeoutError:
            return
        finally:
            self._waiting.discard(waiter)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (UnavailableError, asyncpg.PostgresError, *LOST) as error:
                logger.warning("the listening connection is lost: %r", error)
            await asyncio.sleep(RETRY)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await connect(self._url)
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            for channel in POSITIONS:
                await connection.add_listener(channel, self._hear)
            for channel in self._others:
                await connection.add_listener(channel, self._pass_on)
            for _name, _beyond, woken in self._waiting:
                _wake(woken)
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT):
                        await lost.wait()
                await connection.execute("select", timeout=HEARTBEAT)
        finally:
            connection.terminate()

    def _pass_on(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        self._others[channel](payload)

    def _hear(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        name, _, position = payload.rpartition(" ") if channel == "projections" else ("log", "", payload)
        self._heard[name] = max(int(position), self._heard.get(name, 0))
        for waiting, beyond, woken in self._waiting:
            if waiting == name and self._heard[name] > beyond:
                _wake(woken)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
