"""Key: what was decided about the key of a scope: it is held for a case, or destroyed, and with it all that was sealed under it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.errors import RuleError
from domain.lifecycle import Step, require_aware, require_case, require_text
from domain.observation import NAMESPACE
from domain.people import Person
from domain.personal import require_key_scope


def key_id(scope: str) -> UUID:
    """The id of the key of `scope`."""
    return uuid5(NAMESPACE, f"key:{require_key_scope(scope)}")


class Key(Aggregate):
    """The decisions about one key. `holds` are the cases it is kept for; while there is one, it cannot be destroyed.

    A reason is kept for ever, in clear: it names a case or an article, never a person.
    """

    TOPIC = "key"
    township = None
    site_id = None

    class Event(Step):
        """`actor` is the person behind it."""

    class Registered(Event, Aggregate.Created):
        """The first decision about this key is about to follow."""

        TOPIC = "key.registered"
        scope: str

    Created = Registered

    class HoldPlaced(Event):
        """保全: a case needs what is sealed under the key."""

        TOPIC = "key.hold_placed"
        case: str
        reason: str

        def apply(self, aggregate: Key) -> None:
            aggregate.holds = aggregate.holds | {self.case}

    class HoldLifted(Event):
        """解除保全."""

        TOPIC = "key.hold_lifted"
        case: str
        reason: str

        def apply(self, aggregate: Key) -> None:
            aggregate.holds = aggregate.holds - {self.case}

    class Destroyed(Event):
        """销毁. The database drops the key in the transaction that appends this: see migrations/versions/v0003_vault.sql."""

        TOPIC = "key.destroyed"
        scope: str
        reason: str

        def apply(self, aggregate: Key) -> None:
            aggregate.destroyed = True

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.holds: frozenset[str] = frozenset()
        self.destroyed = False

    @classmethod
    def register(cls, *, scope: str, by: Person, at: datetime) -> Key:
        """The key of `scope`, about which nothing was decided yet."""
        return cls._create(
            cls.Registered, id=key_id(scope), timestamp=require_aware(at), actor=by.id, scope=scope
        )

    def place_hold(self, *, by: Person, at: datetime, case: str, reason: str) -> None:
        """保全: keep the key for `case`, whatever anybody else decides."""
        case = self._require_there("a hold", case)
        if case in self.holds:
            raise RuleError(f"the key of {self.scope} is held for {case} already")
        self.trigger_event(
            self.HoldPlaced,
            timestamp=require_aware(at),
            actor=by.id,
            case=case,
            reason=require_text(reason, "reason"),
        )

    def lift_hold(self, *, by: Person, at: datetime, case: str, reason: str) -> None:
        """解除保全: `case` no longer needs the key."""
        case = self._require_there("lifting a hold", case)
        if case not in self.holds:
            raise RuleError(f"the key of {self.scope} is not held for {case}; its holds: {self._held_for()}")
        self.trigger_event(
            self.HoldLifted,
            timestamp=require_aware(at),
            actor=by.id,
            case=case,
            reason=require_text(reason, "reason"),
        )

    def destroy(self, *, by: Person, at: datetime, reason: str) -> None:
        """销毁: forget for good what is sealed under this key. Refused while a case holds it."""
        if self.destroyed:
            raise RuleError(f"the key of {self.scope} is destroyed already")
        if self.holds:
            raise RuleError(
                f"the key of {self.scope} is under legal hold and stays: {self._held_for()}; lift the hold first"
            )
        self.trigger_event(
            self.Destroyed,
            timestamp=require_aware(at),
            actor=by.id,
            scope=self.scope,
            reason=require_text(reason, "reason"),
        )

    def _require_there(self, what: str, case: str) -> str:
        if self.destroyed:
            raise RuleError(f"{what} is refused: the key of {self.scope} is destroyed")
        return require_case(case)

    def _held_for(self) -> str:
        return ", ".join(sorted(self.holds)) or "none"
