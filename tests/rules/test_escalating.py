"""What slips is escalated: each rung once, never early, never after the clock stopped, held for who knows."""

from datetime import timedelta

import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy


@pytest.fixture
def day():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, hours=100)
    return day


def raised(day, order, clock="accept"):
    return [event for event in day.told(order, "escalation.raised") if event.data["clock"] == clock]


def test_a_clock_warns_at_each_of_its_points_once(day):
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=19)
    warned = day.told(order, "clock.warned")
    assert [event.time for event in warned] == [text_of(day.now - timedelta(minutes=m)) for m in (9, 3)]


def test_a_breach_is_announced_at_its_due_moment(day):
    order = day.report("leak", trade="plumbing")
    due_at = day.order(order).clocks["accept"].due_at
    day.advance(minutes=19, seconds=59)
    assert not day.told(order, "clock.breached")
    day.advance(seconds=1)
    assert [event.time for event in day.told(order, "clock.breached")] == [text_of(due_at)]


def test_each_rung_of_the_ladder_is_climbed_once(day):
    order = day.report("leak", trade="plumbing")
    due_at = day.order(order).clocks["accept"].due_at
    day.advance(hours=9)
    rungs = [(e.data["level"], e.data["due_at"], e.data["recipients"][0]["id"]) for e in raised(day, order)]
    assert rungs == [
        (1, text_of(due_at), "supervisor"),
        (2, text_of(due_at + timedelta(minutes=30)), "shift_leader"),
        (3, text_of(due_at + timedelta(hours=2)), "head"),
    ]
    assert [event.data["next_rung"] is None for event in raised(day, order)] == [False, False, True]


def test_a_ladder_goes_on_with_the_next_one():
    day = Day(small_policy())
    order = day.report("burst", trade="plumbing", urgency="emergency")
    day.advance(minutes=21)
    assert [event.data["level"] for event in raised(day, order)] == [1, 4]


def test_an_escalation_says_who_held_the_order_for_how_long(day):
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=20)
    told = raised(day, order)[0].data
    assert told["held_by"][-1] == {"owner": {"kind": "person", "id": "ann"}, "s": 1200}
    assert (told["order_state"], told["owner"]["id"], told["time_left_s"]) == ("assigned", "ann", 580 * 60)


def test_no_rung_is_climbed_after_the_clock_has_stopped(day):
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=25)
    day.act("accept", order, by="ann")
    day.advance(minutes=90)
    assert len(raised(day, order)) == 1
    assert [e.data["clock"] for e in day.told(order, "escalation.resolved")] == ["accept"]


def test_who_acknowledges_until_a_time_has_peace_until_then(day):
    order = day.report("leak", trade="plumbing")
    due_at = day.order(order).clocks["accept"].due_at
    day.advance(minutes=21)
    until = day.now + timedelta(hours=1)
    day.act("acknowledge", order, by="boss", role="supervisor", until=text_of(until))
    day.advance(minutes=59)
    assert len(raised(day, order)) == 1
    assert day.last("escalation.held").time == text_of(due_at + timedelta(minutes=30))
    day.advance(minutes=1)
    assert [event.data["level"] for event in raised(day, order)] == [1, 2]
    day.advance(hours=1, minutes=29)
    assert len(raised(day, order)) == 2
    day.advance(minutes=1)
    assert len(raised(day, order)) == 3


def test_who_acknowledges_without_a_time_is_known_and_the_ladder_goes_on(day):
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=21)
    day.act("acknowledge", order, by="boss", role="supervisor")
    assert day.order(order).escalations[0].acknowledged_by == "boss"
    day.advance(minutes=40)
    assert len(raised(day, order)) == 2


def test_nobody_can_acknowledge_what_does_not_ring(day):
    order = day.report("leak", trade="plumbing")
    day.act("acknowledge", order, by="boss", role="supervisor")
    assert day.refused[-1].code == "unknown-escalation"


def test_a_completion_keyed_in_late_takes_the_breach_back(day):
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("arrive", order, by="ann")
    done_at = day.now + timedelta(hours=9)
    day.advance(hours=11)
    breach = day.last("clock.breached")
    day.act("complete", order, by="ann", at=done_at, after_the_fact={"reason": "no network"})
    corrected = day.last("work-order.corrected").data
    assert corrected["supersedes"] == f"acme:north:{breach.sequence}"
    assert (corrected["verdict_before"], corrected["verdict_after"], corrected["clock"]) == (
        "breached",
        "met",
        "resolve",
    )
    assert day.order(order).clocks["resolve"].verdict == "met"
    assert day.order(order).escalations == ()
    assert day.last("work-order.completed").data["after_the_fact"] == {"reason": "no network"}


def test_an_arrival_keyed_in_after_the_start_takes_the_breach_of_arrive_back(day):
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    arrived_at = day.now + timedelta(hours=1)
    day.advance(hours=3)
    day.act("start", order, by="ann")
    assert day.order(order).clocks["arrive"].verdict == "breached"
    day.act("arrive", order, by="ann", at=arrived_at)
    assert day.order(order).clocks["arrive"].verdict == "met"
    assert day.last("work-order.corrected").data["clock"] == "arrive"


def test_a_completion_that_is_really_too_late_stays_too_late(day):
    order = day.report("leak", trade="plumbing")
    day.advance(hours=11)
    day.act("complete", order, by="ann")
    assert day.order(order).clocks["resolve"].verdict == "breached"
    assert not day.told(order, "work-order.corrected")


@pytest.mark.parametrize("fact_first", [True, False])
def test_it_does_not_matter_whether_the_clock_or_the_late_person_is_first(fact_first):
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.now += timedelta(minutes=25)
    if not fact_first:
        day.fire()
    day.act("accept", order, by="ann")
    day.fire()
    clock = day.order(order).clocks["accept"]
    assert (clock.verdict, clock.verdict_revision) == ("breached", 0)
    assert len(day.told(order, "clock.breached")) == 1
    assert len(raised(day, order)) == 1
    assert len(day.told(order, "escalation.resolved")) == 1


def test_a_hold_that_is_forgotten_is_asked_after_once(day):
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter", expected_resume_at=text_of(day.now + timedelta(hours=1)))
    day.advance(hours=5)
    asked = [event for event in day.told(order, "escalation.raised") if event.data["reason"] == "hold_overdue"]
    assert len(asked) == 1
    day.act("resume", order, by="ann")
    assert day.order(order).escalations == ()


def test_an_urge_reaches_higher_each_time(day):
    order = day.report("leak", trade="plumbing")
    for _ in range(4):
        day.act("urge", order, by="reporter", text="please")
    levels = [len(event.data["recipients"]) for event in day.told(order, "escalation.raised")]
    assert levels == [1, 2, 3, 3]
    assert len({event.data["escalation_id"] for event in day.told(order, "escalation.raised")}) == 4


def test_a_person_may_escalate_to_anybody(day):
    order = day.report("leak", trade="plumbing")
    day.act("escalate", order, by="ann", to="rector", reason="I am stuck", level=5)
    told = day.last("escalation.raised").data
    assert (told["cause"], told["level"], told["recipients"][0]["id"]) == ("person", 5, "rector")


def test_an_extension_after_the_breach_takes_it_back_and_a_new_breach_climbs_anew(day):
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=30)
    until = day.now + timedelta(minutes=30)
    day.act("request_extension", order, by="ann", until=text_of(until), clock="accept", reason="traffic")
    day.act("grant_extension", order, by="boss", role="supervisor")
    assert day.last("work-order.corrected").data["reason"] == "extended"
    assert day.order(order).clocks["accept"].due_at == until
    assert not [e for e in day.order(order).escalations if e.clock == "accept"]
    day.advance(minutes=31)
    assert [event.data["level"] for event in raised(day, order)] == [1, 1]
    assert len({event.data["escalation_id"] for event in raised(day, order)}) == 2


@pytest.mark.parametrize("until_min", [-60, 0, 10])
def test_an_extension_must_give_more_time(day, until_min):
    order = day.report("leak", trade="plumbing")
    until = text_of(day.now + timedelta(minutes=until_min))
    day.act("grant_extension", order, by="boss", role="supervisor", clock="accept", until=until)
    assert day.refused[-1].code == "invalid-value"


def test_an_extension_of_a_clock_that_does_not_run_is_refused(day):
    order = day.report("leak", trade="plumbing")
    until = text_of(day.now + timedelta(days=1))
    day.act("grant_extension", order, by="boss", role="supervisor", clock="confirm", until=until)
    assert day.refused[-1].code == "no-such-clock"
    day.act("grant_extension", order, by="boss", role="supervisor")
    assert day.refused[-1].code == "missing-field"


def test_a_denied_extension_leaves_the_clock_as_it_is(day):
    order = day.report("leak", trade="plumbing")
    before = day.order(order).clocks
    day.act("request_extension", order, by="ann", until=text_of(day.now + timedelta(days=1)))
    assert day.order(order).extension["clock"] == "resolve"
    day.act("deny_extension", order, by="boss", role="supervisor")
    assert day.order(order).clocks == before
    assert day.order(order).extension is None


def test_the_end_of_an_order_resolves_all_that_rings(day):
    order = day.report("leak", trade="plumbing")
    day.act("urge", order, by="reporter")
    day.advance(minutes=25)
    day.act("cancel", order, by="reporter")
    ids = {event.data["escalation_id"] for event in day.told(order, "escalation.raised")}
    assert {event.data["escalation_id"] for event in day.told(order, "escalation.resolved")} == ids
