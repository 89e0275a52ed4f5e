"""What somebody tries who wants more than is theirs: ids of others' requests, numbers and texts that no database takes, requests and
questions without end.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from given import build_site, person

from domain.incident import Source
from domain.people import Role, Scope
from domain.visitor import Requester

HERE, NEXT = Scope("yuhai"), Scope("tangxia")
STATISTICIAN, AUDITOR = person(Role.STATISTICIAN), person(Role.AUDITOR)
WHOLE_CALENDAR = 'period: {from: "1000-01-01", to: "9998-12-31"}'
JSON = {"Content-Type": "application/json"}
BLINK = 1.0
"""Seconds in which a refusal is given, also on a busy machine: nobody else is answered meanwhile."""


# --- the id of somebody else's request ---------------------------------------------------------------------------------


@pytest.fixture
async def shaozhai(running, site):
    """A site of the next township."""
    return await build_site(running.log, "shaozhai", "tangxia")


def incident(code, request, **changed):
    fields = {"source": Source.CITIZEN, "category": "noise", "description": "夜间施工"}
    return fields | {"site": code, "requestId": request} | changed


def visit(running, request, **changed):
    now = running.now()
    times = {"validFrom": now.isoformat(), "validUntil": (now + timedelta(days=1)).isoformat()}
    fields = {"site": "shaozhai", "host": uuid4(), "requester": Requester.VISITOR, "name": "张某"}
    return fields | times | {"requestId": request} | changed


async def test_the_id_of_a_request_elsewhere_says_nothing_of_what_became_of_it(running, asker, shaozhai):
    request = uuid4()
    ours = person(Role.INTAKE, scope=HERE)
    done = await asker.do("reportIncident", ours, **incident("runjinyuan", request))
    theirs = person(Role.INTAKE, Role.GUARD, scope=NEXT)
    for mutation, fields in (
        ("reportIncident", incident("shaozhai", request)),
        (
            "reportIncident",
            incident("shaozhai", request, description=""),
        ),  # refused, if it were not done before
        ("requestVisit", visit(running, request)),
    ):
        refusal = await asker.refused(mutation, theirs, **fields)
        assert (refusal["code"], "used for something else" in refusal["message"]) == ("INVALID", True)
        assert str(done["id"]) not in refusal["message"]
    assert await asker.do("reportIncident", ours, **incident("runjinyuan", request)) == done | {
        "repeated": True
    }


async def test_one_request_does_not_make_two_things(running, asker, shaozhai):
    request, both = uuid4(), person(Role.INTAKE, Role.GUARD)
    await asker.do("requestVisit", both, **visit(running, request))
    refusal = await asker.refused("reportIncident", both, **incident("shaozhai", request))
    assert "used for something else" in refusal["message"]


APPROVE = """
mutation($id: UUID!, $host: UUID!, $requestId: UUID!) {
  approveVisit(id: $id, host: $host, requestId: $requestId) { code repeated }
}
"""


async def test_the_code_of_a_visit_is_given_for_its_approval_and_for_no_other_request(
    running, asker, shaozhai
):
    writer, other = (person(Role.GUARD, name=name) for name in ("writer", "other"))
    asked, approval, host = uuid4(), uuid4(), uuid4()
    made = await asker.do("requestVisit", writer, **visit(running, asked, host=host))
    given = {"id": made["id"], "host": str(host)}
    code = running.digests.code_of(made["id"])

    async def refused(by, request):
        answer = await asker.answer(APPROVE, by, **given, requestId=str(request))
        assert answer["errors"][0]["extensions"]["code"] == "INVALID"
        assert code not in str(answer)

    await refused(writer, uuid4())  # who wrote down what the visitor asked for
    await refused(writer, asked)
    first = await asker.data(APPROVE, other, **given, requestId=str(approval))
    assert first == {"code": code, "repeated": False}
    assert await asker.data(APPROVE, other, **given, requestId=str(approval)) == first | {"repeated": True}
    await refused(writer, asked)
