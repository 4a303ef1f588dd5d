"""Giving places to technicians: by a round of matching over all that wait, or by a person's hand."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules.draft import Draft
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.legs import owner_of
from dispatch.rules.lifecycle import crew_state
from dispatch.rules.matching import Evaluation, Given, match
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, Leg, Order, Requirement, text_of
from dispatch.rules.territory import Territory

MOST_AT_ONCE = 200
"""How many waiting orders one solve looks at; a longer queue is taken in order of priority."""

URGENCY_RANK = {"emergency": 0, "urgent": 1, "normal": 2, "low": 3}


def match_waiting(
    territory: Territory, policies: dict[str, Policy], now: datetime, round_id: str
) -> Iterator[Draft]:
    """Match what waits and is worth a look: orders that are new to the queue, or whose trade has capacity again.

    Yields one draft per solve, each to be committed before the next is asked for. ``round_id`` is the id of the
    ``lane.decided`` that ends the batch, and the cause of every event here.
    """
    chosen = _worth_a_look(territory)
    territory.unmatched.clear()
    territory.freed_trades.clear()
    for start in range(0, len(chosen), MOST_AT_ONCE):
        draft = Draft(territory, policies, now)
        draft.causation = round_id
        _solve(draft, chosen[start : start + MOST_AT_ONCE])
        if draft.events:
            yield draft


def _worth_a_look(territory: Territory) -> list[Order]:
    orders = territory.orders
    if territory.freed_trades:
        chosen = [
            order
            for order_id in territory.waiting
            if (order := orders[order_id]).id in territory.unmatched
            or any(need.trade in territory.freed_trades for need in order.requirements)
        ]
    else:
        chosen = [orders[order_id] for order_id in territory.unmatched]
    return sorted(chosen, key=lambda order: (URGENCY_RANK.get(order.urgency, 2), order.reported_at, order.id))


def _solve(draft: Draft, orders: list[Order]) -> None:
    found = match(orders, draft.territory.technicians, draft.policy, draft.now)
    given: dict[str, list[Given]] = {}
    for one in found.given:
        given.setdefault(one.order_id, []).append(one)
    for evaluation in found.evaluations:
        order = draft.known(evaluation.order_id)
        mine = given.get(order.id, [])
        if mine or (not order.asked and order.id not in draft.territory.considered):
            order = _explain(draft, order, evaluation, mine)
        for one in mine:
            order = _give_matched(draft, order, one)
        if not mine and not evaluation.anyone_left and not order.exhausted and not order.active_legs():
            _exhausted(draft, order)


def _explain(draft: Draft, order: Order, evaluation: Evaluation, given: list[Given]) -> Order:
    data: Data = {
        "work_order_id": order.id,
        "candidates": evaluation.candidates,
        "excluded": evaluation.excluded,
        "chosen": [{"place": one.place, "technician": one.technician_id} for one in given],
        "round": draft.causation,
        "policy_version": draft.policy.version,
    }
    draft.territory.considered.add(order.id)
    draft.emit("assignment.evaluated", order.id, data)
    return order


def _give_matched(draft: Draft, order: Order, one: Given) -> Order:
    mode = draft.policy_of(order).mode(
        order.urgency, one.requirement.trade, draft.territory.id, order.area_path, order.kind
    )
    return _give(
        draft, order, one.place, one.requirement, one.technician_id,
        mode=mode.mode, why={"terms": one.terms, "total": one.total, **one.why}, expires_s=mode.expires,
    )


def give(  # noqa: PLR0913 -- who gets which place, how, and why
    draft: Draft, order: Order, place: int, requirement: Requirement, technician_id: str, *,
    mode: str, why: Data | None, extra: Data | None = None,
) -> Order:
    """Give a place by a person's decision. Rejected when the technician cannot: no force beats skill or capacity."""
    technician = draft.technician(technician_id)
    if technician is None or technician.removed:
        raise Rejected("unknown-technician", f"no technician {technician_id} in this territory", "to")
    if any(leg.technician_id == technician_id for leg in order.active_legs()):
        raise Rejected("already-on-the-crew", f"{technician_id} has this order already", "to")
    held = {c.type for c in technician.certificates if c.expires is None or c.expires > draft.now}
    level = max((s.level for s in technician.skills if s.trade == requirement.trade), default=0)
    if level < requirement.min_level or not set(requirement.certificates) <= held:
        raise Rejected("not-qualified", f"{technician_id} lacks the trade, level or certificate", "to")
    if technician.free_capacity <= 0:
        raise Rejected("no-capacity", f"{technician_id} has no room for another order", "to")
    return _give(draft, order, place, requirement, technician_id, mode=mode, why=why, extra=extra)


def _give(  # noqa: PLR0913
    draft: Draft, order: Order, place: int, requirement: Requirement, technician_id: str, *,
    mode: str, why: Data | None, expires_s: int | None = None, extra: Data | None = None,
) -> Order:
    offered = mode == "offer"
    leg_state = "offered" if offered else "assigned"
    assignment_id = f"{order.id}.{order.cycle}.{len(order.legs) + 1}"
    leg = Leg(
        assignment_id=assignment_id, technician_id=technician_id, place=place, state=leg_state, mode=mode,
        trade=requirement.trade, since=draft.now,
    )
    state = crew_state((*order.legs, leg))
    data: Data = {
        "assignment_id": assignment_id,
        "technician_id": technician_id,
        "place": place,
        "leg_state": leg_state,
        "state": state,
        "requirement": msgspec.to_builtins(requirement),
        "urgency": order.urgency,
        "location": order.location,
        "text": order.text,
        "due": {
            clock.name: text_of(clock.due_at)
            for clock in order.clocks.values()
            if clock.is_live and clock.name in {"accept", "arrive", "resolve"}
        },
        "mode": mode,
        "why": why,
    }
    if offered and expires_s:
        data["expires_at"] = text_of(draft.now + timedelta(seconds=expires_s))
    probe = replace(order, legs=(*order.legs, leg), exhausted=False)
    data |= owner_of(draft, probe, state) | (extra or {})
    return draft.tell("work-order.offered" if offered else "work-order.assigned", order, data)


def _exhausted(draft: Draft, order: Order) -> None:
    """Nobody is left to ask: the shift leader owns the order now."""
    owner = draft.policy_of(order).site.exhausted_owner
    data = {"owner": {"kind": owner.kind, "id": owner.id}, "reason": "exhausted", "state": order.state}
    order = draft.tell("work-order.owner-changed", order, data)
    raise_escalation(draft, order, cause="silence", level=1, to=(owner.id,), reason="nobody_left_to_ask")
