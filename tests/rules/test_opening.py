"""A report becomes an order: with its promises, attached to one that is open, or left to the front desk."""

from datetime import timedelta

import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import small_policy


@pytest.fixture
def day():
    """A day on which the only plumber is not on shift, so that orders wait."""
    day = Day(small_policy())
    day.technician("zoe", skills={"plumbing": 1}, hours=None)
    return day


def test_a_report_opens_an_order_with_its_promises_and_an_owner(day):
    order = day.order(day.report("tap leaks", trade="plumbing", room="402"))
    assert (order.state, order.owner.id, order.display_no) == ("open", "dispatcher", "NORTH-00001")
    assert set(order.clocks) == {"accept", "arrive", "resolve"}
    told = day.last("work-order.opened").data
    assert told["promised_at"] == text_of(order.clocks["resolve"].due_at)
    assert [target.name for target in told["targets"]] == ["accept", "arrive", "resolve"]
    assert told["policy_version"] == day.policy.version


def test_clocks_start_when_it_was_reported_not_when_it_was_opened(day):
    reported_at = day.now - timedelta(minutes=15)
    order = day.order(day.report("tap leaks", trade="plumbing", reported_at=text_of(reported_at)))
    assert order.clocks["accept"].due_at == reported_at + timedelta(minutes=20)


def test_an_emergency_promises_to_make_safe_and_the_shift_leader_hears_of_it_at_once(day):
    order = day.report("burst pipe", trade="plumbing", urgency="emergency")
    assert "make_safe" in day.order(order).clocks
    raised = day.last("escalation.raised")
    assert raised.data["cause"] == "emergency"
    assert raised.data["recipients"] == [{"id": "shift_leader", "role": "shift_leader", "why": "emergency"}]


def test_numbers_for_people_go_on_from_order_to_order(day):
    found = [day.order(day.report("x", trade="plumbing", room=str(room))).display_no for room in range(3)]
    assert found == ["NORTH-00001", "NORTH-00002", "NORTH-00003"]


def test_a_promise_made_outside_overrides_resolve_and_nothing_else(day):
    due_at = day.now + timedelta(minutes=90)
    order = day.order(day.report("leak", trade="plumbing", due_at=text_of(due_at)))
    assert order.clocks["resolve"].due_at == due_at
    assert order.clocks["arrive"].due_at == day.now + timedelta(hours=2)
    assert day.last("work-order.opened").data["promised_at"] == text_of(due_at)


def test_a_promise_made_outside_that_has_passed_is_broken_at_once_and_never_early(day):
    due_at = day.now - timedelta(minutes=10)
    order = day.report("leak", trade="plumbing", due_at=text_of(due_at), reported_at=text_of(due_at))
    day.advance(seconds=0)
    broken = day.last("clock.breached")
    assert broken.time == text_of(due_at)
    assert day.order(order).clocks["resolve"].breached_at == due_at


# duplicates ---------------------------------------------------------------------------------------------------


def test_the_same_room_and_trade_within_the_window_is_the_same_fault(day):
    first = day.report("tap leaks", trade="plumbing", room="402", by="one")
    day.advance(minutes=30)
    second = day.report("water everywhere", trade="plumbing", room="402", by="two")
    assert day.order(second).state == "merged"
    assert day.order(second).merged_into == first
    assert day.order(first).followers == ("two",)
    assert day.order(first).links == ({"type": "duplicate", "id": second},)
    assert day.last("work-order.merged").data["basis"] == "machine"


@pytest.mark.parametrize(
    "other",
    [
        {"room": "403"},
        {"room": None},
        {"building": "b2"},
        {"trade": "electrical"},
        {"drill": True},
        {"kind": "complaint"},
        {"trade": None},
    ],
)
def test_what_differs_in_place_trade_or_kind_is_another_fault(day, other):
    day.report("tap leaks", trade="plumbing", room="402")
    second = day.report("again", **{"trade": "plumbing", "room": "402", **other})
    assert day.order(second).state != "merged"


def test_rooms_are_compared_without_regard_to_case(day):
    day.report("tap leaks", trade="plumbing", room="4b")
    assert day.order(day.report("tap", trade="plumbing", room="4B")).state == "merged"


def test_the_same_asset_is_the_same_fault_wherever_it_was_seen(day):
    def place(area):
        return {"territory": "north", "area_id": area, "asset_id": "PUMP-1", "area_path": ["north", area]}

    day.report("hums", trade="plumbing", location=place("north.b1"))
    assert day.order(day.report("hums", trade="plumbing", location=place("north.b2"))).state == "merged"


def test_after_the_window_it_is_another_fault(day):
    day.report("tap leaks", trade="plumbing", room="402")
    day.advance(hours=2, seconds=1)
    assert day.order(day.report("tap leaks", trade="plumbing", room="402")).state == "open"


def test_a_trade_without_a_window_never_joins(day):
    day.report("dirty", trade="cleaning", room="1")
    assert day.order(day.report("dirty", trade="cleaning", room="1")).state == "open"


def test_duplicates_may_be_switched_off():
    day = Day(small_policy(duplicates={"enabled": False}))
    day.report("tap leaks", trade="plumbing", room="402")
    assert day.order(day.report("tap leaks", trade="plumbing", room="402")).state == "open"


def test_an_order_that_is_done_takes_no_more_reports(day):
    day.technician("ann", skills={"plumbing": 1})
    first = day.report("tap leaks", trade="plumbing", room="402")
    day.act("accept", first, by="ann")
    day.act("complete", first, by="ann")
    assert day.order(day.report("tap leaks", trade="plumbing", room="402")).state != "merged"


def test_the_oldest_of_several_takes_the_report():
    day = Day(small_policy(duplicates={"window": "1h"}))
    first = day.report("tap", trade="plumbing", room="1")
    day.advance(minutes=40)
    day.act("note", first, by="desk", role="dispatcher")
    second = day.report("tap", trade="plumbing", room="1", kind="inspection_finding")
    third = day.report("tap", trade="plumbing", room="1")
    assert day.order(second).state == "open"
    assert day.order(third).merged_into == first


def test_a_duplicate_has_no_promises_of_its_own_and_is_offered_to_nobody(day):
    day.report("tap leaks", trade="plumbing", room="402")
    second = day.report("tap leaks", trade="plumbing", room="402")
    assert day.types(second) == ["work-order.opened", "work-order.merged"]


# the front desk -----------------------------------------------------------------------------------------------


def test_what_nobody_can_classify_waits_at_the_front_desk_with_a_clock(day):
    day.technician("ann", skills={"plumbing": 1})
    order = day.order(day.report("something is odd"))
    assert (order.owner.id, set(order.clocks), order.wants_matching) == ("front_desk", {"triage"}, False)


def test_triage_by_a_person_starts_the_service_from_the_report_on(day):
    day.technician("ann", skills={"plumbing": 1})
    order = day.report("something is odd")
    reported_at = day.now
    day.advance(minutes=10)
    day.act("reclassify", order, by="desk", role="front_desk", trade="plumbing", urgency="urgent")
    known = day.order(order)
    assert known.clocks["triage"].verdict == "met"
    assert known.clocks["accept"].started_at == reported_at
    assert known.active_legs()[0].technician_id == "ann"
    assert (known.urgency, known.trade_reported, known.trade) == ("urgent", None, "plumbing")
    assert known.times["classified"] == text_of(day.now)
    assert day.told(order, "work-order.classified")


def test_triage_needs_a_trade(day):
    order = day.report("something is odd")
    day.act("reclassify", order, by="desk", role="front_desk", urgency="urgent")
    assert day.refused[-1].code == "missing-field"
    day.act("reclassify", order, by="desk", role="front_desk", trade="alchemy")
    assert day.refused[-1].code == "unknown-trade"


def test_triage_that_finds_an_emergency_alarms(day):
    order = day.report("smell of gas")
    day.act("reclassify", order, by="desk", role="front_desk", trade="plumbing", urgency="emergency")
    assert day.last("escalation.raised").data["cause"] == "emergency"
    assert "make_safe" in day.order(order).clocks


def test_triage_that_takes_too_long_is_escalated_and_still_possible(day):
    order = day.report("something is odd")
    day.advance(minutes=31)
    assert day.last("escalation.raised").data["clock"] == "triage"
    day.act("reclassify", order, by="desk", role="front_desk", trade="plumbing")
    assert day.order(order).clocks["triage"].verdict == "breached"
    assert not [e for e in day.order(order).escalations if e.clock == "triage"]
