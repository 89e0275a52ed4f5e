"""A lifecycle, driven at random: any command, by anybody, at any hour; what holds for every aggregate is checked after each step.

A machine says how the aggregate begins, what each command takes, and what else must hold. Somebody may hold several roles, as in life:
so separation of duties is found by the domain, not by the roles.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, ClassVar

from given import NOW
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain import policy
from domain.errors import ForbiddenError, RuleError
from domain.lifecycle import topic_of, transitions
from domain.model import event_classes
from domain.people import Person, Role

SETTINGS = settings(max_examples=60, stateful_step_count=25, deadline=None)
NAMES = ("ann", "bob", "cai")


class Driven(RuleBasedStateMachine):
    """`ROLES`: who is about. With all the roles there are, most steps would be refused for nothing."""

    ROLES: ClassVar[frozenset[Role]]

    def begin(self, who: Person, at: datetime) -> Any:
        """The new aggregate."""
        raise NotImplementedError

    def calls(self, who: Person, at: datetime) -> dict[str, dict[str, Any]]:
        """What each command takes besides `by` and `at`, now."""
        raise NotImplementedError

    @initialize(name=st.sampled_from(NAMES))
    def start(self, name: str) -> None:
        self.now = NOW
        self.it = self.begin(Person(name, self.ROLES), self.now)
        self.moves: list[tuple[str, str, str]] = []
        self.table = set(transitions(list(event_classes(type(self.it)).values())))

    @rule(data=st.data(), name=st.sampled_from(NAMES), hours=st.sampled_from([0, 1, 5, 30, 900]))
    def step(self, data: st.DataObject, name: str, hours: int) -> None:
        """Some command of those there are, by somebody with some of the roles."""
        command = data.draw(st.sampled_from(sorted(self.calls(Person(name, self.ROLES), self.now))))
        roles = data.draw(st.sets(st.sampled_from(sorted(self.ROLES)), min_size=1))
        who = Person(name, frozenset(roles))
        self.now += timedelta(hours=hours)
        before, state = deepcopy(vars(self.it)), self.it.state
        try:
            policy.require(who, f"{topic_of(type(self.it))}.{command}")
            getattr(self.it, command)(by=who, at=self.now, **self.calls(who, self.now)[command])
        except (ForbiddenError, RuleError):
            assert vars(self.it) == before, "a refused command changes nothing"
            return
        fresh = self.it.pending_events[len(before["_pending_events"]) :]
        assert len(fresh) <= 1
        self.moves += [(str(state), event.TOPIC, str(self.it.state)) for event in fresh]

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        assert set(self.moves) <= self.table

    @invariant()
    def the_version_counts_the_events(self) -> None:
        assert self.it.version == len(self.it.pending_events)

    @invariant()
    def a_replay_is_the_aggregate(self) -> None:
        replayed: Any = None
        for event in self.it.pending_events:
            replayed = event.mutate(replayed)
        live = {name: value for name, value in vars(self.it).items() if name != "_pending_events"}
        assert {name: value for name, value in vars(replayed).items() if name != "_pending_events"} == live

    def actors(self, *topics: str) -> set[str]:
        """Who is behind the events of these topics."""
        return {event.actor for event in self.it.pending_events if event.TOPIC in topics}
