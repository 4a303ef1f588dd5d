"""A receiver who could not be told: the order goes on without them, and says why."""

import pytest

from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy


def staffed(*names, policy=None):
    day = Day(policy or small_policy())
    with day.batch():
        for name in names:
            day.technician(name, skills={"plumbing": 3}, hours=100)
    return day


def undelivered(day, order, leg, **more):
    data = {
        "event_type": "work-order.offered",
        "receiver": f"technician/{leg['technician_id']}",
        "assignment_id": leg["assignment_id"],
        "reason": "gone",
        "status": 410,
        "hook": "app",
        "attempts": 1,
        **more,
    }
    day.say("delivery.failed", data, order_id=order, command_id=f"dl1:{leg['assignment_id']}")


def test_an_offer_that_nobody_heard_of_goes_to_the_next_one_and_says_why():
    day = staffed("ann", "bob")
    order = day.report("leak", trade="plumbing")
    first = day.told(order, "work-order.offered")[0].data
    undelivered(day, order, first)
    expired = day.last("work-order.offer-expired").data
    assert expired["reason"] == "unreachable"
    assert "410" in expired["note"]
    offers = [event.data["technician_id"] for event in day.told(order, "work-order.offered")]
    assert len(offers) == 2
    assert offers[0] != offers[1]


def test_the_same_outcome_twice_has_one_effect():
    day = staffed("ann", "bob", "cid")
    order = day.report("leak", trade="plumbing")
    first = day.told(order, "work-order.offered")[0].data
    undelivered(day, order, first)
    undelivered(day, order, first)
    assert len(day.told(order, "work-order.offer-expired")) == 1


def test_an_offer_that_was_answered_meanwhile_stays_with_whom_took_it():
    day = staffed("ann", "bob")
    order = day.report("leak", trade="plumbing")
    first = day.told(order, "work-order.offered")[0].data
    day.act("accept", order, by=first["technician_id"])
    undelivered(day, order, first)
    assert day.order(order).state == "accepted"
    assert not day.told(order, "escalation.raised")


def test_an_assignment_stays_and_the_desk_hears_once_that_its_technician_may_not_know():
    day = staffed("ann", policy=direct_policy())
    order = day.report("leak", trade="plumbing")
    first = day.told(order, "work-order.assigned")[0].data
    for number in range(2):
        undelivered(day, order, first, event_type="work-order.assigned", attempts=number)
    assert day.order(order).state == "assigned"
    (raised,) = day.told(order, "escalation.raised")
    assert raised.data["reason"] == "unreachable"


@pytest.mark.parametrize("how", ["cancel"])
def test_an_order_that_is_over_is_left_alone(how):
    day = staffed("ann")
    order = day.report("leak", trade="plumbing")
    first = day.told(order, "work-order.offered")[0].data
    day.act(how, order, by="reporter", reason="mistake")
    undelivered(day, order, first)
    assert not day.told(order, "escalation.raised")


def test_an_order_that_nobody_knows_is_refused():
    day = staffed("ann")
    undelivered(day, "wo-nowhere", {"technician_id": "ann", "assignment_id": "x"})
    assert [refusal.code for refusal in day.refused] == ["unknown-order"]
