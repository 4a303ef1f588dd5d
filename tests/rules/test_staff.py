"""Technicians, shifts and positions: the latest wins, and what somebody held is not lost when they leave."""

from datetime import timedelta

import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy


@pytest.fixture
def day():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, version=5)
    return day


def known(day, name="ann"):
    return day.territory().technicians[name]


def test_an_older_entry_has_no_effect(day):
    day.technician("ann", skills={"cleaning": 1}, version=4, hours=None)
    assert [skill.trade for skill in known(day).skills] == ["plumbing"]
    assert day.last("lane.decided").data["repeated"] == 1


def test_a_newer_entry_replaces_the_skills_and_keeps_shift_and_load(day):
    order = day.report("leak", trade="plumbing")
    day.technician("ann", skills={"plumbing": 5}, version=6, hours=None, speed_m_s=3)
    assert (known(day).skills[0].level, known(day).speed_m_s) == (5, 3.0)
    assert known(day).on_shift() is not None
    assert known(day).load == (day.order(order).legs[0].assignment_id,)


@pytest.mark.parametrize(("open_", "expected"), [(0, 0), (1, 1), (7, 7), (None, 3)])
def test_capacity_is_as_said_and_three_when_nothing_is_said(day, open_, expected):
    day.technician("ann", skills={"plumbing": 3}, version=6, capacity=open_)
    assert known(day).capacity_open == expected


def test_what_somebody_held_goes_back_to_the_queue_when_they_leave(day):
    order = day.report("leak", trade="plumbing", order_id="with.dots.1")
    day.act("accept", order, by="ann")
    day.say("technician.removed", {"id": "ann"})
    assert (day.order(order).state, day.order(order).owner.id) == ("open", "shift_leader")
    assert (known(day).removed, known(day).load) == (True, ())
    assert day.last("work-order.withdrawn").data["reason"] == "technician_removed"
    day.say("technician.removed", {"id": "ann"})
    assert len(day.told(kind="technician.removed")) == 1


def test_a_removal_older_than_the_entry_has_no_effect(day):
    day.say("technician.removed", {"id": "ann", "version": 4})
    assert not known(day).removed


def test_who_comes_back_is_on_the_roster_again(day):
    day.say("technician.removed", {"id": "ann", "version": 6})
    day.technician("ann", skills={"plumbing": 3}, version=6)
    assert known(day).removed
    day.technician("ann", skills={"plumbing": 3}, version=7)
    assert not known(day).removed


def test_nobody_can_be_planned_who_is_not_on_the_roster(day):
    for kind, data in (
        ("shift.started", {"technician_id": "x"}),
        ("position.reported", {"technician_id": "x", "measured_at": text_of(day.now)}),
        ("technician.removed", {"id": "x"}),
    ):
        day.say(kind, data)
        assert day.refused[-1].code == "unknown-technician"


def test_a_planned_shift_begins_and_ends_by_itself(day):
    day.advance(hours=13)
    assert known(day).on_shift() is None
    start, end = day.now + timedelta(hours=1), day.now + timedelta(hours=9)
    day.shift("planned", "ann", start, end)
    day.advance(hours=10)
    begun, over = day.told(kind="shift.started")[-1], day.told(kind="shift.ended")[-1]
    assert (begun.time, over.time) == (text_of(start), text_of(end))
    assert known(day).on_shift() is None


def test_a_shift_that_passed_while_nobody_looked_begins_and_ends_at_its_times(day):
    start, end = day.now + timedelta(hours=20), day.now + timedelta(hours=28)
    day.shift("planned", "ann", start, end)
    day.now += timedelta(hours=40)
    day.fire()
    assert [event.time for event in day.told(kind="shift.ended")][-1] == text_of(end)
    assert day.next_due() is None


def test_a_plan_that_is_known_has_no_effect_and_one_with_another_end_has(day):
    start = day.now + timedelta(days=1)
    for hours in (8, 8, 9):
        day.shift("planned", "ann", start, start + timedelta(hours=hours))
    assert len(day.told(kind="shift.planned")) == 2
    assert known(day).shifts[-1].end == start + timedelta(hours=9)


def test_a_plan_does_not_undo_what_has_begun(day):
    shift = known(day).shifts[0]
    day.shift("planned", "ann", shift.start, shift.end)
    assert known(day).on_shift() == shift


def test_a_shift_may_be_ended_without_saying_which(day):
    day.say("shift.ended", {"technician_id": "ann"})
    assert known(day).on_shift() is None
    day.advance(days=2)
    day.say("shift.ended", {"technician_id": "ann"})
    assert day.refused[-1].code == "unknown-shift"


def test_a_shift_ends_after_its_start(day):
    day.shift("planned", "ann", day.now, day.now)
    assert day.refused[-1].code == "invalid-value"


def test_who_is_absent_gets_nothing(day):
    start = day.now + timedelta(hours=20)
    day.shift("planned", "ann", start, start + timedelta(hours=8))
    day.shift("absent", "ann", start, start + timedelta(hours=8))
    day.advance(hours=21)
    assert known(day).on_shift() is None


def test_the_latest_position_wins(day):
    for minutes, area in ((5, "north.b1"), (3, "north.b2"), (5, "north")):
        measured_at = text_of(day.now + timedelta(minutes=minutes))
        day.say("position.reported", {"technician_id": "ann", "measured_at": measured_at, "area_id": area})
    assert known(day).area_id == "north.b1"
    assert len(day.told(kind="position.reported")) == 1
