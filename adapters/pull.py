"""Pull messages off a JetStream consumer, batch by batch.

Not nats-py's own `fetch`: it tells the server's words from messages by a header that any publisher may set, and a message with it
ends the batch and is never delivered. Here a message is what has an address for its acknowledgement; the server's words have none.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError
from nats.errors import Error as NatsError

SLACK = 0.25
"""Seconds that the server's word, that nothing came, may be on its way."""
_NOTHING_MORE = {"404", "408"}
_STILL_HERE = "100"


class Pull:
    """The requests of one reader to one consumer. A message that comes too late for its request is there for the next."""

    def __init__(self, client: Client, stream: str, consumer: str, inbox: str) -> None:
        self._client = client
        self._consumer = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = inbox
        self._asked = 0
        self._heard: asyncio.Queue[Msg] = asyncio.Queue()

    async def hear(self, message: Msg) -> None:
        """Take an answer in."""
        self._heard.put_nowait(message)

    async def fetch(self, batch: int, seconds: float) -> list[Msg]:
        """At most `batch` messages: what is there, else what comes first within `seconds`, else none.

        An Error of nats-py if the connection is lost, or the server has no such consumer.
        """
        found: list[Msg] = []
        while len(found) < batch and not self._heard.empty():
            message = self._heard.get_nowait()
            if message.reply:
                found.append(message)
        if not found:
            found = await self._ask(batch, seconds, no_wait=True)
        if not found:
            found = await self._ask(batch, seconds + SLACK, most=1, expires=int(seconds * 1e9))
        return found

    async def _ask(
        self, batch: int, seconds: float, *, most: int | None = None, **request: object
    ) -> list[Msg]:
        """Ask for `batch` messages, and return the first `most` of them, or what came before the server had no more."""
        if (
            not self._client.is_connected
        ):  # what is sent now would be sent, all of it, when the server is there again
            raise ConnectionReconnectingError
        self._asked += 1
        asked = f"{self._inbox}.{self._asked}"
        await self._client.publish(
            self._consumer, json.dumps({"batch": batch, **request}).encode(), reply=asked
        )
        found: list[Msg] = []
        try:
            async with asyncio.timeout(seconds):
                while len(found) < (most or batch):
                    message = await self._heard.get()
                    if message.reply:
                        found.append(message)
                    elif message.subject == asked and not _goes_on(message):
                        break
        except TimeoutError:
            pass
        return found


def _goes_on(message: Msg) -> bool:
    """Whether there is more to come after this word of the server."""
    status = (message.headers or {}).get("Status", "")
    if status != _STILL_HERE and status not in _NOTHING_MORE:
        raise NatsError(f"the server answers {status} to a request for messages")
    return status == _STILL_HERE


@asynccontextmanager
async def pulling(client: Client, stream: str, consumer: str) -> AsyncIterator[Pull]:
    """Pull until the block is left."""
    inbox = client.new_inbox()
    pull = Pull(client, stream, consumer, inbox)
    subscription = await client.subscribe(f"{inbox}.*", cb=pull.hear)
    try:
        yield pull
    finally:
        if client.is_connected:
            await subscription.unsubscribe()
