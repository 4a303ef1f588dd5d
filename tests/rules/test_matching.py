"""Who gets which order: each rule, the best served set, the least cost, and an explanation that adds up."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.models.policy import Weights
from dispatch.models.policy_base import URGENCIES
from dispatch.rules import matching_pool
from dispatch.rules.matching import HARD, SOFT, URGENCY_WEIGHTS, match
from dispatch.rules.matching_pool import Pool
from dispatch.rules.matching_scores import EARTH_RADIUS_M, UNKNOWN_TRAVEL_HM, haversine_m
from dispatch.rules.matching_solver import Row, assign
from dispatch.rules.state import Leg, Order, Owner, Requirement
from dispatch.rules.state_staff import Certificate, Serves, Shift, Skill, Technician

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ON_DUTY = (Shift(start=NOW - HOUR, end=NOW + 7 * HOUR, state="started"),)
PLUMBER = (Skill(trade="plumbing", level=2),)


@dataclass(frozen=True)
class Node:
    path: tuple[str, ...]
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Matching:
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class Document:
    matching: Matching = field(default_factory=Matching)


@dataclass(frozen=True)
class FakePolicy:
    """As much of a policy as matching reads."""

    areas: dict[str, Node]
    document: Document = field(default_factory=Document)

    def compiled(self, build):
        return build(self)


AREAS = {
    "campus": Node(("campus",)),
    "north": Node(("campus", "north"), 39.910, 116.3),
    "south": Node(("campus", "south"), 39.900, 116.3),
    "library": Node(("campus", "north", "library"), 39.912, 116.3),
    "unmapped": Node(("campus", "unmapped")),
}
POLICY = FakePolicy(AREAS)


def technician(name, **changes):
    known = {"version": 1, "version_time": NOW, "org_id": "estates", "skills": PLUMBER, "shifts": ON_DUTY}
    return Technician(**{**known, "id": name, **changes})


def order(name, *, area="library", **changes):
    known = {
        "display_no": name,
        "request_id": f"request-{name}",
        "state": "open",
        "channel": "app",
        "owner": Owner(kind="role", id="dispatcher"),
        "owner_since": NOW,
        "requirements": (Requirement(trade="plumbing"),),
        "location": {"area_id": area, "area_path": list(AREAS[area].path)},
        "policy_version": "p",
        "reported_at": NOW - HOUR,
        "opened_at": NOW,
    }
    return Order(**{**known, "id": name, **changes})


def leg(technician_id, place=0, state="assigned"):
    return Leg(
        assignment_id=f"leg-{technician_id}",
        technician_id=technician_id,
        place=place,
        state=state,
        mode="direct",
        trade="plumbing",
        since=NOW,
    )


def play(orders, technicians, policy=POLICY, now=NOW):
    return match(orders, {each.id: each for each in technicians}, policy, now)


def winners(result):
    return {(each.order_id, each.place): each.technician_id for each in result.given}


def crew(count):
    return (Requirement(trade="plumbing", count=count),)


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


# Nobody left


def test_somebody_is_left_while_people_are_busy_or_off_shift():
    busy, off = technician("busy", capacity_open=0), technician("off", shifts=())
    for only in (busy, off):
        (evaluation,) = play([order("job")], [only]).evaluations
        assert evaluation.anyone_left


def test_nobody_is_left_once_everybody_who_could_has_been_asked():
    job = order("job", asked={"a": "silent", "off": "declined"})
    pool = [technician("a"), technician("off", shifts=()), technician("electrician", skills=())]
    (evaluation,) = play([job], pool).evaluations
    assert not evaluation.anyone_left
    (evaluation,) = play([job], [*pool, technician("busy", capacity_open=0)]).evaluations
    assert evaluation.anyone_left


@pytest.mark.parametrize(
    "pool",
    [[], [technician("electrician", skills=())], [technician("elsewhere", serves=(Serves(area="south"),))]],
)
def test_nobody_is_left_when_nobody_could_from_the_start(pool):
    (evaluation,) = play([order("job")], pool).evaluations
    assert not evaluation.anyone_left
    assert evaluation.candidates == []


def test_a_crew_that_is_larger_than_the_trade_has_nobody_left_to_ask():
    (evaluation,) = play([order("job", requirements=crew(2))], [technician("only")]).evaluations
    assert (evaluation.place, evaluation.anyone_left) == (1, False)


def test_an_order_that_got_all_it_needs_is_not_exhausted():
    (evaluation,) = play([order("job")], [technician("only")]).evaluations
    assert evaluation.anyone_left


def test_the_evaluation_speaks_of_the_place_that_stays_open():
    needs = (Requirement(trade="plumbing"), Requirement(trade="gas"))
    (evaluation,) = play([order("job", requirements=needs)], [technician("only")]).evaluations
    assert (evaluation.place, evaluation.anyone_left) == (1, False)
    assert evaluation.excluded == {"requirement": {"count": 1, "examples": ["only"]}}


def test_of_several_places_that_stay_open_the_first_is_spoken_of():
    needs = (Requirement(trade="plumbing"), Requirement(trade="gas"), Requirement(trade="network"))
    (evaluation,) = play([order("job", requirements=needs)], [technician("only")]).evaluations
    assert evaluation.place == 1


# Evaluations


def test_the_best_twenty_are_listed_and_three_of_each_exclusion_named():
    pool = [technician(f"t{n:02}", load=("leg",) * (n % 3)) for n in range(25)]
    pool += [technician(f"u{n}", shifts=()) for n in range(5)]
    (evaluation,) = play([order("job")], pool).evaluations
    assert (len(evaluation.candidates), evaluation.eligible) == (20, 25)
    keys = [tuple(each[:2]) for each in evaluation.candidates]
    assert keys == sorted(keys)
    assert evaluation.excluded == {"on_shift": {"count": 5, "examples": ["u0", "u1", "u2"]}}


def test_candidates_beyond_the_best_twenty_move_up_when_the_first_have_been_asked():
    pool = [technician(f"t{n:02}") for n in range(25)]
    jobs = [order("new"), order("asked", asked={f"t{n:02}": "declined" for n in range(10)})]
    listed = {each.order_id: each.candidates for each in play(jobs, pool).evaluations}
    assert [each[1] for each in listed["new"]] == [f"t{n:02}" for n in range(20)]
    assert [each[1] for each in listed["asked"]] == [f"t{n:02}" for n in range(10, 25)]


def test_an_order_is_judged_among_others_as_it_is_alone():
    gas = (Certificate(type="gas"),)
    pool = [
        technician("a", certificates=gas, serves=(Serves(area="north"),)),
        technician("b", skills=(Skill(trade="plumbing", level=4),), home_area="south"),
        technician("c", certificates=gas, home_area="north"),
    ]
    plain = Requirement(trade="plumbing")
    jobs = [
        order("plain"),
        order("certified", requirements=(replace(plain, certificates=("gas",)),)),
        order("master", requirements=(replace(plain, min_level=3),)),
        order("elsewhere", area="south"),
        order("asked", asked={"a": "silent"}),
        order("with-a", requirements=crew(2), legs=(leg("a"),)),
        order("with-c", requirements=crew(2), legs=(leg("c"),)),
    ]
    for found in play(jobs, pool).evaluations:
        assert found == play([job for job in jobs if job.id == found.order_id], pool).evaluations[0]


def test_an_order_without_an_open_place_is_passed_over():
    assert play([order("done", legs=(leg("a"),)), order("unknown", requirements=())], [technician("a")]).given == ()
    assert play([], [technician("a")]).evaluations == ()


# Whatever the world looks like

TRADES = ("plumbing", "gas")


@st.composite
def worlds(draw, *, orders=5, technicians=4, crews=2):
    skills = st.lists(st.builds(Skill, trade=st.sampled_from(TRADES), level=st.integers(1, 3)), max_size=2).map(tuple)
    areas = st.sampled_from(["north", "south", "library", None])
    pool = [
        technician(
            f"t{n}",
            skills=draw(skills),
            home_area=draw(areas),
            shifts=draw(st.sampled_from([ON_DUTY, ON_DUTY, ON_DUTY, ()])),
            serves=draw(st.sampled_from([(), (), (Serves(area="north"),)])),
            capacity_open=draw(st.integers(0, 3)),
            load=("leg",) * draw(st.integers(0, 1)),
            last_given_at=draw(st.sampled_from([None, NOW - HOUR, NOW - 3 * HOUR])),
        )
        for n in range(draw(st.integers(0, technicians)))
    ]
    needs = st.builds(
        Requirement, trade=st.sampled_from(TRADES), min_level=st.integers(1, 2), count=st.integers(1, crews)
    )
    jobs = [
        order(
            f"job-{n}",
            area=draw(st.sampled_from(["north", "south", "library"])),
            requirements=tuple(draw(st.lists(needs, min_size=1, max_size=crews))),
            urgency=draw(st.sampled_from(URGENCIES)),
            reported_at=NOW - timedelta(minutes=draw(st.integers(0, 2))),
            asked=dict.fromkeys(draw(st.sets(st.sampled_from(["t0", "t1"]), max_size=1)), "silent"),
        )
        for n in range(draw(st.integers(0, orders)))
    ]
    return jobs, pool


def ranked_places(jobs):
    found = [
        (URGENCIES.index(job.urgency), turn, job.reported_at, job.id, place, requirement, job)
        for job in jobs
        for turn, (place, requirement) in enumerate(job.open_places())
    ]
    return sorted(found, key=lambda each: each[:4])


def may_take(who, job, requirement):
    return (
        any(each.trade == requirement.trade and each.level >= requirement.min_level for each in who.skills)
        and bool(who.on_shift())
        and (not who.serves or "north" in job.area_path)
        and who.id not in job.asked
    )


def every_assignment(jobs, pool):
    """Every way to fill the places in order of priority, as (who is served, technicians)."""
    places = ranked_places(jobs)
    choices = [[None, *(who for who in pool if may_take(who, job, requirement))] for *_, requirement, job in places]
    for combination in product(*choices):
        taken = [(job.id, who.id) for (*_, job), who in zip(places, combination, strict=True) if who]
        counts = Counter(who for _, who in taken)
        if len(set(taken)) == len(taken) and all(counts[who.id] <= max(who.free_capacity, 0) for who in pool):
            yield tuple(who is not None for who in combination), combination


def totals_alone(jobs, pool):
    """The total of each pair by the definition, when nothing else is to be given."""
    found = {}
    for job in jobs:
        for place, _ in job.open_places():
            alone = replace(job, legs=tuple(leg("-", p) for p, _ in job.open_places() if p != place))
            for who in pool:
                for each in play([alone], [who]).given:
                    found[job.id, place, who.id] = each.total
    return found


def weighted_cost(jobs, totals, combination):
    """The sum of totals by urgency; each further order of a technician costs one more load."""
    total, before = 0, Counter()
    for (*_, place, _, job), who in zip(ranked_places(jobs), combination, strict=True):
        if who is not None:
            further = POLICY.document.matching.weights.load * before[who.id]
            total += (totals[job.id, place, who.id] + further) * URGENCY_WEIGHTS[job.urgency]
            before[who.id] += 1
    return total


@settings(max_examples=150, deadline=None)
@given(worlds(orders=4, technicians=3))
def test_the_served_set_is_the_lexicographically_best_and_its_cost_the_least(world):
    jobs, pool = world
    if len(ranked_places(jobs)) > 6:
        jobs = jobs[:1]
    if len(ranked_places(jobs)) > 6:
        return
    result = play(jobs, pool)
    got = winners(result)
    by_id = {who.id: who for who in pool}
    mine = tuple(by_id.get(got.get((each[3], each[4]))) for each in ranked_places(jobs))
    possible = list(every_assignment(jobs, pool))
    best = max(served for served, _ in possible)
    assert tuple(who is not None for who in mine) == best
    totals = totals_alone(jobs, pool)
    costs = [weighted_cost(jobs, totals, who) for served, who in possible if served == best]
    assert weighted_cost(jobs, totals, mine) == min(costs)
    urgency = {job.id: URGENCY_WEIGHTS[job.urgency] for job in jobs}
    assert sum(each.total * urgency[each.order_id] for each in result.given) == min(costs)


@settings(max_examples=100, deadline=None)
@given(worlds(orders=8, technicians=6, crews=3))
def test_nobody_gets_more_than_fits_or_the_same_order_twice(world):
    jobs, pool = world
    result = play(jobs, pool)
    counts = Counter(each.technician_id for each in result.given)
    assert all(counts[who.id] <= max(who.free_capacity, 0) for who in pool)
    pairs = [(each.order_id, each.technician_id) for each in result.given]
    assert len(set(pairs)) == len(pairs)
    by_id, jobs_by_id = {who.id: who for who in pool}, {job.id: job for job in jobs}
    assert all(
        may_take(by_id[each.technician_id], jobs_by_id[each.order_id], each.requirement) for each in result.given
    )


@settings(max_examples=100, deadline=None)
@given(worlds(orders=8, technicians=6), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(world, shuffler: Random):
    jobs, pool = world
    before = play(jobs, pool)
    shuffler.shuffle(jobs)
    shuffler.shuffle(pool)
    assert play(jobs, pool) == before


@settings(max_examples=100, deadline=None)
@given(worlds(orders=8, technicians=6), st.builds(Weights, travel=st.integers(0, 99), load=st.integers(0, 99)))
def test_totals_are_weighted_sums_and_candidates_and_exclusions_add_up(world, weights):
    jobs, pool = world
    result = play(jobs, pool, FakePolicy(AREAS, Document(Matching(weights))))
    price = weights.model_dump()
    assert set(price) == set(SOFT)
    listed = [candidate for each in result.evaluations for candidate in each.candidates]
    for terms, total in [
        *((dict(zip(SOFT, terms, strict=True)), total) for total, _name, *terms in listed),
        *((each.terms, each.total) for each in result.given),
    ]:
        assert total == sum(price[name] * value for name, value in terms.items())
        assert all(type(value) is int for value in (*terms.values(), total))
    for each in result.evaluations:
        assert len(each.candidates) == each.eligible
        assert each.eligible + sum(found["count"] for found in each.excluded.values()) == len(pool)
    assert {each.order_id for each in result.evaluations} == {job.id for job in jobs}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_solver_serves_and_costs_like_brute_force_even_with_many_gates(data):
    people = data.draw(st.integers(1, 4))
    count = data.draw(st.integers(1, 6))
    free = data.draw(st.lists(st.integers(0, 3), min_size=people, max_size=people))
    orders = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    weights = data.draw(st.tuples(*[st.sampled_from([1, 4, 16])] * 3))
    rows = [
        Row(each, data.draw(st.integers(0, 2**people - 1)), weights[each], number) for number, each in enumerate(orders)
    ]
    flat = data.draw(st.lists(st.integers(0, 9), min_size=count * people, max_size=count * people))
    totals = np.array(flat, dtype=np.int64).reshape(count, people)
    price = data.draw(st.integers(0, 5))

    def cost(combination):
        before, total = Counter(), 0
        for number in sorted(range(count), key=lambda number: -rows[number].weight):
            if (who := combination[number]) is not None:
                total += (int(totals[number, who]) + price * before[who]) * rows[number].weight
                before[who] += 1
        return total

    def is_allowed(combination):
        pairs = [(row.order, who) for row, who in zip(rows, combination, strict=True) if who is not None]
        counts = Counter(who for _, who in pairs)
        return len(set(pairs)) == len(pairs) and all(counts[who] <= free[who] for who in range(people))

    choices = [[None, *(who for who in range(people) if row.allowed >> who & 1)] for row in rows]
    possible = [each for each in product(*choices) if is_allowed(each)]
    best = max(tuple(who is not None for who in each) for each in possible)
    least = min(cost(each) for each in possible if tuple(who is not None for who in each) == best)
    found = assign(rows, totals, free, price)
    assert is_allowed(found)
    assert tuple(who is not None for who in found) == best
    assert cost(found) == least
    in_waves = assign(rows, totals, free, price, gate_limit=0)
    assert is_allowed(in_waves)
    assert all(who is None or row.allowed >> who & 1 for row, who in zip(rows, in_waves, strict=True))


# What a pool remembers changes nothing

MOMENTS = (None, NOW - HOUR, NOW, NOW + timedelta(minutes=1), NOW + HOUR)
BOTH = (Skill(trade="plumbing", level=2), Skill(trade="gas", level=1))
CHANGES = {
    "load": ((), ("x",), ("x", "y")),
    "last_given_at": MOMENTS,
    "capacity_open": (0, 1, 2, 3),
    "shifts": (ON_DUTY, ()),
    "status": ("active", "suspended"),
    "removed": (False, True),
    "lat": (None, 39.905),
    "lon": (None, 116.3),
    "area_id": (None, "south", "unmapped"),
    "home_area": (None, "north", "library"),
    "serves": ((), (Serves(area="north"),), (Serves(area="campus"),)),
    "skills": (BOTH, *((replace(BOTH[1], valid_from=since, valid_to=to),) for since in MOMENTS for to in MOMENTS)),
    "certificates": tuple((Certificate(type="gas", expires=at),) for at in MOMENTS),
}
STEPS = (timedelta(0), timedelta(seconds=20), timedelta(minutes=1), HOUR, -HOUR)
MOVED = {"north": Node(("campus", "north"), 39.8, 116.3)}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_pool_kept_from_round_to_round_decides_as_a_new_one(seed):
    rng = Random(seed)
    certified = Requirement(trade="gas", certificates=("gas",))
    jobs = [
        order("plain", asked={"t1": "declined"}),
        order("gas", requirements=(replace(certified, certificates=()),)),
        order("certified", requirements=(certified,), area="south"),
        order("crew", requirements=crew(2)),
    ]
    known = {f"t{n}": technician(f"t{n}", skills=BOTH, home_area="south") for n in rng.sample(range(6), 4)}
    pool, now, policy = Pool(), NOW, POLICY
    for _ in range(8):
        now += rng.choice(STEPS)
        for name in rng.sample([*known, f"t{rng.randrange(9)}"], rng.randrange(3)):
            field = rng.choice(list(CHANGES))
            known[name] = replace(known.get(name, technician(name)), **{field: rng.choice(CHANGES[field])})
        if rng.random() < 0.1:
            policy = FakePolicy(AREAS | rng.choice([{}, MOVED]))
        assert match(jobs, known, policy, now, pool) == match(jobs, known, policy, now)


@pytest.mark.parametrize(
    "changes",
    [
        {"skills": (Skill(trade="gas", level=1, valid_to=NOW + HOUR),)},
        {"skills": (Skill(trade="gas", level=1, valid_from=NOW + HOUR),)},
        {"certificates": (Certificate(type="gas", expires=NOW + HOUR),)},
    ],
)
def test_a_pool_answers_anew_when_a_skill_or_certificate_begins_or_ends(changes):
    gas = {"skills": (Skill(trade="gas", level=1),), "certificates": (Certificate(type="gas"),)}
    people = {"a": technician("a", **{**gas, **changes})}
    jobs = [order("job", requirements=(Requirement(trade="gas", certificates=("gas",)),))]
    pool, given_at = Pool(), []
    for now in (NOW, NOW + HOUR - timedelta(seconds=1), NOW + HOUR, NOW + 2 * HOUR, NOW):
        found = match(jobs, people, POLICY, now, pool)
        assert found == match(jobs, people, POLICY, now)
        given_at.append(bool(found.given))
    assert given_at in ([True, True, False, False, True], [False, False, True, True, False])


def test_a_pool_forgets_costs_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr(matching_pool, "KEPT_ENTRIES", 8)
    pool, people = Pool(), {each.id: each for each in (technician("a", home_area="north"), technician("b"))}
    for number in range(20):
        where = {"area_path": ["campus"], "lat": 39.9 + number / 1000, "lon": 116.3}
        jobs = [order("job", location=where)]
        assert match(jobs, people, POLICY, NOW, pool) == match(jobs, people, POLICY, NOW)
        assert len(pool._costs) * len(people) <= 8 + len(people)


def test_a_pool_forgets_answers_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr(matching_pool, "KEPT_ANSWERS", 8)
    pool, people = Pool(), {"a": technician("a", certificates=(Certificate(type="paper-3"),))}
    for number in range(20):
        jobs = [order("job", requirements=(Requirement(trade="plumbing", certificates=(f"paper-{number}",)),))]
        found = match(jobs, people, POLICY, NOW, pool)
        assert found == match(jobs, people, POLICY, NOW)
        assert bool(found.given) == (number == 3)
        assert len(pool.needs) <= 8


def test_a_pool_that_failed_half_way_begins_anew():
    pool, people = Pool(), {"a": technician("a")}
    jobs = [order("job")]
    match(jobs, people, POLICY, NOW, pool)
    with pytest.raises(TypeError):
        match(jobs, {"a": technician("a", load=None)}, POLICY, NOW, pool)
    assert match(jobs, people, POLICY, NOW, pool) == match(jobs, people, POLICY, NOW)
