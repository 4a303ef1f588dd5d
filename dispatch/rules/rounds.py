"""Giving places to technicians: by a round of matching over all that wait, or by a person's hand."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules.draft import Draft, end_escalations
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.evolve_special import LEFT_TO_PEOPLE
from dispatch.rules.legs import owner_of
from dispatch.rules.lifecycle import KEPT_STATES, crew_state
from dispatch.rules.matching import Evaluation, Given, match
from dispatch.rules.matching_board import open_places
from dispatch.rules.matching_constraints import Ask, active, area, certificates, requirement
from dispatch.rules.matching_pool import bits
from dispatch.rules.matching_scores import COLUMNS
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, Leg, Order, Requirement, text_of
from dispatch.rules.state_staff import Technician
from dispatch.rules.territory import Territory

MOST_AT_ONCE = 200
"""How many waiting orders one solve looks at; a longer queue is taken in order of priority."""

URGENCY_RANK = {"emergency": 0, "urgent": 1, "normal": 2, "low": 3}
TOLD_CLOCKS = frozenset({"accept", "arrive", "resolve"})


def match_waiting(territory: Territory, policies: Mapping[str, Policy], now: datetime) -> Iterator[Draft]:
    """Match what waits and is worth a look: orders that are new to the queue, or whose trade has capacity again.

    Yields one draft per solve, each to be committed before the next is asked for. The cause of every event here is
    the ``lane.decided`` that ends the batch; who knows its number puts it in.
    """
    if not territory.unmatched and not territory.freed:
        return
    chosen = _worth_a_look(territory, now)
    territory.unmatched.clear()
    territory.freed.clear()
    for start in range(0, len(chosen), MOST_AT_ONCE):
        for draft in _solved(territory, policies, now, chosen[start : start + MOST_AT_ONCE]):
            if draft.events:
                yield draft


def _solved(
    territory: Territory, policies: Mapping[str, Policy], now: datetime, orders: list[Order]
) -> Iterator[Draft]:
    """One solve; when it fails, each order alone, and whichever fails alone is left to people: the lane goes on."""
    draft = Draft(territory, policies, now)
    try:
        _solve(draft, orders)
    except Exception:  # noqa: BLE001 -- whatever it is, the next round would meet it again
        if len(orders) > 1:
            for order in orders:
                yield from _solved(territory, policies, now, [order])
            return
        draft = Draft(territory, policies, now)
        if not orders[0].exhausted:
            _exhausted(draft, orders[0], "matching_failed")
    yield draft


def priority(order: Order) -> tuple[int, datetime, str]:
    """Who comes first: the most urgent, then the oldest."""
    return URGENCY_RANK.get(order.urgency, 2), order.reported_at, order.id


def _worth_a_look(territory: Territory, now: datetime) -> list[Order]:
    """New ones, and of those that wait as many as free technicians could take, the most urgent and oldest first.

    A technician with room for n orders is shown the first N that they could take, N being the room of all: whatever
    the others take of these, n are left.
    """
    orders, unmatched = territory.orders, territory.unmatched
    chosen = [orders[order_id] for order_id in unmatched]
    old: list[Order] = []
    freed: set[str] = set()
    if territory.freed and len(territory.waiting) > len(unmatched):
        technicians = territory.technicians
        freed = {skill.trade for technician_id in territory.freed for skill in technicians[technician_id].skills}
        old = [orders[order_id] for order_id in territory.waiting if order_id not in unmatched]
        old = [order for order in old if any(need.trade in freed for need in order.requirements)]
    if old and (free := [one for one in territory.technicians.values() if _is_free(one, freed)]):
        chosen += _takeable(sorted(old, key=priority), free, now)
    return sorted(chosen, key=priority)


def _is_free(technician: Technician, trades: set[str]) -> bool:
    if technician.free_capacity <= 0 or technician.on_shift() is None:
        return False
    return any(skill.trade in trades for skill in technician.skills)


def _takeable(orders: Iterable[Order], free: list[Technician], now: datetime) -> Iterator[Order]:
    """Sets of technicians are bits of integers here, as they are in a pool: number n of ``free`` is bit n."""
    numbers = {technician.id: number for number, technician in enumerate(free)}
    left = [sum(technician.free_capacity for technician in free)] * len(free)
    looking = (1 << len(free)) - 1
    able: dict[tuple[Requirement, tuple[str, ...]], int] = {}
    for order in orders:
        path, takers = order.area_path, 0
        for _place, need in open_places(order):
            if (need, path) not in able:
                able[need, path] = sum([1 << number for number, one in enumerate(free) if _can(one, need, path, now)])
            takers |= able[need, path]
        takers &= looking
        for asked in order.asked:
            if asked in numbers:
                takers &= ~(1 << numbers[asked])
        if takers:
            for number in bits(takers):
                left[number] -= 1
                if left[number] == 0:
                    looking ^= 1 << number
            yield order
        if not looking:
            return


def _can(technician: Technician, need: Requirement, path: tuple[str, ...], now: datetime) -> bool:
    ask = Ask(requirement=need, area_path=path, point=None, now=now)
    return all(rule(technician, ask) for rule in (active, requirement, certificates, area))


def _solve(draft: Draft, orders: list[Order]) -> None:
    territory = draft.territory
    found = match(orders, territory.technicians, draft.policy, draft.now, territory.pool)
    given: dict[str, list[Given]] = {}
    for one in found.given:
        given.setdefault(one.order_id, []).append(one)
    for evaluation in found.evaluations:
        order = draft.known(evaluation.order_id)
        mine = given.get(order.id, [])
        if mine or not order.considered:
            order = _explain(draft, order, evaluation, mine)
        for one in mine:
            order = _give_matched(draft, order, one)
        if not evaluation.anyone_left and not order.exhausted:
            _exhausted(draft, order)


def _explain(draft: Draft, order: Order, evaluation: Evaluation, given: list[Given]) -> Order:
    data: Data = {
        "columns": COLUMNS,
        "candidates": evaluation.candidates,
        "considered": evaluation.eligible,
        "excluded": evaluation.excluded,
        "place": evaluation.place,
        "chosen": [{"place": one.place, "technician": one.technician_id} for one in given],
        "round": None,
        "policy_version": draft.policy.version,
    }
    return draft.tell("assignment.evaluated", order, data)


def _give_matched(draft: Draft, order: Order, one: Given) -> Order:
    mode = draft.policy_of(order).mode(
        order.urgency, one.requirement.trade, draft.territory.id, order.area_path, order.kind
    )
    why = {"terms": one.terms, "total": one.total, **one.why}
    expires_s = mode.expires if mode.mode == "offer" else None
    return _give(
        draft, order, one.place, one.requirement, one.technician_id, mode=mode.mode, why=why, expires_s=expires_s
    )


def give(
    draft: Draft,
    order: Order,
    place: int,
    requirement_: Requirement,
    technician_id: str,
    *,
    extra: Data | None = None,
) -> Order:
    """Give a place by a person's decision. Rejected when the technician cannot: no force beats skill or capacity."""
    technician = draft.technician(technician_id)
    if technician is None or technician.removed:
        raise Rejected("unknown-technician", f"no technician {technician_id} in this territory", "to")
    if any(leg.technician_id == technician_id for leg in order.active_legs()):
        raise Rejected("already-on-the-crew", f"{technician_id} has this order already", "to")
    ask = Ask(requirement=requirement_, area_path=(), point=None, now=draft.now)
    if not active(technician, ask):
        raise Rejected("not-active", f"{technician_id} is {technician.status}", "to")
    if not requirement(technician, ask) or not certificates(technician, ask):
        raise Rejected("not-qualified", f"{technician_id} lacks the trade, level or certificate", "to")
    if technician.free_capacity <= 0:
        raise Rejected("no-capacity", f"{technician_id} has no room for another order", "to")
    return _give(draft, order, place, requirement_, technician_id, mode="direct", why=None, extra=extra)


def _give(
    draft: Draft,
    order: Order,
    place: int,
    need: Requirement,
    technician_id: str,
    *,
    mode: str,
    why: Data | None,
    expires_s: int | None = None,
    extra: Data | None = None,
) -> Order:
    leg_state = "offered" if mode == "offer" else "assigned"
    leg = Leg(
        assignment_id=f"{order.id}.{order.cycle}.{len(order.legs) + 1}",
        technician_id=technician_id,
        place=place,
        state=leg_state,
        mode=mode,
        trade=need.trade,
        since=draft.now,
    )
    legs = (*order.legs, leg)
    state = order.state if order.state in KEPT_STATES else crew_state(legs)
    data: Data = {
        "assignment_id": leg.assignment_id,
        "technician_id": technician_id,
        "place": place,
        "leg_state": leg_state,
        "state": state,
        "requirement": msgspec.to_builtins(need),
        "urgency": order.urgency,
        "location": order.location,
        "text": order.text,
        "due": dues(order),
        "mode": mode,
        "why": why,
    }
    if expires_s:
        data["expires_at"] = text_of(draft.now + timedelta(seconds=expires_s))
    probe = replace(order, exhausted=False) if order.exhausted else order
    data |= owner_of(draft, probe, state, legs)
    if extra:
        data |= extra
    order = draft.tell(f"work-order.{leg_state}", order, data)
    if order.escalations:
        order = end_escalations(draft, order, lambda escalation: escalation.reason in LEFT_TO_PEOPLE)
    return order


def dues(order: Order) -> Data:
    """When the technician is expected to have accepted, arrived and resolved."""
    told: Data = {}
    for name, clock in order.clocks.items():
        if name in TOLD_CLOCKS and clock.is_live:
            told[name] = text_of(clock.due_at)
    return told


def _exhausted(draft: Draft, order: Order, reason: str = "nobody_left_to_ask") -> None:
    """Nobody is left to ask: the shift leader hears of it, and owns the order while nobody else has a part of it."""
    owner = draft.policy_of(order).site.exhausted_owner
    if not order.active_legs():
        data = {"owner": {"kind": owner.kind, "id": owner.id}, "reason": "exhausted", "state": order.state}
        order = draft.tell("work-order.owner-changed", order, data)
    raise_escalation(draft, order, cause="silence", level=1, to=(owner.id,), reason=reason)
