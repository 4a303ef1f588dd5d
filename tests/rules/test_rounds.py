"""Giving orders by rounds: who is asked next, when nobody is left, when somebody is free again, and whole crews."""

from datetime import timedelta
from itertools import pairwise

import pytest

from dispatch.rules.rounds import MOST_AT_ONCE
from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy


def staffed(*names, policy=None, **data):
    day = Day(policy or small_policy())
    with day.batch():
        for name in names:
            day.technician(name, **{"skills": {"plumbing": 3}, "hours": 100, **data})
    return day


def asked(day, order):
    return [event.data["technician_id"] for event in day.told(order, "work-order.offered")]


def test_who_declines_is_not_asked_again_and_the_next_one_is():
    day = staffed("ann", "bob")
    order = day.report("leak", trade="plumbing")
    first = asked(day, order)[0]
    day.act("decline", order, by=first, reason="busy")
    assert len(asked(day, order)) == 2
    assert asked(day, order)[1] != first
    assert day.order(order).asked == {first: "declined"}


def test_silence_is_no_decline_and_is_counted_apart():
    day = staffed("ann", "bob")
    order = day.report("leak", trade="plumbing")
    first = asked(day, order)[0]
    day.advance(minutes=5)
    known = day.order(order)
    assert known.asked == {first: "silent"}
    assert (known.counters["offer_expiries"], known.counters.get("declines")) == (1, None)
    assert asked(day, order)[1] != first


def test_when_nobody_is_left_to_ask_the_shift_leader_owns_the_order_and_hears_of_it():
    day = staffed("ann", "bob")
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=10)
    known = day.order(order)
    assert (known.state, known.owner.id, known.exhausted) == ("open", "shift_leader", True)
    raised = day.last("escalation.raised").data
    assert (raised["cause"], raised["reason"]) == ("silence", "nobody_left_to_ask")
    assert [recipient["id"] for recipient in raised["recipients"]] == ["shift_leader"]


def test_an_order_that_nobody_took_goes_to_the_next_one_who_comes():
    day = staffed("ann")
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=5)
    assert day.order(order).exhausted
    day.technician("bob", skills={"plumbing": 1})
    known = day.order(order)
    assert (known.state, known.exhausted, known.owner.id, known.escalations) == ("offered", False, "dispatcher", ())


def test_exhausted_twice_is_told_twice():
    day = staffed("ann")
    order = day.report("leak", trade="plumbing")
    day.act("decline", order, by="ann")
    day.technician("bob", skills={"plumbing": 1})
    day.act("decline", order, by="bob")
    told = [event.data["escalation_id"] for event in day.told(order, "escalation.raised")]
    assert len(set(told)) == len(told) == 2


def test_who_is_only_away_is_waited_for():
    day = staffed("ann", hours=None)
    order = day.report("leak", trade="plumbing")
    known = day.order(order)
    assert (known.state, known.owner.id, known.exhausted) == ("open", "dispatcher", False)
    day.shift("started", "ann", day.now, day.now + timedelta(hours=8))
    assert day.order(order).state == "offered"


def test_a_shift_that_begins_by_plan_takes_what_waits():
    day = staffed("ann", hours=None)
    start = day.now + timedelta(hours=1)
    day.shift("planned", "ann", start, start + timedelta(hours=8))
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=61)
    assert day.order(order).times["first_offered"] == text_of(start)


def test_the_oldest_order_gets_the_capacity_that_comes_free():
    day = staffed("ann", policy=direct_policy(), capacity=1)
    orders = []
    for room in range(4):
        orders.append(day.report("leak", trade="plumbing", room=str(room)))
        day.advance(minutes=1)
    for previous, following in pairwise(orders):
        assert day.order(following).state == "open"
        day.act("complete", previous, by="ann")
        assert day.order(following).owner.id == "ann"


def test_the_most_urgent_order_comes_before_older_ones():
    day = staffed("ann", policy=direct_policy(), capacity=1)
    first = day.report("leak", trade="plumbing", room="0")
    older = day.report("leak", trade="plumbing", room="1")
    day.advance(minutes=1)
    urgent = day.report("burst", trade="plumbing", room="2", urgency="emergency")
    day.act("complete", first, by="ann")
    assert (day.order(urgent).state, day.order(older).state) == ("assigned", "open")


def test_a_free_technician_finds_the_order_far_down_the_queue_that_is_for_them():
    """Hundreds of older orders of the same trade, none of which this technician may take, do not hide it."""
    day = Day(direct_policy(), audit=False)
    day.technician("ann", skills={"plumbing": 1}, capacity=0)
    with day.batch():
        for room in range(MOST_AT_ONCE + 20):
            day.report("leak", trade="plumbing", room=str(room))
    mine = day.report("leak", trade="plumbing", building="b2", room="1")
    day.technician("bob", skills={"plumbing": 1}, serves=("north.b2",), capacity=1)
    assert day.order(mine).owner.id == "bob"


def test_a_long_queue_is_given_as_far_as_capacity_goes():
    day = Day(direct_policy(), audit=False)
    day.technician("ann", skills={"plumbing": 1}, capacity=0)
    with day.batch():
        orders = [day.report("leak", trade="plumbing", room=str(room)) for room in range(2 * MOST_AT_ONCE)]
    day.technician("ann", skills={"plumbing": 1}, capacity=7, version=2)
    given = [order for order in orders if day.order(order).state == "assigned"]
    assert sorted(given) == sorted(orders)[:7], "reported at one moment, the ids decide"


def test_a_crew_of_three_is_given_as_one():
    day = staffed("ann", "bob", "cat", "dan", skills={"moving": 2})
    order = day.report("piano", trade="moving")
    known = day.order(order)
    assert sorted(leg.place for leg in known.active_legs()) == [0, 1, 2]
    assert len({leg.technician_id for leg in known.active_legs()}) == 3
    assert len(day.last("assignment.evaluated").data["chosen"]) == 3


def test_a_crew_that_is_too_small_begins_and_is_completed_later():
    day = staffed("ann", "bob", skills={"moving": 2})
    order = day.report("piano", trade="moving")
    assert len(day.order(order).active_legs()) == 2
    assert order in day.territory().waiting
    assert day.last("escalation.raised").data["reason"] == "nobody_left_to_ask"
    assert day.order(order).owner.kind == "person"
    day.technician("cat", skills={"moving": 1})
    assert len(day.order(order).active_legs()) == 3
    assert order not in day.territory().waiting
    assert day.order(order).escalations == ()


def test_every_decision_explains_itself_once():
    day = staffed("ann", hours=None)
    order = day.report("leak", trade="plumbing")
    for _ in range(3):
        day.technician("lay", skills={"cleaning": 1}, version=day._number())
    explained = day.told(order, "assignment.evaluated")
    assert len(explained) == 1
    assert explained[0].data["excluded"]["on_shift"]["examples"] == ["ann"]
    assert explained[0].data["chosen"] == []


def test_what_matching_decides_is_caused_by_the_end_of_its_batch():
    day = staffed("ann")
    order = day.report("leak", trade="plumbing")
    end = f"acme:north:{day.last('lane.decided').sequence}"
    assert day.told(order, "work-order.offered")[0].causation == end
    assert day.told(order, "assignment.evaluated")[0].causation == end
    assert day.told(order, "assignment.evaluated")[0].data["round"] == end


def test_an_offer_says_why_when_and_until_when():
    day = staffed("ann")
    order = day.report("leak", trade="plumbing")
    told = day.last("work-order.offered").data
    assert told["expires_at"] == text_of(day.now + timedelta(minutes=5))
    assert set(told["due"]) == {"accept", "arrive", "resolve"}
    assert told["why"]["zh"]
    assert told["why"]["en"]
    assert day.order(order).legs[0].expires_at == day.now + timedelta(minutes=5)


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_nobody_is_given_more_than_they_can_hold(capacity):
    day = staffed("ann", policy=direct_policy(), capacity=capacity)
    with day.batch():
        for room in range(5):
            day.report("leak", trade="plumbing", room=str(room))
    assert len(day.territory().technicians["ann"].load) == capacity


def test_an_order_that_breaks_matching_is_left_to_people_and_the_others_are_given():
    day = Day(direct_policy(), audit=False)
    day.technician("ann", skills={"plumbing": 1})
    with day.batch():
        good = day.report("leak", trade="plumbing", room="1")
        place = {"territory": "north", "area_path": ["north"], "lat": "north of here", "lon": "?"}
        bad = day.report("leak", trade="plumbing", location=place)
    assert day.order(good).owner.id == "ann"
    assert (day.order(bad).state, day.order(bad).owner.id) == ("open", "shift_leader")
    assert day.last("escalation.raised").data["reason"] == "matching_failed"
    other = day.report("leak", trade="plumbing", room="2")
    assert day.order(other).owner.id == "ann"
