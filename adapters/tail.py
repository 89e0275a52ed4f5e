"""Who waits for the log or a projection to grow is woken by NOTIFY; a lost connection is made again, and a poll backs it up."""

import asyncio
import logging
from types import TracebackType
from typing import Self

import asyncpg

logger = logging.getLogger("anju.tail")
CHANNELS = ("log", "projections")


class Tail:
    """One listening connection for the whole process; an async context manager."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._heard: dict[str, int] = {}
        self._grew = asyncio.Condition()
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
        """Return when `name` ("log" or a projection's) was heard to pass position `beyond`, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._grew:
                await self._grew.wait_for(lambda: self._heard.get(name, 0) > beyond)
        except TimeoutError:
            return

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                logger.warning("the listening connection is lost (%s): made again in a second", error)
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

        def hear(_connection: object, _pid: int, channel: str, payload: str) -> None:
            name, _, position = payload.rpartition(" ") if channel == "projections" else ("log", "", payload)
            heard.put_nowait((name, int(position)))

        connection = await asyncpg.connect(self._url)
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            for channel in CHANNELS:
                await connection.add_listener(channel, hear)
            ended = asyncio.create_task(lost.wait())
            while not lost.is_set():
                heard_one = asyncio.create_task(heard.get())
                done, _ = await asyncio.wait({heard_one, ended}, return_when=asyncio.FIRST_COMPLETED)
                if heard_one not in done:
                    heard_one.cancel()
                    break
                name, position = heard_one.result()
                async with self._grew:
                    self._heard[name] = max(position, self._heard.get(name, 0))
                    self._grew.notify_all()
        finally:
            connection.terminate()
