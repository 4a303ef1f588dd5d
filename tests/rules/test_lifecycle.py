"""The lifecycle follows its table: who may do what in which state; late, repeated and out-of-order reports."""

from datetime import timedelta
from itertools import product

import pytest

from dispatch.errors import Rejected
from dispatch.rules.decide import ACTIONS
from dispatch.rules.lifecycle import ALL, ANYONE, FINAL, MOVES, OPEN, authorise, permit
from dispatch.rules.state import Leg, text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy

ROLES = sorted(ANYONE)
STATES = sorted(ALL)


def day_with_plumbers(*names, policy=None, **data):
    day = Day(policy or direct_policy())
    with day.batch():
        for name in names or ("ann", "bob"):
            day.technician(name, skills={"plumbing": 3, "moving": 2}, **data)
    return day


def in_state(day, state, order_id="o"):
    """An order brought into a state the way it gets there in life."""
    order = day.report("leak", trade="plumbing", order_id=order_id)
    who = day.order(order).active_legs()[0].technician_id
    steps = {
        "assigned": (),
        "accepted": ("accept",),
        "en_route": ("accept", "depart"),
        "in_progress": ("accept", "start"),
        "on_hold": ("accept", "start", "hold"),
        "awaiting_approval": ("accept", "request_approval"),
        "completed": ("accept", "complete"),
        "closed": ("accept", "complete", "confirm"),
        "cancelled": ("cancel",),
    }
    for action in steps[state]:
        by = "reporter" if action in {"confirm", "cancel"} else who
        day.act(action, order, by=by, **({"reason": "unsafe"} if action == "hold" else {}))
    assert day.order(order).state == state
    return order, who


def test_every_action_of_the_table_has_a_rule_and_every_rule_a_row():
    assert set(ACTIONS) == set(MOVES)


@pytest.mark.parametrize(("action", "role"), [*product(sorted(MOVES), ROLES)])
def test_a_role_may_act_as_the_table_says(action, role):
    if role in MOVES[action].roles:
        authorise(action, role)
    else:
        with pytest.raises(Rejected, match="role-not-allowed"):
            authorise(action, role)


def test_an_action_nobody_knows_is_refused():
    with pytest.raises(Rejected, match="unknown-action"):
        authorise("levitate", "dispatcher")


@pytest.mark.parametrize(("action", "state"), [*product(sorted(MOVES), STATES)])
def test_a_state_permits_an_action_as_the_table_says(action, state):
    day = day_with_plumbers()
    order = day.order(day.report("leak", trade="plumbing"))
    order = type(order)(**{name: getattr(order, name) for name in order.__struct_fields__} | {"state": state})
    move = MOVES[action]
    role = min(move.roles)
    if state in move.states:
        assert permit(action, role, order) is True
    elif state in move.late:
        assert permit(action, role, order) is False
    else:
        with pytest.raises(Rejected, match="not-in-this-state"):
            permit(action, role, order)


def test_from_every_open_state_a_way_leads_to_an_end():
    ends = {state: {move.to for move in MOVES.values() if state in move.states} for state in OPEN}
    for state, to in ends.items():
        assert to & (FINAL | {"completed"}), f"{state} leads nowhere"


@pytest.mark.parametrize(
    "state", ["assigned", "accepted", "en_route", "in_progress", "on_hold", "awaiting_approval", "completed", "closed"]
)
def test_what_the_table_forbids_changes_nothing(state):
    day = day_with_plumbers()
    order, who = in_state(day, state)
    for action, move in sorted(MOVES.items()):
        if state in move.states | move.late:
            continue
        before, seen = day.order(order), len(day.refused)
        day.act(action, order, by=who, role=min(move.roles))
        assert day.refused[seen].code == "not-in-this-state", action
        assert day.order(order) == before


def test_an_order_goes_all_the_way():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    for action in ("accept", "depart", "arrive", "start", "make_safe", "complete"):
        day.advance(minutes=5)
        day.act(action, order, by="ann")
    day.act("confirm", order, by="reporter")
    assert not day.refused
    assert day.order(order).state == "closed"
    told = [event.data["state"] for event in day.told(order) if event.data.get("state")]
    stated = list(dict.fromkeys(told))
    assert stated == ["open", "assigned", "accepted", "en_route", "in_progress", "completed", "confirmed", "closed"]


def test_an_assignment_alone_never_stops_the_accept_clock_and_a_persons_word_does():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    assert day.order(order).clocks["accept"].state == "running"
    day.act("accept", order, by="ann")
    assert day.order(order).clocks["accept"].verdict == "met"


def test_who_departs_or_arrives_has_accepted():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=3)
    day.act("arrive", order, by="ann")
    clocks = day.order(order).clocks
    assert (clocks["accept"].verdict, clocks["arrive"].verdict) == ("met", "met")


def test_an_order_may_be_completed_straight_away():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    day.act("complete", order, by="ann")
    assert day.order(order).state == "completed"
    assert {name for name, clock in day.order(order).clocks.items() if clock.verdict == "met"} == {
        "accept",
        "arrive",
        "resolve",
    }


def test_a_report_that_comes_after_a_later_one_is_kept_as_a_late_fact():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    accepted_at = day.now + timedelta(minutes=2)
    day.advance(minutes=10)
    day.act("start", order, by="ann")
    day.act("accept", order, by="ann", at=accepted_at)
    assert day.order(order).state == "in_progress"
    told = day.last("work-order.accepted")
    assert told.data["late"] is True
    assert told.time == text_of(accepted_at)
    assert not day.refused


def test_a_late_fact_about_a_closed_order_is_kept_and_changes_no_state():
    day = day_with_plumbers("ann")
    order, _ = in_state(day, "closed")
    day.act("arrive", order, by="ann", at=day.now)
    assert day.order(order).state == "closed"
    assert day.last("work-order.arrived").data["late"] is True


def test_the_same_action_sent_again_has_no_effect():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    action_id = day.act("accept", order, by="ann")
    before, seen = day.order(order), len(day.told(order))
    day.act("accept", order, by="ann", action_id=action_id)
    assert day.order(order) == before
    assert len(day.told(order)) == seen
    assert day.last("lane.decided").data["repeated"] == 1


def test_the_same_action_sent_again_after_the_end_has_no_effect():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    action_id = day.act("complete", order, by="ann")
    day.act("confirm", order, by="reporter")
    seen = len(day.told(order))
    day.act("complete", order, by="ann", action_id=action_id)
    assert len(day.told(order)) == seen
    assert not day.refused


def test_the_same_report_sent_again_opens_nothing():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing", order_id="o")
    day.report("leak", trade="plumbing", order_id="o")
    assert len(day.told(order, "work-order.opened")) == 1


@pytest.mark.parametrize("action", ["accept", "decline"])
def test_an_offer_that_has_lapsed_can_no_longer_be_answered(action):
    day = day_with_plumbers("ann", policy=small_policy())
    order = day.report("leak", trade="plumbing")
    day.advance(minutes=6)
    day.act(action, order, by="ann")
    assert day.refused[-1].code in {"assignment-over", "not-in-this-state"}


def test_an_offer_of_a_crew_that_was_withdrawn_can_no_longer_be_accepted():
    day = day_with_plumbers("ann", "bob", policy=small_policy())
    order = day.report("leak", trade="plumbing")
    asked = day.order(order).active_legs()[0]
    other = "bob" if asked.technician_id == "ann" else "ann"
    day.act("assign", order, by="desk", to=other)
    day.act("accept", order, by=asked.technician_id, assignment_id=asked.assignment_id)
    assert day.refused[-1].code == "assignment-over"


def test_nobody_answers_for_somebody_else():
    day = day_with_plumbers("ann", "bob")
    order = day.report("leak", trade="plumbing")
    leg = day.order(order).active_legs()[0]
    other = "bob" if leg.technician_id == "ann" else "ann"
    day.act("accept", order, by=other, assignment_id=leg.assignment_id)
    assert day.refused[-1].code == "not-your-assignment"
    day.act("accept", order, by=other)
    assert day.refused[-1].code == "no-assignment"


def test_an_order_nobody_knows_is_refused():
    day = day_with_plumbers("ann")
    day.act("note", "nowhere", by="desk", role="dispatcher")
    assert day.refused[-1].code == "unknown-order"


def test_every_open_state_has_a_fitting_owner():
    day = day_with_plumbers("ann")
    owners = []
    order = day.report("leak", trade="plumbing")
    owners.append(day.order(order).owner.id)
    for action, data in (
        ("accept", {}),
        ("request_approval", {}),
        ("decide_approval", {"decision": "yes"}),
        ("hold", {"reason": "parts"}),
        ("resume", {}),
        ("complete", {}),
        ("reject_work", {}),
    ):
        by = {"decide_approval": "boss", "resume": "desk", "reject_work": "reporter"}.get(action, "ann")
        role = {"resume": "dispatcher"}.get(action)
        day.act(action, order, by=by, role=role, **data)
        owners.append(day.order(order).owner.id)
    assert not day.refused
    assert owners == ["ann", "ann", "approver", "ann", "dispatcher", "ann", "requester", "ann"]


def test_the_time_of_every_owner_adds_up_to_the_life_of_the_order():
    day = day_with_plumbers("ann")
    order = day.report("leak", trade="plumbing")
    for action in ("accept", "start", "complete"):
        day.advance(minutes=7)
        day.act(action, order, by="ann")
    day.advance(minutes=20)
    day.act("reject_work", order, by="reporter")
    known = day.order(order)
    assert sum(known.time_by_owner.values()) == (known.owner_since - known.opened_at).total_seconds() == 41 * 60


def test_a_leg_counts_as_load_from_the_offer_until_it_is_over():
    day = day_with_plumbers("ann", policy=small_policy())
    order = day.report("leak", trade="plumbing")
    assert len(day.territory().technicians["ann"].load) == 1
    day.act("accept", order, by="ann")
    day.act("complete", order, by="ann")
    assert day.territory().technicians["ann"].load == ()


def test_legs_say_whether_they_are_active():
    states = {"offered", "assigned", "accepted", "en_route", "arrived", "in_progress", "on_hold"}
    leg = Leg(
        assignment_id="a",
        technician_id="t",
        place=0,
        state="offered",
        mode="offer",
        trade="x",
        since=Day(small_policy()).now,
    )
    over = {"declined", "expired", "returned", "transferred", "withdrawn", "completed", "past"}
    active = {
        state: type(leg)(**{n: getattr(leg, n) for n in leg.__struct_fields__} | {"state": state}).is_active
        for state in states | over
    }
    assert {state for state, is_active in active.items() if is_active} == states
