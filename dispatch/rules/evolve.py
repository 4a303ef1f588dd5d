"""How an event changes state: one fold for the live lane, for a rebuild and for a replay.

Events carry the state they lead to (``state``, ``owner``, ``leg_state``, clocks), so that most types need no
function of their own; the tables below list the few that do.
"""

from collections.abc import Callable

from typing import Any

import msgspec
from msgspec.structs import replace

from dispatch.rules.events import Event
from dispatch.rules.state import (
    ACTIVE_LEG_STATES,
    Data,
    Escalation,
    Hold,
    Leg,
    Order,
    Owner,
    Requirement,
    Shift,
    Technician,
    moment_of,
)
from dispatch.rules.territory import SHIFT_MEMORY, View

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
    | {"moved_to", "acceptance", "approval", "extension", "completion"}
)


def fold(view: View, event: Event) -> None:
    """Apply one event to the view; types without an effect on state (``assignment.evaluated`` …) change nothing."""
    family = event.type.split(".", 1)[0]
    if family in {"technician", "shift", "position"}:
        _fold_technician(view, event)
    elif family in {"work-order", "clock", "escalation"}:
        _fold_order(view, event)


def _fold_order(view: View, event: Event) -> None:
    if event.type == "work-order.opened":
        view.opened += 1
        view.put_order(_opened(event))
        return
    if event.type == "work-order.transferred-in":
        view.put_order(_adopted(event))
        return
    before = view.order(event.subject)
    if before is None:
        return
    after = _changed(before, event)
    view.put_order(after)
    if "leg_state" in event.data:
        _load(view, event)
    if after.is_final and not before.is_final:
        for leg in after.legs:
            _set_load(view, leg.technician_id, leg.assignment_id, busy=False)


def _changed(order: Order, event: Event) -> Order:
    data = event.data
    changes: dict[str, Any] = {}
    if "state" in data:
        changes["state"] = data["state"]
    if "owner" in data:
        changes.update(_owned(order, data["owner"], event))
    if "leg_state" in data:
        changes.update(_leg(order, event))
    clocks = data.get("clock_changes") or (data["clocks"] if event.type.startswith("clock.") else None)
    if clocks:
        changes["clocks"] = order.clocks | {clock.name: clock for clock in clocks}
    if (counter := COUNTERS.get(event.type)) is not None:
        changes["counters"] = order.counters | {counter: order.counters.get(counter, 0) + 1}
    if (name := FIRST_TIMES.get(event.type)) is not None and name not in order.times:
        changes["times"] = order.times | {name: event.time}
    if "actor" in data and event.causation and event.causation not in order.handled:
        changes["handled"] = (*order.handled, event.causation)
    if "changes" in data:
        changes.update(_fields(data["changes"]))
    if (special := SPECIAL.get(event.type)) is not None:
        changes.update(special(order, event))
    return replace(order, **changes) if changes else order


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
        links=tuple(data["links"]),
        policy_version=data["policy_version"],
        reported_at=moment_of(data["reported_at"]),
        opened_at=opened_at,
        due_at=moment_of(data["promised_at"]) if data.get("due_override") else None,
        needs_triage=data["needs_triage"],
        traceparent=event.traceparent,
    )


def _adopted(event: Event) -> Order:
    order: Order = event.data["order"]
    return order


def requirements_of(items: list[Data]) -> tuple[Requirement, ...]:
    """The typed requirements of an event's list."""
    return tuple(msgspec.convert(items, list[Requirement]))


def _owned(order: Order, owner: Data, event: Event) -> Data:
    now = moment_of(event.data.get("decided_at", event.time))
    key = f"{order.owner.kind}/{order.owner.id}"
    spent_s = max(0, int((now - order.owner_since).total_seconds()))
    totals = order.time_by_owner | {key: order.time_by_owner.get(key, 0) + spent_s}
    return {"owner": Owner(**owner), "owner_since": max(now, order.owner_since), "time_by_owner": totals}


def _leg(order: Order, event: Event) -> Data:
    data = event.data
    assignment_id = data["assignment_id"]
    known = next((leg for leg in order.legs if leg.assignment_id == assignment_id), None)
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
        return {"legs": (*order.legs, leg), "exhausted": False}
    leg = replace(
        known,
        state=data["leg_state"],
        since=at,
        version=known.version + 1,
        visits=known.visits + (event.type == "work-order.arrived"),
        handover_to=data.get("handover_to"),
    )
    changes: Data = {"legs": tuple(leg if old is known else old for old in order.legs)}
    if (answer := ASKED.get(event.type)) is not None and data.get("ask_again") is not True:
        changes["asked"] = order.asked | {known.technician_id: answer}
    return changes


def _fields(changes: Data) -> Data:
    typed = {name: value for name, value in changes.items() if name in CHANGEABLE}
    if "requirements" in changes:
        typed["requirements"] = requirements_of(changes["requirements"])
    if "hazards" in changes:
        typed["hazards"] = tuple(changes["hazards"])
    return typed


def _held(_order: Order, event: Event) -> Data:
    resume_at = event.data.get("expected_resume_at")
    return {
        "hold": Hold(
            reason=event.data["reason"],
            since=moment_of(event.time),
            expected_resume_at=moment_of(resume_at) if resume_at else None,
        )
    }


def _completed(_order: Order, event: Event) -> Data:
    keep = ("assignment_id", "technician_id", "disposition", "performed_at", "cause_code", "remedy_code")
    if event.data["state"] != "completed":
        return {}
    return {"hold": None, "completion": {name: event.data[name] for name in keep if event.data.get(name)}}


def _reopened(order: Order, event: Event) -> Data:
    return {
        "cycle": event.data["cycle"],
        "closed_at": None,
        "asked": {},
        "exhausted": False,
        "completion": None,
        "acceptance": None,
        "clocks": {},
        "hold": None,
        "escalations": (),
        "times": {name: at for name, at in order.times.items() if name in {"classified"}},
    }


def _raised(order: Order, event: Event) -> Data:
    data = event.data
    raised = Escalation(id=data["escalation_id"], clock=data.get("clock"), level=data["level"])
    return {"escalations": (*(e for e in order.escalations if e.id != raised.id), raised)}


def _acknowledged(order: Order, event: Event) -> Data:
    data = event.data
    until = moment_of(data["until"]) if data.get("until") else None
    return {
        "escalations": tuple(
            replace(e, acknowledged_by=data["by"], until=until) if e.id == data["escalation_id"] else e
            for e in order.escalations
        )
    }


def _resolved(order: Order, event: Event) -> Data:
    return {"escalations": tuple(e for e in order.escalations if e.id != event.data["escalation_id"])}


def _ended(_order: Order, event: Event) -> Data:
    return {"closed_at": moment_of(event.time), "escalations": ()}


def _updated(order: Order, event: Event) -> Data:
    changes: Data = {}
    if (follower := event.data.get("follower")) and follower not in order.followers:
        changes["followers"] = (*order.followers, follower)
    if link := event.data.get("link"):
        changes["links"] = (*order.links, link)
    if event.data.get("hold_reminded") and order.hold is not None:
        changes["hold"] = replace(order.hold, reminded=True)
    return changes


def _exhausted(_order: Order, event: Event) -> Data:
    return {"exhausted": True} if event.data.get("reason") == "exhausted" else {}


def _rejected(_order: Order, _event: Event) -> Data:
    return {"completion": None, "acceptance": None, "exhausted": False}


SPECIAL: dict[str, Callable[[Order, Event], Data]] = {
    "work-order.held": _held,
    "work-order.resumed": lambda _order, _event: {"hold": None},
    "work-order.no-access": _held,
    "work-order.completed": _completed,
    "work-order.reopened": _reopened,
    "work-order.work-rejected": _rejected,
    "work-order.unmerged": lambda _order, _event: {"merged_into": None, "closed_at": None},
    "work-order.updated": _updated,
    "work-order.owner-changed": _exhausted,
    "work-order.closed": _ended,
    "work-order.cancelled": _ended,
    "work-order.refused": _ended,
    "work-order.merged": _ended,
    "escalation.raised": _raised,
    "escalation.acknowledged": _acknowledged,
    "escalation.resolved": _resolved,
}


def _load(view: View, event: Event) -> None:
    data = event.data
    busy = data["leg_state"] in ACTIVE_LEG_STATES
    _set_load(view, data["technician_id"], data["assignment_id"], busy=busy, at=event.time if busy else None)


def _set_load(view: View, technician_id: str, assignment_id: str, *, busy: bool, at: str | None = None) -> None:
    technician = view.technician(technician_id)
    if technician is None or busy == (assignment_id in technician.load):
        return
    if busy:
        given_at = moment_of(at) if at else technician.last_given_at
        view.put_technician(replace(technician, load=(*technician.load, assignment_id), last_given_at=given_at))
    else:
        load = tuple(one for one in technician.load if one != assignment_id)
        view.put_technician(replace(technician, load=load))


def _fold_technician(view: View, event: Event) -> None:
    known = view.technician(event.subject)
    if event.type == "technician.updated":
        view.put_technician(_technician(known, event))
    elif known is not None:
        view.put_technician(TECHNICIAN_FOLDS[event.type](known, event))


def _technician(known: Technician | None, event: Event) -> Technician:
    data = event.data
    typed = msgspec.convert(
        {name: data[name] for name in TECHNICIAN_FIELDS if data.get(name) is not None}
        | {"version_time": event.time, "capacity_open": (data.get("capacity") or {}).get("open") or 3}
        | {"profile": {name: data[name] for name in PROFILE_FIELDS if data.get(name) is not None}},
        Technician,
    )
    if known is None:
        return typed
    live = ("shifts", "load", "last_given_at", "area_id", "lat", "lon", "position_at")
    return replace(typed, **{name: getattr(known, name) for name in live})


TECHNICIAN_FIELDS = (
    *("id", "version", "org_id", "status", "subject_id", "employment", "contract_id", "supervisor_id"),
    *("home_area", "serves", "skills", "certificates", "speed_m_s"),
)
PROFILE_FIELDS = ("training", "clearances", "gender", "languages", "travel_mode", "tools", "on_call", "hooks")


def _shift(state: str) -> Callable[[Technician, Event], Technician]:
    def change(technician: Technician, event: Event) -> Technician:
        data = event.data
        start, end = moment_of(data["start"]), moment_of(data["end"])
        shift = Shift(start=start, end=end, role=data.get("role") or "member", state=state)
        oldest = moment_of(event.time) - SHIFT_MEMORY
        others = (old for old in technician.shifts if old.start != start and old.end > oldest)
        return replace(technician, shifts=tuple(sorted((*others, shift), key=lambda one: one.start)))

    return change


def _position(technician: Technician, event: Event) -> Technician:
    data = event.data
    return replace(
        technician,
        lat=data.get("lat"),
        lon=data.get("lon"),
        area_id=data.get("area_id"),
        position_at=moment_of(data["measured_at"]),
    )


TECHNICIAN_FOLDS: dict[str, Callable[[Technician, Event], Technician]] = {
    "technician.removed": lambda technician, _event: replace(technician, removed=True, shifts=()),
    "shift.planned": _shift("planned"),
    "shift.started": _shift("started"),
    "shift.ended": _shift("ended"),
    "shift.absent": _shift("absent"),
    "position.reported": _position,
}
