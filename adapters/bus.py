"""The bus: NATS JetStream carrying CloudEvents 1.0 in binary mode.

Subject `obs.v1.<site>.<gate>.<kind>`; headers `ce-*` (NATS protocol binding for CloudEvents); data: the observation as JSON.
`Nats-Msg-Id` equals `ce-id`, so the server drops a repeat within its window, and the log drops it for ever after.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig
from nats.js.errors import BadRequestError

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
CONSUMER = ConsumerConfig(
    durable_name="ingest", ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=10_000
)

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
    """A message taken off OBSERVATIONS, to be settled by `done`, `dead` or `again`."""

    _message: Msg
    _stream: JetStreamContext

    def observation(self) -> FaceObservation:
        """See `parse`."""
        return parse(self._message.subject, self._message.headers or {}, self._message.data)

    async def done(self) -> None:
        """It is in the log: the bus may forget it."""
        with _reaching("take an acknowledgement"):
            await self._message.ack()

    async def dead(self, reason: str) -> None:
        """Keep it, with the reason, in DEAD_LETTERS, and take it off OBSERVATIONS."""
        headers = {
            **{
                name: value for name, value in (self._message.headers or {}).items() if name.startswith("ce-")
            },
            "Nats-Msg-Id": f"dead-{self._message.metadata.sequence.stream}",
            "Anju-Reason": quote(reason, safe=" :;,.'()/=_"),
            "Anju-Subject": self._message.subject,
        }
        with _reaching("keep a dead letter"):
            await self._stream.publish(f"dlq.v1.{self._message.subject}", self._message.data, headers=headers)
            await self._message.term()

    async def again(self, seconds: float) -> None:
        """Deliver it once more, after a pause (or after the consumer's ack_wait, if the bus cannot be told)."""
        with suppress(UnavailableError), _reaching("deliver again"):
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

    async def deliveries(self, batch: int) -> AsyncIterator[Sequence[Delivery]]:
        """Batches of what waits on OBSERVATIONS, for ever; an empty one whenever a second passes without any."""
        with _reaching("deliver observations"):
            subscription = await self._stream.pull_subscribe(
                "obs.v1.>", durable=CONSUMER.durable_name, stream="OBSERVATIONS", config=CONSUMER
            )
        try:
            while True:
                try:
                    messages = await subscription.fetch(batch, timeout=1)
                except TimeoutError:  # nats-py raises its own, which is one, or the plain one
                    messages = []
                except NatsError as error:  # the client is looking for the server again
                    logger.warning("the bus is lost: %r", error)
                    await asyncio.sleep(1)
                    messages = []
                yield [Delivery(message, self._stream) for message in messages]
        finally:
            if self._client.is_connected:
                await subscription.unsubscribe()

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
    try:
        # The first connection fails fast; once it stood, a lost one is looked for again for ever.
        client = await nats.connect(
            nats_url,
            name="anju",
            connect_timeout=5,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            error_cb=_quiet,
        )
    except (NatsError, OSError) as error:
        raise UnavailableError(f"no NATS server answers at {nats_url}: {error!r}") from error
    try:
        stream = client.jetstream()
        try:
            for config in STREAMS:
                await stream.add_stream(config)
            await stream.add_consumer("OBSERVATIONS", CONSUMER)
        except BadRequestError as error:
            raise UnavailableError(
                f"a stream on {nats_url} has another configuration: {error.description}"
            ) from error
        except NatsError as error:
            raise UnavailableError(
                f"JetStream does not answer at {nats_url}: {error!r}; start NATS with JetStream"
            ) from error
        yield Bus(client)
    finally:
        await client.drain() if client.is_connected else await client.close()


async def _quiet(_error: Exception) -> None:
    """A lost connection shows in `/readyz` and in every call; the client need not print it too."""


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError) as error:
        raise UnavailableError(
            f"the bus did not {what}: {error!r}; is NATS with JetStream running?"
        ) from error
