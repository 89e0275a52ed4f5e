"""Full-text search over what is said of incidents, in Chinese, which has no spaces, and in any other script.

A text is indexed by every two characters that follow each other: what has all pairs of a word is a candidate, and is compared.
A single character is the beginning of a pair. `incidents.listed` asks this index.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from domain import incident_events as events
from domain.errors import CorruptError
from domain.lifecycle import require_text
from domain.ports import Entry
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
LONGEST = 20_000
"""Characters of an incident that are searched: what is said after so many is not. It bounds the row that every remark writes anew."""
LONGEST_QUERY = 100
PAIR = 2
SAID: dict[type[events.Event], str] = {
    events.Reported: "description",
    events.ClosedOnTheSpot: "note",
    events.AssistanceGiven: "result",
    events.FeedbackGiven: "result",
    events.Supervised: "note",
    events.Closed: "note",
    events.Evaluated: "note",
    events.EvidenceAttached: "note",
    events.Commented: "text",
}
"""The text of each event that has one to be searched."""


def folded(text: str) -> str:
    """`text` in the one form that is compared: no full-width letters, no capitals, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def grams(text: str) -> set[str]:
    """The pairs of neighbouring characters of every word, and its last character."""
    return {word[start : start + PAIR] for word in text.split() for start in range(len(word))}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    times = {
        event.originator_id: event.timestamp
        for _, _, event, _ in entries
        if isinstance(event, events.Reported)
    }
    texts = dict.fromkeys(times, "")
    before = list({entry.event.originator_id for entry in entries} - times.keys())
    async for row in SQL.take(connection, ids=before):
        times[row["incident_id"]], texts[row["incident_id"]] = row["reported_at"], row["text"]
    if len(texts) < len(times.keys() | before):
        raise CorruptError(
            f"something is said of an incident that was never reported, at or before position {entries[-1].position}"
        )
    for _, _, event, _ in entries:
        said = folded(getattr(event, SAID[type(event)]))
        texts[event.originator_id] = f"{texts[event.originator_id]} {said}".lstrip()[:LONGEST]
    await SQL.put(
        connection,
        ids=list(texts),
        times=[times[incident] for incident in texts],
        texts=list(texts.values()),
        grams=[" ".join(grams(text)) for text in texts.values()],
    )


PROJECTION = Projection("search", 1, frozenset(event.TOPIC for event in SAID), fold, ("search",))


@dataclass(frozen=True, slots=True)
class Words:
    """What is looked for: `grams` are the pairs it must have, as a tsquery; `patterns` what it must also be LIKE, all of them.

    A word of one pair needs no pattern: the index is exact, and the planner knows better how many there are.
    """

    grams: str
    patterns: list[str]


def words(text: str) -> Words:
    """The words of `text`, each of which has to stand in what is found, also inside of another word; InvalidError if there is none."""
    found = folded(require_text(text, "what is searched for", LONGEST_QUERY)).split()
    pairs = {word[start : start + PAIR] for word in found for start in range(max(len(word) - 1, 1))}
    return Words(
        " & ".join(_lexeme(pair) for pair in sorted(pairs)),
        ["%" + re.sub(r"([\\%_])", r"\\\1", word) + "%" for word in found if len(word) > PAIR],
    )


def _lexeme(pair: str) -> str:
    """The pair as a tsquery has it; of a single character, every pair that begins with it."""
    quoted = "'" + re.sub(r"(['\\])", r"\1\1", pair) + "'"
    return quoted if len(pair) == PAIR else f"{quoted}:*"
