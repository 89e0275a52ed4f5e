"""Record what somebody is about to be shown: `await recorder.record(..)` first, show it then. No record, no answer.

However many rows a request shows, what comes up at the same moment is one append, and what is alike in it is one `Reading`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self
from urllib.parse import unquote
from uuid import UUID, uuid4

from strawberry.dataloader import DataLoader

from api.bootstrap import System
from domain.errors import InvalidError, NotFoundError
from domain.inquiry import Inquiry
from domain.people import Person, Role
from domain.policy import Placed
from domain.ports import Request
from domain.reading import MOST, Reading, Shown

PURPOSE = "Anju-Purpose"
INQUIRY = "Anju-Inquiry"


@dataclass(frozen=True, slots=True)
class Why:
    """Why somebody reads, as the headers of the request say; not looked at before something is recorded."""

    purpose: str | None = None
    inquiry: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """What `headers` say."""
        return cls(headers.get(PURPOSE.lower()), headers.get(INQUIRY.lower()))

    def read_purpose(self) -> str | None:
        """The purpose in words: its header is URL-encoded UTF-8, because a header is ASCII. InvalidError."""
        try:
            return unquote(self.purpose, errors="strict") if self.purpose else None
        except UnicodeDecodeError as error:
            raise InvalidError(f"the header {PURPOSE} is not URL-encoded UTF-8: {error}") from error

    def read_inquiry(self) -> UUID | None:
        """The inquiry's id; InvalidError."""
        try:
            return UUID(self.inquiry) if self.inquiry else None
        except ValueError as error:
            raise InvalidError(f"the header {INQUIRY} is no inquiry's id: {self.inquiry!r}") from error


@dataclass(frozen=True, slots=True)
class Read:
    """What `by` is about to be shown; see `Reading.Recorded`."""

    by: Person
    shown: Shown
    township: str | None
    site_id: UUID | None
    subjects: tuple[UUID, ...]
    fields: tuple[str, ...]
    asked: str | None
    found: int | None


class Recorder:
    """Records the reads of one request or socket."""

    def __init__(self, system: System, why: Why) -> None:
        self._system = system
        self._why = why
        # a socket lives long: the same read later is another read
        self._reads = DataLoader(self._append, cache=False)

    async def record(
        self,
        by: Person,
        shown: Shown,
        subjects: Collection[UUID] = (),
        *,
        place: Placed | None = None,
        fields: Collection[str] = (),
        asked: str | None = None,
        found: int | None = None,
    ) -> None:
        """Durable when it returns. place: where what is shown lies; None is the city.

        RuleError if a reason is needed and not given, UnavailableError if it cannot be written: then nothing may be shown.
        """
        if not subjects and asked is None:
            return  # nothing is shown
        read = Read(
            by,
            shown,
            None if place is None else place.township,
            None if place is None else place.site_id,
            tuple(subjects),
            tuple(fields),
            asked,
            found,
        )
        await self._reads.load(read)

    async def record_operation(
        self, by: Person, asked: str, *, fields: Collection[str] = (), subjects: Collection[UUID] = ()
    ) -> None:
        """Whatever `by` asks, if they are an auditor; it lies where they may look. asked: it names no person."""
        if is_audited(by):
            await self.record(by, Shown.OPERATION, subjects, place=by.scope, asked=asked, fields=fields)

    async def _append(self, reads: Sequence[Read]) -> Sequence[None]:
        system, purpose, inquiry_id = self._system, self._why.read_purpose(), self._why.read_inquiry()
        inquiry = None if inquiry_id is None else await self._inquiry(inquiry_id, reads[0].by)
        readings = [
            Reading.record(
                id=uuid4(),
                by=read.by,
                at=system.now(),
                shown=read.shown,
                subjects=read.subjects,
                asked=read.asked,
                fields=read.fields,
                township=read.township,
                site_id=read.site_id,
                purpose=purpose,
                inquiry=inquiry,
                found=read.found,
            )
            for read in together(reads)
        ]
        events = [event for reading in readings for event in reading.collect_events()]
        await system.log.append(Request(uuid4(), events, {}))
        return [None] * len(reads)

    async def _inquiry(self, id: UUID, by: Person) -> Inquiry:  # noqa: A002  (the library's own word for it)
        """The inquiry, if `by` is an investigator of it; NotFoundError, in the same words for one that is not there."""
        missing = NotFoundError(f"there is no inquiry {id}, or none of yours")
        try:
            found = await self._system.log.load(Inquiry, id)
        except NotFoundError:
            raise missing from None
        if by.id not in found.investigators:
            raise missing
        return found


def is_audited(person: Person) -> bool:
    """Whether all that `person` reads is recorded: an auditor may see everything, and is watched in turn."""
    return Role.AUDITOR in person.roles


def together(reads: Sequence[Read]) -> list[Read]:
    """The same reads in as few as say the same: subjects of a township in one, and at no site if they are of several.

    Those that say more than their subjects stay as they are.
    """
    kept = [read for read in reads if read.asked is not None or read.found is not None]
    rest = [read for read in reads if read.asked is None and read.found is None]

    def alike(read: Read) -> tuple[str, ...]:
        return read.by.id, read.shown, read.township or "", *read.fields

    for _, group in groupby(sorted(rest, key=alike), key=alike):
        same = list(group)
        sites = {read.site_id for read in same}
        subjects = sorted({subject for read in same for subject in read.subjects})
        one = replace(same[0], site_id=sites.pop() if len(sites) == 1 else None)
        for start in range(0, len(subjects), MOST):
            part = tuple(subjects[start : start + MOST])
            kept.append(replace(one, subjects=part, found=len(part)))
    return kept
