"""Legs of an order: finding the one an action speaks of, moving it, and what the move makes of the order."""

from datetime import datetime

from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules.draft import Draft
from dispatch.rules.lifecycle import crew_state
from dispatch.rules.state import Data, Leg, Order


def acted(data: Data) -> Data:
    """What every event caused by a person says of them."""
    keep = ("actor", "performed_at", "after_the_fact", "note", "reason", "device_seq")
    return {name: data[name] for name in keep if data.get(name) is not None}


def lead(order: Order) -> Leg | None:
    """The active leg with the lowest place."""
    return min(order.active_legs(), key=lambda leg: leg.place, default=None)


def leg_of(order: Order, data: Data, *, late: bool = False) -> Leg:
    """The leg an action speaks of: the named assignment, else the actor's own, else (for the desk) the lead's.

    Rejected ``no-assignment`` or ``not-your-assignment``. With ``late`` a leg that has ended is found too.
    """
    actor = data["actor"]
    legs = [leg for leg in order.legs if leg.is_active or late]
    if assignment_id := data.get("assignment_id"):
        legs = [leg for leg in legs if leg.assignment_id == assignment_id]
    elif actor["role"] == "technician":
        legs = [leg for leg in legs if leg.technician_id == actor["id"]]
    if not legs:
        gone = any(leg.technician_id == actor["id"] for leg in order.legs)
        detail = "is over" if gone else "does not exist"
        raise Rejected("no-assignment", f"the assignment that this speaks of {detail}", "assignment_id")
    leg = min(legs, key=lambda one: one.place) if not late else legs[-1]
    if actor["role"] == "technician" and leg.technician_id != actor["id"]:
        raise Rejected("not-your-assignment", "this assignment is another technician's", "actor.id")
    return leg


def leg_facts(leg: Leg, state: str) -> Data:
    """The leg part of an event: which one, whose, and its state afterwards."""
    return {
        "assignment_id": leg.assignment_id,
        "technician_id": leg.technician_id,
        "place": leg.place,
        "leg_state": state,
    }


def state_with(order: Order, leg: Leg, leg_state: str) -> str:
    """The order's state once the leg has the given state."""
    if order.state in {"on_hold", "awaiting_approval"} and order.hold is not None:
        return order.state
    return crew_state(replace(one, state=leg_state) if one is leg else one for one in order.legs)


def owner_of(draft: Draft, order: Order, state: str, technician_id: str | None = None) -> Data:
    """``{"owner": …}`` when the state makes somebody else accountable, else nothing."""
    site = draft.policy_of(order).site
    if state in {"open", "offered"}:
        ref = site.front_desk if order.needs_triage else site.queue_owner
        if order.exhausted and state == "open":
            ref = site.exhausted_owner
        wanted = (ref.kind, ref.id)
    elif state == "completed":
        wanted = (site.acceptor.kind, site.acceptor.id)
    elif state == "awaiting_approval":
        wanted = ("role", "approver")
    else:
        leader = lead(order)
        person = technician_id or (leader.technician_id if leader else None)
        wanted = ("person", person) if person else (site.queue_owner.kind, site.queue_owner.id)
    if (order.owner.kind, order.owner.id) == wanted:
        return {}
    return {"owner": {"kind": wanted[0], "id": wanted[1]}}


def move_leg(  # noqa: PLR0913 -- one verb with all that an event of a leg says
    draft: Draft, order: Order, leg: Leg, leg_state: str, short: str, data: Data, *, at: datetime | None = None
) -> Order:
    """Emit ``short`` with the leg in its new state, and the order's state and owner as they follow."""
    state = state_with(order, leg, leg_state)
    probe = replace(order, legs=tuple(replace(one, state=leg_state) if one is leg else one for one in order.legs))
    facts = leg_facts(leg, leg_state) | {"state": state} | owner_of(draft, probe, state)
    return draft.tell(short, order, facts | data, at=at)


def release_all(draft: Draft, order: Order, reason: str, *, but: Leg | None = None, ask_again: bool = True) -> Order:
    """Withdraw every active leg (except ``but``), so that nobody drives to a job that is gone."""
    for leg in order.active_legs():
        if but is None or leg.assignment_id != but.assignment_id:
            current = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
            data = {"reason": reason, "ask_again": ask_again}
            order = move_leg(draft, order, current, "withdrawn", "work-order.withdrawn", data)
    return order


