"""Whatever the world looks like: the best served set, the least cost, and totals that add up."""

from collections import Counter
from datetime import timedelta
from itertools import product
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.models.policy import Weights
from dispatch.models.policy_base import URGENCIES
from dispatch.rules.matching import SOFT, URGENCY_WEIGHTS
from dispatch.rules.matching_solver import Row, assign
from dispatch.rules.state import Requirement
from dispatch.rules.state_staff import Serves, Skill
from tests.rules.matching_world import (
    AREAS,
    HOUR,
    NOW,
    ON_DUTY,
    POLICY,
    Document,
    FakePolicy,
    Matching,
    leg,
    order,
    play,
    technician,
    winners,
)

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


@settings(max_examples=150)
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


@settings(max_examples=100)
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


@settings(max_examples=100)
@given(worlds(orders=8, technicians=6), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(world, shuffler: Random):
    jobs, pool = world
    before = play(jobs, pool)
    shuffler.shuffle(jobs)
    shuffler.shuffle(pool)
    assert play(jobs, pool) == before


@settings(max_examples=100)
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


@settings(max_examples=200)
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
