"""What the desk says of orders: what they are, how long they may take, who knows, and that they are over."""

from collections.abc import Callable, Sequence

from dispatch.errors import Rejected
from dispatch.rules.advising import agreement
from dispatch.rules.draft import Draft, correct, disproved, end_escalations, fact_time, settle_clocks, stop_clocks
from dispatch.rules.escalating import close, extend_clock, raise_escalation
from dispatch.rules.legs import acted, needed, owner_of, release
from dispatch.rules.lifecycle import crew_state, permit
from dispatch.rules.opening import alarm
from dispatch.rules.promises import known_needs, needs_of, promise_anew, start_missing
from dispatch.rules.rework import LINK, rework_facts
from dispatch.rules.state import Data, Order, text_of
from dispatch.rules.work import needs_facts

SAID_OF_CLASS = ("kind", "urgency", "hazards", "impact", "job_class")


def reclassify(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Another trade, urgency or kind. From the front desk's queue this is the triage itself."""
    permit(action, data["actor"]["role"], order)
    changes: Data = {name: data[name] for name in SAID_OF_CLASS if data.get(name)}
    if data.get("requirements"):
        changes["requirements"] = known_needs(draft, data["requirements"])
    elif data.get("trade") and data["trade"] != order.trade:
        changes["requirements"] = needs_of(draft, data["trade"], hazards=changes.get("hazards", order.hazards))
    elif (needs := _with_papers(draft, order, changes.get("hazards", ()))) != _needs(order):
        changes["requirements"] = needs
    was_emergency = order.urgency == "emergency"
    order = _classify(draft, order, data, changes) if order.needs_triage else _change(draft, order, data, changes)
    if changes.get("requirements") and order.rework is None:
        order = _look_for_rework(draft, order)
    if order.urgency == "emergency" and not was_emergency:
        alarm(draft, order)


def _look_for_rework(draft: Draft, order: Order) -> Order:
    """Now that its trade is known, it may prove to be the repair of a repair."""
    said: Data = {name: getattr(order, name) for name in ("kind", "location", "text", "drill")}
    said |= {"requirements": _needs(order), "reported_at": text_of(order.reported_at)}
    rework = rework_facts(draft, said)
    if rework is None or rework["of_id"] == order.id:
        return order
    link = {"type": LINK, "id": rework["of_id"]}
    facts: Data = {"what": "rework", "rework": rework, "link": link, "changes": {"rework": rework}}
    return draft.tell("work-order.updated", order, facts)


def _change(draft: Draft, order: Order, data: Data, changes: Data) -> Order:
    needs = changes.get("requirements")
    other_needs = needs is not None and needs != [{**n, "certificates": list(n["certificates"])} for n in _needs(order)]
    other_trade = needs is not None and needs[0]["trade"] != order.trade
    facts: Data = {**changes, "changes": changes, "before": {"trade": order.trade, "urgency": order.urgency}}
    if other_trade:
        facts["wrong_trade_arrivals"] = sum(1 for leg in order.active_legs() if leg.visits)
    before = (order.urgency, order.trade, order.kind)
    order = draft.tell("work-order.reclassified", order, facts | acted(data))
    if other_needs:
        order = release(draft, order, "reclassified")
    if (order.urgency, order.trade, order.kind) != before:
        order = promise_anew(draft, order, "reclassified")
    if order.kind != before[2] and (owner := owner_of(draft, order, order.state)):
        order = draft.tell("work-order.owner-changed", order, owner | {"reason": "reclassified"})
    return order


def _with_papers(draft: Draft, order: Order, hazards: Sequence[str]) -> list[Data]:
    """What the order needs already, everybody with the certificates for these hazards as well."""
    needs = _needs(order)
    for need in needs if hazards else ():
        papers = draft.policy.certificates(need["trade"], hazards)
        need["certificates"] = tuple(dict.fromkeys((*need["certificates"], *papers)))
    return needs


def _needs(order: Order) -> list[Data]:
    return [needs_facts(need) for need in order.requirements]


def _classify(draft: Draft, order: Order, data: Data, changes: Data) -> Order:
    if not changes.get("requirements"):
        needed(data, "trade")
    stopped, wrong = stop_clocks(draft, order, ("triage",), fact_time(draft, data))
    changes["needs_triage"] = False
    queue = draft.policy_of(order).site.queue_owner
    owner = {"owner": {"kind": queue.kind, "id": queue.id}}
    told = {name: value for name, value in changes.items() if name != "needs_triage"}
    facts: Data = {**told, "changes": changes, "clock_changes": stopped, "classifier": {"source": "desk"}, **owner}
    facts |= agreement(order, changes["requirements"][0]["trade"] if changes.get("requirements") else order.trade)
    order = draft.tell("work-order.classified", order, facts | acted(data))
    order = settle_clocks(draft, order, stopped, wrong)
    return start_missing(draft, order, order.reported_at, "classified")


def ask_for_time(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More time is asked for, or denied."""
    permit(action, data["actor"]["role"], order)
    known = order.extension or {}
    asked = {"until": data.get("until"), "clock": data.get("clock") or known.get("clock") or "resolve"}
    if action == "request_extension":
        needed(data, "until")
        facts = asked | {"changes": {"extension": asked}}
        draft.tell("work-order.extension-requested", order, facts | acted(data))
    else:
        facts = {"clock": asked["clock"], "changes": {"extension": None}}
        draft.tell("work-order.extension-denied", order, facts | acted(data))


def give_time(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More time is given: what was promised first stays on record, a breach before that is taken back."""
    permit(action, data["actor"]["role"], order)
    known = order.extension or {}
    name: str = data.get("clock") or known.get("clock") or "resolve"
    until = data.get("until") or known.get("until") or ""
    needed({"until": until}, "until")
    clock = order.clocks.get(name)
    if clock is None or not clock.is_live:
        raise Rejected("no-such-clock", f"no running clock {name!r} to extend", "clock")
    moved = extend_clock(draft, order, clock, until)
    wrong = disproved(order, [moved])
    facts: Data = {"clock": name, "until": until, "extended_s": moved.extended_s, "clock_changes": [moved]}
    order = draft.tell("work-order.extended", order, facts | {"changes": {"extension": None}} | acted(data))
    if wrong:
        order = correct(draft, order, wrong, "extended")
        end_escalations(draft, order, lambda escalation: escalation.clock == name)


def ask_approval(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work that needs somebody's word waits for it; who has only been asked to come is not kept waiting."""
    permit(action, data["actor"]["role"], order)
    asked = {name: data.get(name) for name in ("approval_id", "subject", "amount", "approver_role")}
    order = release(draft, order, "awaiting_approval", offers_only=True)
    facts: Data = {"state": "awaiting_approval", **owner_of(draft, order, "awaiting_approval")}
    draft.tell("work-order.approval-requested", order, facts | asked | {"changes": {"approval": asked}} | acted(data))


def decide_approval(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The word is given, and the order goes on where it was."""
    permit(action, data["actor"]["role"], order)
    state = "on_hold" if order.hold is not None else crew_state(order.legs)
    facts: Data = {"state": state, "decision": data["decision"], "changes": {"approval": None}}
    facts |= {name: data.get(name) for name in ("approval_id", "amount")}
    draft.tell("work-order.approval-decided", order, facts | owner_of(draft, order, state) | acted(data))


def acknowledge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Somebody knows and acts: one escalation, or all that ring for the order."""
    permit(action, data["actor"]["role"], order)
    named = data.get("escalation_id")
    ringing = [e for e in order.escalations if named in {None, e.id}]
    if not ringing:
        raise Rejected("unknown-escalation", "nothing of that name rings for this order", "escalation_id")
    for escalation in ringing:
        facts: Data = {"escalation_id": escalation.id, "clock": escalation.clock, "level": escalation.level}
        facts |= {"by": data["actor"]["id"], "until": data.get("until")}
        order = draft.tell("escalation.acknowledged", order, facts | acted(data))


def escalate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A person asks somebody higher to look."""
    permit(action, data["actor"]["role"], order)
    order = draft.tell("work-order.updated", order, {"what": "escalated", **acted(data)})
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
    facts = {name: data[name] for name in fields if data.get(name) is not None}
    draft.tell(short, order, facts | acted(data), at=fact_time(draft, data))


def close_order(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Close without the reporter's word; who did it stands in the event."""
    permit(action, data["actor"]["role"], order)
    close(draft, order, acted(data))


DESK_WORDS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    "reclassify": reclassify,
    "request_extension": ask_for_time,
    "deny_extension": ask_for_time,
    "grant_extension": give_time,
    "request_approval": ask_approval,
    "decide_approval": decide_approval,
    "acknowledge": acknowledge,
    "escalate": escalate,
    "inspect": say,
    "follow_up": say,
    "note": say,
    "close": close_order,
}
