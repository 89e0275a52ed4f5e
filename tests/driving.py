"""What must hold of any aggregate that is driven at random."""

from typing import Any

from given import NOW
from hypothesis.stateful import RuleBasedStateMachine, invariant

from domain import policy
from domain.errors import AnjuError
from domain.lifecycle import topic_of, transitions
from domain.model import event_classes


class AnyOrder(RuleBasedStateMachine):
    """Commands in any order: the aggregate as it lives, and beside it the one that its collected events make."""

    at = NOW

    def begin(self, live: Any) -> None:
        """Drive `live`, from here on."""
        self.live = live
        self.table = set(transitions(event_classes(type(live)).values()))
        self.events: list[Any] = []
        self.replayed: Any = None

    def try_to(self, command, by, /, at=None, **fields):
        """Give the command, as policy and aggregate allow; what is refused changes nothing."""
        version = self.live.version
        try:
            if command != "pass_deadline":  # which time itself gives, and no role
                policy.require(by, f"{topic_of(type(self.live))}.{command}")
            getattr(self.live, command)(by=by, at=at or self.at, **fields)
        except AnjuError:
            assert self.live.version == version

    @invariant()
    def what_is_stored_is_what_lives(self):
        """Every new event is a row of the table; as many events as versions; what is replayed is what lives."""
        for event in self.live.collect_events():
            before = self.replayed and self.replayed.state
            self.replayed = event.mutate(self.replayed)
            self.events.append(event)
            if event.FROM:
                assert (before, event.TOPIC, self.replayed.state) in self.table
            elif before:
                assert self.replayed.state is before
        assert self.live.version == len(self.events)
        assert self.replayed == self.live
