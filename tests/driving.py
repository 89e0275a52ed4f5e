"""What must hold of any aggregate that is driven at random."""

from dataclasses import dataclass, field
from typing import Any

from domain import policy
from domain.errors import AnjuError
from domain.lifecycle import topic_of, transitions
from domain.model import event_classes


@dataclass
class Journal:
    """The aggregate as it lives, and beside it the one that its collected events make."""

    live: Any
    events: list = field(default_factory=list)
    replayed: Any = None

    def attempt(self, command, by, at, **fields):
        """Give the command, as policy and aggregate allow; what is refused changes nothing."""
        version = self.live.version
        try:
            if command != "pass_deadline":  # which time itself gives, and no role
                policy.require(by, f"{topic_of(type(self.live))}.{command}")
            getattr(self.live, command)(by=by, at=at, **fields)
        except AnjuError:
            assert self.live.version == version

    def check(self):
        """Every new event is a row of the table; as many events as versions; what is replayed is what lives."""
        table = set(transitions(event_classes(type(self.live)).values()))
        for event in self.live.collect_events():
            before = self.replayed and self.replayed.state
            self.replayed = event.mutate(self.replayed)
            self.events.append(event)
            if event.FROM:
                assert (before, event.TOPIC, self.replayed.state) in table
            elif before:
                assert self.replayed.state is before
        assert self.live.version == len(self.events)
        assert self.replayed == self.live
