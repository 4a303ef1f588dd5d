"""How the desk moves orders: elsewhere, apart, together, and from one technician to another."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules.advising import agreement
from dispatch.rules.draft import Draft, change_clocks, end_escalations, fact_time
from dispatch.rules.holds import off_hold
from dispatch.rules.incidents import leave
from dispatch.rules.legs import acted, lead, move_leg, needed, owner_ref, release
from dispatch.rules.lifecycle import permit
from dispatch.rules.opening import follow, open_new
from dispatch.rules.promises import known_needs, needs_of, promised_since, promises_of
from dispatch.rules.reporter import end_all
from dispatch.rules.rounds import give
from dispatch.rules.state import Data, Leg, Order, moment_of, text_of
from dispatch.rules.triage_model import OUT_OF_SCOPE
from dispatch.rules.work import needs_facts


def relocate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """It is somewhere else. In another territory its lane takes the order over, once this one has let go."""
    permit(action, data["actor"]["role"], order)
    location = needed(data, "resolved_location")["resolved_location"]
    facts: Data = {"location": location, "changes": {"location": location}, **acted(data)}
    elsewhere = location["territory"]
    if elsewhere == draft.territory.id:
        draft.tell("work-order.relocated", order, facts)
        return
    if order.state == "on_hold":
        order = off_hold(draft, order, data)
    order = release(draft, order, "relocated")
    kind, owner_id = owner_ref(draft, order, "open", ())
    way = {"from_territory": draft.territory.id, "to_territory": elsewhere}
    moved = facts | way | {"state": "open", "owner": {"kind": kind, "id": owner_id}}
    order = draft.tell("work-order.relocated", order, moved)
    snapshot = msgspec.to_builtins(replace(order, asked={}, considered=False, exhausted=False, legs=()))
    order = draft.tell("work-order.transferred-out", order, way | {"changes": {"moved_to": elsewhere}})
    draft.send(elsewhere, "adopt", order, {"order": snapshot})


def split(draft: Draft, order: Order, action: str, data: Data) -> None:
    """One order becomes several: each part is an order of its own, linked to this one."""
    permit(action, data["actor"]["role"], order)
    parts = list(needed(data, "parts")["parts"])
    first = sum(1 for link in order.links if link.get("type") == "split_into") + 1
    ids = [f"{order.id}-{first + number}" for number in range(len(parts))]
    order = draft.tell("work-order.split", order, {"into": ids, **acted(data)})
    for child_id, part in zip(ids, parts, strict=True):
        facts = {"link": {"type": "split_into", "id": child_id}, "reason": "split"}
        order = draft.tell("work-order.updated", order, facts)
        open_new(draft, child_id, _part(draft, order, part))


def _part(draft: Draft, order: Order, part: Data) -> Data:
    needs = [needs_facts(need) for need in order.requirements]
    if part.get("requirements"):
        needs = known_needs(draft, part["requirements"])
    elif part.get("trade"):
        needs = needs_of(draft, part["trade"], hazards=order.hazards)
    location = part.get("resolved_location") or order.location
    return {
        "request_id": order.request_id,
        "kind": order.kind,
        "origin": order.origin,
        "drill": order.drill,
        "channel": order.channel,
        "links": [{"type": "split_from", "id": order.id}],
        "requirements": needs,
        "urgency": part.get("urgency") or order.urgency,
        "hazards": list(order.hazards),
        "location": location if location.get("territory") == order.location.get("territory") else order.location,
        "text": part.get("text") or order.text,
        "department_id": order.department_id,
        "reporter": order.reporter,
        "reported_at": text_of(order.reported_at),
        "needs_triage": not needs,
        "classifier": {"source": "desk"},
    }


def merge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A duplicate: its reporter follows the order that goes on."""
    permit(action, data["actor"]["role"], order)
    original = draft.order(data["into"])
    if original is None or original.is_final or original.id == order.id:
        raise Rejected("unknown-order", f"no open work order {data['into']} in this territory", "into")
    order = end_all(draft, order, "merged")
    facts = {"state": "merged", "into": original.id, "basis": "person", "changes": {"merged_into": original.id}}
    order = draft.tell("work-order.merged", order, facts | acted(data))
    follow(draft, original, order)


def unmerge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """It was no duplicate: open again, with the promises it should have had since it was reported.

    An order that joined an incident leaves it.
    """
    permit(action, data["actor"]["role"], order)
    if order.state != "merged":
        if order.incident_id is None:
            raise Rejected("not-in-this-state", "this order is merged with no other, and in no incident", "action")
        leave(draft, order, action)
        return
    original = draft.order(order.merged_into or "")
    order = end_escalations(draft, order)
    kind, owner_id = owner_ref(draft, order, "open", ())
    facts: Data = {"state": "open", "into": order.merged_into, "owner": {"kind": kind, "id": owner_id}}
    order = draft.tell("work-order.unmerged", order, facts | acted(data))
    change_clocks(draft, order, "clock.started", promises_of(draft, order, promised_since(order)), "unmerged")
    if original is not None and not original.is_final and order.reporter.get("subject_id"):
        gone = {"unfollowed": order.reporter["subject_id"], "reason": "unmerged"}
        draft.tell("work-order.updated", original, gone)


def assign(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Give the order to ``to``; who had it is withdrawn first. Without ``to`` (reassign) it is matched anew."""
    permit(action, data["actor"]["role"], order)
    leaving = _leaving(order, data)
    to = data.get("to")
    if to is not None and any(leg.technician_id == to for leg in order.active_legs()):
        raise Rejected("already-on-the-crew", f"{to} has this order already", "to")
    free = dict(order.open_places())
    place = min(free, default=None)
    if leaving is not None and (action == "reassign" or place is None):
        place = leaving.place
        facts = acted(data) | {"reason": data.get("reason") or action}
        order = move_leg(draft, order, leaving, "withdrawn", "work-order.withdrawn", facts)
        free = dict(order.open_places())
    if to is None:
        if leaving is None:
            raise Rejected("no-assignment", "nobody has this order that it could be taken from", "assignment_id")
        return
    if place is None or place not in free:
        raise Rejected("not-in-this-state", "this order waits for no technician", "work_order_id")
    extra = acted(data)
    if data.get("pinned_until"):
        extra["pinned_until"] = text_of(moment_of(data["pinned_until"]))
    give(draft, order, place, free[place], to, extra=extra)


def _leaving(order: Order, data: Data) -> Leg | None:
    assignment_id = data.get("assignment_id")
    if not assignment_id:
        return lead(order.legs)
    for leg in order.active_legs():
        if leg.assignment_id == assignment_id:
            return leg
    raise Rejected("assignment-over", "the assignment that this speaks of is over", "assignment_id")


def preempt(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Interrupt what technician ``to`` does (on ``instead_of``) for this order's sake; that one is matched anew."""
    permit(action, data["actor"]["role"], order)
    to = needed(data, "to")["to"]
    other = draft.known(data["instead_of"]) if data.get("instead_of") else None
    if other is not None:
        leg = next((leg for leg in other.active_legs() if leg.technician_id == to), None)
        if leg is None or other.id == order.id:
            raise Rejected("no-assignment", f"{to} is not at work on {other.id}", "instead_of")
        facts = {"reason": "preempted", "ask_again": True}
        move_leg(draft, other, leg, "withdrawn", "work-order.withdrawn", facts)
    assign(draft, order, "assign", data)


def refuse(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Not ours: the reporter is told who to turn to, and may appeal."""
    permit(action, data["actor"]["role"], order)
    order = end_all(draft, order, "refused")
    facts: Data = {"state": "refused", "where_instead": data.get("where_instead"), "decided_at": draft.now_text}
    facts |= agreement(order, OUT_OF_SCOPE)
    draft.tell("work-order.refused", order, facts | acted(data), at=fact_time(draft, data))


DESK_MOVES: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    "relocate": relocate,
    "split": split,
    "merge": merge,
    "unmerge": unmerge,
    "assign": assign,
    "reassign": assign,
    "preempt": preempt,
    "refuse": refuse,
}
