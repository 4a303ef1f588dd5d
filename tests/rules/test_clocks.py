"""Clocks: what elapses adds up, what stands still does not count, and a timer fires when it is due and never again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules import clocks
from dispatch.rules.state import text_of
from dispatch.rules.timers import id_of, next_of, next_timer
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy

POLICY = small_policy()
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
NORMAL = POLICY.sla("normal", "plumbing", "north", (), "repair")
LOW = POLICY.sla("low", "plumbing", "north", (), "repair")


def minutes(number):
    return timedelta(minutes=number)


def started(name="resolve", rule=NORMAL, at=AT, **data):
    return clocks.start(POLICY, rule, name, at, **data)


def stop(clock, at):
    return clocks.stopped(clock, clocks.stop(POLICY, clock, at))


def test_a_clock_is_due_when_its_target_has_passed_and_warns_before():
    clock = started()
    assert clock.due_at == AT + timedelta(hours=10)
    assert clock.warn_at == (AT + timedelta(hours=5), AT + timedelta(hours=8))


def test_a_clock_counts_the_working_time_of_its_calendar():
    clock = started(rule=LOW)  # 16 hours of an 8 hour day
    assert clock.due_at == datetime(2026, 3, 3, 18, tzinfo=UTC)
    stopped = stop(clock, datetime(2026, 3, 3, 9, tzinfo=UTC))
    assert stopped.elapsed_s == 9 * 3600


def test_a_moment_promised_outside_overrides_the_target():
    due_at = AT + minutes(33)
    clock = started(due_at=due_at)
    assert (clock.due_at, clock.target_s, clock.calendar_id) == (due_at, 33 * 60, "")


def test_a_moment_promised_outside_may_have_passed_already():
    clock = started(due_at=AT - minutes(5))
    assert (clock.due_at, clock.target_s, clock.warn_at) == (AT - minutes(5), 0, ())
    assert stop(clock, AT).verdict == "breached"


def test_a_pause_moves_the_due_moment_by_as_long_as_it_lasts():
    paused = clocks.pause(POLICY, started(), AT + minutes(60), "parts")
    again = clocks.resume(POLICY, paused, AT + minutes(100))
    assert again.due_at == AT + minutes(640)
    assert again.paused_s == {"parts": 2400}
    assert again.version > paused.version > 1


def test_a_pause_of_a_clock_that_stands_still_changes_nothing():
    paused = clocks.pause(POLICY, started(), AT + minutes(60), "parts")
    assert clocks.pause(POLICY, paused, AT + minutes(70), "other") is paused
    running = started()
    assert clocks.resume(POLICY, running, AT + minutes(70)) is running


def test_a_clock_that_stands_still_is_met_when_it_stops():
    paused = clocks.pause(POLICY, started(), AT + minutes(60), "parts")
    stopped = stop(paused, AT + timedelta(days=3))
    assert (stopped.verdict, stopped.elapsed_s) == ("met", 3600)
    assert stopped.paused_s == {"parts": 3 * 86400 - 3600}


@pytest.mark.parametrize(("after_min", "verdict"), [(599, "met"), (600, "met"), (601, "breached")])
def test_a_promise_is_kept_up_to_the_due_moment_itself(after_min, verdict):
    assert stop(started(), AT + minutes(after_min)).verdict == verdict


def test_a_broken_clock_that_stops_in_a_pause_stays_broken():
    broken = _broken(started())
    paused = clocks.pause(POLICY, broken, broken.breached_at + minutes(5), "parts")
    assert stop(paused, broken.breached_at + minutes(50)).verdict == "breached"


def test_a_pause_before_the_breach_takes_the_breach_back():
    broken = _broken(started())
    paused = clocks.pause(POLICY, broken, broken.due_at - minutes(1), "parts")
    assert (paused.breached_at, paused.breach_event, paused.verdict_revision) == (None, None, 1)


def test_a_late_fact_takes_the_breach_back():
    broken = _broken(started())
    stopped = stop(broken, broken.due_at - minutes(1))
    assert (stopped.verdict, stopped.breached_at, stopped.verdict_revision) == ("met", None, 1)


def test_an_extension_moves_the_due_moment_and_keeps_the_first_promise():
    clock = started()
    longer = clocks.extend(POLICY, clock, AT + minutes(700), AT + minutes(10))
    assert longer.due_at == AT + minutes(700)
    assert longer.due_at_original == AT + minutes(600)
    assert longer.extended_s == 6000
    again = clocks.resume(POLICY, clocks.pause(POLICY, longer, AT + minutes(100), "parts"), AT + minutes(200))
    assert again.due_at == AT + minutes(800)


def test_an_extension_after_the_breach_takes_it_back():
    broken = _broken(started())
    longer = clocks.extend(POLICY, broken, AT + minutes(900), AT + minutes(650))
    assert (longer.breached_at, longer.rung, longer.rung_at) == (None, 0, None)


def test_an_extension_does_not_warn_of_what_has_passed():
    longer = clocks.extend(POLICY, started(), AT + minutes(700), AT + minutes(360))
    assert longer.warn_at[0] == AT + minutes(350)
    assert longer.warned == 1


def test_a_reopened_clock_keeps_what_had_elapsed_and_leaves_the_wait_out():
    stopped = stop(started(), AT + minutes(240))
    again = clocks.reopen(POLICY, stopped, AT + timedelta(days=2))
    assert (again.state, again.verdict, again.elapsed_s) == ("running", None, 240 * 60)
    assert again.due_at == AT + timedelta(days=2) + minutes(360)
    assert again.verdict_revision == 1


def test_a_broken_clock_that_is_reopened_goes_on_up_its_ladder():
    broken = _broken(started(), rung=1, rung_at=AT + minutes(630))
    again = clocks.reopen(POLICY, stop(broken, AT + minutes(610)), AT + minutes(1000))
    assert again.breached_at is not None
    assert again.rung_at == AT + minutes(1020)


def test_another_promise_keeps_what_has_elapsed():
    clock = clocks.resume(POLICY, clocks.pause(POLICY, started(), AT + minutes(60), "x"), AT + minutes(90))
    urgent = POLICY.sla("emergency", "plumbing", "north", (), "repair")
    moved = clocks.retarget(POLICY, clock, clocks.start(POLICY, urgent, "resolve", AT))
    assert moved.due_at == AT + minutes(240 + 30)
    assert moved.elapsed_s == 3600


def test_another_promise_leaves_a_broken_clock_and_one_promised_outside_alone():
    fresh = started(rule=LOW)
    for clock in (_broken(started()), started(due_at=AT + minutes(5))):
        assert clocks.retarget(POLICY, clock, fresh) is clock


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=8), st.integers(0, 9000))
def test_what_elapsed_and_what_was_paused_add_up_to_the_whole_time(spells, last):
    clock, now = started(), AT
    for run_min, rest_min in spells:
        clock = clocks.pause(POLICY, clock, now + minutes(run_min), "parts")
        clock = clocks.resume(POLICY, clock, now + minutes(run_min + rest_min))
        now += minutes(run_min + rest_min)
    stopped = stop(clock, now + minutes(last))
    whole_s = (now + minutes(last) - AT).total_seconds()
    assert stopped.elapsed_s + sum(stopped.paused_s.values()) == whole_s
    assert stopped.elapsed_s == sum(run for run, _ in spells) * 60 + last * 60


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=6))
def test_the_working_time_left_until_due_is_what_has_not_elapsed(spells):
    clock, now = started(rule=LOW), AT
    for run_min, rest_min in spells:
        if clock.due_at <= now + minutes(run_min):
            break
        clock = clocks.pause(POLICY, clock, now + minutes(run_min), "parts")
        clock = clocks.resume(POLICY, clock, now + minutes(run_min + rest_min))
        now += minutes(run_min + rest_min)
    left_s = clocks.working_s(POLICY, clock, clock.resumed_at, clock.due_at)
    assert left_s == clock.target_s - clock.elapsed_s


@given(st.integers(0, 700), st.integers(0, 700))
def test_stopping_earlier_than_first_said_takes_the_time_off_again(first, second):
    once = stop(started(), AT + minutes(max(first, second)))
    twice = stop(once, AT + minutes(min(first, second)))
    assert twice.elapsed_s == min(first, second) * 60


def _broken(clock, **data):
    known = {name: getattr(clock, name) for name in clock.__struct_fields__}
    return type(clock)(**known | {"breached_at": clock.due_at, "breach_event": "acme:north:7", **data})


# timers -------------------------------------------------------------------------------------------------------


def test_a_timer_never_fires_early():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    _at, timer_id = next_timer(day.order(order))
    seen = len(day.told(order))
    day.say("due", {"timers": [{"id": timer_id}]})
    assert len(day.told(order)) == seen
    assert day.last("lane.decided").data["repeated"] == 1


def test_a_stale_timer_is_ignored():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 1})
    order = day.report("leak", trade="plumbing")
    _at, timer_id = next_timer(day.order(order))
    day.act("accept", order, by="ann")
    seen = len(day.told(order))
    day.now += minutes(15)
    day.say("due", {"timers": [{"id": timer_id}]})
    assert len(day.told(order)) == seen


@pytest.mark.parametrize("timer_id", ["o:1:resolve.breach:1", "nobody:1:hold:1", "technician/x:shift.end:5", "", ":::"])
def test_a_timer_of_nothing_known_is_ignored(timer_id):
    day = Day(direct_policy())
    day.say("due", {"timers": [{"id": timer_id}]})
    assert not day.refused
    assert day.types() == ["lane.decided"]


def test_each_timer_fires_at_its_very_moment():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    opened = day.now
    day.advance(hours=11)
    fired = [
        (event.type, event.data["clocks"][0].name, event.time)
        for event in day.told(order)
        if event.type in {"clock.warned", "clock.breached"}
    ]
    expected = [
        ("clock.warned", "accept", 10),
        ("clock.warned", "accept", 16),
        ("clock.breached", "accept", 20),
        ("clock.warned", "arrive", 60),
        ("clock.warned", "arrive", 96),
        ("clock.breached", "arrive", 120),
        ("clock.warned", "resolve", 300),
        ("clock.warned", "resolve", 480),
        ("clock.breached", "resolve", 600),
    ]
    assert fired == [(kind, name, text_of(opened + minutes(at))) for kind, name, at in expected]


def test_timers_that_became_due_while_nobody_looked_fire_in_their_order():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    day.now += timedelta(hours=3)
    day.fire()
    due = [
        event.data.get("due_at") or event.time
        for event in day.told(order)
        if event.type == "escalation.raised" and event.data["clock"]
    ]
    assert due == sorted(due)
    assert len(day.told(order, "clock.breached")) == 2


def test_timer_ids_change_whenever_the_timer_does():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    seen = set()
    for _ in range(9):
        timer = next_of(day.order(order))
        timer_id = id_of(day.order(order), timer)
        assert timer_id not in seen
        seen.add(timer_id)
        day.advance_to(timer.at)
