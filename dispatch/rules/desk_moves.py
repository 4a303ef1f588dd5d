"""What the desk does: classify, relocate, split, merge, give and take, extend, approve, answer escalations, close."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, change_clocks, end_escalations, fact_time, settle_clocks, stop_clocks
from dispatch.rules.escalating import close, raise_escalation
from dispatch.rules.legs import acted, lead, move_leg, owner_of, release_all
from dispatch.rules.lifecycle import crew_state, permit
from dispatch.rules.opening import follow, open_new, service_clocks
from dispatch.rules.rounds import give
from dispatch.rules.state import Clock, Data, Order, moment_of, text_of


def needs_of(draft: Draft, trade: str) -> list[Data]:
    """What a task of the trade needs by the catalogue; Rejected ``unknown-trade``."""
    known = draft.policy.document.trades.get(trade)
    if known is None:
        raise Rejected("unknown-trade", f"no trade {trade!r} in the catalogue", "trade")
    certificates = list(known.certificates)
    return [{"trade": trade, "min_level": known.min_level, "certificates": certificates, "count": known.count}]


def reclassify(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Another trade, urgency or kind. From the front desk's queue this is the triage itself."""
    permit(action, data["actor"]["role"], order)
    changes: Data = {name: data[name] for name in ("kind", "urgency", "impact", "job_class") if data.get(name)}
    if data.get("requirements"):
        changes["requirements"] = list(data["requirements"])
    elif data.get("trade"):
        changes["requirements"] = needs_of(draft, data["trade"])
    if order.needs_triage:
        _classify(draft, order, data, changes)
        return
    facts = {"state": order.state, "changes": changes, "before": {"trade": order.trade, "urgency": order.urgency}}
    other_trade = "requirements" in changes and changes["requirements"][0]["trade"] != order.trade
    order = draft.tell("work-order.reclassified", order, facts | acted(data))
    if other_trade:
        order = release_all(draft, order, "reclassified")
    if "urgency" in changes or other_trade:
        _new_promises(draft, order)


def _classify(draft: Draft, order: Order, data: Data, changes: Data) -> None:
    if not changes.get("requirements"):
        raise Rejected("missing-field", "a trade is what this order waits for", "trade")
    stopped, disproved = stop_clocks(draft, order, ("triage",), fact_time(draft, data))
    changes["needs_triage"] = False
    queue = draft.policy_of(order).site.queue_owner
    facts: Data = {"changes": changes, "clock_changes": stopped, "owner": {"kind": queue.kind, "id": queue.id}}
    order = draft.tell("work-order.classified", order, facts | acted(data))
    order = settle_clocks(draft, order, stopped, disproved)
    change_clocks(draft, order, "clock.started", service_clocks(draft, order, order.reported_at), "classified")


def _new_promises(draft: Draft, order: Order) -> None:
    """Live clocks take the targets that the new trade and urgency promise, counted from the report as before."""
    fresh = service_clocks(draft, replace(order, clocks={}), order.reported_at)
    changed: list[Clock] = []
    for clock in fresh:
        old = order.clocks.get(clock.name)
        if old is None:
            changed.append(clock)
        elif old.state == "running" and old.breached_at is None and old.target_s != clock.target_s:
            changed.append(replace(clock, version=old.version + 1))
    change_clocks(draft, order, "clock.started", changed, "reclassified")


def relocate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """It is somewhere else. In another territory its lane takes the order over, once this one has let go."""
    permit(action, data["actor"]["role"], order)
    location = data["resolved_location"]
    if location["territory"] == draft.territory.id:
        draft.tell("work-order.relocated", order, {"changes": {"location": location}, **acted(data)})
        return
    order = release_all(draft, order, "relocated")
    queue = draft.policy_of(order).site.queue_owner
    owner = {"kind": queue.kind, "id": queue.id}
    facts = {"state": "open", "owner": owner, "from_territory": draft.territory.id, "changes": {"location": location}}
    order = draft.tell("work-order.relocated", order, facts | {"to_territory": location["territory"]} | acted(data))
    snapshot = msgspec.to_builtins(order)
    facts = {
        "from_territory": draft.territory.id,
        "to_territory": location["territory"],
        "changes": {"moved_to": location["territory"]},
    }
    order = draft.tell("work-order.transferred-out", order, facts)
    draft.send(location["territory"], "adopt", order, {"order": snapshot})


def split(draft: Draft, order: Order, action: str, data: Data) -> None:
    """One order becomes several: each part is an order of its own, linked to this one."""
    permit(action, data["actor"]["role"], order)
    parts = list(data.get("parts") or ())
    first = sum(1 for link in order.links if link.get("type") == "split_into") + 1
    ids = [f"{order.id}-{first + number}" for number in range(len(parts))]
    order = draft.tell("work-order.split", order, {"into": ids, **acted(data)})
    for child_id, part in zip(ids, parts, strict=True):
        order = draft.tell("work-order.updated", order, {"link": {"type": "split_into", "id": child_id}})
        open_new(draft, child_id, _part(draft, order, part))


def _part(draft: Draft, order: Order, part: Data) -> Data:
    needs = part.get("requirements") or (needs_of(draft, part["trade"]) if part.get("trade") else None)
    return {
        "request_id": order.request_id,
        "kind": order.kind,
        "origin": order.origin,
        "drill": order.drill,
        "channel": order.channel,
        "links": [{"type": "split_from", "id": order.id}],
        "requirements": list(needs or msgspec.to_builtins(order.requirements)),
        "urgency": part.get("urgency") or order.urgency,
        "location": order.location,
        "text": part.get("text") or order.text,
        "reporter": order.reporter,
        "reported_at": text_of(order.reported_at),
        "needs_triage": needs is None and not order.requirements,
        "classifier": {"source": "desk"},
    }


def merge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A duplicate: its reporter follows the order that goes on."""
    permit(action, data["actor"]["role"], order)
    original = draft.order(data["into"])
    if original is None or original.is_final or original.id == order.id:
        raise Rejected("unknown-order", f"no open work order {data['into']} in this territory", "into")
    order = release_all(draft, order, "merged")
    live = [clocks.cancel(clock, draft.now) for clock in order.clocks.values() if clock.is_live]
    order = change_clocks(draft, order, "clock.cancelled", live, "merged")
    order = end_escalations(draft, order, lambda _clock: True)
    facts = {"state": "merged", "into": original.id, "basis": "person", "changes": {"merged_into": original.id}}
    order = draft.tell("work-order.merged", order, facts | acted(data))
    follow(draft, original, order)


def unmerge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """It was no duplicate: open again, with the promises it should have had since it was reported."""
    permit(action, data["actor"]["role"], order)
    facts = {"state": "open", **owner_of(draft, order, "open")}
    order = draft.tell("work-order.unmerged", order, facts | acted(data))
    versions = {name: clock.version for name, clock in order.clocks.items()}
    fresh = service_clocks(draft, replace(order, clocks={}), order.reported_at)
    started = [replace(clock, version=versions.get(clock.name, 0) + 1) for clock in fresh]
    change_clocks(draft, order, "clock.started", started, "unmerged")


def assign(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Give the order to ``to``; who had it is withdrawn first. Without ``to`` (reassign, preempt) it is matched anew."""
    permit(action, data["actor"]["role"], order)
    leaving = lead(order)
    if data.get("assignment_id"):
        leaving = next((leg for leg in order.active_legs() if leg.assignment_id == data["assignment_id"]), None)
    open_places = dict(order.open_places())
    if leaving is not None and (action != "assign" or not open_places):
        facts = acted(data) | {"reason": data.get("reason") or action}
        order = move_leg(draft, order, leaving, "withdrawn", "work-order.withdrawn", facts)
        open_places = dict(order.open_places())
    if not data.get("to"):
        return
    if not open_places:
        raise Rejected("not-in-this-state", "this order waits for no technician", "work_order_id")
    place = min(open_places)
    extra = acted(data)
    if data.get("pinned_until"):
        extra["pinned_until"] = text_of(moment_of(data["pinned_until"]))
    give(draft, order, place, open_places[place], data["to"], mode="direct", why=None, extra=extra)


def refuse(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Not ours: the reporter is told who to turn to, and may appeal."""
    permit(action, data["actor"]["role"], order)
    order = release_all(draft, order, "refused")
    live = [clocks.cancel(clock, draft.now) for clock in order.clocks.values() if clock.is_live]
    order = change_clocks(draft, order, "clock.cancelled", live, "refused")
    order = end_escalations(draft, order, lambda _clock: True)
    facts = {"state": "refused", "where_instead": data.get("where_instead")}
    draft.tell("work-order.refused", order, facts | acted(data))


def extension(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More time: asked for, given or denied. What was promised first stays on record."""
    permit(action, data["actor"]["role"], order)
    short = {
        "request_extension": "work-order.extension-requested",
        "grant_extension": "work-order.extended",
        "deny_extension": "work-order.extension-denied",
    }[action]
    asked = {"until": data.get("until"), "clock": data.get("clock") or "resolve"}
    changes = {"extension": asked if action == "request_extension" else None}
    if action == "grant_extension":
        known = order.extension or {}
        asked["until"] = asked["until"] or known.get("until")
        clock = order.clocks.get(asked["clock"])
        if clock is None or not clock.is_live or not asked["until"]:
            raise Rejected("no-such-clock", f"no running clock {asked['clock']!r} to extend", "clock")
        moved = clocks.extend(draft.policy_of(order), clock, moment_of(asked["until"]))
        asked = asked | {"clock_changes": [moved]}
    draft.tell(short, order, asked | {"changes": changes} | acted(data))


def approval(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work that needs somebody's word waits for it, and goes on with it."""
    permit(action, data["actor"]["role"], order)
    if action == "request_approval":
        asked = {name: data.get(name) for name in ("approval_id", "subject", "amount", "approver_role")}
        facts = {"state": "awaiting_approval", **owner_of(draft, order, "awaiting_approval")}
        draft.tell("work-order.approval-requested", order, facts | asked | {"changes": {"approval": asked}} | acted(data))
        return
    state = crew_state(order.legs)
    facts = {"state": state, "decision": data["decision"], "changes": {"approval": None}}
    draft.tell("work-order.approval-decided", order, facts | owner_of(draft, order, state) | acted(data))


def acknowledge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Somebody knows and acts: one escalation, or all that ring for the order."""
    permit(action, data["actor"]["role"], order)
    named = data.get("escalation_id")
    ringing = [e for e in order.escalations if named in {None, e.id}]
    if not ringing:
        raise Rejected("unknown-escalation", "nothing of that name rings for this order", "escalation_id")
    for escalation in ringing:
        facts = {"escalation_id": escalation.id, "by": data["actor"]["id"], "until": data.get("until")}
        order = draft.tell("escalation.acknowledged", order, facts | acted(data))


def escalate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A person asks somebody higher to look."""
    permit(action, data["actor"]["role"], order)
    order = draft.tell("work-order.updated", order, {"escalated": True, **acted(data)})
    to = (data.get("to") or "supervisor",)
    raise_escalation(draft, order, cause="person", level=data.get("level") or 1, to=to, reason=data.get("reason"))


def say(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Facts that change no state: an inspection, a follow-up call (回访), a note."""
    permit(action, data["actor"]["role"], order)
    short, fields = {
        "inspect": ("work-order.inspected", ("result", "checklist")),
        "follow_up": ("work-order.followed-up", ("method", "outcome", "attempts")),
        "note": ("work-order.updated", ()),
    }[action]
    facts = {name: data.get(name) for name in fields}
    draft.tell(short, order, facts | acted(data), at=fact_time(draft, data))


def close_order(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Close without the reporter's word; who did it stands in the event."""
    permit(action, data["actor"]["role"], order)
    close(draft, order, acted(data))


DESK_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    "reclassify": reclassify,
    "relocate": relocate,
    "split": split,
    "merge": merge,
    "unmerge": unmerge,
    "assign": assign,
    "reassign": assign,
    "preempt": assign,
    "refuse": refuse,
    "request_extension": extension,
    "grant_extension": extension,
    "deny_extension": extension,
    "request_approval": approval,
    "decide_approval": approval,
    "acknowledge": acknowledge,
    "escalate": escalate,
    "inspect": say,
    "follow_up": say,
    "note": say,
    "close": close_order,
}
