"""Inquiries, leads, people who look into personal records by them, and readings."""

from datetime import timedelta
from uuid import UUID

from given import MAIN, NOW, person

from domain.inquiry import Inquiry, Look, Records
from domain.lead import Evidence, Lead
from domain.observation import ModelUse
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.reading import Reading, Shown
from domain.site import Site
from domain.watch import WatchEntry, WatchKind

DAY = timedelta(days=1)
ASKER, MATE = person(Role.INVESTIGATOR, name="asker"), person(Role.INVESTIGATOR, name="mate")
OFFICER, REVIEWER, CHIEF = person(Role.PRIVACY_OFFICER), person(Role.REVIEWER), person(Role.SUPERVISOR)
PLATE = "浙C12345"


def place(code, township="yuhai"):
    """A site with a gate."""
    site = Site.plan(code=code, name="高桥", township=township, by=person(Role.ADMIN), at=NOW)
    site.add_gate(by=person(Role.ADMIN), at=NOW, gate=MAIN)
    return site


HERE, NEXT, FAR = place("here"), place("next"), place("far", "tangxia")


def inquiry(number, *sites, by=ASKER, case="2026-17"):
    """An approved inquiry into what passed in the last week at `sites`; MATE looks too."""
    made = Inquiry.request(
        id=UUID(int=number),
        by=by,
        at=NOW,
        case=case,
        purpose="where was the car",
        sites=sites,
        records=set(Records),
        since=NOW - 7 * DAY,
        until=NOW,
        expires_at=NOW + 20 * DAY,
        colleagues=["mate"],
    )
    made.approve(by=OFFICER, at=NOW)
    return made


def look(made, at, *, by=ASKER, site=HERE, records=Records.PASSES, found=1, what=None):
    """`by` looks at `at` into what passed at `site` within a day; what: searched for."""
    sealed = what and Personal(of_subject(made.id), what)
    made.look(by=by, at=at, look=Look(records, site.id, NOW - DAY, NOW), found=found, what=sealed)


def lead(number, site=HERE, *, face=True, case="2026-18"):
    """A lead that REVIEWER has not seen yet, and what there is to see."""
    entry = WatchEntry.request(
        id=UUID(int=number),
        by=ASKER,
        at=NOW,
        site=site,
        kind=WatchKind.FACE if face else WatchKind.PLATE,
        subject=Personal(of_subject(UUID(int=number)), "张某" if face else PLATE),
        reference_sha256="a" * 64 if face else None,
        plate_digest=None if face else b"d" * 32,
        legal_basis="刑事诉讼法 150",
        case=case,
        purpose="find a suspect",
        expires_at=NOW + 30 * DAY,
    )
    entry.approve(by=CHIEF, at=NOW)
    evidence = Evidence(entry.reference_sha256, "b" * 64, 0.8)
    made = Lead.propose(
        by=person(Role.DEVICE),
        at=NOW,
        entry=entry,
        site=site,
        gate="main",
        pass_id=UUID(int=number),
        evidence=evidence,
        model=ModelUse("sface", "c" * 64),
    )
    return made, evidence


def reading(number, site=HERE, *, by=OFFICER, at=NOW, shown=Shown.REPORTER, **how):
    """`by` is shown something of two things at `site`."""
    subjects = [UUID(int=1000 + number), UUID(int=1001 + number)]
    return Reading.record(
        id=UUID(int=number),
        by=by,
        at=at,
        shown=shown,
        subjects=subjects,
        township=site.township,
        site_id=site.id,
        **how,
    )
