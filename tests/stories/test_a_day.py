"""Whole days, told in a few lines each."""

from datetime import timedelta

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy


def test_a_burst_pipe_is_reported_by_five_and_repaired_once():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3})
    orders = [
        day.report("burst pipe!", trade="plumbing", room="402", urgency="emergency", by=f"s{n}") for n in range(5)
    ]
    assert [day.order(order).state for order in orders] == ["assigned", *["merged"] * 4]
    assert day.order(orders[0]).followers == ("s1", "s2", "s3", "s4")
    day.advance(minutes=3)
    for action in ("accept", "arrive", "make_safe", "start", "complete"):
        day.act(action, orders[0], by="ann")
        day.advance(minutes=4)
    day.act("confirm", orders[0], by="s0")
    assert day.order(orders[0]).state == "closed"
    assert not day.told(kind="clock.breached")
    assert len(day.territory().orders) == 0


def test_a_technician_stays_silent_and_the_next_one_accepts():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    day.technician("bob", skills={"plumbing": 3})
    order = day.report("tap leaks", trade="plumbing", room="1")
    silent = day.order(order).active_legs()[0].technician_id
    day.advance(minutes=6)
    other = day.order(order).active_legs()[0].technician_id
    assert {silent, other} == {"ann", "bob"}
    day.act("accept", order, by=other)
    day.act("complete", order, by=other)
    assert day.order(order).counters == {"offers": 2, "offer_expiries": 1, "completions": 1}


def test_a_technician_without_a_network_reports_hours_later():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, hours=30)
    order = day.report("tap leaks", trade="plumbing", room="1")
    begun = day.now
    day.advance(hours=11)
    broken = {event.data["clocks"][0].name for event in day.told(order, "clock.breached")}
    assert broken == {"accept", "arrive", "resolve"}
    for action, minutes in (("accept", 5), ("arrive", 20), ("complete", 50)):
        day.act(action, order, by="ann", at=begun + timedelta(minutes=minutes), after_the_fact={"reason": "cellar"})
    known = day.order(order)
    assert known.state == "completed"
    assert {clock.verdict for name, clock in known.clocks.items() if name != "confirm"} == {"met"}
    assert sorted(event.data["clock"] for event in day.told(order, "work-order.corrected")) == [
        "accept",
        "arrive",
        "resolve",
    ]
    assert known.times["first_completed"] == text_of(begun + timedelta(minutes=50))
    assert known.escalations == ()


def test_a_repair_is_rejected_and_done_again():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, hours=100)
    order = day.report("tap leaks", trade="plumbing", by="s1")
    day.act("arrive", order, by="ann")
    day.advance(hours=1)
    day.act("complete", order, by="ann")
    day.advance(hours=20)
    day.act("reject_work", order, by="s1", reason="still leaks")
    day.advance(hours=1)
    day.act("complete", order, by="ann", visit_no=2)
    day.act("confirm", order, by="s1")
    day.act("rate", order, by="s1", dimensions={"quality": 4})
    told = day.told(order, "work-order.completed")
    assert [next(c for c in event.data["clocks"] if c["name"] == "resolve")["working_s"] for event in told] == [
        3600,
        7200,
    ]
    assert day.order(order).state == "closed"
    assert not day.told(kind="clock.breached")


def test_an_emergency_at_night_finds_nobody_and_climbs_until_somebody_comes():
    day = Day(small_policy(), start="2026-03-02T02:00:00Z")
    day.technician("ann", skills={"plumbing": 3}, hours=None)
    order = day.report("burst pipe", trade="plumbing", urgency="emergency")
    day.advance(minutes=21)
    heard = [event.data["recipients"][0]["id"] for event in day.told(order, "escalation.raised")]
    assert heard == ["shift_leader", "supervisor", "rector", "supervisor"]
    day.shift("started", "ann", day.now, day.now + timedelta(hours=4))
    assert day.order(order).owner.id == "ann"
    day.act("arrive", order, by="ann")
    day.advance(hours=1)
    assert day.last("escalation.raised").data["clock"] == "make_safe"
    day.act("make_safe", order, by="ann")
    day.act("complete", order, by="ann")
    assert day.order(order).escalations == ()


def test_a_vacancy_in_the_crew_is_filled_when_the_next_shift_begins():
    day = Day(small_policy())
    day.technician("ann", skills={"moving": 1})
    day.technician("bob", skills={"moving": 1})
    day.technician("cat", skills={"moving": 1}, hours=None)
    start = day.now + timedelta(hours=1)
    day.shift("planned", "cat", start, start + timedelta(hours=8))
    order = day.report("piano on the stairs", trade="moving")
    assert len(day.order(order).active_legs()) == 2
    day.advance(hours=1)
    assert len(day.order(order).active_legs()) == 3
