"""The report of done work, and all that a KPI needs in one event."""

from datetime import datetime

from dispatch.errors import Rejected
from dispatch.rules import clocks
from dispatch.rules.draft import (
    Draft,
    end_escalations,
    fact_time,
    settle_clocks,
    stop_clocks,
    verdict_facts,
)
from dispatch.rules.escalating import owner_times
from dispatch.rules.holds import off_hold, take_off_hold
from dispatch.rules.legs import acted, current, leg_facts, leg_of, move_leg, release
from dispatch.rules.lifecycle import permit
from dispatch.rules.state import Clock, Data, Leg, Order, Stopped, text_of

_WORK = frozenset(
    (
        *("disposition", "fault_code", "cause_code", "remedy_code", "performed_by", "labour", "materials"),
        *("visit_no", "expected_life_days", "downtime", "asset_id_confirmed", "asset_state_after", "checklist"),
        *("standard_ref", "permits", "photos_before", "photos_after", "signature_ref", "customer_present"),
        *("location_evidence", "followup_required", "billing", "contract_id"),
    )
)


def complete(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The lead's work is done: the promises stop, the reporter is asked to accept. A helper's report ends their leg."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    if leg.state == "offered":
        raise Rejected("not-in-this-state", "an offer is accepted before its work is done", "assignment_id")
    at = fact_time(draft, data)
    if any(other.place < leg.place and other.state != "offered" for other in order.active_legs()):
        order = take_off_hold(draft, order, data, leg)
        facts = _work(data) | acted(data) | {"decided_at": draft.now_text}
        move_leg(draft, order, current(order, leg), "completed", "work-order.completed", facts, at=at)
        return
    if order.state == "on_hold":
        order = off_hold(draft, order, data)
        leg = current(order, leg)
    stopped, wrong = stop_clocks(draft, order, ("accept", "arrive", "make_safe", "resolve"), at)
    order = draft.tell("work-order.completed", order, _completion(draft, order, leg, data, stopped), at=at)
    order = settle_clocks(draft, order, stopped, wrong)
    order = end_escalations(draft, order)
    release(draft, order, "completed", ends=True)


def wait_for_acceptance(draft: Draft, order: Order) -> list[Clock]:
    """The promise of whoever accepts the work, where there is one."""
    policy = draft.policy_of(order)
    rule = policy.sla(order.urgency, order.trade, draft.territory.id, order.area_path, order.kind)
    if "confirm" not in rule.targets:
        return []
    return [clocks.start(policy, rule, "confirm", draft.now, before=order.clocks.get("confirm"))]


def _work(data: Data) -> Data:
    """What was reported of the work; what was left empty is left out."""
    return {name: value for name, value in data.items() if name in _WORK and value is not None and value != []}


def _completion(draft: Draft, order: Order, leg: Leg, data: Data, stopped: list[Stopped]) -> Data:
    technician = draft.technician(leg.technician_id)
    facts = leg_facts(leg, "completed")
    facts.update(_work(data))
    facts.update(acted(data))
    facts.update(outcome(draft, order, fact_time(draft, data), stopped))
    facts["clock_changes"] = [*stopped, *wait_for_acceptance(draft, order)]
    facts["org_id"] = technician.org_id if technician else None
    return facts


def outcome(draft: Draft, order: Order, done_at: datetime, stopped: list[Stopped]) -> Data:
    """What every KPI may ask of an order whose work, or answer, is there: times, clocks, owners, counts."""
    at = text_of(done_at)
    acceptor = draft.policy_of(order).site.acceptor
    ended = {clock.name: clock for clock in stopped}
    facts: Data = {
        "state": "completed",
        "owner": {"kind": acceptor.kind, "id": acceptor.id},
        "decided_at": draft.now_text,
        "times": {
            "reported": text_of(order.reported_at),
            "opened": text_of(order.opened_at),
            "first_completed": at,
            **order.times,
            "completed": at,
        },
        "trade_reported": order.trade_reported,
        "trade_final": order.trade,
        "urgency_initial": order.urgency_initial,
        "urgency_final": order.urgency,
        "area_path": list(order.area_path),
        "drill": order.drill,
        "kind": order.kind,
        "origin": order.origin,
        "clocks": [verdict_facts(clock, ended.get(name)) for name, clock in order.clocks.items()],
        "time_by_owner": owner_times(order, draft.now),
    }
    for name in ("department_id", "job_class", "counters", "rework"):
        if value := getattr(order, name):
            facts[name] = value
    return facts
