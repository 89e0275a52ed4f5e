"""What the log says that is told to subscribers: each event, and for an incident how it stood before and after it."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain.errors import CorruptError
from domain.incident import Incident
from domain.model import event_classes
from domain.ports import Entry, EventLog
from projections.standing import Standing, follow, reported

INCIDENTS = frozenset(event_classes(Incident))
KEPT = 5_000
"""Incidents whose standing is remembered, the latest to change: what goes on now concerns few of those there are."""


class Change(NamedTuple):
    """An event in the log. `before`, `after`: how its incident stood, if it is one's; `before` is None of its report."""

    entry: Entry
    before: Standing | None = None
    after: Standing | None = None

    @property
    def township(self) -> str:
        """The township's code. A thing stays where it is."""
        township: str = (self.after or self.entry.event).township
        return township

    @property
    def site_id(self) -> UUID:
        """Where it happened."""
        site_id: UUID = (self.after or self.entry.event).site_id
        return site_id


class Standings:
    """How incidents stand as the log is read on.

    Not the read model: that is behind the log or ahead of it, and whoever reads a stretch again has to be told the same.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._rows: OrderedDict[UUID, Standing] = OrderedDict()

    async def changes(self, entries: Sequence[Entry]) -> list[Change]:
        """What `entries` changed; the next call goes on after them. One read of the log, for the incidents that are not remembered."""
        await self._remember(entries)
        found = [self._change(entry) for entry in entries]
        while len(self._rows) > KEPT:
            self._rows.popitem(last=False)
        return found

    async def _remember(self, entries: Sequence[Entry]) -> None:
        unknown = {
            entry.event.originator_id
            for entry in entries
            if entry.event.TOPIC in INCIDENTS
            and not isinstance(entry.event, Incident.Reported)
            and entry.event.originator_id not in self._rows
        }
        if not unknown:
            return
        histories = await self._log.histories(Incident, unknown, opened=False)
        for incident_id, history in histories.items():
            past = [entry for entry in history if entry.position < entries[0].position]
            if past and isinstance(past[0].event, Incident.Reported):
                row = reported(past[0])
                for entry in past[1:]:
                    follow(row, entry)
                self._rows[incident_id] = row

    def _change(self, entry: Entry) -> Change:
        event = entry.event
        if event.TOPIC not in INCIDENTS:
            return Change(entry)
        if isinstance(event, Incident.Reported):
            before, after = None, reported(entry)
        else:
            before = self._rows.get(event.originator_id)
            if before is None:
                raise CorruptError(
                    f"{event.TOPIC} at position {entry.position} is of an incident that was never reported"
                )
            after = _copied(before)
            follow(after, entry)
        self._rows[event.originator_id] = after
        self._rows.move_to_end(event.originator_id)
        return Change(entry, before, after)


def _copied(row: Standing) -> Standing:
    """A row that `follow` may change while others look at `row`: it writes into these two."""
    return msgspec.structs.replace(row, legs=dict(row.legs), missed=dict(row.missed))
