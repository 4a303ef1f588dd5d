"""A fault becomes a work order: opened with its promises, attached to one already open, or left to the front desk."""

import msgspec

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules.draft import Draft
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.incidents import gather
from dispatch.rules.letters import as_letter, parties
from dispatch.rules.plans import plan_for, roles_of
from dispatch.rules.promises import new_clocks, promised_since, start_missing
from dispatch.rules.rework import rework_facts, with_rework
from dispatch.rules.state import Clock, Data, Order, moment_of, text_of

AS_SAID = (
    *("department_id", "impact", "hazards", "links"),
    *("noticed_at", "entered_at", "entered_by", "on_behalf_of", "access", "attachments", "asset_state"),
    *("billing_hint", "about_ref", "external_refs", "campaign_id", "locale", "job_class"),
)
"""What a report may say that the rules pass on as it is."""


def open_order(draft: Draft, command: Command) -> None:
    """Decide an ``open`` command: one new order, or no effect when its id was opened before."""
    order_id = command.order_id or ""
    if draft.order(order_id) is not None:
        draft.repeated = True
        return
    open_new(draft, order_id, command.data, original=_original(draft, command.data))


def open_new(draft: Draft, order_id: str, data: Data, *, original: Order | None = None) -> None:
    """Open an order that is not known yet; ``data`` is what intake (or a split) made of the report."""
    data = as_letter(draft.policy.site, data)
    promises = [] if original is not None else _promises(draft, data)
    facts = _opened(draft, order_id, data, promises)
    if original is None and (rework := rework_facts(draft, data)) is not None:
        facts["rework"], facts["links"] = rework, with_rework(data, rework)
    draft.emit("work-order.opened", order_id, facts)
    order = draft.known(order_id)
    if original is not None:
        _attach(draft, order, original)
        return
    if order.urgency == "emergency":
        order = alarm(draft, order)
    gather(draft, order)


def alarm(draft: Draft, order: Order) -> Order:
    """An emergency: the shift leader hears of it at once, whatever the clocks say, and what the plan says."""
    plan = plan_for(draft.policy_of(order), order.hazards)
    return raise_escalation(draft, order, cause="emergency", level=1, to=roles_of(plan), plan=plan)


def _opened(draft: Draft, order_id: str, data: Data, promises: list[Clock]) -> Data:
    site = draft.policy.site
    owner = site.front_desk if data["needs_triage"] else site.queue_owner
    if not data["needs_triage"] and not data["requirements"]:
        owner = site.letters.get(data["kind"], owner)
    command = draft.command
    facts: Data = {
        "work_order_id": order_id,
        "display_no": f"{draft.territory.id.upper()}-{draft.opened + 1:05d}",
        "request_id": data["request_id"],
        "kind": data["kind"],
        "origin": data["origin"],
        "drill": data["drill"],
        "channel": data["channel"],
        "cycle": 1,
        "state": "open",
        "owner": {"kind": owner.kind, "id": owner.id},
        "requirements": data["requirements"],
        "urgency": data["urgency"],
        "location": data["location"],
        "text": data["text"],
        "reporter": data["reporter"],
        "targets": promises,
        "promised_at": data.get("due_at") or _resolved_by(promises),
        "reported_at": data["reported_at"],
        "needs_triage": data["needs_triage"],
        "classifier": data["classifier"],
        "policy_version": draft.policy.version,
        "position": command.origin if command else None,
    }
    if data.get("due_at"):
        facts["due_override"] = True
    if about := parties(draft, data):
        facts["parties"] = about
    for name in AS_SAID:
        if said := data.get(name):
            facts[name] = said
    return facts


def _resolved_by(promises: list[Clock]) -> str | None:
    for clock in promises:
        if clock.name == "resolve":
            return text_of(clock.due_at)
    return None


def _promises(draft: Draft, data: Data) -> list[Clock]:
    needs = data["requirements"]
    path = tuple(data["location"].get("area_path", ()))
    return new_clocks(
        draft.policy,
        (data["urgency"], needs[0]["trade"] if needs else None, draft.territory.id, path, data["kind"]),
        moment_of(data["reported_at"]),
        triage=data["needs_triage"],
        due_at=moment_of(data["due_at"]) if data.get("due_at") else None,
    )


def _original(draft: Draft, data: Data) -> Order | None:
    """The open order that this report repeats: same place and trade, within the trade's window."""
    if data["needs_triage"] or not data["requirements"] or data["kind"] != "repair":
        return None
    trade = data["requirements"][0]["trade"]
    window_s = draft.policy.duplicate_window_s(trade)
    if window_s == 0:
        return None
    found = draft.territory.open_at(data["location"], trade)
    if not found:
        return None
    reported_at = moment_of(data["reported_at"])
    for order in found:
        near = abs((reported_at - order.reported_at).total_seconds()) <= window_s
        if near and order.kind == "repair" and order.drill == data["drill"] and order.state != "completed":
            return order
    return None


def _attach(draft: Draft, order: Order, original: Order) -> None:
    facts = {
        "state": "merged",
        "into": original.id,
        "reason": "duplicate",
        "basis": "machine",
        "evidence": {"place": order.location, "trade": order.trade},
        "changes": {"merged_into": original.id},
    }
    order = draft.tell("work-order.merged", order, facts)
    follow(draft, original, order)


def follow(draft: Draft, original: Order, duplicate: Order) -> Order:
    """Have the duplicate's reporter, and who followed it, hear of the original."""
    link = {"type": "duplicate", "id": duplicate.id}
    facts = {"link": link, "follower": duplicate.reporter.get("subject_id"), "reason": "duplicate"}
    original = draft.tell("work-order.updated", original, facts)
    for follower in duplicate.followers:
        original = draft.tell("work-order.updated", original, {"follower": follower, "reason": "duplicate"})
    return original


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
    start_missing(draft, draft.known(order.id), promised_since(order), "transferred")
