"""A gate pass as the ingest worker makes it, with what differs from pass to pass made anew."""

import os
import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.access import RULE_VERSION, Decision
from domain.credentials import CredentialKind
from domain.gatepass import GatePass
from domain.site import Direction, Site

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = "a" * 64


def gate_pass(site: Site) -> GatePass:
    return GatePass._create(  # noqa: SLF001  (the library's own way to make an aggregate)
        GatePass.Passed,
        id=uuid4(),
        timestamp=NOW + timedelta(microseconds=random.randrange(10**12)),
        actor=f"gate:{site.code}.main",
        site_id=site.id,
        township=site.township,
        gate="main",
        direction=Direction.IN,
        credential=CredentialKind.FACE,
        decision=Decision.RECORDED,
        reason="open gate",
        rule_version=RULE_VERSION,
        model="yunet",
        model_sha256=MODEL,
        score=random.random(),
        latency_ms=30 * random.random(),
        frame_sha256=os.urandom(32).hex(),
    )
