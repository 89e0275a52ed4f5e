"""A raw client of graphql-transport-ws: every message is sent and looked at by hand."""

import asyncio
import json
from contextlib import asynccontextmanager

import websockets

PATIENCE = 15.0
"""Seconds in which what has to come has come."""
QUIET = 0.4
"""Seconds after which what has not come does not come."""


class Socket:
    """A socket that is open; `closed` says with what it was closed."""

    def __init__(self, connection):
        self.connection = connection

    async def send(self, message):
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self, seconds=PATIENCE):
        async with asyncio.timeout(seconds):
            return json.loads(await self.connection.recv())

    async def init(self, payload=None):
        await self.send({"type": "connection_init"} | ({} if payload is None else {"payload": payload}))
        assert (await self.receive())["type"] == "connection_ack"
        return self

    async def subscribe(self, query, key="1", **variables):
        await self.send({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def next(self, key="1"):
        """The only field of the next message of a subscription."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", key), message
        assert "errors" not in message["payload"], message
        (told,) = message["payload"]["data"].values()
        return told

    async def error(self, key="1"):
        """The one error with which a subscription is refused, or ends."""
        message = await self.receive()
        if message["type"] == "next":
            (error,) = message["payload"]["errors"]
            assert await self.receive() == {"id": key, "type": "complete"}
        else:
            assert (message["type"], message["id"]) == ("error", key), message
            (error,) = message["payload"]
        return {"message": error["message"], **error["extensions"]}

    async def quiet(self):
        """Whether nothing comes."""
        try:
            await self.receive(QUIET)
        except TimeoutError:
            return True
        return False

    async def closed(self):
        """(code, reason), once the other side has closed it."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.connection.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code, closed.rcvd.reason


@asynccontextmanager
async def opened(url, token=None, *, protocol="graphql-transport-ws", origin=None, **options):
    """A socket to the server at `url`, before its first message; the token in a header."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with websockets.connect(
        url.replace("http", "ws", 1) + "/graphql",
        subprotocols=[protocol] if protocol else None,
        origin=origin,
        additional_headers=headers,
        proxy=None,
        **options,
    ) as connection:
        yield Socket(connection)
