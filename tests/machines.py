"""A lifecycle, driven at random: any command, by anybody, at any hour; what holds for every aggregate is checked after each step.

A machine says how the aggregate begins, what each command takes, and what else must hold. Somebody may hold several roles, as in life:
so separation of duties is found by the domain, not by the roles.
"""

from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from typing import Any, ClassVar

from given import NOW
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain import policy
from domain.errors import ForbiddenError, InvalidError, RuleError
from domain.lifecycle import topic_of, transitions
from domain.model import event_classes
from domain.people import Person, Role

SETTINGS = settings(max_examples=100, stateful_step_count=30, deadline=None)
NAMES = ("ann", "bob", "cai")


class Driven(RuleBasedStateMachine):
    """`ROLES`: who is about. With all the roles there are, most steps would be refused for nothing."""

    ROLES: ClassVar[frozenset[Role]]
    HOURS: ClassVar[tuple[int, ...]] = (0, 0, 0, 1, 24)
    """How long it may take from one step to the next; mostly no time, so that not everything ends by itself."""

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

    @rule(data=st.data(), name=st.sampled_from(NAMES), all_roles=st.booleans())
    def step(self, data: st.DataObject, name: str, all_roles: bool) -> None:
        """Some command of those there are, by somebody with all of the roles or one of them."""
        role = data.draw(st.sampled_from(sorted(self.ROLES)))
        who = Person(name, self.ROLES if all_roles else frozenset({role}))
        self.now += timedelta(hours=data.draw(st.sampled_from(self.HOURS)))
        if data.draw(st.integers(0, 3)):
            self.do(who, data.draw(st.sampled_from(self.likely(who))))
        else:
            self.do(who, data.draw(st.sampled_from(sorted(self.calls(who, self.now)))))

    def likely(self, who: Person) -> list[str]:
        """The commands that would do something and not end everything: mostly one of them is next, so that lives are long."""
        goes_on = {source for source, _, _ in self.table}
        found = []
        for command, fields in self.calls(who, self.now).items():
            tried = twin(self.it)
            with suppress(RuleError):
                getattr(tried, command)(by=who, at=self.now, **fields)
            if tried.version > self.it.version and str(tried.state) in goes_on:
                found.append(command)
        return sorted(found) or sorted(self.calls(who, self.now))

    def do(self, who: Person, command: str) -> None:
        """The command, as the one road of commands does it: who may, and then the aggregate decides."""
        before = twin(self.it)
        try:
            if command != "pass_deadline":  # which time itself gives, and no role
                policy.require(who, f"{topic_of(type(self.it))}.{command}")
            getattr(self.it, command)(by=who, at=self.now, **self.calls(who, self.now)[command])
        except (ForbiddenError, RuleError):
            assert self.it == before, "a refused command changes nothing"
            return
        fresh = self.it.pending_events[len(before.pending_events) :]
        assert len(fresh) <= 1
        self.moves += [(str(before.state), event.TOPIC, str(self.it.state)) for event in fresh]

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        assert set(self.moves) <= self.table

    @invariant()
    def the_version_counts_the_events(self) -> None:
        assert self.it.version == len(self.it.pending_events)

    def teardown(self) -> None:
        """A replay of the events is the aggregate as it is; and a time without a zone is refused as such, or nothing happens."""
        if hasattr(self, "it"):
            who = Person(NAMES[0], self.ROLES)
            for command, fields in self.calls(who, self.now).items():
                tried = twin(self.it)
                with suppress(InvalidError):
                    getattr(tried, command)(by=who, at=self.now.replace(tzinfo=None), **fields)
                assert tried == self.it, command
            replayed: Any = None
            for event in self.it.pending_events:
                replayed = event.mutate(replayed)
            replayed.pending_events.extend(self.it.pending_events)
            assert replayed == self.it

    def actors(self, *topics: str) -> set[str]:
        """Who is behind the events of these topics."""
        return {event.actor for event in self.it.pending_events if event.TOPIC in topics}


def twin(aggregate: Any) -> Any:
    """A copy on which commands can be tried: all that an aggregate has is replaced when it changes, but for its list of events."""
    found = copy(aggregate)
    vars(found)["_pending_events"] = list(aggregate.pending_events)
    return found
