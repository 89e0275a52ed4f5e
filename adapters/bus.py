"""The bus: NATS JetStream carrying CloudEvents 1.0 in binary mode.

Subject `obs.v1.<site>.<gate>.<kind>`; headers `ce-*` (NATS protocol binding for CloudEvents); data: the observation as JSON.
`Nats-Msg-Id` equals `ce-id`, so the server drops a repeat within its window, and the log drops it for ever after.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MsgAlreadyAckdError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig
from nats.js.errors import BadRequestError

from adapters.pull import pulling
from domain.errors import InvalidError, UnavailableError
from domain.observation import FaceObservation, Kind, source_of

TYPE = "anju.observation.face.v1"
DAY = 24 * 3600.0
STREAMS = (
    # Observations carry templates of faces: they leave the bus a week after they came, decided or not.
    StreamConfig(
        name="OBSERVATIONS",
        subjects=["obs.v1.>"],
        max_age=7 * DAY,
        storage=StorageType.FILE,
        duplicate_window=120,
        max_bytes=4 << 30,
    ),
    StreamConfig(
        name="DEAD_LETTERS",
        subjects=["dlq.v1.>"],
        max_age=30 * DAY,
        storage=StorageType.FILE,
        max_bytes=1 << 30,
    ),
)
PING = 20
"""Seconds between pings; two unanswered ones are a lost connection."""
FLUSH = 2
"""Seconds that the last acknowledgements may take to go out, when the connection is closed."""
LONGEST_SUBJECT = 512
"""Characters of the longest subject that is repeated in the subject of a dead letter; the server ends a connection that sends more
than 4096 in a line."""
LONGEST_HEADER = 1000
LARGEST_LETTER = 512 << 10
"""Bytes of a dead letter that are kept: with its headers it must stay below the server's max_payload, or it could never be put away."""
ATTRIBUTES = frozenset(
    f"ce-{name}" for name in ("specversion", "id", "source", "type", "time", "datacontenttype", "subject")
)
CONSUMER = ConsumerConfig(
    durable_name="ingest", ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=10_000
)

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
logger = logging.getLogger("anju.bus")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(FaceObservation)


def subject_of(observation: FaceObservation) -> str:
    """The subject an observation is published on."""
    return f"obs.v1.{observation.at.site}.{observation.at.gate}.{Kind.FACE}"


def headers_of(observation: FaceObservation) -> dict[str, str]:
    """CloudEvents attributes, and the key by which the server drops repeats."""
    return {
        "Nats-Msg-Id": str(observation.id),
        "ce-specversion": "1.0",
        "ce-id": str(observation.id),
        "ce-source": source_of(observation.at),
        "ce-type": TYPE,
        "ce-time": observation.captured_at.isoformat(),
        "ce-datacontenttype": "application/json",
    }


def parse(subject: str, headers: Mapping[str, str], data: bytes) -> FaceObservation:
    """The observation in a message; InvalidError says what is wrong with it."""
    found = headers.get("ce-type")
    if found != TYPE:
        raise InvalidError(f"ce-type is {found!r}; {TYPE!r} is understood")
    try:
        observation = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise InvalidError(f"the data is not an observation: {error}") from error
    if headers.get("ce-id") != str(observation.id):
        raise InvalidError(f"ce-id {headers.get('ce-id')!r} is not the id in the data, {observation.id}")
    if subject != subject_of(observation):
        raise InvalidError(f"it came on {subject} and says it belongs on {subject_of(observation)}")
    return observation


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message taken off OBSERVATIONS, to be settled by `done`, `dead` or `again`; the first word counts.

    MsgAlreadyAckdError never leaves here: its text is the whole message, with the template of a face in it.
    """

    _message: Msg
    _stream: JetStreamContext

    def observation(self) -> FaceObservation:
        """See `parse`."""
        return parse(self._message.subject, self._message.headers or {}, self._message.data)

    async def done(self) -> None:
        """It is in the log: the bus may forget it."""
        with _reaching("take an acknowledgement"), suppress(MsgAlreadyAckdError):
            await self._message.ack()

    async def dead(self, reason: str) -> None:
        """Keep it, with the reason, in DEAD_LETTERS, and take it off OBSERVATIONS.

        Whatever the message is: one that could not be put away would come again for ever.
        """
        message = self._message
        headers = {name: value for name, value in (message.headers or {}).items() if name in ATTRIBUTES} | {
            "Nats-Msg-Id": f"dead-{message.metadata.sequence.stream}",
            "Anju-Reason": reason,
            "Anju-Subject": message.subject,
            "Anju-Bytes": str(len(message.data or b"")),
        }
        where = message.subject if len(message.subject) <= LONGEST_SUBJECT else "overlong"
        with _reaching("keep a dead letter"), suppress(MsgAlreadyAckdError):
            await self._stream.publish(
                f"dlq.v1.{where}",
                (message.data or b"")[:LARGEST_LETTER],
                headers={name: _printable(value) for name, value in headers.items()},
            )
            await message.term()

    async def again(self, seconds: float) -> None:
        """Deliver it once more, after a pause (or after the consumer's ack_wait, if the bus cannot be told)."""
        with suppress(UnavailableError), _reaching("deliver again"), suppress(MsgAlreadyAckdError):
            await self._message.nak(delay=seconds)


class Bus:
    """A connection to NATS; make one with `bus`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stream = client.jetstream()

    async def publish(self, observation: FaceObservation) -> None:
        """Store `observation` on the bus; UnavailableError if it was not stored."""
        with _reaching("store the observation"):
            await self._stream.publish(
                subject_of(observation), _encoder.encode(observation), headers=headers_of(observation)
            )

    async def deliveries(self, batch: int) -> AsyncGenerator[Sequence[Delivery], None]:
        """Batches of what waits on OBSERVATIONS, for ever; an empty one whenever a second passes without any.

        UnavailableError if the connection was closed for good. A lost one is made again, and nothing is raised.
        """
        async with pulling(self._client, "OBSERVATIONS", str(CONSUMER.durable_name)) as pull:
            while True:
                try:
                    messages = await pull.fetch(batch, 1.0)
                except (NatsError, OSError) as error:  # the client is looking for the server again
                    messages = []
                    await self._mend(error)
                yield [Delivery(message, self._stream) for message in messages]

    async def _mend(self, error: Exception) -> None:
        """Wait a second for the server, and make what it may have lost; UnavailableError if the connection is closed for good."""
        if self._client.is_closed:
            raise UnavailableError(f"the connection to the bus is closed: {error!r}") from error
        logger.warning("the bus is lost: %r", error)
        await asyncio.sleep(1)
        if self._client.is_connected:
            with suppress(NatsError, OSError):
                await _prepare(self._stream)

    async def counts(self) -> dict[str, int]:
        """How many messages each stream holds."""
        with _reaching("count its messages"):
            return {
                name: (await self._stream.stream_info(name)).state.messages
                for name in ("OBSERVATIONS", "DEAD_LETTERS")
            }

    async def backlog(self) -> int:
        """Observations that are not settled yet."""
        with _reaching("count what waits"):
            info = await self._stream.consumer_info("OBSERVATIONS", "ingest")
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return bool(self._client.is_connected)


@asynccontextmanager
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """Connect, make the streams if they are not there, and close at the end; UnavailableError."""
    client, trouble = _Client(), _Trouble()
    try:
        await client.connect(
            nats_url,
            name="anju",
            connect_timeout=5,
            reconnect_time_wait=1,
            max_reconnect_attempts=1,
            ping_interval=PING,
            error_cb=trouble.heard,
        )
    except (NatsError, OSError) as error:
        raise UnavailableError(_refusal(_place(nats_url), trouble.last or error)) from error
    # The first connection fails fast; now that it stands, a lost one is looked for again for ever.
    client.options["max_reconnect_attempts"] = -1
    try:
        try:
            await _prepare(client.jetstream())
        except BadRequestError as error:
            raise UnavailableError(
                f"a stream on {_place(nats_url)} has another configuration: {error.description}"
            ) from error
        except (NatsError, OSError) as error:
            raise UnavailableError(
                f"JetStream does not answer at {_place(nats_url)}: {error!r}; start NATS with JetStream"
            ) from error
        yield Bus(client)
    finally:
        with suppress(NatsError, OSError):
            await client.flush(FLUSH)
        await client.close()


async def _prepare(stream: JetStreamContext) -> None:
    """Make the streams and the consumer that are not there."""
    for config in STREAMS:
        await stream.add_stream(config)
    await stream.add_consumer("OBSERVATIONS", CONSUMER)


class _Trouble:
    """What the client met on its way. It shows in `/readyz` and in every call: the client need not print it too."""

    last: Exception | None = None

    async def heard(self, error: Exception) -> None:
        self.last = error


class _Client(Client):
    """A subject is any bytes to a server, but text to nats-py, which stops reading for good at one that is not UTF-8."""

    def _build_message(self, sid: int, subject: bytes, *rest: Any) -> Msg:
        text = subject.decode(errors="backslashreplace")
        return cast("Msg", super()._build_message(sid, text.encode(), *rest))


def _place(nats_url: str) -> str:
    """The address without its token or password."""
    return ",".join(one.rpartition("@")[2] for one in nats_url.split(","))


def _refusal(place: str, error: Exception) -> str:
    """Why there is no connection. A server says that it refuses a password and hangs up; what it said may be lost with that."""
    if isinstance(error, ConnectionResetError | BrokenPipeError) or "Authorization" in str(error):
        return (
            f"the NATS server at {place} hung up: {error!r}; is the token or password in its address right?"
        )
    return f"no NATS server answers at {place}: {error!r}"


def _printable(value: str) -> str:
    """`value` as a header may carry it: printable ASCII, the rest of it percent-encoded, of bounded length."""
    return quote(value[:LONGEST_HEADER], safe=_PRINTABLE, errors="replace")


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError) as error:
        raise UnavailableError(
            f"the bus did not {what}: {error!r}; is NATS with JetStream running?"
        ) from error
