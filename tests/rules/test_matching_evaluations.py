"""What a round says of each order: who was left to ask, the best candidates, why others were excluded."""

import pytest
from msgspec.structs import replace

from dispatch.rules.state import Requirement
from dispatch.rules.state_staff import Certificate, Serves, Skill
from tests.rules.matching_world import crew, leg, order, play, technician

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
