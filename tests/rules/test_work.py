"""What technicians report: handing back and on, holds, help, crews, and completions."""

from datetime import timedelta

import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy


@pytest.fixture
def day():
    day = Day(direct_policy())
    with day.batch():
        day.technician("ann", skills={"plumbing": 3, "moving": 3}, capacity=4, hours=100)
    return day


def more(day, *names, **data):
    with day.batch():
        for name in names:
            day.technician(name, **{"skills": {"plumbing": 3, "moving": 3}, "capacity": 4, "hours": 100, **data})


def taken(day, *actions, trade="plumbing"):
    order = day.report("leak", trade=trade)
    for action in ("accept", *actions):
        day.act(action, order, by="ann")
    return order


def test_an_order_handed_back_is_open_again_and_not_given_to_the_same_person(day):
    order = taken(day)
    day.act("return_order", order, by="ann", reason="no_tools")
    known = day.order(order)
    assert (known.state, known.asked, known.counters["returns"]) == ("open", {"ann": "returned"}, 1)
    more(day, "bob")
    assert day.order(order).owner.id == "bob"


def test_an_offer_is_declined_and_an_assignment_returned():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("decline", order, by="ann")
    assert day.refused[-1].code == "not-in-this-state"


def test_a_transfer_never_hangs_between_two_people(day):
    more(day, "bob")
    order = taken(day)
    day.act("transfer", order, by="ann", to="bob", reason="sick")
    known = day.order(order)
    assert (known.state, known.owner.id, known.counters["transfers"]) == ("assigned", "bob", 1)
    assert day.territory().technicians["ann"].load == ()


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("nobody", "unknown-technician"),
        ("ann", "already-on-the-crew"),
        (None, "missing-field"),
        ("lay", "not-qualified"),
        ("full", "no-capacity"),
        ("away", "not-active"),
    ],
)
def test_a_transfer_to_who_cannot_take_it_is_refused_and_nothing_moves(day, to, code):
    order = taken(day)
    more(day, "lay", skills={"cleaning": 5})
    more(day, "full", capacity=0)
    more(day, "away", status="suspended")
    before = day.order(order)
    day.act("transfer", order, by="ann", **({"to": to} if to else {}))
    assert day.refused[-1].code == code
    assert day.order(order) == before


def test_a_handover_is_mine_until_the_other_takes_it(day):
    order = taken(day, "start")
    more(day, "bob")
    day.act("handover", order, by="ann", to="bob", notes="valve is closed")
    assert day.order(order).owner.id == "ann"
    day.act("accept_handover", order, by="bob")
    known = day.order(order)
    assert (known.owner.id, known.state) == ("bob", "accepted")
    assert not day.refused


def test_a_handover_survives_what_happens_in_between(day):
    order = taken(day)
    more(day, "bob")
    day.act("handover", order, by="ann", to="bob")
    day.act("start", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter")
    day.act("accept_handover", order, by="bob")
    known = day.order(order)
    assert (known.owner.id, known.hold) == ("bob", None)
    assert known.clocks["resolve"].state == "running"


def test_only_the_person_named_takes_a_handover(day):
    order = taken(day)
    more(day, "bob", "cat")
    day.act("handover", order, by="ann", to="bob")
    day.act("accept_handover", order, by="cat")
    assert day.refused[-1].code == "no-handover"


# holds --------------------------------------------------------------------------------------------------------


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


# crews and completions ----------------------------------------------------------------------------------------


def test_a_crew_is_given_together_and_its_lead_owns_the_order(day):
    more(day, "bob", "cat")
    order = taken(day, trade="moving")
    known = day.order(order)
    assert sorted(leg.technician_id for leg in known.active_legs()) == ["ann", "bob", "cat"]
    lead = min(known.active_legs(), key=lambda leg: leg.place)
    assert known.owner.id == lead.technician_id


def test_a_helpers_report_ends_their_leg_and_the_leads_the_order(day):
    more(day, "bob", "cat")
    order = day.report("piano", trade="moving")
    lead, *helpers = sorted(day.order(order).active_legs(), key=lambda leg: leg.place)
    for leg in day.order(order).active_legs():
        day.act("accept", order, by=leg.technician_id)
    day.act("complete", order, by=helpers[0].technician_id)
    known = day.order(order)
    assert (known.state, len(known.active_legs()), known.counters.get("completions")) == ("accepted", 2, None)
    assert day.last("work-order.completed").data["state"] == "accepted"
    assert "first_completed" not in known.times
    day.act("complete", order, by=lead.technician_id)
    known = day.order(order)
    assert (known.state, known.active_legs(), known.counters["completions"]) == ("completed", [], 1)
    assert day.told(order, "work-order.withdrawn")[-1].data["state"] == "completed"


def test_what_only_was_offered_cannot_be_completed():
    day = Day(small_policy(matching={"modes": [{"mode": "offer", "expires": "5m"}]}))
    with day.batch():
        for name in ("ann", "bob", "cat"):
            day.technician(name, skills={"moving": 3})
    order = day.report("piano", trade="moving")
    first, second, _ = day.order(order).active_legs()
    day.act("accept", order, by=first.technician_id)
    day.act("complete", order, by=second.technician_id)
    assert day.refused[-1].code == "not-in-this-state"


def test_more_hands_are_asked_for_and_come(day):
    order = taken(day, "start")
    more(day, "bob", "cat")
    day.act("request_help", order, by="ann", trade="plumbing", count=2)
    known = day.order(order)
    assert sorted(leg.technician_id for leg in known.active_legs()) == ["ann", "bob", "cat"]
    assert (known.state, known.owner.id) == ("in_progress", "ann")


def test_help_of_an_unknown_trade_is_refused(day):
    order = taken(day)
    day.act("request_help", order, by="ann", trade="alchemy")
    assert day.refused[-1].code == "unknown-trade"


def test_a_completion_holds_all_that_a_kpi_needs(day):
    order = day.report("leak", trade="plumbing", department_id="physics")
    day.advance(minutes=10)
    day.act("accept", order, by="ann")
    day.advance(minutes=30)
    day.act("arrive", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter")
    day.advance(hours=1)
    day.act("complete", order, by="ann", fault_code="f", labour=[{"technician_id": "ann", "work_s": 600}])
    told = day.last("work-order.completed").data
    assert (told["disposition"], told["fault_code"], told["org_id"]) == ("fixed", "f", "estates")
    assert told["department_id"] == "physics"
    assert set(told["times"]) == {
        "reported",
        "opened",
        "first_assigned",
        "accepted",
        "arrived",
        "first_completed",
        "completed",
    }
    resolve = next(clock for clock in told["clocks"] if clock["name"] == "resolve")
    assert (resolve["working_s"], resolve["paused_s"], resolve["wall_s"]) == (2400, {"reporter": 3600}, 6000)
    assert (resolve["verdict"], "verdict_revision" in resolve) == ("met", False)
    assert sum(one["s"] for one in told["time_by_owner"]) == 6000
    assert told["counters"] == {"visits": 1, "holds": 1}


def test_completing_asks_the_reporter_and_silence_closes_the_order(day):
    order = taken(day, "complete")
    assert day.order(order).owner.id == "requester"
    day.advance(days=3)
    assert day.order(order).state == "closed"
    assert day.last("work-order.auto-confirmed").data["acceptance"] == {"by_role": "system", "mode": "auto"}


def test_silence_may_leave_the_order_waiting():
    site = {"tenant": "acme", "timezone": "UTC", "default_territory": "north", "confirm_silence": "leave"}
    day = Day(small_policy(site=site))
    day.technician("ann", skills={"plumbing": 3}, hours=200)
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("complete", order, by="ann")
    day.advance(days=4)
    assert day.order(order).state == "completed"
    assert day.last("escalation.raised").data["clock"] == "confirm"


def test_the_danger_is_over_before_the_repair(day):
    order = day.report("burst", trade="plumbing", urgency="emergency")
    day.act("accept", order, by="ann")
    day.advance(minutes=10)
    day.act("make_safe", order, by="ann")
    known = day.order(order)
    assert (known.state, known.clocks["make_safe"].verdict, known.clocks["resolve"].state) == (
        "accepted",
        "met",
        "running",
    )
    assert known.times["made_safe"] == text_of(day.now)


def test_a_major_repair_is_marked_and_an_attempt_to_reach_somebody_told(day):
    order = taken(day)
    day.act("uplift", order, by="ann", job_class="major")
    day.act("contact_attempted", order, by="ann", method="phone", outcome="no_answer")
    assert day.order(order).job_class == "major"
    assert day.last("work-order.updated").data["outcome"] == "no_answer"
