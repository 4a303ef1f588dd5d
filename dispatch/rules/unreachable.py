"""A receiver who could not be told: an offer goes to the next one, whatever else is left to people, and why is said."""

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules.draft import Draft
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.legs import move_leg
from dispatch.rules.state import Data, Leg, Order

UNREACHABLE = "unreachable"
TOLD = ("dispatcher",)


def undelivered(draft: Draft, command: Command) -> None:
    """Decide a ``delivery.failed`` command, once however often it comes.

    An offer that is still open is over, as by silence; an assignment stays (somebody gave it) and the desk hears that
    its technician may not know; so does it of a reporter whom nobody knows.
    """
    order = draft.order(command.order_id or "")
    if order is None:
        raise Rejected("unknown-order", f"no work order {command.order_id}", "order_id")
    if command.id in order.handled:
        draft.repeated = True
        return
    if order.moved_to is not None:
        draft.forward(order.moved_to, command)
        return
    data = command.data
    leg = next((leg for leg in order.legs if leg.assignment_id == data.get("assignment_id")), None)
    facts: Data = {"reason": UNREACHABLE, "note": _why(data), "actor": {"id": "notify", "role": "system"}}
    if leg is not None and leg.state == "offered":
        move_leg(draft, order, leg, "expired", "work-order.offer-expired", facts)
    elif order.is_final or _is_known(order, leg, data):
        draft.repeated = True
    else:
        order = draft.tell("work-order.updated", order, {"what": UNREACHABLE, "state": order.state, **facts})
        raise_escalation(draft, order, cause="silence", level=1, to=TOLD, reason=UNREACHABLE)


def _is_known(order: Order, leg: Leg | None, data: Data) -> bool:
    """Whether nothing follows: the leg is over or taken on by a person, or the desk knows of it already."""
    if data.get("assignment_id") and (leg is None or leg.state != "assigned"):
        return True
    return any(escalation.reason == UNREACHABLE for escalation in order.escalations)


def _why(data: Data) -> str:
    """One line: who, through what, and what the answer was."""
    told = [str(data[name]) for name in ("receiver", "hook", "status", "reason") if data.get(name) is not None]
    return f"{data.get('event_type')} could not be delivered: {', '.join(told)}; {data.get('attempts') or 0} tries"
