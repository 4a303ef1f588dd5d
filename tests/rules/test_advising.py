"""A larger model's hint: the front desk sees it, and nothing else comes of it."""

import pytest

from dispatch.rules.advising import advice_id
from dispatch.rules.triage_model import OUT_OF_SCOPE
from dispatch.testing import Day
from tests.rules.small_policy import small_policy

SOURCE = {"name": "house", "model": "larger", "prompt_version": "advice-1"}


def new_day():
    day = Day(small_policy())
    with day.batch():
        day.technician("ann", skills={"plumbing": 3}, hours=100)
    return day


def advise(day, order, trade="plumbing", **more):
    data = {
        "trade": trade,
        "urgency": "urgent",
        "kind": "repair",
        "confidence": 0.8,
        "source": SOURCE,
        "asked_at": "2026-03-02T08:00:01.000Z",
        "took_ms": 900,
        "reason": "water under the sink",
    }
    day.say("advice.given", data | more, order_id=order, command_id=advice_id(order))


def unplaced(day):
    return day.report("something is strange here")


def test_a_hint_is_an_event_that_changes_nothing_of_the_order_but_the_hint():
    day = new_day()
    order = unplaced(day)
    before = day.order(order)
    advise(day, order)
    event = day.last("work-order.advised")
    assert event.subject == order
    assert event.data["source"] == SOURCE
    assert event.data["took_ms"] == 900
    assert event.data["reason"] == "water under the sink"
    after = day.order(order)
    changed = {name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    assert changed == {"advice", "handled"}
    assert after.advice["trade"] == "plumbing"
    assert after.needs_triage
    assert day.types(order)[-1] == "work-order.advised"
    assert not day.told(order, "work-order.offered")


def test_an_emergency_in_a_hint_alarms_nobody():
    day = new_day()
    order = unplaced(day)
    advise(day, order, urgency="emergency")
    assert day.order(order).urgency == "normal"
    assert not day.told(order, "escalation.raised")


def test_the_same_hint_twice_has_one_effect():
    day = new_day()
    order = unplaced(day)
    advise(day, order)
    advise(day, order, trade="electrical")
    assert len(day.told(order, "work-order.advised")) == 1
    assert day.order(order).advice["trade"] == "plumbing"
    assert not day.refused


def test_a_late_hint_is_recorded_while_the_order_is_open_and_dropped_once_it_is_over():
    day = new_day()
    placed, over = unplaced(day), unplaced(day)
    day.act("reclassify", placed, by="desk", role="front_desk", trade="plumbing")
    day.act("cancel", over, by="desk", role="front_desk", reason="gone")
    for order in (placed, over, "wo-nobody-knows"):
        advise(day, order, trade="electrical")
    assert len(day.told(placed, "work-order.advised")) == 1
    assert day.order(placed).trade == "plumbing"
    assert not day.told(over, "work-order.advised")
    assert not day.refused


def test_a_trade_that_the_site_no_longer_has_is_dropped():
    day = new_day()
    order = unplaced(day)
    advise(day, order, trade="magic")
    assert day.order(order).advice is None
    assert not day.refused


@pytest.mark.parametrize(
    ("hint", "chosen", "agreed"), [("plumbing", "plumbing", True), ("cleaning", "plumbing", False)]
)
def test_what_the_front_desk_chooses_says_whether_the_hint_agreed(hint, chosen, agreed):
    day = new_day()
    order = unplaced(day)
    advise(day, order, trade=hint)
    day.act("reclassify", order, by="desk", role="front_desk", trade=chosen)
    assert day.last("work-order.classified").data["hint_agreed"] is agreed
    assert not any("hint_agreed" in event.data for event in day.told(order, "work-order.reclassified"))


@pytest.mark.parametrize(("hint", "agreed"), [(OUT_OF_SCOPE, True), ("plumbing", False)])
def test_a_refusal_agrees_with_out_of_scope(hint, agreed):
    day = new_day()
    order = unplaced(day)
    advise(day, order, trade=hint)
    day.act("refuse", order, by="desk", role="front_desk", reason="not_ours")
    assert day.last("work-order.refused").data["hint_agreed"] is agreed
    assert day.order(order).advice is None


def test_without_a_hint_nothing_is_said_of_agreement():
    day = new_day()
    order = unplaced(day)
    day.act("reclassify", order, by="desk", role="front_desk", trade="plumbing")
    assert "hint_agreed" not in day.last("work-order.classified").data


def test_a_hint_follows_an_order_that_has_moved_elsewhere():
    day = new_day()
    order = unplaced(day)
    place = {"territory": "south", "area_id": "south.b1", "area_path": ["south", "south.b1"]}
    day.act("relocate", order, by="desk", role="front_desk", resolved_location=place)
    text = "2026-03-02T08:00:01.000Z"
    for _ in range(2):
        day.say(
            "advice.given",
            {"trade": "plumbing", "confidence": 1.0, "source": SOURCE, "asked_at": text, "took_ms": 9},
            to="north",
            order_id=order,
            command_id=advice_id(order),
        )
    assert day.territory("south").orders[order].advice["trade"] == "plumbing"
    assert len(day.told(order, "work-order.advised")) == 1
    assert not day.refused
