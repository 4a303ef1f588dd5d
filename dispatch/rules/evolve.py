"""How an event changes state: one fold for the live lane, for a rebuild and for a replay.

Events carry the state they lead to (``state``, ``owner``, ``leg_state``, clocks), so that most types need no
function of their own; the tables below list the few that do.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from dispatch.rules.clocks import stopped
from dispatch.rules.events import Event
from dispatch.rules.evolve_special import SPECIAL
from dispatch.rules.evolve_staff import fold_technician, set_load
from dispatch.rules.recent import RECENT
from dispatch.rules.state import (
    ACTIVE_LEG_STATES,
    Clock,
    Data,
    Leg,
    Order,
    Owner,
    Requirement,
    Stopped,
    moment_of,
)
from dispatch.rules.territory import View

COUNTERS = {
    "work-order.offered": "offers",
    "work-order.declined": "declines",
    "work-order.offer-expired": "offer_expiries",
    "work-order.returned": "returns",
    "work-order.transferred": "transfers",
    "work-order.arrived": "visits",
    "work-order.reopened": "reopens",
    "work-order.work-rejected": "work_rejections",
    "work-order.urged": "urges",
    "work-order.held": "holds",
    "work-order.extended": "extensions",
    "work-order.completed": "completions",
    "work-order.answered": "completions",
    "escalation.raised": "escalations",
}
FIRST_TIMES = {
    "work-order.classified": "classified",
    "work-order.offered": "first_offered",
    "work-order.assigned": "first_assigned",
    "work-order.accepted": "accepted",
    "work-order.departed": "departed",
    "work-order.arrived": "arrived",
    "work-order.started": "started",
    "work-order.made-safe": "made_safe",
    "work-order.completed": "first_completed",
    "work-order.answered": "first_completed",
}
ASKED = {
    "work-order.declined": "declined",
    "work-order.offer-expired": "silent",
    "work-order.returned": "returned",
    "work-order.transferred": "transferred",
    "work-order.withdrawn": "withdrawn",
}
CHANGEABLE = frozenset(
    {"kind", "urgency", "job_class", "impact", "location", "text", "department_id", "needs_triage", "merged_into"}
    | {"moved_to", "acceptance", "approval", "extension", "incident_id", "rework"}
)
OF_STAFF = ("technician.", "shift.", "position.")


class Plan(NamedTuple):
    """What the tables say of one type of event, looked up once."""

    counter: str | None
    first_time: str | None
    special: Callable[[Order, Event], Data] | None
    recent: Callable[[View, Order, Event], None] | None
    is_clock: bool
    is_staff: bool


@lru_cache(maxsize=256)
def _plan(kind: str) -> Plan:
    return Plan(
        counter=COUNTERS.get(kind),
        first_time=FIRST_TIMES.get(kind),
        special=SPECIAL.get(kind),
        recent=RECENT.get(kind),
        is_clock=kind.startswith("clock."),
        is_staff=kind.startswith(OF_STAFF),
    )


def fold(view: View, event: Event, order: Order | None = None) -> None:
    """Apply one event to the view; types without an effect on state change nothing.

    ``order`` is the one that the event speaks of, as the view has it; left out, it is looked up.
    """
    kind = event.type
    if kind == "work-order.opened":
        view.opened += 1
        view.put_order(_opened(event))
    elif kind == "work-order.transferred-in":
        view.put_order(event.data["order"])
    elif (plan := _plan(kind)).is_staff:
        fold_technician(view, event)
    else:
        before = order or view.order(event.subject)
        if before is not None:
            _fold_order(view, event, plan, before)


def _fold_order(view: View, event: Event, plan: Plan, before: Order) -> None:
    changes = _changes(before, event, plan)
    if not changes:
        return
    after = replace(before, **changes)
    if ("state" in changes or "moved_to" in changes) and after.is_final and not before.is_final:
        for leg in after.legs:
            set_load(view, leg.technician_id, leg.assignment_id, busy=False)
        after = tombstone(after)
    view.put_order(after)
    if plan.recent is not None:
        plan.recent(view, after, event)
    if "leg_state" in event.data:
        _load(view, event)


def _load(view: View, event: Event) -> None:
    data = event.data
    busy = data["leg_state"] in ACTIVE_LEG_STATES
    set_load(view, data["technician_id"], data["assignment_id"], busy=busy, at=event.time if busy else None)


def _changes(order: Order, event: Event, plan: Plan) -> Data:
    data = event.data
    changes: Data = {}
    if (state := data.get("state")) is not None:
        changes["state"] = state
    if "owner" in data and event.type != "escalation.raised":
        _own(order, data["owner"], event, changes)
    if "leg_state" in data:
        _move_leg(order, event, changes)
    told: list[Clock | Stopped] | None = data["clocks"] if plan.is_clock else data.get("clock_changes")
    if told:
        changes["clocks"] = _clocks(order, told)
    if plan.counter is not None:
        changes["counters"] = _counted(order, event, plan.counter)
    if plan.first_time is not None and plan.first_time not in order.times:
        changes["times"] = {**order.times, plan.first_time: event.time}
    if "actor" in data and event.causation and event.causation not in order.handled:
        changes["handled"] = (*order.handled, event.causation)
    if "changes" in data:
        changes.update(_fields(data["changes"]))
    if plan.special is not None:
        changes.update(plan.special(order, event))
    return changes


def _clocks(order: Order, told: list[Clock | Stopped]) -> dict[str, Clock]:
    clocks = order.clocks.copy()
    for clock in told:
        clocks[clock.name] = stopped(clocks[clock.name], clock) if isinstance(clock, Stopped) else clock
    return clocks


def _opened(event: Event) -> Order:
    data = event.data
    opened_at = moment_of(event.time)
    return Order(
        id=event.subject,
        display_no=data["display_no"],
        request_id=data["request_id"],
        state="open",
        kind=data["kind"],
        origin=data["origin"],
        channel=data["channel"],
        drill=data["drill"],
        owner=Owner(**data["owner"]),
        owner_since=opened_at,
        department_id=data.get("department_id"),
        requirements=requirements_of(data["requirements"]),
        trade_reported=data["requirements"][0]["trade"] if data["requirements"] else None,
        urgency=data["urgency"],
        urgency_initial=data["urgency"],
        impact=data.get("impact"),
        hazards=tuple(data.get("hazards", ())),
        location=data["location"],
        text=data["text"],
        reporter=data["reporter"],
        links=tuple(data.get("links", ())),
        rework=data.get("rework"),
        parties=tuple(data.get("parties", ())),
        policy_version=data["policy_version"],
        reported_at=moment_of(data["reported_at"]),
        opened_at=opened_at,
        due_at=moment_of(data["promised_at"]) if data.get("due_override") else None,
        needs_triage=data["needs_triage"],
        clocks={clock.name: clock for clock in data.get("targets", ())},
        traceparent=event.traceparent,
    )


def requirements_of(items: list[Data]) -> tuple[Requirement, ...]:
    """The typed requirements of an event's list."""
    return tuple(
        [
            Requirement(
                trade=item["trade"],
                min_level=item.get("min_level") or 1,
                certificates=tuple(item.get("certificates") or ()),
                count=item.get("count") or 1,
            )
            for item in items
        ]
    )


def tombstone(order: Order) -> Order:
    """What is kept of an order once nothing is left to do: enough to undo that, to rate, and to know repeats.

    Broken clocks stay, for a late fact may still correct them; a merged order's, for their versions go on.
    """
    if order.moved_to is not None:
        return replace(
            order,
            text="",
            location={},
            reporter={},
            requirements=(),
            advice=None,
            clocks={},
            legs=(),
            asked={},
            times={},
            time_by_owner={},
            counters={},
            followers=(),
            links=(),
            rework=None,
            hold=None,
            approval=None,
            extension=None,
        )
    kept = order.clocks
    if order.state != "merged":
        kept = {name: clock for name, clock in kept.items() if clock.verdict == "breached"}
    return replace(
        order,
        advice=None,
        clocks=kept,
        asked={},
        considered=False,
        exhausted=False,
        hold=None,
        approval=None,
        extension=None,
    )


def _counted(order: Order, event: Event, counter: str) -> dict[str, int]:
    if counter == "completions" and event.data["state"] != "completed":
        return order.counters
    return order.counters | {counter: order.counters.get(counter, 0) + 1}


def _own(order: Order, owner: Data, event: Event, changes: Data) -> None:
    """Somebody else is accountable from now on; the time of a closed order is nobody's."""
    now, since, before = moment_of(event.data.get("decided_at") or event.time), order.owner_since, order.owner
    until = min(now, order.closed_at) if order.closed_at else now
    key = f"{before.kind}/{before.id}"
    totals = changes["time_by_owner"] = order.time_by_owner.copy()
    totals[key] = totals.get(key, 0) + (int((until - since).total_seconds()) if until > since else 0)
    changes["owner"] = Owner(kind=owner["kind"], id=owner["id"])
    changes["owner_since"] = max(now, since)


def _move_leg(order: Order, event: Event, changes: Data) -> None:
    data = event.data
    assignment_id = data["assignment_id"]
    known: Leg | None = None
    for each in order.legs:
        if each.assignment_id == assignment_id:
            known = each
            break
    at = moment_of(event.time)
    if known is None:
        leg = Leg(
            assignment_id=assignment_id,
            technician_id=data["technician_id"],
            place=data["place"],
            state=data["leg_state"],
            mode=data["mode"],
            trade=data["requirement"]["trade"],
            since=at,
            expires_at=moment_of(data["expires_at"]) if data.get("expires_at") else None,
            pinned_until=moment_of(data["pinned_until"]) if data.get("pinned_until") else None,
        )
        changes["legs"], changes["exhausted"] = (*order.legs, leg), False
        return
    leg = replace(
        known,
        state=data["leg_state"],
        since=at,
        version=known.version + 1,
        visits=known.visits + (event.type == "work-order.arrived"),
        handover_to=data.get("handover_to", known.handover_to),
    )
    changes["legs"] = tuple([leg if old is known else old for old in order.legs])
    if (answer := ASKED.get(event.type)) is not None and data.get("ask_again") is not True:
        changes["asked"] = order.asked | {known.technician_id: answer}


def _fields(changes: Data) -> Data:
    typed = {name: value for name, value in changes.items() if name in CHANGEABLE}
    if "requirements" in changes:
        typed["requirements"] = requirements_of(changes["requirements"])
    if "hazards" in changes:
        typed["hazards"] = tuple(changes["hazards"])
    return typed
