"""Whoever is asked hears of it, unless it was taken back before."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatch.demo.asks import Asks
from dispatch.demo.settling import Register
from dispatch.demo.stage import Heard
from dispatch.topics import DEAD_LETTERS, DELIVERIES, WORK_ORDERS

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def said(number, kind, order="a", topic=WORK_ORDERS, cause=None, **data):
    return Heard(
        topic=topic, type=kind, id=f"campus:north:{number}", territory="north", subject=order,
        time=NOON + timedelta(minutes=number), data=data, headers={"causationid": cause} if cause else {},
    )  # fmt: skip


def offered(number=1, order="a", leg="a.1", kind="offered"):
    return said(number, f"work-order.{kind}", order, assignment_id=leg, technician_id="n01")


def test_an_offer_that_nobody_heard_of_breaks_the_promise():
    asks = Asks([offered(1)])
    assert not asks.broken({"campus:north:1"}, NOON + timedelta(hours=1))
    (broken,) = asks.broken(set(), NOON + timedelta(hours=1))
    assert str(broken) == "heard: 1 technicians were never told what they were asked: ['offered a.1 → n01']"


def test_what_was_asked_after_the_curtain_fell_counts_in_nothing():
    assert not Asks([offered(2)]).broken(set(), NOON + timedelta(minutes=1))


@pytest.mark.parametrize("kind", ["withdrawn", "offer-expired", "declined", "returned", "transferred", "accepted"])
def test_an_offer_whose_leg_is_over_need_not_be_heard_of(kind):
    asks = Asks([offered(1), said(2, f"work-order.{kind}", assignment_id="a.1", technician_id="n01")])
    assert not asks.unheard(set())
    assert [ask.over for ask in asks.in_vain(set())] == [kind]
    assert not asks.in_vain({"campus:north:1"})


@pytest.mark.parametrize("kind", ["cancelled", "closed", "merged", "refused"])
def test_nor_one_of_an_order_that_is_over(kind):
    assert not Asks([offered(1), said(2, f"work-order.{kind}")]).unheard(set())


def test_the_end_of_another_leg_or_order_changes_nothing():
    others = [said(2, "work-order.withdrawn", assignment_id="a.2"), said(3, "work-order.cancelled", "b")]
    assert len(Asks([offered(1), *others]).unheard(set())) == 1


def test_an_assignment_stands_although_it_was_accepted():
    accepted = said(2, "work-order.accepted", assignment_id="a.1")
    assert len(Asks([offered(1, kind="assigned"), accepted]).unheard(set())) == 1


def test_a_repeated_event_is_one_ask():
    assert len(Asks([offered(1), offered(1)]).all()) == 1


async def test_the_day_has_settled_when_every_input_is_answered_and_every_ask_heard():
    register = Register("campus")
    assert register.waits_for({"/demo/people:1"}, {"r1"}, set()) == 2
    await register.hear(said(1, "work-order.opened", request_id="r1", cause="campus:/demo/people:1"))
    assert register.waits_for({"/demo/people:1"}, {"r1"}, set()) == 0
    await register.hear(offered(2))
    assert register.waits_for(set(), set(), set()) == 1
    assert register.waits_for(set(), set(), {"campus:north:2"}) == 0


async def test_a_dead_letter_is_an_answer_and_a_delivery_is_none():
    register = Register("campus")
    raw = "eyJzcGVjdmVyc2lvbiI6IjEuMCIsInNvdXJjZSI6Ii9kZW1vIiwiaWQiOiI3IiwidHlwZSI6IngiLCJkYXRhIjp7fX0="
    await register.hear(said(1, "delivery.succeeded", topic=DELIVERIES, cause="campus:/demo:7"))
    assert register.waits_for({"/demo:7"}, set(), set()) == 1
    await register.hear(said(2, "input.refused", topic=DEAD_LETTERS, code="not-in-this-state", raw=raw))
    assert register.waits_for({"/demo:7"}, set(), set()) == 0
