"""Run the application inside our own loop, and know when to stop."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from domain.errors import UnavailableError

T = TypeVar("T")

LARGEST_MESSAGE = 1 << 17
"""Bytes of a message on a socket: it is a question, not a document."""
LARGEST_HEAD = 1 << 16
"""Bytes of a request's first line and headers; a token has some thousand. What comes together with the last of them is not counted."""
HEAD_WITHIN = 20.0
"""Seconds in which they have to come."""
UNREAD = 60
"""Seconds in which whoever is sent something has to take it, or is cut off: nothing else ends a socket whose other side stands still."""


class _Http(HttpToolsProtocol):
    """Uvicorn's, but what it would take at any length, and wait for without end, before anybody is counted, has its bounds."""

    _unused = 0
    """Bytes that came since something of a request was whole: of its head, of trailers, of what stands beside chunks."""
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused > LARGEST_HEAD:
            self.send_400_response(f"the head of a request has at most {LARGEST_HEAD} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._unused = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def _await_head(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: see `until_signalled`."""
        yield


@asynccontextmanager
async def serving(
    app: FastAPI, host: str, port: int, *, trusted_proxies: Sequence[str] = ()
) -> AsyncIterator[str]:
    """Serve `app` until the block is left; its URL. UnavailableError if the port is taken.

    trusted_proxies: addresses or networks that may say, in X-Forwarded-For and -Proto, for whom they ask.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the sockets that it accepts have it too
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD * 1000)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"{host}:{port} cannot be served: {error.strerror}; choose another with --port"
        ) from error
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        http=_Http,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # messages are small: it would cost more time and memory than it saves
    )
    server = _Server(config)
    # What the application is made of stays: to look whether it is garbage, again and again, took a quarter of a command's time.
    gc.freeze()
    task = asyncio.create_task(server.serve([listener]), name="http")
    try:
        while not server.started:
            if task.done():
                await task
                raise UnavailableError("the HTTP server stopped while it was starting")
            await asyncio.sleep(0.01)
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
        gc.unfreeze()


async def until_signalled(work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None if Ctrl-C or SIGTERM came first: it is then cancelled, and has ended when this returns."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        task = asyncio.create_task(work)
        first = await first_of(task, asyncio.create_task(stop.wait()))
        return task.result() if first is task else None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def first_of(*tasks: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """The task that ends first, its error raised; the others are cancelled and have ended too."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in tasks if task in done)
        first.result()
        return first
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
