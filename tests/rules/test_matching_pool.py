"""What a pool remembers from round to round changes nothing."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.rules import matching_pool
from dispatch.rules.matching import match
from dispatch.rules.matching_pool import Pool
from dispatch.rules.state import Requirement
from dispatch.rules.state_staff import Certificate, Serves, Skill
from tests.rules.matching_world import AREAS, HOUR, NOW, ON_DUTY, POLICY, FakePolicy, Node, crew, order, technician

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
