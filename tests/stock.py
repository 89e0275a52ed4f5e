"""A stock `eventsourcing` application on our log: the library's own recorder, pointed at our table, and its mapper, over our codec.

Its JSON transcoder reads our stored bytes too, but they carry no type tags: the event classes say what the fields are, and only
the codec asks them.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from adapters import codec


class LogRecorder(PostgresApplicationRecorder):
    """Reads the table `events`, and listens where our writer notifies."""

    def __init__(self, datastore: PostgresDatastore, **_: Any) -> None:
        super().__init__(datastore, events_table_name="events")
        self.channel_name = "log"


class CodecMapper(Mapper[UUID]):
    """Stored events to ours."""

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        return codec.decode(stored_event.topic, stored_event.state)


class Auditor(Application[UUID]):
    """Nothing but the library's own application."""


def auditor(database_url: str) -> Auditor:
    """The application on the log of this database."""
    parts = urlsplit(database_url)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    return Auditor(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": host,
            "POSTGRES_PORT": str(parts.port or 5432),
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": parts.password or "",
            "CREATE_TABLE": "no",
            "APPLICATION_RECORDER_TOPIC": f"{__name__}:{LogRecorder.__name__}",
            "MAPPER_TOPIC": f"{__name__}:{CodecMapper.__name__}",
        }
    )
