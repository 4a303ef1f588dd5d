"""Work that stands still: held for a reason of the catalogue, and taken up again."""

from collections.abc import Callable
from datetime import datetime

from dispatch.errors import Rejected
from dispatch.models.policy import HoldReason
from dispatch.models.policy_base import Label
from dispatch.rules import clocks
from dispatch.rules.draft import (
    Draft,
    change_clocks,
    correct,
    disproved,
    end_escalations,
    fact_time,
    settle_clocks,
    stop_clocks,
)
from dispatch.rules.legs import acted, leg_facts, leg_of, legs_with, needed, owner_of, release
from dispatch.rules.lifecycle import crew_state, permit
from dispatch.rules.state import Data, Leg, Order

NO_ACCESS = ("no_access", "waiting_access")
"""The catalogue's reasons that nobody let the technician in, by preference."""

_PLAIN = HoldReason(name=Label(zh="无法入户", en="No access"))


def hold(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work waits for a reason of the catalogue; the reason says which clocks stand still."""
    permit(action, data["actor"]["role"], order)
    reason, known = _reason(draft, order, action, data)
    at = fact_time(draft, data)
    facts = acted(data) | {"reason": reason, "state": "on_hold", "expected_resume_at": data.get("expected_resume_at")}
    if data.get("evidence"):
        facts["evidence"] = data["evidence"]
    releases = known.releases_assignee if data.get("releases_assignee") is None else data["releases_assignee"]
    facts["releases_assignee"] = releases
    if order.active_legs():
        facts |= _held_leg(draft, order, data)
    elif data["actor"]["role"] == "technician":
        leg_of(order, data)
    no_access = action == "no_access"
    short = "work-order.no-access" if no_access else "work-order.held"
    been_there = ("accept", "arrive") if no_access else ()  # whoever found the door locked has arrived
    stopped, wrong = stop_clocks(draft, order, been_there, at)
    order = draft.tell(short, order, facts | {"clock_changes": stopped}, at=at)
    order = settle_clocks(draft, order, stopped, wrong)
    if releases:
        order = release(draft, order, reason)
    _pause(draft, order, tuple(known.pauses), reason, at)


def _reason(draft: Draft, order: Order, action: str, data: Data) -> tuple[str, HoldReason]:
    reasons = draft.policy_of(order).document.reasons.hold
    said = data.get("reason")
    if action == "no_access":
        found = next((one for one in (said, *NO_ACCESS) if one in reasons), None)
        return (found, reasons[found]) if found is not None else ("no_access", _PLAIN)
    reason = needed(data, "reason")["reason"]
    known = reasons.get(reason)
    if known is None:
        raise Rejected("unknown-reason", f"no hold reason {reason!r}; known: {', '.join(sorted(reasons))}", "reason")
    return reason, known


def _held_leg(draft: Draft, order: Order, data: Data) -> Data:
    leg = leg_of(order, data)
    if leg.state != "offered":
        return leg_facts(leg, "on_hold") | owner_of(draft, order, "on_hold")
    if data["actor"]["role"] == "technician":
        raise Rejected("not-in-this-state", "who has only been asked cannot hold the work", "assignment_id")
    return {}


def _pause(draft: Draft, order: Order, names: tuple[str, ...], reason: str, at: datetime) -> None:
    policy = draft.policy_of(order)
    running = [order.clocks[name] for name in names if name in order.clocks]
    paused = [clocks.pause(policy, clock, at, reason) for clock in running if clock.state == "running"]
    wrong = disproved(order, paused)
    order = change_clocks(draft, order, "clock.paused", paused, reason)
    if wrong:
        names_of_wrong = {name for name, _event_id in wrong}
        order = correct(draft, order, wrong, "late_fact")
        end_escalations(draft, order, lambda escalation: escalation.clock in names_of_wrong)


def resume(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work goes on; the clocks run again with what was left."""
    permit(action, data["actor"]["role"], order)
    if data["actor"]["role"] == "technician":
        leg_of(order, data, late=not order.active_legs())  # who was set free meanwhile may know that the parts came
    off_hold(draft, order, data)


def take_off_hold(draft: Draft, order: Order, data: Data, leg: Leg) -> Order:
    """Resume an order that is on hold when it is this leg that was held; any other is returned as it is."""
    return off_hold(draft, order, data) if order.state == "on_hold" and leg.state == "on_hold" else order


def off_hold(draft: Draft, order: Order, data: Data) -> Order:
    """Resume an order that is on hold: its leg is where it was, the clocks run again, the reminders are over."""
    at = fact_time(draft, data)
    hold_before = order.hold
    held = [leg for leg in order.active_legs() if leg.state == "on_hold"]
    legs = order.legs
    facts: Data = {}
    if held:
        leg_state = (hold_before.leg_state if hold_before else None) or "accepted"
        legs = legs_with(order, held[0], leg_state)
        facts = leg_facts(held[0], leg_state)
    state = crew_state(legs)
    facts |= {"state": state} | owner_of(draft, order, state, legs)
    order = draft.tell("work-order.resumed", order, facts | acted(data), at=at)
    order = end_escalations(draft, order, lambda escalation: escalation.reason == "hold_overdue")
    policy = draft.policy_of(order)
    paused = [clock for clock in order.clocks.values() if clock.state == "paused"]
    running = [clocks.resume(policy, clock, at) for clock in paused]
    return change_clocks(draft, order, "clock.resumed", running, "resumed")


HOLD_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    "hold": hold,
    "no_access": hold,
    "resume": resume,
}
