"""Who gets which order: each rule, the soft scores, priorities and crews."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch.rules.matching import HARD
from dispatch.rules.matching_scores import EARTH_RADIUS_M, UNKNOWN_TRAVEL_HM, haversine_m
from dispatch.rules.matching_solver import Row, assign
from dispatch.rules.state import Requirement
from dispatch.rules.state_staff import Certificate, Serves, Shift, Skill
from tests.rules.matching_world import HOUR, NOW, PLUMBER, crew, leg, order, play, technician, winners

# The hard constraints


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("active", {"status": "suspended"}),
        ("active", {"removed": True}),
        ("requirement", {"skills": ()}),
        ("requirement", {"skills": (Skill(trade="electrical", level=5),)}),
        ("requirement", {"skills": (Skill(trade="plumbing", level=1),)}),
        ("requirement", {"skills": (Skill(trade="plumbing", level=2, valid_to=NOW),)}),
        ("requirement", {"skills": (Skill(trade="plumbing", level=2, valid_from=NOW + HOUR),)}),
        ("certificates", {"certificates": (Certificate(type="gas"),)}),
        (
            "certificates",
            {"certificates": (Certificate(type="gas"), Certificate(type="height", expires=NOW))},
        ),
        ("area", {"serves": (Serves(area="south"),)}),
        ("on_shift", {"shifts": ()}),
        ("on_shift", {"shifts": (Shift(start=NOW, end=NOW + HOUR, state="planned"),)}),
        ("capacity", {"capacity_open": 1, "load": ("leg",)}),
        ("asked_before", {"id": "asked"}),
        ("crew", {"id": "busy-here"}),
    ],
)
def test_whoever_fails_a_rule_is_excluded_by_its_name(rule, changes):
    holder = (Certificate(type="gas"), Certificate(type="height", expires=NOW + HOUR))
    fit = technician("fit", certificates=holder, serves=(Serves(area="north"),))
    unfit = replace(fit, **{"id": "unfit", **changes})
    needed = Requirement(trade="plumbing", min_level=2, certificates=("gas", "height"), count=2)
    job = order("job", requirements=(needed,), asked={"asked": "declined"}, legs=(leg("busy-here", place=1),))
    result = play([job], [unfit, fit])
    assert winners(result) == {("job", 0): "fit"}
    (evaluation,) = result.evaluations
    assert evaluation.excluded == {rule: {"count": 1, "examples": [unfit.id]}}
    assert [name for _total, name, *_ in evaluation.candidates] == ["fit"]
    assert winners(play([job], [unfit])) == {}


def test_the_first_rule_in_the_table_that_fails_names_the_exclusion():
    nobody = technician("nobody", status="left", skills=(), shifts=(), capacity_open=0)
    assert list(play([order("job")], [nobody]).evaluations[0].excluded) == ["active"]
    assert list(HARD) == [
        "active",
        "requirement",
        "certificates",
        "area",
        "on_shift",
        "capacity",
        "asked_before",
        "crew",
    ]


def test_whoever_names_no_area_serves_the_whole_territory():
    assert winners(play([order("job", area="south")], [technician("anywhere", serves=())]))


def test_a_leg_that_is_over_does_not_bar_its_technician():
    job = order("job", legs=(leg("again", state="withdrawn"),))
    assert winners(play([job], [technician("again")])) == {("job", 0): "again"}


# The soft scores


def one_total(**changes):
    (found,) = play([order("job")], [technician("one", **changes)]).given
    return found.terms


def test_travel_is_in_hundreds_of_metres_from_the_last_position_or_else_the_area():
    assert one_total(lat=39.912, lon=116.3, area_id="south")["travel"] == 0
    assert one_total(area_id="north", home_area="south")["travel"] == 2
    assert one_total(home_area="south")["travel"] == 13
    assert one_total(area_id="unmapped", home_area="south")["travel"] == 13


def test_an_unknown_distance_counts_the_same_for_all():
    assert one_total()["travel"] == UNKNOWN_TRAVEL_HM
    result = play([order("job", area="unmapped")], [technician("one", home_area="south")])
    assert result.given[0].terms["travel"] == UNKNOWN_TRAVEL_HM
    assert "distance unknown" in result.given[0].why["en"]


def test_reported_coordinates_win_over_those_of_the_area():
    exact = order("job", location={"area_path": ["campus", "north"], "lat": 39.9, "lon": 116.3})
    assert play([exact], [technician("one", home_area="south")]).given[0].terms["travel"] == 0


def test_the_haversine_of_one_degree_of_a_great_circle_is_its_arc():
    starts = np.radians(np.array([[0.0, 0.0], [40.0, 116.0], [0.0, 179.5]]))
    ends = np.radians(np.array([[0.0, 1.0], [41.0, 116.0], [0.0, -179.5]])).T
    arc = np.pi / 180 * EARTH_RADIUS_M
    for number, start in enumerate(starts):
        assert haversine_m(start, ends)[number] == pytest.approx(arc)


def test_level_counts_what_is_above_the_need():
    assert one_total(skills=(Skill(trade="plumbing", level=2), Skill(trade="plumbing", level=4)))["level"] == 3


def test_the_longest_idle_costs_least_and_never_given_counts_as_longest():
    assert one_total()["idle"] == 0
    assert one_total(last_given_at=NOW - 9 * HOUR)["idle"] == 0
    assert one_total(last_given_at=NOW - HOUR)["idle"] == 420
    assert one_total(last_given_at=NOW + HOUR)["idle"] == 480


def test_the_why_is_one_sentence_in_each_language():
    near = technician("near", home_area="south", load=("leg",), last_given_at=NOW - HOUR)
    (found,) = play([order("job")], [near]).given
    assert found.why == {
        "zh": f"综合成本{found.total}（越低越优先）：距离约1300米，手头1单，技能高出要求1级，距上次派单60分钟。",
        "en": f"Cost {found.total} (lower is better): about 1300 m away, 1 order in hand, "
        "1 level above what is needed, last given an order 60 min ago.",
    }


# Priority


def test_an_emergency_beats_an_older_normal_order():
    jobs = [order("old", reported_at=NOW - 9 * HOUR), order("fire", urgency="emergency", reported_at=NOW)]
    assert winners(play(jobs, [technician("only", capacity_open=1)])) == {("fire", 0): "only"}


def test_the_whole_crew_of_an_emergency_comes_before_a_normal_order():
    jobs = [order("old"), order("fire", urgency="emergency", requirements=crew(2))]
    two = [technician("a", capacity_open=1), technician("b", capacity_open=1)]
    assert {order_id for order_id, _ in winners(play(jobs, two))} == {"fire"}


def test_every_order_of_an_urgency_gets_one_person_before_a_crew_gets_its_second():
    jobs = [order("crew", requirements=crew(2), reported_at=NOW - 5 * HOUR), order("single")]
    two = [technician("a", capacity_open=1), technician("b", capacity_open=1)]
    assert {order_id for order_id, _ in winners(play(jobs, two))} == {"crew", "single"}


def test_when_there_are_too_few_people_the_oldest_order_wins_and_then_the_lower_id():
    jobs = [order(f"job-{n}", reported_at=NOW - timedelta(minutes=n // 2)) for n in range(6)]
    result = play(jobs, [technician("only", capacity_open=3)])
    assert [each.order_id for each in result.given] == ["job-4", "job-5", "job-2"]


def test_the_emergency_gets_the_nearest_even_if_others_then_walk_further_than_it_saves():
    between = {"area_path": ["campus", "north"], "lat": 39.907, "lon": 116.3}
    jobs = [order("normal"), order("fire", urgency="emergency", location=between)]
    north = technician("z", home_area="north", capacity_open=1)
    south = technician("a", home_area="south", capacity_open=1)
    assert winners(play(jobs, [north, south])) == {("fire", 0): "z", ("normal", 0): "a"}
    jobs = [order("normal"), order("other", location=between)]
    assert winners(play(jobs, [north, south])) == {("other", 0): "a", ("normal", 0): "z"}


def test_the_one_who_can_do_both_leaves_the_easy_order_to_the_other():
    both = technician("a", capacity_open=1, skills=(*PLUMBER, Skill(trade="gas", level=1)))
    jobs = [order("easy", urgency="emergency"), order("hard", requirements=(Requirement(trade="gas"),))]
    result = play(jobs, [both, technician("b", capacity_open=1, home_area="south")])
    assert winners(result) == {("easy", 0): "b", ("hard", 0): "a"}


def test_equal_technicians_are_taken_by_id():
    assert winners(play([order("job")], [technician("b"), technician("a")])) == {("job", 0): "a"}


def test_after_one_place_finds_nobody_others_still_move_to_make_room():
    rows = [Row(0, 0b001, 1, 0), Row(1, 0b001, 1, 0), Row(2, 0b110, 1, 0), Row(3, 0b010, 1, 0)]
    totals = np.zeros((1, 3), dtype=np.int64)
    assert assign(rows, totals, [1, 1, 1], 5) == [0, None, 2, 1]


# Crews


def test_a_crew_of_three_gets_three_different_people():
    pool = [
        technician("near", home_area="library"),
        *(technician(f"far-{n}", home_area="south") for n in "abc"),
    ]
    result = play([order("job", requirements=crew(3))], pool)
    assert len(set(winners(result).values())) == 3
    assert "near" in winners(result).values()


def test_a_crew_of_two_trades_is_complete_where_that_is_possible():
    both = technician("both", home_area="library", skills=(*PLUMBER, Skill(trade="gas", level=1)))
    needs = (Requirement(trade="plumbing"), Requirement(trade="gas"))
    result = play([order("job", requirements=needs)], [both, technician("plumber", home_area="south")])
    assert winners(result) == {("job", 0): "plumber", ("job", 1): "both"}


def test_a_crew_spares_the_one_whom_another_order_needs_when_that_costs_less_in_all():
    handy = technician("handy", skills=(*PLUMBER, Skill(trade="gas", level=2)))
    other = technician("other", last_given_at=NOW - timedelta(minutes=478))
    jobs = [
        order("fire", urgency="emergency", requirements=crew(2)),
        order("gas", requirements=(Requirement(trade="gas", min_level=2),)),
    ]
    result = play(jobs, [handy, technician("plain"), other])
    assert {who for (order_id, _), who in winners(result).items() if order_id == "fire"} == {"plain", "other"}


def test_many_crews_are_taken_in_waves_and_still_get_different_people():
    pool = [technician(f"t{n:02}", capacity_open=4) for n in range(30)]
    jobs = [order(f"job-{n:02}", requirements=crew(3)) for n in range(30)]
    result = play(jobs, pool)
    assert len(result.given) == 90
    assert len({(each.order_id, each.technician_id) for each in result.given}) == 90
    assert max(Counter(each.technician_id for each in result.given).values()) <= 4


def test_a_later_wave_pays_for_what_an_earlier_one_has_taken():
    rows = [Row(0, 0b001, 1, 0), Row(0, 0b101, 1, 0), Row(1, 0b011, 1, 0)]
    totals = np.array([[0, 3, 0]], dtype=np.int64)
    assert assign(rows, totals, [3, 1, 2], 5, gate_limit=0) == [0, 2, 1]
