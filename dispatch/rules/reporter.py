"""What reporters (and who speaks for them) do: confirm, reject, rate, reopen, urge, amend, cancel, appeal."""

from collections.abc import Callable

from dispatch.errors import Rejected
from dispatch.rules import clocks
from dispatch.rules.draft import (
    Draft,
    cancel_clocks,
    change_clocks,
    end_escalations,
    fact_time,
    settle_clocks,
    stop_clocks,
    verdict_facts,
)
from dispatch.rules.escalating import close, raise_escalation
from dispatch.rules.legs import acted, owner_of, owner_ref, release
from dispatch.rules.lifecycle import permit
from dispatch.rules.promises import start_missing
from dispatch.rules.state import Data, Order


def confirm(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The repair is accepted (验收), and with it the order is closed."""
    role = data["actor"]["role"]
    permit(action, role, order)
    at = fact_time(draft, data)
    stopped, wrong = stop_clocks(draft, order, ("confirm",), at)
    mode = "inspector" if role in {"inspector", "quality_monitor"} else "explicit"
    acceptance = {"by_role": role, "mode": mode}
    facts = {"state": "confirmed", "clock_changes": stopped, "acceptance": acceptance}
    order = draft.tell(
        "work-order.confirmed", order, facts | acted(data) | {"changes": {"acceptance": acceptance}}, at=at
    )
    order = settle_clocks(draft, order, stopped, wrong)
    close(draft, order, {"reason": "confirmed", "acceptance": acceptance})


def reject_work(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The repair is not accepted: the earlier verdict is void, resolve goes on with what had elapsed."""
    permit(action, data["actor"]["role"], order)
    void = [verdict_facts(clock) for clock in order.clocks.values() if clock.name == "resolve"]
    facts: Data = {"state": "open", "clocks": void, **owner_of(draft, order, "open")}
    order = draft.tell("work-order.work-rejected", order, facts | acted(data), at=fact_time(draft, data))
    if (waiting := order.clocks.get("confirm")) is not None and waiting.is_live:
        ended = clocks.cancel(waiting, draft.now)
        order = change_clocks(draft, order, "clock.cancelled", [ended], "work_rejected")
        order = end_escalations(draft, order, lambda escalation: escalation.clock == "confirm")
    if (resolve := order.clocks.get("resolve")) is not None and not resolve.is_live:
        again = clocks.reopen(draft.policy_of(order), resolve, draft.now)
        change_clocks(draft, order, "clock.resumed", [again], "work_rejected")


def rate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The reporter's verdict in numbers."""
    role = data["actor"]["role"]
    permit(action, role, order)
    facts = {name: data.get(name) for name in ("dimensions", "comment")}
    facts["scale_id"] = data.get("scale")
    own = data["actor"]["id"] == order.reporter.get("subject_id")
    facts |= {"rater_role": role, "mode": "explicit", "eligible": own or role != "requester"}
    draft.tell("work-order.rated", order, facts | acted(data), at=fact_time(draft, data))


def reopen(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The same fault is back after closure, or the refusal was wrong: a new cycle with new promises."""
    permit(action, data["actor"]["role"], order)
    within_s = draft.policy_of(order).site.reopen_within
    if order.closed_at is None or (draft.now - order.closed_at).total_seconds() > within_s:
        days = within_s // 86400
        raise Rejected("too-late-to-reopen", f"ended more than {days} days ago: send a new request", "work_order_id")
    order = end_escalations(draft, order)
    kind, owner_id = owner_ref(draft, order, "open", ())
    facts: Data = {
        "state": "open",
        "cycle": order.cycle + 1,
        "previous_cycle": order.cycle,
        "owner": {"kind": kind, "id": owner_id},
    }
    if order.state == "closed":
        basis = "reporter" if data["actor"]["role"] == "requester" else "inspector"
        facts["rework"] = {"of_id": order.id, "basis": basis}
    order = draft.tell("work-order.reopened", order, facts | acted(data))
    start_missing(draft, order, draft.now, "reopened")


def urge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Urging (催单) leads to action: the owner's lead hears of it, at once."""
    permit(action, data["actor"]["role"], order)
    count = order.counters.get("urges", 0) + 1
    order = draft.tell("work-order.urged", order, {"text": data.get("text"), "count": count, **acted(data)})
    level = min(count, 3)
    to = ("dispatcher", "supervisor", "shift_leader")[:level]
    raise_escalation(draft, order, cause="urging", level=level, to=to)


def amend(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More words or a better place; technicians who have the order hear of it."""
    permit(action, data["actor"]["role"], order)
    changes: Data = {}
    if data.get("text"):
        changes["text"] = data["text"]
    if location := data.get("resolved_location"):
        if location.get("territory", draft.territory.id) != draft.territory.id:
            raise Rejected("other-territory", "that is elsewhere: it must be relocated by the desk", "location")
        changes["location"] = location
    order = draft.tell("work-order.amended", order, {**changes, "changes": changes, **acted(data)})
    for leg in order.active_legs():
        facts = {"assignment_id": leg.assignment_id, "technician_id": leg.technician_id, "place": leg.place}
        order = draft.tell("work-order.updated", order, facts | {"reason": "amended", "text": order.text})


def reschedule(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The reporter is there at other times."""
    permit(action, data["actor"]["role"], order)
    draft.tell("work-order.rescheduled", order, {"windows": data.get("windows") or [], **acted(data)})


def cancel(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Not needed any more: nobody drives there, no clock runs on."""
    permit(action, data["actor"]["role"], order)
    order = end_all(draft, order, "cancelled")
    facts = {"state": "cancelled", "decided_at": draft.now_text}
    draft.tell("work-order.cancelled", order, facts | acted(data), at=fact_time(draft, data))


def end_all(draft: Draft, order: Order, reason: str) -> Order:
    """Call everybody back, end the clocks without a verdict, and still the escalations of an order that ends."""
    order = release(draft, order, reason, ends=True)
    order = cancel_clocks(draft, order, reason)
    return end_escalations(draft, order)


def appeal(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Refused or merged wrongly, says the reporter: a supervisor must look."""
    permit(action, data["actor"]["role"], order)
    order = draft.tell("work-order.appealed", order, acted(data))
    raise_escalation(draft, order, cause="person", level=1, to=("supervisor",), reason="appeal")


REPORTER_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    "confirm": confirm,
    "reject_work": reject_work,
    "rate": rate,
    "reopen": reopen,
    "urge": urge,
    "amend": amend,
    "reschedule": reschedule,
    "cancel": cancel,
    "appeal": appeal,
}
