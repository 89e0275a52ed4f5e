"""A small district's story, put into the log: what reports say of it can be counted on the fingers."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from given import build_site, order, person
from histories import TO_CLOSURE, a_pass, append, driven, reported

from domain import commands
from domain.alarm import Alarm, FalseCause, Trigger
from domain.dispute import AgreementForm, Dispute
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Site
from projections.all import PROJECTIONS
from projections.runner import catch_up

HOUR = timedelta(hours=1)


def at(year, month, day):
    """Noon of that day in China."""
    return datetime(year, month, day, 4, tzinfo=UTC)


async def tell(log, pool):
    """润锦苑 in yuhai and 邵宅 in tangxia, in Novembers 2017 and 2018 and in October 2018; the read models know all of it.

    November 2018: at runjinyuan 3 incidents, 2 of them closed after 6 hours, 1 open, and 3 passes; at shaozhai 1 incident, closed, a false
    and a real alarm, and a dispute agreed after 2 days. October 2018: 1 incident. November 2017: 2 criminal cases at runjinyuan.
    """
    ours = await build_site(log, "runjinyuan", "yuhai")
    other = await build_site(log, "shaozhai", "tangxia")
    for site, households in ((ours, 1000), (other, 250)):
        await commands.act(
            log,
            order(Role.ADMIN),
            Site,
            Site.count_households,
            site.id,
            households=households,
            counts_from=date(2016, 1, 1),
        )
    done = [
        *(
            driven(reported(n, ours, at(2017, 11, n + 1), category="criminal-case"), TO_CLOSURE)
            for n in (1, 2)
        ),
        driven(reported(3, ours, at(2018, 10, 10)), TO_CLOSURE),
        *(driven(reported(n, ours, at(2018, 11, 5)), TO_CLOSURE) for n in (4, 5)),
        driven(reported(6, ours, at(2018, 11, 6)), 1),
        driven(reported(7, other, at(2018, 11, 20), category="theft"), TO_CLOSURE),
    ]
    passes = [a_pass(ours, at(2018, 11, 7) + n * HOUR, number=n) for n in range(3)]
    await append(
        log, [*done, *passes, _alarm(other, 1, real=False), _alarm(other, 2, real=True), _dispute(other)]
    )
    for projection in PROJECTIONS.values():
        await catch_up(projection, pool, log)


def _alarm(site, number, *, real):
    panel, guard, reviewer = (person(role) for role in (Role.DEVICE, Role.GUARD, Role.REVIEWER))
    when = at(2018, 11, 10 + number)
    alarm = Alarm.trip(
        id=UUID(int=100 + number), site=site, sensor="wall-3", trigger=Trigger.SENSOR, by=panel, at=when
    )
    alarm.acknowledge(by=guard, at=when + timedelta(seconds=30))
    alarm.review(by=reviewer, at=when + HOUR / 10)
    if real:
        alarm.find_real(by=reviewer, at=when + HOUR / 5, incident_id=UUID(int=8))
    else:
        alarm.find_false(by=reviewer, at=when + HOUR / 5, cause=FalseCause.ANIMAL)
    return alarm


def _dispute(site):
    dispute_id, when, parties = UUID(int=200), at(2018, 11, 12), (UUID(int=201), UUID(int=202))
    intake, mediator = person(Role.INTAKE), person(Role.MEDIATOR, name="li")

    def about(text, subject=dispute_id):
        return Personal(of_subject(subject), text)

    dispute = Dispute.register(
        id=dispute_id,
        by=intake,
        at=when,
        category="neighbours",
        description=about("漏水"),
        site=site,
    )
    for party in parties:
        dispute.add_party(by=intake, at=when, party=party, details=about("张三", party))
        dispute.give_consent(by=intake, at=when, party=party)
    dispute.accept(by=intake, at=when)
    dispute.assign(by=person(Role.DISPATCHER), at=when, mediator="li", room="lao-li")
    dispute.hold_session(by=mediator, at=when + 24 * HOUR)
    dispute.agree(
        by=mediator,
        at=when + 48 * HOUR,
        agreed_by=parties,
        form=AgreementForm.WRITTEN,
        perform_by=when + 720 * HOUR,
        facts=about("楼上漏水"),
        duties=about("赔偿"),
        method=about("一次付清"),
        place=about("调解室"),
    )
    return dispute
