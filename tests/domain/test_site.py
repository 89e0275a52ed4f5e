"""A site: from plan to operation, and its gates."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from driving import AnyOrder
from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.credentials import CredentialKind
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.site import Direction, Gate, GateMode, Measure, Site, SiteState, site_id

ADMIN = person(Role.ADMIN)
MAIN = Gate("main", "大门", GateMode.OPEN, Direction.IN)
K, M = CredentialKind, Measure
FACE_ONLY = Gate("door", "单元门", GateMode.GUARDED, Direction.IN, (K.FACE,))
STEPS = {"start_construction": {}, "accept": {"inspector": "p-inspector"}, "start_operation": {}}


def planned(code="gaoqiao", name="高桥", township="yuhai", at=NOW):
    return Site.plan(code=code, name=name, township=township, by=ADMIN, at=at)


def built(gate=MAIN, measure=M.VIDEO_SURVEILLANCE):
    """A site under construction that has all that an inspection asks for."""
    site = planned()
    site.start_construction(by=ADMIN, at=NOW)
    if gate:
        site.add_gate(by=ADMIN, at=NOW, gate=gate)
    if measure:
        site.install_measure(by=ADMIN, at=NOW, measure=measure)
    return site


def after(steps):
    """A site on which the first `steps` were done."""
    site = built() if steps else planned()
    for step, fields in list(STEPS.items())[1:steps]:
        getattr(site, step)(by=ADMIN, at=NOW, **fields)
    return site


def test_the_transitions_are_those_of_the_table():
    assert transitions(event_classes(Site).values()) == [
        ("PLANNED", "site.construction_started", "UNDER_CONSTRUCTION"),
        ("UNDER_CONSTRUCTION", "site.accepted", "ACCEPTED"),
        ("ACCEPTED", "site.operation_started", "OPERATING"),
        ("UNDER_CONSTRUCTION", "site.measure_installed", "UNDER_CONSTRUCTION"),
        ("ACCEPTED", "site.measure_installed", "ACCEPTED"),
        ("OPERATING", "site.measure_installed", "OPERATING"),
    ]


def test_a_site_goes_from_plan_to_operation():
    assert [after(steps).state for steps in range(4)] == list(SiteState)


@pytest.mark.parametrize("done", range(4))
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_refused_out_of_its_order(step, done):
    site = after(done)
    if list(STEPS).index(step) == done:
        getattr(site, step)(by=ADMIN, at=NOW, **STEPS[step])
    else:
        with pytest.raises(RuleError, match=f"the site is {site.state}, and it must be"):
            getattr(site, step)(by=ADMIN, at=NOW, **STEPS[step])


@pytest.mark.parametrize(
    ("gate", "measure", "missing"),
    [
        (None, M.DOOR_CARD, "without a gate:"),
        (MAIN, None, "without a measure:"),
        (None, None, "without a gate and a measure:"),
    ],
)
def test_a_site_without_a_gate_or_a_measure_is_not_accepted(gate, measure, missing):
    with pytest.raises(RuleError, match=missing):
        built(gate, measure).accept(by=ADMIN, at=NOW, inspector="p-inspector")


def test_whoever_built_a_site_does_not_inspect_it():
    site = planned()
    starter, digger, electrician = (person(Role.ADMIN, name=name) for name in ("s", "d", "e"))
    site.start_construction(by=starter, at=NOW)
    site.add_gate(by=digger, at=NOW, gate=MAIN)
    site.install_measure(by=electrician, at=NOW, measure=M.DOOR_CARD)
    for builder in ("s", "d", "e"):
        with pytest.raises(RuleError, match=f"{builder} helped to build site gaoqiao"):
            site.accept(by=ADMIN, at=NOW, inspector=builder)
    site.accept(by=starter, at=NOW, inspector="p-inspector")
    assert site.collect_events()[-1].inspector == "p-inspector"


@pytest.mark.parametrize("wrong", ["", " ", "x" * 101])
def test_an_inspector_has_a_staff_id(wrong):
    with pytest.raises(InvalidError, match="inspector"):
        built().accept(by=ADMIN, at=NOW, inspector=wrong)


def test_the_id_of_a_site_follows_from_its_code():
    assert planned().id == planned(name="another").id == site_id("gaoqiao") != site_id("gaoqiao-2")


@pytest.mark.parametrize("wrong", ["", "GaoQiao", "gao qiao", "gao.qiao", "高桥", "gaoqiao\n", "x" * 65])
def test_a_code_that_cannot_stand_in_a_subject_is_refused(wrong):
    for field in ("code", "township"):
        with pytest.raises(InvalidError, match=field if field == "township" else "site code"):
            planned(**{field: wrong})
    with pytest.raises(InvalidError, match="gate code"):
        planned().add_gate(by=ADMIN, at=NOW, gate=Gate(wrong, "门", GateMode.OPEN, Direction.IN))


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 101, "a\x00", "\udfff"])
def test_a_name_that_is_no_text_is_refused(wrong):
    with pytest.raises(InvalidError, match="name"):
        planned(name=wrong)
    with pytest.raises(InvalidError, match="gate name"):
        planned().add_gate(by=ADMIN, at=NOW, gate=Gate("main", wrong, GateMode.OPEN, Direction.IN))


def test_a_time_without_a_zone_is_refused():
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidError, match="no time zone"):
        planned(at=naive)
    with pytest.raises(InvalidError, match="no time zone"):
        planned().start_construction(by=ADMIN, at=naive)
    with pytest.raises(InvalidError, match="no time zone"):
        planned().add_gate(by=ADMIN, at=naive, gate=MAIN)


@pytest.mark.parametrize("done", range(4))
def test_a_gate_is_added_in_every_state_and_does_not_move_the_site(done):
    site = after(done)
    state = site.state
    back = replace(MAIN, code="back")
    site.add_gate(by=ADMIN, at=NOW, gate=back)
    assert site.gate("back") == back
    assert site.state is state


def test_a_gate_code_is_taken_once():
    site = planned()
    site.add_gate(by=ADMIN, at=NOW, gate=MAIN)
    with pytest.raises(RuleError, match="already has a gate 'main'"):
        site.add_gate(by=ADMIN, at=NOW, gate=Gate("main", "后门", GateMode.GUARDED, Direction.OUT))
    assert site.gates == {"main": MAIN}


def test_an_unknown_gate_is_answered_with_those_there_are():
    site = planned()
    with pytest.raises(NotFoundError, match="no gate 'main'; its gates: none"):
        site.gate("main")
    site.add_gate(by=ADMIN, at=NOW, gate=MAIN)
    with pytest.raises(NotFoundError, match="no gate 'back'; its gates: main"):
        site.gate("back")


def test_a_gate_asks_for_no_face_unless_somebody_says_so():
    assert MAIN.credentials == (K.CARD,)
    assert not MAIN.face_only


@pytest.mark.parametrize(
    ("credentials", "face_only"),
    [
        ((K.FACE,), True),
        ((K.FACE, K.NONE), True),
        ((K.FACE, K.CARD), False),
        ((K.FACE, K.PLATE), False),
        ((K.FACE, K.CODE), False),
        ((K.NONE,), False),
    ],
)
def test_showing_nothing_is_not_another_way_in(credentials, face_only):
    assert Gate("a", "门", GateMode.GUARDED, Direction.IN, credentials).face_only is face_only


def test_a_site_does_not_go_live_with_a_gate_that_knows_faces_only():
    site = after(2)
    site.add_gate(by=ADMIN, at=NOW, gate=FACE_ONLY)
    with pytest.raises(
        RuleError, match="gate door knows people by their face only, and the site cannot operate"
    ):
        site.start_operation(by=ADMIN, at=NOW)
    site.change_credentials(by=ADMIN, at=NOW, gate="door", credentials=(K.CARD, K.FACE, K.CARD))
    assert site.gate("door").credentials == (K.FACE, K.CARD)
    site.start_operation(by=ADMIN, at=NOW)


def test_an_operating_site_gets_no_gate_that_knows_faces_only():
    site = after(3)
    with pytest.raises(RuleError, match="it cannot be added to an operating site: give it a card"):
        site.add_gate(by=ADMIN, at=NOW, gate=FACE_ONLY)
    with pytest.raises(RuleError, match="its other credentials stay"):
        site.change_credentials(by=ADMIN, at=NOW, gate="main", credentials=(K.FACE,))
    assert site.gate("main") == MAIN


def test_a_gate_without_any_credential_and_one_that_is_not_there_are_refused():
    site = built()
    with pytest.raises(InvalidError, match="at least one kind of credential"):
        site.add_gate(by=ADMIN, at=NOW, gate=Gate("a", "门", GateMode.OPEN, Direction.IN, ()))
    with pytest.raises(InvalidError, match="at least one kind of credential"):
        site.change_credentials(by=ADMIN, at=NOW, gate="main", credentials=())
    with pytest.raises(NotFoundError, match="no gate 'back'"):
        site.change_credentials(by=ADMIN, at=NOW, gate="back", credentials=(K.CARD,))


def test_faces_are_captured_only_where_there_is_another_way_in():
    site = built(FACE_ONLY)
    with pytest.raises(RuleError, match="faces cannot be captured there"):
        site.install_measure(by=ADMIN, at=NOW, measure=M.FACE_CAPTURE, gate="door")
    site.install_measure(by=ADMIN, at=NOW, measure=M.VEHICLE_CAPTURE, gate="door")
    site.change_credentials(by=ADMIN, at=NOW, gate="door", credentials=(K.FACE, K.CODE))
    site.install_measure(by=ADMIN, at=NOW, measure=M.FACE_CAPTURE, gate="door")
    with pytest.raises(RuleError, match="its other credentials stay"):
        site.change_credentials(by=ADMIN, at=NOW, gate="door", credentials=(K.FACE,))


def test_a_measure_is_installed_once_at_each_place_that_is_there():
    site = built(measure=None)
    site.install_measure(by=ADMIN, at=NOW, measure=M.FACE_CAPTURE)
    site.install_measure(by=ADMIN, at=NOW, measure=M.FACE_CAPTURE, gate="main")
    assert site.measures == {(M.FACE_CAPTURE, None), (M.FACE_CAPTURE, "main")}
    for gate in (None, "main"):
        with pytest.raises(RuleError, match="FACE_CAPTURE is installed there already"):
            site.install_measure(by=ADMIN, at=NOW, measure=M.FACE_CAPTURE, gate=gate)
    for measure in (M.FACE_CAPTURE, M.VIDEO_ALERT):
        with pytest.raises(NotFoundError, match="no gate 'back'"):
            site.install_measure(by=ADMIN, at=NOW, measure=measure, gate="back")


def test_nothing_is_installed_at_a_site_that_is_only_planned():
    with pytest.raises(RuleError, match=r"site\.measure_installed is refused: the site is PLANNED"):
        planned().install_measure(by=ADMIN, at=NOW, measure=M.DOOR_CARD)


def test_households_count_from_the_latest_day_whenever_it_was_told():
    site = planned()
    for households, buildings, day in (
        (900, 7, date(2026, 1, 1)),
        (1000, None, date(2026, 2, 1)),
        (5, 1, date(2025, 1, 1)),
    ):
        site.count_households(by=ADMIN, at=NOW, households=households, buildings=buildings, counts_from=day)
    assert (site.households, site.buildings, site.counted_from) == (1000, 7, date(2026, 2, 1))
    site.count_households(by=ADMIN, at=NOW, households=1001, counts_from=date(2026, 2, 1))
    assert site.households == 1001


@pytest.mark.parametrize("wrong", [0, -1, 1_000_000])
def test_a_number_of_households_or_buildings_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidError, match="households: from 1 to 999999"):
        planned().count_households(by=ADMIN, at=NOW, households=wrong, counts_from=NOW.date())
    with pytest.raises(InvalidError, match="buildings: from 1 to 999999"):
        planned().count_households(by=ADMIN, at=NOW, households=9, buildings=wrong, counts_from=NOW.date())


def test_today_is_the_day_in_china_and_tomorrow_does_not_count_yet():
    evening = datetime(2026, 3, 1, 17, tzinfo=UTC)  # 2 March in Rui'an
    planned().count_households(by=ADMIN, at=evening, households=9, counts_from=date(2026, 3, 2))
    for wrong in (date(2026, 3, 3), date(1, 1, 1)):
        with pytest.raises(InvalidError, match="a day up to today, 2026-03-02"):
            planned().count_households(by=ADMIN, at=evening, households=9, counts_from=wrong)


def test_a_replayed_site_is_the_one_that_was_decided():
    site = after(3)
    site.change_credentials(by=ADMIN, at=NOW, gate="main", credentials=(K.CODE,))
    site.count_households(by=ADMIN, at=NOW, households=9, counts_from=NOW.date())
    replayed = None
    for event in site.collect_events():
        replayed = event.mutate(replayed)
    assert replayed == site


# --- anything, in any order -------------------------------------------------------------------------------------------

CREDENTIALS = st.lists(st.sampled_from(K), max_size=3).map(tuple)
GATES = st.sampled_from(["main", "door", "back"])
PEOPLE = st.sampled_from([ADMIN, person(Role.ADMIN, name="other"), person(Role.GUARD)])


class Sites(AnyOrder):
    """Commands of anybody whose role allows it, in any order."""

    @initialize(steps=st.integers(0, 3))
    def begin_anywhere(self, steps):
        self.begin(after(steps))

    @rule(by=PEOPLE, step=st.sampled_from(["start_construction", "start_operation"]))
    def go_on(self, by, step):
        self.try_to(step, by)

    @rule(by=PEOPLE, inspector=st.sampled_from([ADMIN.id, "other", "p-inspector"]))
    def accept(self, by, inspector):
        self.try_to("accept", by, inspector=inspector)

    @rule(by=PEOPLE, code=GATES, credentials=CREDENTIALS)
    def add_gate(self, by, code, credentials):
        gate = Gate(code, "门", GateMode.GUARDED, Direction.IN, credentials)
        self.try_to("add_gate", by, gate=gate)

    @rule(by=PEOPLE, gate=GATES, credentials=CREDENTIALS)
    def change_credentials(self, by, gate, credentials):
        self.try_to("change_credentials", by, gate=gate, credentials=credentials)

    @rule(by=PEOPLE, measure=st.sampled_from([M.FACE_CAPTURE, M.DOOR_CARD]), gate=st.none() | GATES)
    def install(self, by, measure, gate):
        self.try_to("install_measure", by, measure=measure, gate=gate)

    @rule(by=PEOPLE, households=st.integers(0, 3), day=st.dates(date(2026, 2, 27), date(2026, 3, 3)))
    def count(self, by, households, day):
        self.try_to("count_households", by, households=households, counts_from=day)

    @invariant()
    def each_face_gate_in_use_has_another_way_in(self):
        site = self.live
        in_use = {code for code in site.gates if site.state is SiteState.OPERATING}
        captured = {gate for measure, gate in site.measures if measure is M.FACE_CAPTURE and gate}
        assert not [code for code in in_use | captured if site.gates[code].face_only]

    @invariant()
    def it_was_accepted_with_a_gate_and_a_measure_by_somebody_else(self):
        builders, gates, measures = set(), 0, 0
        for event in self.events:
            match event:
                case Site.ConstructionStarted():
                    builders.add(event.actor)
                case Site.GateAdded():
                    builders.add(event.actor)
                    gates += 1
                case Site.MeasureInstalled():
                    builders.add(event.actor)
                    measures += 1
                case Site.Accepted():
                    assert gates
                    assert measures
                    assert event.inspector not in builders


TestAnyOrder = Sites.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
