"""Legs of an order: finding the one an action speaks of, moving it, and what the move makes of the order."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules.draft import Draft
from dispatch.rules.lifecycle import KEPT_STATES, crew_state
from dispatch.rules.state import ACTIVE_LEG_STATES, Data, Leg, Order, Requirement

_SAID = ("performed_at", "after_the_fact", "note", "reason", "device_seq")


def acted(data: Data) -> Data:
    """What every event caused by a person says of them."""
    said: Data = {"actor": data["actor"]}
    for name in _SAID:
        value = data.get(name)
        if value is not None:
            said[name] = value
    return said


def needed(data: Data, name: str) -> Data:
    """``data``, which must say ``name``; Rejected ``missing-field`` when it does not."""
    if data.get(name) in (None, "", [], ()):
        raise Rejected("missing-field", f"this needs {name!r}", name)
    return data


def lead(legs: Iterable[Leg]) -> Leg | None:
    """The active leg with the lowest place; one that was given comes before one that is only offered."""
    found: Leg | None = None
    for leg in legs:
        if leg.state not in ACTIVE_LEG_STATES:
            continue
        if found is None or (leg.state == "offered", leg.place) < (found.state == "offered", found.place):
            found = leg
    return found


def leg_of(order: Order, data: Data, *, late: bool = False) -> Leg:
    """The leg an action speaks of: the named assignment, else the actor's own, else (for the desk) the lead's.

    Rejected ``no-assignment``, ``assignment-over`` or ``not-your-assignment``. With ``late`` a leg that has ended
    is found too, the last one first.
    """
    actor = data["actor"]
    own = actor["role"] == "technician"
    legs: Iterable[Leg] = order.legs
    if assignment_id := data.get("assignment_id"):
        legs = [leg for leg in legs if leg.assignment_id == assignment_id]
        if own and any(leg.technician_id != actor["id"] for leg in legs):
            raise Rejected("not-your-assignment", "this assignment is another technician's", "actor.id")
    elif own:
        legs = [leg for leg in legs if leg.technician_id == actor["id"]]
    found = lead(legs)
    if found is None and late:
        found = next(reversed(list(legs)), None)
    if found is not None:
        return found
    if any(True for _leg in legs):
        raise Rejected("assignment-over", "the assignment that this speaks of is over", "assignment_id")
    raise Rejected("no-assignment", "there is no assignment that this could speak of", "assignment_id")


def leg_facts(leg: Leg, state: str) -> Data:
    """The leg part of an event: which one, whose, and its state afterwards."""
    return {
        "assignment_id": leg.assignment_id,
        "technician_id": leg.technician_id,
        "place": leg.place,
        "leg_state": state,
    }


def requirement_at(order: Order, place: int) -> Requirement:
    """What a place of the crew asks for."""
    for number, requirement in order.places():
        if number == place:
            return requirement
    raise Rejected("no-such-place", f"the crew has no place {place} any more", "place")


def legs_with(order: Order, leg: Leg, leg_state: str) -> tuple[Leg, ...]:
    """The order's legs, one of them in another state."""
    return tuple([replace(one, state=leg_state) if one is leg else one for one in order.legs])


def is_letter(draft: Draft, order: Order) -> bool:
    """Whether the order asks for an answer, and nobody's work."""
    return not order.requirements and not order.needs_triage and order.kind in draft.policy_of(order).site.letters


def owner_ref(draft: Draft, order: Order, state: str, legs: Iterable[Leg]) -> tuple[str, str]:
    """Who is accountable for the order in this state, as (kind, id): every open state has somebody."""
    site = draft.policy_of(order).site
    if state == "completed":
        role = site.acceptor
    elif state == "awaiting_approval":
        return "role", "approver"
    else:
        leader = lead(legs)
        if leader is not None and leader.state != "offered":
            return "person", leader.technician_id
        if order.needs_triage:
            role = site.front_desk
        elif is_letter(draft, order):
            role = site.letters[order.kind]
        elif order.exhausted and leader is None:
            role = site.exhausted_owner
        else:
            role = site.queue_owner
    return role.kind, role.id


def owner_of(draft: Draft, order: Order, state: str, legs: Iterable[Leg] | None = None) -> Data:
    """``{"owner": …}`` when the state makes somebody else accountable, else nothing."""
    kind, found = owner_ref(draft, order, state, order.legs if legs is None else legs)
    owner = order.owner
    return {} if owner.id == found and owner.kind == kind else {"owner": {"kind": kind, "id": found}}


def move_leg(
    draft: Draft, order: Order, leg: Leg, leg_state: str, short: str, data: Data, *, at: datetime | None = None
) -> Order:
    """Emit ``short`` with the leg in its new state, and the order's state and owner as they follow."""
    facts = leg_facts(leg, leg_state)
    legs = legs_with(order, leg, leg_state)
    state = order.state
    if state not in KEPT_STATES:
        state = crew_state(legs)
    facts["state"] = state
    if state not in {"completed", "confirmed"} and not order.is_final:
        facts.update(owner_of(draft, order, state, legs))
    facts.update(data)
    return draft.tell(short, order, facts, at=at)


def release(draft: Draft, order: Order, reason: str, *, offers_only: bool = False, ends: bool = False) -> Order:
    """Withdraw the active legs (or only the offers), so that nobody drives to a job that is gone.

    ``ends``: the order ends with the same decision, so that its state and owner are left as they are.
    """
    for leg in order.active_legs():
        if offers_only and leg.state != "offered":
            continue
        data: Data = {"reason": reason, "ask_again": True}
        if ends:
            facts = leg_facts(leg, "withdrawn") | {"state": order.state}
            order = draft.tell("work-order.withdrawn", order, facts | data)
        else:
            order = move_leg(draft, order, leg, "withdrawn", "work-order.withdrawn", data)
    return order


def current(order: Order, leg: Leg) -> Leg:
    """The same leg as the order has it now."""
    return next(one for one in order.legs if one.assignment_id == leg.assignment_id)
