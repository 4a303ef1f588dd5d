"""What reporters do: accept, reject, rate, reopen, urge, amend, cancel, appeal."""

from datetime import timedelta

import pytest

from dispatch.rules.state import text_of
from dispatch.rules.territory import Territory
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy


@pytest.fixture
def day():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, hours=2000)
    return day


def done(day):
    order = day.report("leak", trade="plumbing", by="subject-1")
    day.act("accept", order, by="ann")
    day.advance(hours=2)
    day.act("complete", order, by="ann")
    return order


def test_a_confirmation_closes_the_order(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    assert day.types(order)[-2:] == ["work-order.confirmed", "work-order.closed"]
    assert day.last("work-order.closed").data["acceptance"] == {"by_role": "requester", "mode": "explicit"}


def test_an_inspectors_confirmation_is_marked_as_such(day):
    order = done(day)
    day.act("confirm", order, by="boss", role="inspector")
    assert day.order(order).acceptance == {"by_role": "inspector", "mode": "inspector"}


def test_a_rejection_resumes_resolve_with_elapsed_kept_and_the_wait_left_out(day):
    order = done(day)
    day.advance(hours=30)
    day.act("reject_work", order, by="subject-1", reason="still leaks")
    known = day.order(order)
    resolve = known.clocks["resolve"]
    assert (resolve.state, resolve.verdict, resolve.elapsed_s) == ("running", None, 2 * 3600)
    assert resolve.due_at == day.now + timedelta(hours=8)
    assert known.clocks["confirm"].state == "cancelled"
    assert (known.cycle, known.completion, known.counters["work_rejections"]) == (1, None, 1)


def test_rejected_work_is_given_again_at_once(day):
    order = done(day)
    day.act("reject_work", order, by="subject-1")
    known = day.order(order)
    assert (known.state, known.owner.id) == ("assigned", "ann")
    assert [leg.state for leg in known.legs] == ["past", "assigned"]


def test_work_that_was_rejected_may_be_completed_and_confirmed(day):
    order = done(day)
    day.act("reject_work", order, by="subject-1")
    day.advance(hours=1)
    day.act("complete", order, by="ann", visit_no=2)
    assert day.order(order).clocks["resolve"].elapsed_s == 3 * 3600
    day.advance(days=2)
    day.act("confirm", order, by="subject-1")
    assert day.order(order).state == "closed"


def test_work_rejected_after_a_breach_goes_on_up_the_ladder(day):
    order = day.report("leak", trade="plumbing")
    day.advance(hours=10, minutes=10)
    day.act("complete", order, by="ann")
    day.advance(days=1)
    day.act("reject_work", order, by="reporter")
    day.advance(minutes=19)
    assert [e.data["level"] for e in day.told(order, "escalation.raised") if e.data["clock"] == "resolve"] == [1]
    day.advance(minutes=1)
    assert [e.data["level"] for e in day.told(order, "escalation.raised") if e.data["clock"] == "resolve"] == [1, 2]


def test_reopening_starts_a_new_cycle_with_new_promises_and_keeps_the_history(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    day.advance(days=10)
    day.act("reopen", order, by="subject-1", reason="again")
    known = day.order(order)
    assert (known.cycle, known.state, known.counters["reopens"]) == (2, "assigned", 1)
    assert known.clocks["resolve"].due_at == day.now + timedelta(hours=10)
    assert day.last("work-order.reopened").data["rework"] == {"of_id": order, "basis": "reporter"}
    assert known.legs[-1].assignment_id.split(".")[-2:] == ["2", "2"]


def test_the_time_between_closure_and_reopening_is_nobodys(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    day.advance(days=10)
    day.act("reopen", order, by="subject-1")
    assert sum(day.order(order).time_by_owner.values()) == 2 * 3600


def reopened_unsaved(day):
    """An order that was cancelled and is open again; a territory that has not yet been saved since."""
    order = day.report("leak", trade="plumbing")
    opened = day.order(order)
    day.act("cancel", order, by="reporter")
    territory = Territory("acme", "north")
    territory.recalled[order] = day.order(order)
    territory.put_order(opened)
    return order, opened, territory


def test_a_reopened_order_is_listed_for_the_store_until_it_is_saved(day):
    order, opened, territory = reopened_unsaved(day)
    assert territory.reopened == {order}
    assert territory.orders == {order: opened}
    territory.saved()
    assert territory.reopened == set()


def test_an_order_that_ends_again_before_it_is_saved_is_not_listed(day):
    order, _opened, territory = reopened_unsaved(day)
    territory.put_order(day.order(order))
    assert territory.reopened == set()
    assert territory.changed_orders == {order: day.order(order)}


def test_it_may_be_too_late_to_reopen(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    day.advance(days=15, seconds=1)
    day.act("reopen", order, by="subject-1")
    assert day.refused[-1].code == "too-late-to-reopen"


def test_a_rating_counts_when_it_is_the_reporters_own(day):
    order = done(day)
    day.act("rate", order, by="subject-1", dimensions={"speed": 5}, scale="stars")
    assert day.last("work-order.rated").data["eligible"] is True
    day.act("rate", order, by="somebody", dimensions={"speed": 1})
    assert day.last("work-order.rated").data["eligible"] is False


def test_a_rating_may_come_long_after_the_end(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    day.advance(days=100)
    day.act("rate", order, by="subject-1", dimensions={"speed": 5})
    day.act("follow_up", order, by="desk", method="phone", outcome="content")
    assert not day.refused
    assert day.last("work-order.followed-up").data["outcome"] == "content"


def test_better_words_reach_who_has_the_order(day):
    order = day.report("leak", trade="plumbing")
    day.act("amend", order, by="reporter", text="it is the ceiling")
    assert day.order(order).text == "it is the ceiling"
    told = day.last("work-order.updated").data
    assert (told["technician_id"], told["text"]) == ("ann", "it is the ceiling")


def test_an_amendment_does_not_move_an_order_to_another_territory(day):
    order = day.report("leak", trade="plumbing")
    place = {"territory": "south", "area_id": "south.b1", "area_path": ["south", "south.b1"]}
    day.act("amend", order, by="reporter", resolved_location=place)
    assert day.refused[-1].code == "other-territory"


def test_other_times_are_passed_on(day):
    order = day.report("leak", trade="plumbing")
    windows = [{"start": text_of(day.now), "end": text_of(day.now + timedelta(hours=1))}]
    day.act("reschedule", order, by="reporter", windows=windows)
    assert day.last("work-order.rescheduled").data["windows"] == windows


def test_nobody_drives_to_a_job_that_was_cancelled(day):
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("cancel", order, by="reporter", reason="solved_itself")
    known = day.order(order)
    assert (known.state, known.legs[0].state) == ("cancelled", "withdrawn")
    assert day.territory().technicians["ann"].load == ()
    assert day.next_due() == day.territory().technicians["ann"].shifts[0].end


def test_a_refusal_may_be_appealed_and_undone(day):
    day.shift("ended", "ann", day.now, day.now + timedelta(hours=2000))
    order = day.report("leak", trade="plumbing")
    day.act("refuse", order, by="desk", role="dispatcher", reason="not ours", where_instead="the landlord")
    day.act("appeal", order, by="reporter", reason="it is")
    assert day.order(order).escalations[0].cause == "person"
    day.act("acknowledge", order, by="boss", role="supervisor")
    day.act("reopen", order, by="boss", role="supervisor")
    known = day.order(order)
    assert (known.state, known.cycle, known.escalations) == ("open", 2, ())
    assert "rework" not in day.last("work-order.reopened").data


def test_what_is_kept_of_an_order_that_is_over_is_small(day):
    order = done(day)
    day.act("confirm", order, by="subject-1")
    known = day.order(order)
    assert (known.clocks, known.asked, known.hold, known.escalations) == ({}, {}, None, ())
    assert known.handled
    assert known.completion["disposition"] == "fixed"
