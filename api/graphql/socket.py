"""The socket of subscriptions: the protocol graphql-transport-ws, with everything that comes in looked at first.

Strawberry speaks it; here is what it leaves open: who is asking, messages that are not of the protocol, and what one socket may ask.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import msgspec
from graphql import GraphQLError
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import StreamExecutionResult

from api.graphql.context import Context
from api.identity import identify
from domain.errors import AnjuError

INIT_WITHIN = timedelta(seconds=10)
"""In which whoever connects has to say who they are."""
LARGEST = 100
"""Subscriptions on one socket."""
_REASON = 123
"""Bytes of a reason, at most, when a socket is closed."""


class _Init(msgspec.Struct, tag="connection_init", tag_field="type"):
    payload: dict[str, Any] | None = None


class _Ping(msgspec.Struct, tag="ping", tag_field="type"):
    payload: dict[str, Any] | None = None


class _Pong(msgspec.Struct, tag="pong", tag_field="type"):
    payload: dict[str, Any] | None = None


class _Operation(msgspec.Struct, rename="camel"):
    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class _Subscribe(msgspec.Struct, tag="subscribe", tag_field="type"):
    id: str
    payload: _Operation


class _Complete(msgspec.Struct, tag="complete", tag_field="type"):
    id: str


_Message = _Init | _Ping | _Pong | _Subscribe | _Complete


class Runner(SchemaExtensionsRunner):
    """Strawberry's, but the extensions are not entered for a message without errors: they look at nothing else of it."""

    def on_stream_result(self, result: StreamExecutionResult) -> Any:
        return super().on_stream_result(result) if getattr(result, "errors", None) else nullcontext()


class Socket(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket."""

    async def handle_message(self, message: Any) -> None:
        try:
            msgspec.convert(message, _Message)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:  # JSON can hold half of a character
            await self.websocket.close(4400, _reason(f"not a message of graphql-transport-ws: {error}"))
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        if not self.connection_init_received:
            given = _authorization(message.get("payload") or {})
            if given is not None:
                self.context.authorization = given
                try:
                    self.context.asking = await identify(self.context.system, given)
                except AnjuError as error:
                    self.context.asking = error
            if isinstance(refused := self.context.asking, AnjuError):
                await self.websocket.close(4403, _reason(f"{refused.code}: {refused}"))
                return
        await super().handle_connection_init(
            {"type": "connection_init", "payload": message.get("payload") or {}}
        )

    async def handle_subscribe(self, message: Any) -> None:
        if len(self.operations) >= LARGEST and message["id"] not in self.operations:
            refused = {
                "message": f"{LARGEST} subscriptions are open on this socket, and no more are taken: complete one, or open another socket",
                "extensions": {"code": "INVALID"},
            }
            await self.websocket.send_json({"id": message["id"], "type": "error", "payload": [refused]})
            return
        await super().handle_subscribe(message)

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # whoever has gone is told nothing more
            await super().handle_task_exception(error)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:  # noqa: ARG004  (strawberry's own method)
        """Nothing closes the socket: a question that cannot be asked is refused, and the others on it go on."""
        return None


def _authorization(payload: Mapping[str, Any]) -> str | None:
    """What stands in the first message; its name is written as headers are, in any case."""
    return next((str(value) for name, value in payload.items() if name.lower() == "authorization"), None)


def _reason(text: str) -> str:
    """`text`, as long as a reason may be."""
    return text.encode(errors="replace")[:_REASON].decode(errors="ignore")
