"""Work that stands still: holds, locked doors, approvals, and how it goes on."""

from datetime import timedelta

import pytest

from dispatch.testing import Day
from tests.rules.at_work import day_of_ann, taken
from tests.rules.small_policy import direct_policy, small_policy


@pytest.fixture
def day():
    return day_of_ann()


def test_a_hold_stops_the_clocks_of_its_reason_and_a_resume_runs_them_again(day):
    order = taken(day, "start")
    day.advance(hours=1)
    day.act("hold", order, by="ann", reason="reporter")
    assert {name for name, clock in day.order(order).clocks.items() if clock.state == "paused"} == {"resolve"}
    day.advance(hours=20)
    assert not day.told(order, "clock.breached")
    day.act("resume", order, by="ann")
    known = day.order(order)
    assert (known.state, known.hold, known.owner.id) == ("in_progress", None, "ann")
    assert known.clocks["resolve"].due_at == day.now + timedelta(hours=9)
    assert known.clocks["resolve"].paused_s == {"reporter": 20 * 3600}


@pytest.mark.parametrize("steps", [(), ("depart",), ("depart", "arrive"), ("start",)])
def test_work_goes_on_exactly_where_it_was_held(day, steps):
    order = taken(day, *steps)
    before = day.order(order).active_legs()[0].state
    day.act("hold", order, by="ann", reason="unsafe")
    assert day.order(order).active_legs()[0].state == "on_hold"
    day.act("resume", order, by="ann")
    assert day.order(order).active_legs()[0].state == before


def test_a_hold_that_releases_the_technician_asks_again_when_it_is_over(day):
    order = taken(day, "start")
    day.act("hold", order, by="ann", reason="parts")
    known = day.order(order)
    assert (known.state, known.active_legs(), known.owner.id) == ("on_hold", [], "dispatcher")
    assert day.territory().technicians["ann"].load == ()
    day.advance(days=2)
    day.act("resume", order, by="desk", role="dispatcher")
    assert day.order(order).owner.id == "ann"


def test_the_desk_may_hold_an_order_that_nobody_has():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    day.act("hold", order, by="desk", role="dispatcher", reason="unsafe")
    assert day.order(order).state == "on_hold"
    day.technician("ann", skills={"plumbing": 3})
    assert day.order(order).active_legs() == []
    day.act("resume", order, by="desk", role="dispatcher")
    assert day.order(order).owner.id == "ann"


def test_who_has_only_been_asked_cannot_hold_the_work():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.act("hold", order, by="ann", reason="unsafe")
    assert day.refused[-1].code == "not-in-this-state"


def test_a_reason_that_is_not_in_the_catalogue_is_refused(day):
    order = taken(day)
    day.act("hold", order, by="ann", reason="laziness")
    assert day.refused[-1].code == "unknown-reason"
    day.act("hold", order, by="ann")
    assert day.refused[-1].code == "missing-field"


def test_a_locked_door_is_an_arrival_and_a_hold(day):
    order = taken(day)
    day.act("no_access", order, by="ann")
    known = day.order(order)
    assert (known.state, known.hold.reason) == ("on_hold", "waiting_access")
    assert known.clocks["arrive"].verdict == "met"
    assert known.clocks["resolve"].state == "paused"


def test_a_hold_keyed_in_late_takes_the_breach_in_between_back(day):
    order = taken(day, "start")
    held_at = day.now + timedelta(hours=9)
    day.advance(hours=11)
    assert day.told(order, "clock.breached")
    day.act("hold", order, by="ann", reason="reporter", at=held_at)
    assert day.last("work-order.corrected").data["clock"] == "resolve"
    assert day.order(order).clocks["resolve"].breached_at is None
    assert day.order(order).escalations == ()
    day.act("resume", order, by="ann")
    assert day.order(order).clocks["resolve"].due_at == day.now + timedelta(hours=1)


def test_an_approval_is_waited_for_and_the_work_goes_on_where_it_was(day):
    order = taken(day, "start")
    day.act("request_approval", order, by="ann", subject="wall", amount={"amount_minor": 5, "currency": "CNY"})
    assert (day.order(order).state, day.order(order).owner.id) == ("awaiting_approval", "approver")
    day.act("decide_approval", order, by="boss", decision="approved")
    assert (day.order(order).state, day.order(order).owner.id, day.order(order).approval) == (
        "in_progress",
        "ann",
        None,
    )


def test_an_approval_asked_for_during_a_hold_goes_back_to_the_hold(day):
    order = taken(day, "start")
    day.act("hold", order, by="ann", reason="reporter")
    day.act("request_approval", order, by="ann")
    day.act("decide_approval", order, by="boss", decision="approved")
    assert day.order(order).state == "on_hold"
    day.act("resume", order, by="ann")
    assert day.order(order).state == "in_progress"


def test_whoever_is_asked_is_not_kept_waiting_for_an_approval():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.act("request_approval", order, by="desk", role="dispatcher")
    assert day.territory().technicians["ann"].load == ()
    day.act("decide_approval", order, by="boss", decision="approved")
    assert day.order(order).state == "offered"
    assert day.order(order).asked == {}
