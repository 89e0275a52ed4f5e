"""Run the application inside our own loop, and know when to stop."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI

from domain.errors import UnavailableError

T = TypeVar("T")

LARGEST_MESSAGE = 1 << 17
"""Bytes of a message on a socket: it is a question, not a document."""
UNREAD = 60
"""Seconds in which whoever is sent something has to take it, or is cut off: nothing else ends a socket whose other side stands still."""


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
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # messages are small: it would cost more time and memory than it saves
    )
    server = _Server(config)
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
