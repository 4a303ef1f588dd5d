"""What reporters (and who speaks for them) do: confirm, reject, rate, reopen, urge, amend, cancel, appeal."""

from collections.abc import Callable

from dispatch.errors import Rejected
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, change_clocks, end_escalations, fact_time, settle_clocks, stop_clocks
from dispatch.rules.escalating import close, raise_escalation
from dispatch.rules.legs import acted, owner_of, release_all
from dispatch.rules.lifecycle import permit
from dispatch.rules.opening import service_clocks
from dispatch.rules.state import Data, Order


def confirm(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The repair is accepted (验收), and with it the order is closed."""
    role = data["actor"]["role"]
    permit(action, role, order)
    at = fact_time(draft, data)
    stopped, disproved = stop_clocks(draft, order, ("confirm",), at)
    mode = "inspector" if role in {"inspector", "quality_monitor"} else "explicit"
    acceptance = {"by_role": role, "mode": mode}
    facts = {"state": "confirmed", "clock_changes": stopped, "acceptance": acceptance}
    order = draft.tell(
        "work-order.confirmed", order, facts | acted(data) | {"changes": {"acceptance": acceptance}}, at=at
    )
    order = settle_clocks(draft, order, stopped, disproved)
    close(draft, order, {"reason": "confirmed", "acceptance": acceptance})


def reject_work(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The repair is not accepted: the earlier verdict is void, resolve goes on with what had elapsed."""
    permit(action, data["actor"]["role"], order)
    at = fact_time(draft, data)
    facts = {"state": "open", **owner_of(draft, order, "open")}
    order = draft.tell("work-order.work-rejected", order, facts | acted(data), at=at)
    policy = draft.policy_of(order)
    if (confirm_clock := order.clocks.get("confirm")) is not None and confirm_clock.is_live:
        ended = [clocks.cancel(confirm_clock, draft.now)]
        order = change_clocks(draft, order, "clock.cancelled", ended, "work_rejected")
    if (resolve := order.clocks.get("resolve")) is not None and not resolve.is_live:
        again = [clocks.reopen(policy, resolve, draft.now)]
        order = change_clocks(draft, order, "clock.resumed", again, "work_rejected")


def rate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The reporter's verdict in numbers."""
    role = data["actor"]["role"]
    permit(action, role, order)
    facts = {name: data.get(name) for name in ("dimensions", "scale", "comment")}
    own = data["actor"]["id"] == order.reporter.get("subject_id")
    facts |= {"rater_role": role, "mode": "explicit", "eligible": own or role != "requester"}
    draft.tell("work-order.rated", order, facts | acted(data), at=fact_time(draft, data))


def reopen(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The same fault is back after closure: a new cycle with new promises, the history kept."""
    permit(action, data["actor"]["role"], order)
    within_s = draft.policy_of(order).site.reopen_within
    if order.closed_at is None or (draft.now - order.closed_at).total_seconds() > within_s:
        raise Rejected("too-late-to-reopen", f"closed more than {within_s // 86400} days ago: send a new request")
    at = draft.now
    rework = {"of_id": order.id, "basis": "reporter" if data["actor"]["role"] == "requester" else "inspector"}
    facts = {"state": "open", "cycle": order.cycle + 1, "rework": rework, **owner_of(draft, order, "open")}
    order = draft.tell("work-order.reopened", order, facts | acted(data), at=at)
    change_clocks(draft, order, "clock.started", service_clocks(draft, order, at), "reopened")


def urge(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Urging (催单) leads to action: the owner's lead hears of it, at once."""
    permit(action, data["actor"]["role"], order)
    order = draft.tell("work-order.urged", order, {"text": data.get("text"), **acted(data)})
    level = min(order.counters.get("urges", 1), 3)
    to = ("dispatcher", "supervisor", "shift_leader")[:level]
    raise_escalation(draft, order, cause="urging", level=level, to=to)


def amend(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More words or a better place; technicians who have the order hear of it."""
    permit(action, data["actor"]["role"], order)
    changes: Data = {}
    if data.get("text"):
        changes["text"] = data["text"]
    if data.get("resolved_location"):
        changes["location"] = data["resolved_location"]
    order = draft.tell("work-order.amended", order, {"changes": changes, **acted(data)})
    for leg in order.active_legs():
        facts = {"assignment_id": leg.assignment_id, "technician_id": leg.technician_id, "place": leg.place}
        order = draft.tell("work-order.updated", order, facts | {"reason": "amended", "text": order.text})


def reschedule(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The reporter is there at other times."""
    permit(action, data["actor"]["role"], order)
    draft.tell("work-order.rescheduled", order, {"windows": data.get("windows"), **acted(data)})


def cancel(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Not needed any more: nobody drives there, no clock runs on."""
    permit(action, data["actor"]["role"], order)
    order = release_all(draft, order, "cancelled")
    live = [clocks.cancel(clock, draft.now) for clock in order.clocks.values() if clock.is_live]
    order = change_clocks(draft, order, "clock.cancelled", live, "cancelled")
    order = end_escalations(draft, order, lambda _clock: True)
    draft.tell("work-order.cancelled", order, {"state": "cancelled", **acted(data)}, at=fact_time(draft, data))


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
