"""A dispute: from registration to an agreement that is kept, and everywhere else it can end."""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

import pytest
from driving import AnyOrder
from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.deadlines import Deadline
from domain.dispute import (
    AgreementForm,
    Confirmation,
    Dispute,
    DisputeState,
    Objection,
    Route,
    month_after,
)
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import transitions
from domain.mechanisms import JointMechanism
from domain.model import event_classes
from domain.observation import NAMESPACE
from domain.people import Role
from domain.personal import Personal, of_day, of_subject
from domain.site import Site

S = DisputeState
ID = UUID(int=1)
ONE, TWO, STRANGER = (uuid5(NAMESPACE, name) for name in ("one", "two", "stranger"))
BOTH = (TWO, ONE)
INTAKE, DISPATCHER, VERIFIER = person(Role.INTAKE), person(Role.DISPATCHER), person(Role.VERIFIER)
LI, WANG = (person(Role.MEDIATOR, Role.VERIFIER, name=name) for name in ("li", "wang"))
TIMER = person(Role.DEVICE, name="timer")
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
DAY = timedelta(days=1)
MONTH = month_after(NOW)


def about(subject, text="漏水"):
    return Personal(of_subject(subject), text)


TERMS = {
    "form": AgreementForm.WRITTEN,
    "perform_by": NOW + 60 * DAY,
    "facts": about(ID, "楼上漏水"),
    "duties": about(ID, "赔偿"),
    "method": about(ID, "一次付清"),
    "place": about(ID, "调解室"),
}
STEPS = {
    "accept": (INTAKE, {}),
    "assign": (DISPATCHER, {"mediator": "li", "room": "lao-li"}),
    "hold_session": (LI, {}),
    "agree": (LI, {"agreed_by": BOTH, **TERMS}),
    "start_performance": (LI, {}),
    "fulfil": (LI, {}),
    "close": (VERIFIER, {"satisfied": True, "note": about(ID, "和好")}),
}
"""The commands on the straight way, each with somebody who may and what it takes."""


def registered(**changed):
    fields = {"category": "neighbours", "description": about(ID), "township": "yuhai"}
    return Dispute.register(id=ID, by=INTAKE, at=NOW, **(fields | changed))


def consented():
    dispute = registered()
    for party in (ONE, TWO):
        dispute.add_party(by=INTAKE, at=NOW, party=party, details=about(party, "张三 138"))
        dispute.give_consent(by=INTAKE, at=NOW, party=party)
    return dispute


def after(last):
    """A dispute on which everything up to the command `last` was done."""
    dispute = consented()
    for method in list(STEPS)[: list(STEPS).index(last) + 1]:
        do(dispute, method)
    return dispute


def do(dispute, command, /, *, at=NOW, **changed):
    by, fields = STEPS[command]
    getattr(dispute, command)(by=by, at=at, **(fields | changed))


def failed():
    dispute = after("hold_session")
    dispute.fail(by=LI, at=NOW, reason="各执一词")
    return dispute


def test_the_transitions_are_those_of_the_table():
    assert [row for row in transitions(event_classes(Dispute).values()) if row[0] != row[2]] == [
        ("REGISTERED", "dispute.accepted", "ACCEPTED"),
        ("REGISTERED", "dispute.not_accepted", "NOT_ACCEPTED"),
        ("ACCEPTED", "dispute.assigned", "ASSIGNED"),
        ("ASSIGNED", "dispute.mediator_recused", "ACCEPTED"),
        ("MEDIATING", "dispute.mediator_recused", "ACCEPTED"),
        ("ASSIGNED", "dispute.session_held", "MEDIATING"),
        ("MEDIATING", "dispute.agreed", "AGREED"),
        ("MEDIATING", "dispute.failed", "FAILED"),
        ("REGISTERED", "dispute.withdrawn", "TERMINATED"),
        ("ACCEPTED", "dispute.withdrawn", "TERMINATED"),
        ("ASSIGNED", "dispute.withdrawn", "TERMINATED"),
        ("MEDIATING", "dispute.withdrawn", "TERMINATED"),
        ("AGREED", "dispute.performance_started", "PERFORMING"),
        ("PERFORMING", "dispute.fulfilled", "FULFILLED"),
        ("FAILED", "dispute.referred", "REFERRED"),
        ("PERFORMING", "dispute.referred", "REFERRED"),
        ("FULFILLED", "dispute.closed", "CLOSED"),
    ]


def test_a_dispute_goes_from_registration_to_closing():
    assert [consented().state, *(after(last).state for last in STEPS)] == [
        S.REGISTERED,
        S.ACCEPTED,
        S.ASSIGNED,
        S.MEDIATING,
        S.AGREED,
        S.PERFORMING,
        S.FULFILLED,
        S.CLOSED,
    ]


@pytest.mark.parametrize("method", STEPS)
@pytest.mark.parametrize("last", [None, *STEPS])
def test_a_command_of_the_straight_way_is_refused_in_every_state_but_its_own(last, method):
    dispute = after(last) if last else consented()
    version = dispute.version
    if dispute.state in EVENT_OF[method].FROM:
        do(dispute, method)
    else:
        with pytest.raises(RuleError, match=f"the dispute is {dispute.state}, and it must be"):
            do(dispute, method)
        assert dispute.version == version


EVENT_OF = {
    "accept": Dispute.Accepted,
    "assign": Dispute.Assigned,
    "hold_session": Dispute.SessionHeld,
    "agree": Dispute.Agreed,
    "start_performance": Dispute.PerformanceStarted,
    "fulfil": Dispute.Fulfilled,
    "close": Dispute.Closed,
}


# --- registration and consent ----------------------------------------------------------------------------------------


def test_a_dispute_lies_in_a_township_or_at_a_site_and_can_have_a_cause():
    incident = UUID(int=7)
    at_site = registered(
        township=None, site=SITE, incident_id=incident, mechanism=JointMechanism.DISPUTE_MEDIATION
    )
    assert (at_site.township, at_site.site_id, at_site.incident_id) == ("yuhai", SITE.id, incident)
    assert at_site.mechanism is JointMechanism.DISPUTE_MEDIATION
    assert (registered().township, registered().site_id) == ("yuhai", None)
    for place in ({"township": None}, {"site": SITE}):
        with pytest.raises(InvalidError, match="name one of the two"):
            registered(**place)


def test_there_are_six_joint_mechanisms():
    assert len(JointMechanism) == 6


@pytest.mark.parametrize("scope", [of_subject(TWO), of_day("gaoqiao", NOW.date())])
def test_what_is_known_of_a_party_is_sealed_under_the_partys_own_key(scope):
    with pytest.raises(InvalidError, match="details of the party must be sealed under subject:"):
        registered().add_party(by=INTAKE, at=NOW, party=ONE, details=Personal(scope, "李四"))
    with pytest.raises(InvalidError, match="description must be sealed under"):
        registered(description=Personal(scope, "李四"))


def test_a_party_is_added_once_and_before_acceptance():
    dispute = consented()
    with pytest.raises(RuleError, match="is in this dispute already"):
        dispute.add_party(by=INTAKE, at=NOW, party=ONE, details=about(ONE))
    with pytest.raises(RuleError, match="the dispute is ACCEPTED"):
        after("accept").add_party(by=INTAKE, at=NOW, party=STRANGER, details=about(STRANGER))


def test_only_a_party_consents_and_only_once():
    dispute = consented()
    with pytest.raises(RuleError, match="consented already"):
        dispute.give_consent(by=INTAKE, at=NOW, party=ONE)
    with pytest.raises(NotFoundError, match=f"no party {STRANGER}; its parties: {ONE}, {TWO}"):
        dispute.give_consent(by=INTAKE, at=NOW, party=STRANGER)


def test_without_two_parties_or_somebodys_consent_nothing_is_accepted():
    dispute = registered()
    for party in (ONE, TWO):
        with pytest.raises(RuleError, match="at least 2 parties"):
            dispute.accept(by=INTAKE, at=NOW)
        dispute.add_party(by=INTAKE, at=NOW, party=party, details=about(party))
    dispute.give_consent(by=INTAKE, at=NOW, party=ONE)
    with pytest.raises(RuleError, match=f"the consent of {TWO} is missing"):
        dispute.accept(by=INTAKE, at=NOW)
    dispute.give_consent(by=INTAKE, at=NOW, party=TWO)
    dispute.accept(by=INTAKE, at=NOW)


def test_what_is_not_for_mediation_is_declined_with_a_reason():
    dispute = registered()
    with pytest.raises(InvalidError, match="reason is empty"):
        dispute.decline(by=INTAKE, at=NOW, reason=" ")
    dispute.decline(by=INTAKE, at=NOW, reason="已起诉")
    assert dispute.state is S.NOT_ACCEPTED
    with pytest.raises(RuleError, match="the dispute is NOT_ACCEPTED"):
        dispute.accept(by=INTAKE, at=NOW)


@pytest.mark.parametrize("last", [None, "accept", "assign", "hold_session"])
def test_one_party_is_enough_to_withdraw(last):
    dispute = after(last) if last else consented()
    with pytest.raises(NotFoundError):
        dispute.withdraw(by=INTAKE, at=NOW, party=STRANGER)
    dispute.withdraw(by=INTAKE, at=NOW, party=TWO)
    assert (dispute.state, dispute.deadlines) == (S.TERMINATED, ())


# --- the mediator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["assign", "hold_session"])
def test_a_mediator_to_whom_a_party_objects_is_replaced_by_another(last):
    dispute = after(last)
    with pytest.raises(NotFoundError):
        dispute.recuse_mediator(by=INTAKE, at=NOW, party=STRANGER, objection=Objection.RELATIVE)
    dispute.recuse_mediator(by=INTAKE, at=NOW, party=ONE, objection=Objection.RELATIVE)
    assert (dispute.state, dispute.mediator, dispute.room) == (S.ACCEPTED, None, None)
    assert dispute.deadlines == (Deadline("mediate", MONTH, "mediation-1"),)
    with pytest.raises(RuleError, match="li had to step aside"):
        do(dispute, "assign")
    do(dispute, "assign", mediator="wang")
    dispute.hold_session(by=WANG, at=NOW)
    assert dispute.mediators == {"li", "wang"}


def test_a_mediator_steps_aside_and_nobody_does_it_for_them():
    dispute = after("assign")
    with pytest.raises(RuleError, match="mediated by li, and wang is somebody else"):
        dispute.recuse_mediator(by=WANG, at=NOW, objection=Objection.INTEREST)
    dispute.recuse_mediator(by=LI, at=NOW, objection=Objection.INTEREST)
    assert dispute.state is S.ACCEPTED


def test_only_the_assigned_mediator_mediates():
    dispute = after("hold_session")
    for method, fields in (
        ("hold_session", {}),
        ("agree", {"agreed_by": BOTH, **TERMS}),
        ("fail", {"reason": "x"}),
    ):
        with pytest.raises(RuleError, match="mediated by li, and wang is somebody else"):
            getattr(dispute, method)(by=WANG, at=NOW, **fields)


def test_sessions_are_counted_and_their_record_is_sealed_under_the_dispute():
    dispute = after("hold_session")
    dispute.hold_session(by=LI, at=NOW, record=about(ID, "第二次"))
    assert dispute.sessions == 2
    with pytest.raises(InvalidError, match="record must be sealed under"):
        dispute.hold_session(by=LI, at=NOW, record=about(ONE))


def test_a_mediator_does_not_make_the_revisit_even_one_who_stepped_aside():
    dispute = after("assign")
    dispute.recuse_mediator(by=LI, at=NOW, objection=Objection.PARTIALITY)
    do(dispute, "assign", mediator="wang")
    dispute.hold_session(by=WANG, at=NOW)
    dispute.agree(by=WANG, at=NOW, agreed_by=BOTH, **TERMS)
    do(dispute, "start_performance")
    do(dispute, "fulfil")
    for mediator in (LI, WANG):
        with pytest.raises(RuleError, match=f"{mediator.id} mediated this dispute"):
            dispute.close(by=mediator, at=NOW, satisfied=True, note=about(ID))
    do(dispute, "close")


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-01T08:00:00+00:00", "2026-04-01T08:00:00+00:00"),
        ("2026-01-31T09:00:00+08:00", "2026-02-28T09:00:00+08:00"),
        ("2028-01-31T09:00:00+08:00", "2028-02-29T09:00:00+08:00"),
        ("2026-12-15T09:00:00+08:00", "2027-01-15T09:00:00+08:00"),
        (
            "2026-01-30T20:00:00+00:00",
            "2026-02-27T20:00:00+00:00",
        ),  # 31 January in China, so 28 February there
    ],
)
def test_a_month_is_one_of_the_calendar_in_china(start, end):
    found = month_after(datetime.fromisoformat(start))
    assert found == datetime.fromisoformat(end)
    assert found.utcoffset() == datetime.fromisoformat(start).utcoffset()


def test_mediation_takes_a_month_and_what_takes_longer_is_overdue_once():
    dispute = after("hold_session")
    dispute.pass_deadline(by=TIMER, at=MONTH - timedelta(microseconds=1), name="mediate")
    dispute.pass_deadline(by=TIMER, at=MONTH, name="another")
    assert dispute.overdue == frozenset()
    for _ in range(2):
        dispute.pass_deadline(by=TIMER, at=MONTH, name="mediate")
    assert [event.TOPIC for event in dispute.collect_events()].count("dispute.deadline_passed") == 1
    assert (dispute.overdue, dispute.deadlines, dispute.state) == ({"mediate"}, (), S.MEDIATING)
    do(dispute, "agree", at=MONTH + DAY)


def test_all_parties_can_agree_on_more_time_even_when_it_is_over():
    dispute = after("hold_session")
    for too_few in ((), (ONE,), (ONE, STRANGER), (ONE, TWO, STRANGER)):
        with pytest.raises(RuleError, match="more time needs all parties and nobody else"):
            dispute.extend(by=LI, at=NOW, until=MONTH + DAY, agreed_by=too_few)
    with pytest.raises(RuleError, match="an extension ends after"):
        dispute.extend(by=LI, at=NOW, until=MONTH, agreed_by=BOTH)
    with pytest.raises(RuleError, match="an extension ends after"):
        dispute.extend(by=LI, at=MONTH + 2 * DAY, until=MONTH + DAY, agreed_by=BOTH)
    dispute.extend(by=LI, at=NOW, until=MONTH + DAY, agreed_by=BOTH)
    dispute.pass_deadline(by=TIMER, at=MONTH, name="mediate")
    assert dispute.overdue == frozenset()
    dispute.pass_deadline(by=TIMER, at=MONTH + DAY, name="mediate")
    with pytest.raises(RuleError, match="an extension ends after"):
        dispute.extend(by=LI, at=MONTH + 2 * DAY, until=MONTH + 2 * DAY, agreed_by=BOTH)
    dispute.extend(by=LI, at=MONTH + 2 * DAY, until=MONTH + 9 * DAY, agreed_by=BOTH)
    assert [one.due_at for one in dispute.deadlines] == [MONTH + 9 * DAY]


# --- the agreement and what becomes of it -----------------------------------------------------------------------------


def test_an_agreement_is_of_all_parties_sealed_and_performed_later():
    dispute = after("hold_session")
    with pytest.raises(RuleError, match="an agreement needs all parties"):
        do(dispute, "agree", agreed_by=(ONE,))
    with pytest.raises(RuleError, match="the day of performance lies before the agreement"):
        do(dispute, "agree", perform_by=NOW - DAY)
    for what in ("facts", "duties", "method", "place"):
        with pytest.raises(InvalidError, match=f"{what} must be sealed under"):
            do(dispute, "agree", **{what: about(ONE)})
        with pytest.raises(InvalidError, match=f"{what} is empty"):
            do(dispute, "agree", **{what: about(ID, " ")})
    do(dispute, "agree")
    assert [(one.name, one.due_at) for one in dispute.deadlines] == [("perform", TERMS["perform_by"])]


def test_a_court_is_asked_by_all_parties_within_thirty_days():
    last_moment = NOW + 30 * DAY
    dispute = after("agree")
    ask = {"by": LI, "court": "ruian-court", "requested_by": BOTH}
    with pytest.raises(RuleError, match="a confirmation needs all parties"):
        dispute.request_confirmation(at=NOW, **(ask | {"requested_by": (ONE,)}))
    with pytest.raises(RuleError, match="within 30 days"):
        dispute.request_confirmation(at=last_moment + timedelta(microseconds=1), **ask)
    with pytest.raises(RuleError, match="no request for a confirmation waits"):
        dispute.decide_confirmation(by=LI, at=NOW, confirmed=True, ruling="1")
    dispute.request_confirmation(at=last_moment, **ask)
    with pytest.raises(RuleError, match="is REQUESTED already"):
        dispute.request_confirmation(at=last_moment, **ask)
    dispute.decide_confirmation(by=LI, at=last_moment, confirmed=False, ruling="(2026) 7")
    assert (dispute.confirmation, dispute.state) == (Confirmation.REFUSED, S.AGREED)
    with pytest.raises(RuleError, match="no request"):
        dispute.decide_confirmation(by=LI, at=last_moment, confirmed=True, ruling="8")
    with pytest.raises(RuleError, match="the dispute is MEDIATING"):
        after("hold_session").request_confirmation(at=NOW, **ask)


def test_a_party_in_breach_is_urged_before_the_matter_goes_elsewhere():
    dispute = after("start_performance")
    later = NOW + 90 * DAY
    with pytest.raises(RuleError, match="referred only after a party was urged"):
        dispute.refer(by=LI, at=NOW, route=Route.LITIGATION)
    with pytest.raises(RuleError, match="report the breach first"):
        dispute.urge(by=LI, at=NOW, party=ONE, perform_by=later)
    with pytest.raises(NotFoundError):
        dispute.report_breach(by=LI, at=NOW, party=STRANGER)
    dispute.report_breach(by=LI, at=NOW, party=ONE)
    with pytest.raises(RuleError, match="a later time than now"):
        dispute.urge(by=LI, at=NOW, party=ONE, perform_by=NOW)
    dispute.urge(by=LI, at=NOW, party=ONE, perform_by=later)
    assert [one.due_at for one in dispute.deadlines] == [later]
    dispute.refer(by=LI, at=NOW, route=Route.LITIGATION)
    assert (dispute.state, dispute.deadlines) == (S.REFERRED, ())


def test_who_is_urged_may_still_perform_and_lateness_stays_known():
    dispute = after("start_performance")
    dispute.pass_deadline(by=TIMER, at=TERMS["perform_by"], name="perform")
    dispute.report_breach(by=LI, at=NOW, party=ONE)
    dispute.urge(by=LI, at=NOW, party=ONE, perform_by=NOW + 90 * DAY)
    dispute.fulfil(by=LI, at=NOW)
    assert (dispute.state, dispute.overdue, dispute.deadlines) == (S.FULFILLED, {"perform"}, ())


def test_only_what_a_court_confirmed_is_enforced():
    for confirmed in (False, True):
        dispute = after("start_performance")
        dispute.request_confirmation(by=LI, at=NOW, court="ruian-court", requested_by=BOTH)
        dispute.decide_confirmation(by=LI, at=NOW, confirmed=confirmed, ruling="7")
        dispute.report_breach(by=LI, at=NOW, party=ONE)
        dispute.urge(by=LI, at=NOW, party=ONE, perform_by=NOW + DAY)
        if confirmed:
            dispute.refer(by=LI, at=NOW, route=Route.ENFORCEMENT)
        else:
            with pytest.raises(RuleError, match="only an agreement that a court has confirmed"):
                dispute.refer(by=LI, at=NOW, route=Route.ENFORCEMENT)


@pytest.mark.parametrize("route", [Route.LITIGATION, Route.ARBITRATION, Route.ADMINISTRATIVE])
def test_what_cannot_be_mediated_is_decided_elsewhere(route):
    dispute = failed()
    assert (dispute.state, dispute.deadlines) == (S.FAILED, ())
    dispute.refer(by=LI, at=NOW, route=route)
    assert dispute.state is S.REFERRED


def test_no_refusal_names_a_party():
    dispute = consented()
    for refused in (
        lambda: dispute.add_party(by=INTAKE, at=NOW, party=STRANGER, details=about(ONE, "张三 138")),
        lambda: dispute.add_party(
            by=INTAKE, at=NOW, party=STRANGER, details=about(STRANGER, "张三 138" * 200)
        ),
    ):
        with pytest.raises(InvalidError) as refusal:
            refused()
        assert "张三" not in str(refusal.value)


# --- anything, in any order ------------------------------------------------------------------------------------------

PARTIES = st.sampled_from([ONE, TWO, STRANGER])
EVERYBODY = st.sampled_from([BOTH, (ONE, TWO, STRANGER), (ONE,)])
MEDIATORS = st.sampled_from([LI, WANG])
PEOPLE = st.sampled_from([LI, WANG, VERIFIER])


class Disputes(AnyOrder):
    """Commands of anybody whose role allows it, in any order, as time goes by."""

    @initialize(last=st.sampled_from(["hold_session", "start_performance", "assign", "accept", None]))
    def begin_anywhere(self, last):
        self.begin(after(last) if last else registered())

    @rule(days=st.integers(1, 40))
    def time_passes(self, days):
        self.at += days * DAY
        for name in ("mediate", "perform"):
            self.try_to("pass_deadline", TIMER, name=name)

    @rule(party=PARTIES, consents=st.booleans())
    def add_party(self, party, consents):
        self.try_to("add_party", INTAKE, party=party, details=about(party))
        if consents:
            self.try_to("give_consent", INTAKE, party=party)

    @rule()
    def accept(self):
        self.try_to("accept", INTAKE)

    @rule(mediator=MEDIATORS)
    def assign(self, mediator):
        self.try_to("assign", DISPATCHER, mediator=mediator.id, room="lao-li")

    @rule(by=PEOPLE, party=st.none() | PARTIES)
    def recuse(self, by, party):
        self.try_to("recuse_mediator", by, party=party, objection=Objection.RELATIVE)

    @rule(by=MEDIATORS)
    def meet(self, by):
        self.try_to("hold_session", by)

    @rule(by=MEDIATORS, agreed_by=EVERYBODY)
    def agree(self, by, agreed_by):
        self.try_to("agree", by, agreed_by=agreed_by, **(TERMS | {"perform_by": self.at + 10 * DAY}))

    @rule(by=MEDIATORS, agreed_by=EVERYBODY)
    def extend(self, by, agreed_by):
        self.try_to("extend", by, until=self.at + 40 * DAY, agreed_by=agreed_by)

    @rule(by=MEDIATORS, requested_by=EVERYBODY, confirmed=st.booleans())
    def confirm(self, by, requested_by, confirmed):
        self.try_to("request_confirmation", by, court="ruian-court", requested_by=requested_by)
        self.try_to("decide_confirmation", by, confirmed=confirmed, ruling="7")

    @rule(by=PEOPLE, method=st.sampled_from(["start_performance", "fulfil"]))
    def perform(self, by, method):
        self.try_to(method, by)

    @rule(by=PEOPLE, party=PARTIES)
    def breach(self, by, party):
        self.try_to("report_breach", by, party=party)
        self.try_to("urge", by, party=party, perform_by=self.at + DAY)

    @rule(by=PEOPLE, route=st.sampled_from(Route))
    def refer(self, by, route):
        self.try_to("refer", by, route=route)

    @rule(by=PEOPLE)
    def close(self, by):
        self.try_to("close", by, satisfied=True, note=about(ID))

    @rule(ending=st.sampled_from(["decline", "fail", "withdraw"]), sure=st.integers(0, 5))
    def end(self, ending, sure):
        if sure == 0:
            self.try_to(
                ending,
                INTAKE if ending == "decline" else LI,
                **({"party": ONE} if ending == "withdraw" else {"reason": "x"}),
            )

    @invariant()
    def duties_stay_apart(self):
        mediator, mediators, objected = None, set(), set()
        for event in self.events:
            match event:
                case Dispute.Assigned():
                    assert event.mediator not in objected
                    mediator = event.mediator
                    mediators.add(mediator)
                case Dispute.MediatorRecused():
                    objected.add(mediator)
                case Dispute.SessionHeld() | Dispute.Agreed() | Dispute.Failed():
                    assert event.actor == mediator
                case Dispute.Closed():
                    assert event.actor not in mediators

    @invariant()
    def mediation_is_voluntary(self):
        live = self.live
        if live.state not in {S.REGISTERED, S.NOT_ACCEPTED, S.TERMINATED}:
            assert len(live.parties) >= 2
            assert all(live.parties.values())

    @invariant()
    def a_deadline_is_over_or_runs(self):
        names = [one.name for one in self.live.deadlines]
        assert len(names) == len(set(names))


TestAnyOrder = Disputes.TestCase
TestAnyOrder.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
