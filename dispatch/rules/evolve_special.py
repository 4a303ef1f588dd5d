"""What single types of events do to an order besides what every event says of state, owner, leg and clocks."""

from collections.abc import Callable

from msgspec.structs import replace

from dispatch.rules.events import Event
from dispatch.rules.state import Data, Escalation, Hold, Leg, Order, moment_of

LEFT_TO_PEOPLE = frozenset({"nobody_left_to_ask", "matching_failed"})
"""Reasons of an escalation by which the engine says that it has nobody for an order."""


def _held(order: Order, event: Event) -> Data:
    data = event.data
    resume_at = data.get("expected_resume_at")
    held = next((leg for leg in order.legs if leg.assignment_id == data.get("assignment_id")), None)
    hold = Hold(
        reason=data["reason"],
        since=moment_of(event.time),
        expected_resume_at=moment_of(resume_at) if resume_at else None,
        assignment_id=held.assignment_id if held else None,
        leg_state=held.state if held else None,
    )
    return {"hold": hold}


_OF_COMPLETION = ("assignment_id", "technician_id", "disposition", "performed_at", "cause_code", "remedy_code")


def _completed(order: Order, event: Event) -> Data:
    """Only the lead's report completes the order; a helper's ends their own leg."""
    data = event.data
    if data["state"] != "completed":
        return {"times": order.times}
    return {"hold": None, "completion": {name: data[name] for name in _OF_COMPLETION if data.get(name)}}


def _past(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Work that was not good enough leaves its place open again."""
    return tuple([replace(leg, state="past") if leg.state == "completed" else leg for leg in legs])


def _rejected(order: Order, _event: Event) -> Data:
    return {
        "completion": None,
        "acceptance": None,
        "considered": False,
        "exhausted": False,
        "incident_id": None,
        "legs": _past(order.legs),
    }


def _reopened(order: Order, event: Event) -> Data:
    return {
        "cycle": event.data["cycle"],
        "closed_at": None,
        "asked": {},
        "considered": False,
        "exhausted": False,
        "completion": None,
        "acceptance": None,
        "rework": event.data.get("rework") or order.rework,
        "clocks": {},
        "incident_id": None,
        "legs": _past(order.legs),
        "times": {name: at for name, at in order.times.items() if name == "classified"},
    }


def _unmerged(_order: Order, _event: Event) -> Data:
    return {"merged_into": None, "closed_at": None}


def _raised(order: Order, event: Event) -> Data:
    data = event.data
    raised = Escalation(
        id=data["escalation_id"],
        clock=data.get("clock"),
        level=data["level"],
        cause=data["cause"],
        reason=data.get("reason"),
    )
    changes: Data = {"escalations": (*(e for e in order.escalations if e.id != raised.id), raised)}
    if raised.reason in LEFT_TO_PEOPLE:
        changes["exhausted"] = True
    return changes


def _acknowledged(order: Order, event: Event) -> Data:
    data = event.data
    until = moment_of(data["until"]) if data.get("until") else None
    return {
        "escalations": tuple(
            replace(e, acknowledged_by=data["by"], until=until) if e.id == data["escalation_id"] else e
            for e in order.escalations
        )
    }


def _resolved(order: Order, event: Event) -> Data:
    return {"escalations": tuple(e for e in order.escalations if e.id != event.data["escalation_id"])}


def _ended(_order: Order, event: Event) -> Data:
    return {"closed_at": moment_of(event.data.get("decided_at") or event.time)}


def _updated(order: Order, event: Event) -> Data:
    data = event.data
    changes: Data = {}
    if (follower := data.get("follower")) and follower not in order.followers:
        changes["followers"] = (*order.followers, follower)
    if gone := data.get("unfollowed"):
        changes["followers"] = tuple(one for one in order.followers if one != gone)
    if link := data.get("link"):
        changes["links"] = (*order.links, link)
    if data.get("hold_reminded") and order.hold is not None:
        changes["hold"] = replace(order.hold, reminded=True)
    return changes


def _reclassified(order: Order, event: Event) -> Data:
    wrong = event.data.get("wrong_trade_arrivals")
    if not wrong:
        return {}
    known = order.counters.get("wrong_trade_arrivals", 0)
    return {"counters": order.counters | {"wrong_trade_arrivals": known + wrong}}


_OF_ADVICE = ("trade", "urgency", "kind", "confidence", "source", "reason")


def _advised(_order: Order, event: Event) -> Data:
    return {"advice": {name: event.data[name] for name in _OF_ADVICE if event.data.get(name) is not None}}


def _evaluated(order: Order, event: Event) -> Data:
    return {} if order.considered or event.data["chosen"] else {"considered": True}


SPECIAL: dict[str, Callable[[Order, Event], Data]] = {
    "work-order.held": _held,
    "work-order.resumed": lambda _order, _event: {"hold": None},
    "work-order.no-access": _held,
    "work-order.completed": _completed,
    "work-order.reopened": _reopened,
    "work-order.work-rejected": _rejected,
    "work-order.unmerged": _unmerged,
    "work-order.updated": _updated,
    "work-order.reclassified": _reclassified,
    "work-order.advised": _advised,
    "work-order.closed": _ended,
    "work-order.cancelled": _ended,
    "work-order.refused": _ended,
    "work-order.merged": _ended,
    "escalation.raised": _raised,
    "escalation.acknowledged": _acknowledged,
    "escalation.resolved": _resolved,
    "assignment.evaluated": _evaluated,
}
