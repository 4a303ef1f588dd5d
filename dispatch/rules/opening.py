"""A fault becomes a work order: opened with its promises, attached to one already open, or left to the front desk."""

from datetime import datetime

import msgspec

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, change_clocks
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.state import Clock, Data, Order, moment_of, text_of

SERVICE_CLOCKS = ("accept", "arrive", "make_safe", "resolve")


def open_order(draft: Draft, command: Command) -> None:
    """Decide an ``open`` command: one new order, or no effect when its id was opened before."""
    order_id = command.order_id or ""
    if draft.order(order_id) is not None:
        draft.repeated = True
        return
    open_new(draft, order_id, command.data)


def open_new(draft: Draft, order_id: str, data: Data) -> None:
    """Open an order that is not known yet; ``data`` is what intake (or a split) made of the report."""
    original = _original(draft, data)
    promises = [] if original is not None else _promises(draft, data)
    draft.emit("work-order.opened", order_id, _opened(draft, order_id, data, promises))
    order = draft.known(order_id)
    if original is not None:
        _attach(draft, order, original)
        return
    order = change_clocks(draft, order, "clock.started", promises, "opened")
    if order.urgency == "emergency":
        raise_escalation(draft, order, cause="emergency", level=1, to=("shift_leader",))


def _opened(draft: Draft, order_id: str, data: Data, promises: list[Clock]) -> Data:
    site = draft.policy.site
    owner = site.front_desk if data["needs_triage"] else site.queue_owner
    resolve = next((clock for clock in promises if clock.name == "resolve"), None)
    command = draft.command
    return {
        "work_order_id": order_id,
        "display_no": f"{draft.territory.id.upper()}-{draft.opened + 1:05d}",
        "request_id": data["request_id"],
        "kind": data["kind"],
        "origin": data["origin"],
        "drill": data["drill"],
        "channel": data["channel"],
        "cycle": 1,
        "state": "open",
        "links": data.get("links", []),
        "owner": {"kind": owner.kind, "id": owner.id},
        "department_id": data.get("department_id"),
        "requirements": data["requirements"],
        "urgency": data["urgency"],
        "hazards": data.get("hazards", []),
        "impact": data.get("impact"),
        "location": data["location"],
        "text": data["text"],
        "reporter": data["reporter"],
        "targets": [target_facts(clock) for clock in promises],
        "promised_at": data.get("due_at") or (text_of(resolve.due_at) if resolve else None),
        "due_override": bool(data.get("due_at")),
        "reported_at": data["reported_at"],
        "noticed_at": data.get("noticed_at"),
        "needs_triage": data["needs_triage"],
        "classifier": data["classifier"],
        "policy_version": draft.policy.version,
        "position": command.origin if command else None,
    }


def target_facts(clock: Clock) -> Data:
    """A promise as consumers read it."""
    return {
        "name": clock.name,
        "target_s": clock.target_s,
        "calendar_id": clock.calendar_id or None,
        "due_at": text_of(clock.due_at),
        "promised_to": clock.promised_to,
    }


def _promises(draft: Draft, data: Data) -> list[Clock]:
    reported_at = moment_of(data["reported_at"])
    location = data["location"]
    path = tuple(location.get("area_path", ()))
    trade = data["requirements"][0]["trade"] if data["requirements"] else None
    rule = draft.policy.sla(data["urgency"], trade, draft.territory.id, path, data["kind"])
    if data["needs_triage"]:
        return [clocks.start(draft.policy, rule, "triage", reported_at)] if "triage" in rule.targets else []
    due_at = moment_of(data["due_at"]) if data.get("due_at") else None
    return [
        clocks.start(draft.policy, rule, name, reported_at, due_at if name == "resolve" else None)
        for name in SERVICE_CLOCKS
        if name in rule.targets
    ]


def service_clocks(draft: Draft, order: Order, since: datetime) -> list[Clock]:
    """The promises of an order that has just been placed or opened anew, counted from ``since``."""
    policy = draft.policy_of(order)
    rule = policy.sla(order.urgency, order.trade, draft.territory.id, order.area_path, order.kind)
    due_at = order.due_at if order.cycle == 1 else None
    return [
        clocks.start(policy, rule, name, since, due_at if name == "resolve" else None)
        for name in SERVICE_CLOCKS
        if name in rule.targets and name not in order.clocks
    ]


def _original(draft: Draft, data: Data) -> Order | None:
    """The open order that this report repeats: same place and trade, within the trade's window."""
    if data["needs_triage"] or not data["requirements"] or data["kind"] != "repair":
        return None
    trade = data["requirements"][0]["trade"]
    window_s = draft.policy.duplicate_window_s(trade)
    if window_s == 0:
        return None
    reported_at = moment_of(data["reported_at"])
    for order in draft.territory.open_at(data["location"], trade):
        near = abs((reported_at - order.reported_at).total_seconds()) <= window_s
        if near and order.drill == data["drill"] and order.state not in {"completed", "confirmed"}:
            return order
    return None


def _attach(draft: Draft, order: Order, original: Order) -> None:
    order = draft.tell(
        "work-order.merged",
        order,
        {
            "state": "merged",
            "into": original.id,
            "reason": "duplicate",
            "basis": "machine",
            "evidence": {"place": order.location, "trade": order.trade},
            "changes": {"merged_into": original.id},
        },
    )
    follow(draft, original, order)


def follow(draft: Draft, original: Order, duplicate: Order) -> Order:
    """Have the duplicate's reporter hear of the original."""
    link = {"type": "duplicate", "id": duplicate.id}
    return draft.tell(
        "work-order.updated", original, {"follower": duplicate.reporter.get("subject_id"), "link": link}
    )


def adopt(draft: Draft, command: Command) -> None:
    """Take in an order that another territory has released."""
    snapshot: Data = command.data["order"]
    known = draft.order(command.order_id or "")
    if known is not None and known.moved_to is None:
        draft.repeated = True
        return
    if "id" not in snapshot:
        raise Rejected("invalid-value", "the snapshot of the moved order is not whole", "order")
    order = msgspec.convert(snapshot, Order)
    data = {
        "work_order_id": order.id,
        "cycle": order.cycle,
        "state": order.state,
        "order": order,
        "from_territory": command.sender,
        "to_territory": draft.territory.id,
    }
    draft.emit("work-order.transferred-in", order.id, data)
    changed = service_clocks(draft, order, order.reported_at) if not order.needs_triage else []
    change_clocks(draft, draft.known(order.id), "clock.started", changed, "transferred")
