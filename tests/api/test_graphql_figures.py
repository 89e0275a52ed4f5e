"""Figures over GraphQL: a small district's story, of which every answer can be counted on the fingers."""

from uuid import UUID

import pytest
from given import person
from histories import TO_CLOSURE, append, driven, everything, reported
from telling import at, tell

from domain.people import Role, Scope
from domain.site import Site, site_id
from projections.all import PROJECTIONS
from projections.runner import catch_up

STATISTICIAN, SUPERVISOR = person(Role.STATISTICIAN), person(Role.SUPERVISOR)
NOVEMBER = 'period: {from: "2018-11-01", to: "2018-11-30"}'


@pytest.fixture(autouse=True)
async def told(log, pool):
    """See `telling.tell`."""
    await tell(log, pool)


async def rate(asker, arguments, fields, by=STATISTICIAN):
    return await asker.data(f"{{ closureRate({NOVEMBER}, {arguments}) {{ {fields} }} }}", by)


@pytest.mark.parametrize(
    ("basis", "closed", "still_open", "percent"),
    [("COHORT", 3, 1, "75.00"), ("FLOW", 3, 1, "75.00"), ("DUE", 3, 1, "75.00")],
)
async def test_the_rate_on_each_basis_says_how_it_was_taken(asker, basis, closed, still_open, percent):
    found = await rate(asker, f"basis: {basis}", "received closed open percent definition cutOff asOf")

    assert (found["received"], found["closed"], found["open"]) == (4, closed, still_open)
    assert found["percent"] == ("100.00" if basis == "DUE" else percent)  # what is open has no due yet
    assert basis in found["definition"]
    assert (found["cutOff"], found["asOf"]) == ("2018-12-01T00:00:00+08:00", None)


async def test_as_of_a_day_it_is_what_was_said_then(asker):
    found = await rate(asker, 'basis: COHORT, asOf: "2018-11-05"', "received closed cutOff asOf")

    assert (found["received"], found["closed"]) == (2, 2)  # closed six hours after noon
    assert (found["cutOff"], found["asOf"]) == ("2018-11-06T00:00:00+08:00", "2018-11-05")


async def test_a_figure_stands_beside_its_neighbours(asker):
    found = await rate(
        asker,
        "basis: COHORT",
        "yearOnYear { rate delta received figures { received } } periodOnPeriod { rate delta received }",
    )

    assert found["yearOnYear"] == {"rate": 1.0, "delta": -25.0, "received": 1.0, "figures": {"received": 2}}
    assert found["periodOnPeriod"] == {"rate": 1.0, "delta": -25.0, "received": 3.0}


async def test_times_and_repeats_are_counted_when_asked_for(asker):
    found = await rate(
        asker,
        "basis: COHORT",
        "medianHoursToClose repeats(days: 3) times { toSign { count median } toClose { count median p90 } parkedHours }",
    )

    assert found["medianHoursToClose"] == found["times"]["toClose"]["median"] == 6.0
    assert found["times"]["toClose"]["count"] == found["times"]["toSign"]["count"] == 3
    assert found["times"]["parkedHours"] == 0
    assert found["repeats"] == 1  # on the day after two others at the same site


async def test_a_count_lists_the_incidents_it_was_counted_from_page_by_page(asker):
    def page(after):
        return f"lineage(count: CLOSED, first: 2{after}) {{ edges {{ node {{ incidentId }} }} pageInfo {{ hasNextPage endCursor }} }}"

    first = (await rate(asker, "basis: COHORT", page(""), SUPERVISOR))["lineage"]
    after = f', after: "{first["pageInfo"]["endCursor"]}"'
    last = (await rate(asker, "basis: COHORT", page(after), SUPERVISOR))["lineage"]

    listed = [edge["node"]["incidentId"][-1] for part in (first, last) for edge in part["edges"]]
    assert listed == ["5", "6", "8"]  # numbers 4, 5 and 7 of the story
    assert (first["pageInfo"]["hasNextPage"], last["pageInfo"]["hasNextPage"]) == (True, False)


async def test_who_sees_figures_only_sees_no_lineage(asker):
    query = f"{{ closureRate({NOVEMBER}) {{ lineage {{ edges {{ cursor }} }} }} }}"
    assert (await asker.refusal(query, STATISTICIAN))["code"] == "FORBIDDEN"


async def test_a_series_has_a_bucket_for_each_month_and_township(asker):
    query = (
        '{ closureSeries(period: {from: "2018-10-01", to: "2018-11-30"}, by: MONTH, groupBy: TOWNSHIP) '
        "{ from to group figures { received closed lineage(count: RECEIVED) { edges { cursor } } } } }"
    )
    found = await asker.data(query, SUPERVISOR)

    assert [
        (
            one["from"],
            one["group"],
            one["figures"]["received"],
            one["figures"]["closed"],
            len(one["figures"]["lineage"]["edges"]),
        )
        for one in found
    ] == [
        ("2018-10-01", "tangxia", 0, 0, 0),
        ("2018-10-01", "yuhai", 1, 1, 1),
        ("2018-11-01", "tangxia", 1, 1, 1),
        ("2018-11-01", "yuhai", 3, 2, 3),
    ]


async def test_what_has_no_unit_is_counted_apart_and_cannot_be_asked_about_alone(asker):
    query = f"{{ closureSeries({NOVEMBER}, groupBy: UNIT) {{ group figures {{ received %s }} }} }}"
    found = await asker.data(query % "", STATISTICIAN)
    assert {(one["group"], one["figures"]["received"]) for one in found} == {(None, 1), ("police-station", 3)}

    refusal = (await asker.answer(query % "medianHoursToClose", STATISTICIAN))["errors"]
    assert {error["extensions"]["code"] for error in refusal} == {"INVALID"}
    assert len(refusal) == 1


async def test_a_series_of_too_many_buckets_is_refused(asker):
    query = '{ closureSeries(period: {from: "2000-01-01", to: "2099-12-31"}, by: DAY) { from } }'
    assert "more than 1,000 buckets by DAY" in (await asker.refusal(query, STATISTICIAN))["message"]


async def test_how_safe_a_year_was_beside_the_year_before(asker):
    fields = "incidents criminalCases disputes alarms gatePasses falseAlarmRate households"
    found = await asker.data(
        f"{{ safetyStatistics(year: 2018) {{ {fields} per1000Households yearOnYear {{ incidents criminalCases alarms }} }} }}",
        STATISTICIAN,
    )

    assert found == {
        "incidents": 5,
        "criminalCases": 0,
        "disputes": 1,
        "alarms": 2,
        "gatePasses": 3,
        "falseAlarmRate": 0.5,
        "households": 1250,
        "per1000Households": 4.0,
        "yearOnYear": {"incidents": 1.5, "criminalCases": -1.0, "alarms": None},
    }


async def test_a_count_of_safety_lists_what_it_was_counted_from_page_by_page(asker, log):
    async def page(count, after="", by=SUPERVISOR):
        query = f"lineage(count: {count}, first: 2{after}) {{ edges {{ node {{ id position }} }} pageInfo {{ hasNextPage endCursor }} }}"
        return (await asker.data(f"{{ safetyStatistics(year: 2018) {{ {query} }} }}", by))["lineage"]

    for count, topic, expected in (
        ("GATE_PASSES", "gate.passed", 3),
        ("INCIDENTS", "incident.reported", 5),
        ("ALARMS", "alarm.tripped", 2),
        ("DISPUTES", "dispute.registered", 1),
    ):
        nodes, after, more = [], "", True
        while more:
            found = await page(count, after)
            nodes += [edge["node"] for edge in found["edges"]]
            more = found["pageInfo"]["hasNextPage"]
            after = f', after: "{found["pageInfo"]["endCursor"]}"'
        histories = [await log.history(UUID(node["id"])) for node in nodes]
        assert [(one[0].event.TOPIC, one[0].position) for one in histories] == [
            (topic, node["position"]) for node in nodes
        ]
        assert len(nodes) == expected
    elsewhere = person(Role.SUPERVISOR, scope=Scope("tangxia"))
    assert (await page("GATE_PASSES", by=elsewhere))["edges"] == []
    refusal = await asker.refusal(
        "{ safetyStatistics(year: 2018) { lineage { edges { cursor } } } }", STATISTICIAN
    )
    assert refusal["code"] == "FORBIDDEN"


async def test_traffic_as_of_a_day_has_what_had_passed_by_then(asker):
    for as_of, expected in (("2018-11-06", []), ("2018-11-07", [3])):
        query = f'{{ gateTraffic(site: "runjinyuan", {NOVEMBER}, by: DAY, asOf: "{as_of}") {{ passes }} }}'
        assert [row["passes"] for row in await asker.data(query, STATISTICIAN)] == expected


LATE = "received closed position atPosition asOf cutOff times { toClose { count } } repeats lineage { edges { cursor } }"


async def test_at_a_position_a_figure_and_all_behind_it_are_what_was_known_there(asker, log, pool):
    """An incident of early November is told when everything else is."""
    before, site = await log.position(), await log.load(Site, site_id("runjinyuan"))
    await append(log, [driven(reported(50, site, at(2018, 11, 4)), TO_CLOSURE)], first_number=900)
    await catch_up(PROJECTIONS["closure"], pool, log)

    now = await rate(asker, 'asOf: "2018-11-05"', LATE, SUPERVISOR)
    then = await rate(asker, f"atPosition: {before}", LATE, SUPERVISOR)
    assert (now["received"], now["times"]["toClose"]["count"], now["atPosition"]) == (3, 3, None)
    assert (then["received"], then["closed"], then["times"]["toClose"]["count"]) == (4, 3, 3)
    assert (len(then["lineage"]["edges"]), then["repeats"]) == (4, 1)
    assert (then["position"], then["atPosition"], then["asOf"]) == (before, before, None)

    fields = f"(year: 2018, atPosition: {before}) {{ incidents households gatePasses }} }}"
    assert await asker.data(f"{{ safetyStatistics{fields}", STATISTICIAN) == {
        "incidents": 5,
        "households": 1250,
        "gatePasses": 3,
    }
    series = (
        f"{{ closureSeries({NOVEMBER}, groupBy: SITE, atPosition: {before}) {{ figures {{ received }} }} }}"
    )
    assert sorted(one["figures"]["received"] for one in await asker.data(series, STATISTICIAN)) == [1, 3]
    beside = await rate(asker, f"atPosition: {before}", "periodOnPeriod { figures { received position } }")
    assert beside["periodOnPeriod"]["figures"] == {"received": 1, "position": before}


async def test_before_there_was_anything_nothing_was_known(asker):
    assert await rate(asker, "atPosition: 0", "received rate position") == {
        "received": 0,
        "rate": None,
        "position": 0,
    }


async def test_traffic_at_a_position_has_the_passes_up_to_there(asker, log):
    passed = [entry.position for entry in await everything(log) if entry.event.TOPIC == "gate.passed"]
    for position, expected in ((passed[0] - 1, []), (passed[1], [2]), (passed[2], [3])):
        query = (
            f'{{ gateTraffic(site: "runjinyuan", {NOVEMBER}, by: DAY, atPosition: {position}) {{ passes }} }}'
        )
        assert [row["passes"] for row in await asker.data(query, STATISTICIAN)] == expected


OUTCOME = (
    "accepted handled agreed failed successOfHandled percentOfHandled successOfAccepted percentOfAccepted"
)


async def mediated(asker, arguments, fields, by=STATISTICIAN):
    return await asker.data(f"{{ mediationFigures({NOVEMBER}{arguments}) {{ {fields} }} }}", by)


async def test_mediation_is_shown_on_both_bases(asker):
    found = await mediated(asker, "", OUTCOME + " medianDaysToAgreement cutOff asOf")

    assert found == {
        "accepted": 1,
        "handled": 1,
        "agreed": 1,
        "failed": 0,
        "successOfHandled": 1.0,
        "percentOfHandled": "100.00",
        "successOfAccepted": 1.0,
        "percentOfAccepted": "100.00",
        "medianDaysToAgreement": 2.0,
        "cutOff": "2018-12-01T00:00:00+08:00",
        "asOf": None,
    }


async def test_mediation_as_of_a_day_and_at_a_position_is_what_had_come_of_it(asker, log):
    agreed = next(one for one in await everything(log) if one.event.TOPIC == "dispute.agreed")
    for arguments in (', asOf: "2018-11-13"', f", atPosition: {agreed.position - 1}"):
        found = await mediated(asker, arguments, "accepted agreed successOfHandled successOfAccepted")
        assert found == {"accepted": 1, "agreed": 0, "successOfHandled": None, "successOfAccepted": 0.0}
    found = await mediated(asker, f", atPosition: {agreed.position}", "agreed position atPosition")
    assert found == {"agreed": 1, "position": agreed.position, "atPosition": agreed.position}


async def test_mediation_has_parts_and_a_lineage_inside_the_scope_of_who_asks(asker, log):
    lineage = "lineage { edges { node { disputeId position agreedPosition failedPosition } } }"
    fields = f"{lineage} parts(by: ROOM) {{ group figures {{ accepted percentOfHandled }} }}"
    found = await mediated(asker, "", fields, SUPERVISOR)
    elsewhere = await mediated(asker, "", fields, person(Role.SUPERVISOR, scope=Scope("yuhai")))
    refusal = await asker.refusal(
        f"{{ mediationFigures({NOVEMBER}) {{ lineage {{ edges {{ cursor }} }} }} }}", STATISTICIAN
    )

    (node,) = [edge["node"] for edge in found["lineage"]["edges"]]
    history = {entry.event.TOPIC: entry.position for entry in await log.history(UUID(node["disputeId"]))}
    assert (node["position"], node["agreedPosition"], node["failedPosition"]) == (
        history["dispute.accepted"],
        history["dispute.agreed"],
        None,
    )
    assert found["parts"] == [{"group": "lao-li", "figures": {"accepted": 1, "percentOfHandled": "100.00"}}]
    assert elsewhere == {"lineage": {"edges": []}, "parts": []}
    assert refusal["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "query",
    [
        "closureRate(%s) { received }",
        "closureSeries(%s) { to }",
        "safetyStatistics(%s) { incidents }",
        "mediationFigures(%s) { accepted }",
        "gateTraffic(%s) { passes }",
    ],
)
async def test_a_figure_is_asked_of_one_moment_that_the_log_has(asker, log, query):
    where = {"safety": "year: 2018", "gateTr": f'site: "runjinyuan", {NOVEMBER}'}.get(query[:6], NOVEMBER)
    beyond = await log.position() + 1

    two = await asker.refusal(
        "{ " + query % f'{where}, asOf: "2018-11-05", atPosition: 1' + " }", STATISTICIAN
    )
    far = await asker.refusal("{ " + query % f"{where}, atPosition: {beyond}" + " }", STATISTICIAN)

    assert (two["code"], far["code"]) == ("INVALID", "INVALID")
    assert "asOf and atPosition are both given" in two["message"]
    assert f"atPosition {beyond} is beyond the end of the log" in far["message"]


async def test_figures_stay_inside_the_scope_of_who_asks(asker):
    own = person(Role.STATISTICIAN, scope=Scope("tangxia"))
    found = await asker.data(f"{{ closureRate({NOVEMBER}) {{ received }} }}", own)
    assert found == {"received": 1}
    assert (await asker.data("{ safetyStatistics(year: 2018) { households incidents } }", own)) == {
        "households": 250,
        "incidents": 1,
    }


@pytest.mark.parametrize(
    "query",
    [
        f"{{ closureRate({NOVEMBER}) {{ repeats(days: 0) }} }}",
        f'{{ closureRate({NOVEMBER}, unit: "Ä") {{ received }} }}',
        '{ closureRate(period: {from: "0001-01-01", to: "0001-01-02"}) { received } }',
        '{ closureRate(period: {from: "9999-01-01", to: "9999-12-31"}) { received } }',
        f'{{ closureRate({NOVEMBER}, asOf: "9999-12-31") {{ received }} }}',
        "{ safetyStatistics(year: 0) { incidents } }",
        "{ safetyStatistics(year: 10000) { incidents } }",
    ],
)
async def test_what_cannot_be_asked_is_refused(asker, query):
    assert (await asker.refusal(query, STATISTICIAN))["code"] == "INVALID"
