"""To look by an inquiry 查询, on the road of every command: what was found is in the log before anybody is shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from domain import commands, policy
from domain.errors import ForbiddenError, NotFoundError, RuleError
from domain.inquiry import Inquiry, require_investigator

if TYPE_CHECKING:
    from collections.abc import Collection

    from domain.commands import Done, Order
    from domain.inquiry import Look
    from domain.personal import Personal
    from domain.ports import EventLog


async def inquiry_of(log: EventLog, order: Order, inquiry_id: UUID) -> Inquiry:
    """The inquiry by which whoever orders may look now.

    NotFoundError, in the same words, if there is none, or it lies elsewhere, is not approved, is over, or is not theirs: whoever is no
    investigator of it learns nothing of it here.
    """
    policy.require(order.by, "inquiry.look")
    try:
        inquiry = await log.load(Inquiry, inquiry_id)
        policy.require_place(order.by, inquiry)
        require_investigator(inquiry, by=order.by, at=order.at)
    except (NotFoundError, ForbiddenError, RuleError):
        raise NotFoundError(
            f"there is no inquiry {inquiry_id} by which {order.by.id} may look now: one that is approved, not over, and names them is needed"
        ) from None
    return inquiry


async def record_look(
    log: EventLog,
    order: Order,
    inquiry_id: UUID,
    look: Look,
    *,
    found: int,
    subjects: Collection[UUID],
    what: Personal | None = None,
    expected_version: int | None = None,
) -> tuple[Done, frozenset[UUID]]:
    """Record the look (see `Inquiry.look`); and the subjects of whom records may be shown: of an order that was done before, those of then."""
    done = await commands.act(
        log,
        order,
        Inquiry,
        Inquiry.look,
        inquiry_id,
        expected_version=expected_version,
        look=look,
        found=found,
        subjects=subjects,
        what=what,
    )
    if not done.repeated:
        return done, frozenset(subjects)
    (entry,) = (await log.read(done.position - 1, 1)).entries
    before = entry.event
    if not isinstance(before, Inquiry.Looked) or (before.actor, _asked(before)) != (
        order.by.id,
        (look.records, look.site_id, look.since, look.until, what and what.text),
    ):
        raise commands.used_for_something_else(order)
    return done, frozenset(before.subjects)


def _asked(event: Inquiry.Looked) -> tuple[object, ...]:
    return event.records, event.at_site, event.since, event.until, event.what and event.what.text
