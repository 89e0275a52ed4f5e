"""A visit, and what the log alone has: a consent, the plate registered by it, a watch entry and an inquiry, of named people."""

from datetime import timedelta
from uuid import UUID, uuid4

from given import NOW, person
from looking import ASKER, inquiry

from domain.consent import Consent, Purpose
from domain.credential import Credential
from domain.credentials import CredentialKind
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.visitor import Requester, Visitor
from domain.watch import WatchEntry, WatchKind

DAY = timedelta(days=1)
CLERK = person(Role.ADMIN)


def a_visit(site, number=10):
    """张三 asked to come to `site` today."""
    visit = UUID(int=number)
    return Visitor.request(
        id=visit,
        site=site,
        by=CLERK,
        at=NOW,
        host=uuid4(),
        requester=Requester.HOST,
        valid_from=NOW,
        valid_until=NOW + DAY,
        name=Personal(of_subject(visit), "张三"),
        phone=Personal(of_subject(visit), "13800000000"),
    )


def registers(site):
    """At `site`: consent 11 and plate 12 of 张三, watch entry 13 for 李四, and inquiry 14."""
    given, resident = UUID(int=11), uuid4()
    scope = of_subject(given)
    consent = Consent.give(
        id=given,
        site=site,
        by=CLERK,
        at=NOW,
        resident=resident,
        purpose=Purpose.PLATE_ACCESS,
        notice_version="2026-1",
        name=Personal(scope, "张三"),
        until=NOW + 30 * DAY,
    )
    plate = Credential.register(
        id=UUID(int=12),
        site=site,
        by=CLERK,
        at=NOW,
        kind=CredentialKind.PLATE,
        resident=resident,
        holder=Personal(scope, "张三"),
        valid_until=NOW + DAY,
        value=Personal(scope, "浙C12345"),
        digest=b"d" * 32,
        consent=consent,
    )
    entry = WatchEntry.request(
        id=UUID(int=13),
        by=ASKER,
        at=NOW,
        site=site,
        kind=WatchKind.FACE,
        subject=Personal(of_subject(UUID(int=13)), "李四"),
        reference_sha256="a" * 64,
        legal_basis="刑事诉讼法 150",
        case="2026-18",
        purpose="find a suspect",
        expires_at=NOW + 30 * DAY,
    )
    return [consent, plate, entry, inquiry(14, site)]
