"""All aggregates, and every event class by its topic: what the codec may decode and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

from eventsourcing.domain import Aggregate, CanMutateAggregate

from domain.alarm import Alarm
from domain.centre import Centre
from domain.consent import Consent
from domain.credential import Credential
from domain.device import Device
from domain.dispute import Dispute
from domain.gatepass import GatePass
from domain.incident import Incident
from domain.inquiry import Inquiry
from domain.key import Key
from domain.lead import Lead
from domain.reading import Reading
from domain.site import Site
from domain.visitor import Visitor
from domain.watch import WatchEntry

AGGREGATES: tuple[type[Aggregate], ...] = (
    Site,
    GatePass,
    Incident,
    Key,
    Dispute,
    Alarm,
    Device,
    Centre,
    Consent,
    Credential,
    Visitor,
    WatchEntry,
    Lead,
    Inquiry,
    Reading,
)


def event_classes(aggregate: type[Aggregate]) -> dict[str, type[Any]]:
    """The aggregate's event classes by topic, in the order of their definition."""
    return {
        value.TOPIC: value
        for value in vars(aggregate).values()
        if isinstance(value, type) and issubclass(value, CanMutateAggregate) and hasattr(value, "TOPIC")
    }


def category(topic: str) -> str:
    """The first word of `topic`: in the log it chooses the partition."""
    return topic.partition(".")[0]


@cache
def category_of(aggregate: type[Aggregate]) -> str:
    """The one category of all the aggregate's events: an aggregate lies in one partition."""
    (found,) = {category(topic) for topic in event_classes(aggregate)}
    return found


EVENTS: dict[str, type[Any]] = {
    topic: cls for kind in AGGREGATES for topic, cls in event_classes(kind).items()
}
