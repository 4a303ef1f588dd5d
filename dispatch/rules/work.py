"""What technicians report: accept, decline, travel, arrive, start, hold, complete and the rest of the work."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, change_clocks, fact_time, settle_clocks, stop_clocks
from dispatch.rules.legs import acted, leg_facts, leg_of, move_leg, release_all
from dispatch.rules.lifecycle import LEG_RANK, permit
from dispatch.rules.rounds import give
from dispatch.rules.state import Clock, Data, Leg, Order, text_of

PROGRESS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # action: the leg's state, the event, the clocks that the fact stops (who departs has accepted)
    "accept": ("accepted", "work-order.accepted", ("accept",)),
    "depart": ("en_route", "work-order.departed", ("accept",)),
    "arrive": ("arrived", "work-order.arrived", ("accept", "arrive")),
    "start": ("in_progress", "work-order.started", ("accept", "arrive")),
}


def progress(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Accept, depart, arrive or start. A report that comes after a later one is kept as a late fact."""
    leg_state, short, names = PROGRESS[action]
    changes_state = permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data, late=not changes_state)
    at = fact_time(draft, data)
    stopped, disproved = stop_clocks(draft, order, names, at)
    facts = acted(data) | ({"clock_changes": stopped} if stopped else {})
    late = not changes_state or LEG_RANK.get(leg.state, 99) >= LEG_RANK[leg_state]
    if late:
        order = draft.tell(short, order, leg_facts(leg, leg.state) | {"state": order.state, "late": True} | facts, at=at)
    else:
        if leg.state == "offered":
            order = move_leg(draft, order, leg, "assigned", "work-order.assigned", _given(order, leg))
            leg = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
        order = move_leg(draft, order, leg, leg_state, short, facts, at=at)
    settle_clocks(draft, order, stopped, disproved)


def _given(order: Order, leg: Leg) -> Data:
    return {
        "mode": leg.mode,
        "requirement": {"trade": leg.trade},
        "urgency": order.urgency,
        "location": order.location,
        "text": order.text,
        "due": {name: text_of(clock.due_at) for name, clock in order.clocks.items() if clock.is_live},
    }


def leave(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Decline an offer or hand the order back (退单): the place is open again, and this person is not asked again."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    leg_state, short = {
        "decline": ("declined", "work-order.declined"),
        "return_order": ("returned", "work-order.returned"),
    }[action]
    order = _off_hold(draft, order, data)
    leg = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
    move_leg(draft, order, leg, leg_state, short, acted(data), at=fact_time(draft, data))


def transfer(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Pass the order to a colleague (转单) who has the skill and room; it never hangs between two people."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    requirement = next(need for number, need in order.places() if number == leg.place)
    order = _off_hold(draft, order, data)
    leg = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
    facts = acted(data) | {"to": data["to"]}
    order = move_leg(draft, order, leg, "transferred", "work-order.transferred", facts, at=fact_time(draft, data))
    give(draft, order, leg.place, requirement, data["to"], mode="direct", why=None)


def make_safe(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The danger is over, the repair is not."""
    changes_state = permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data, late=not changes_state)
    at = fact_time(draft, data)
    stopped, disproved = stop_clocks(draft, order, ("accept", "arrive", "make_safe"), at)
    facts = leg_facts(leg, leg.state) | {"state": order.state, "clock_changes": stopped} | acted(data)
    order = draft.tell("work-order.made-safe", order, facts, at=at)
    settle_clocks(draft, order, stopped, disproved)


def hold(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work waits for a reason of the catalogue; the reason says which clocks stand still."""
    permit(action, data["actor"]["role"], order)
    reasons = draft.policy_of(order).document.reasons.hold
    reason = "no_access" if action == "no_access" else data["reason"]
    known = reasons.get(reason)
    if known is None:
        raise Rejected("unknown-reason", f"no hold reason {reason!r}; known: {', '.join(sorted(reasons))}", "reason")
    at = fact_time(draft, data)
    facts = acted(data) | {"reason": reason, "expected_resume_at": data.get("expected_resume_at"), "state": "on_hold"}
    if data.get("evidence"):
        facts["evidence"] = data["evidence"]
    releases = known.releases_assignee if data.get("releases_assignee") is None else data["releases_assignee"]
    if order.active_legs() and not releases:
        leg = leg_of(order, data)
        facts |= leg_facts(leg, leg.state if leg.state == "offered" else "on_hold")
    short = "work-order.no-access" if action == "no_access" else "work-order.held"
    order = draft.tell(short, order, facts, at=at)
    if releases:
        order = release_all(draft, order, reason)
    _pause(draft, order, tuple(known.pauses), reason, at)


def _pause(draft: Draft, order: Order, names: tuple[str, ...], reason: str, at: datetime) -> None:
    policy = draft.policy_of(order)
    running = [order.clocks[name] for name in names if name in order.clocks]
    paused = [clocks.pause(policy, c, max(at, c.resumed_at), reason) for c in running if c.state == "running"]
    change_clocks(draft, order, "clock.paused", paused, reason)


def resume(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Work goes on; the clocks run again with what was left."""
    permit(action, data["actor"]["role"], order)
    _off_hold(draft, order, data)


def _off_hold(draft: Draft, order: Order, data: Data) -> Order:
    """Resume an order that is on hold; any other order is returned as it is."""
    if order.state != "on_hold":
        return order
    at = fact_time(draft, data)
    before = "in_progress" if "started" in order.times else "accepted"
    held = [leg for leg in order.active_legs() if leg.state == "on_hold"]
    order = draft.tell("work-order.resumed", order, {"state": "open"} | acted(data), at=at)
    for leg in held:
        current = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
        order = move_leg(draft, order, current, before, "work-order.updated", {"reason": "resumed"})
    if not held:
        state = "offered" if any(leg.state == "offered" for leg in order.legs) else "open"
        order = draft.tell("work-order.updated", order, {"state": state, "reason": "resumed"})
    return _run_again(draft, order, at)


def _run_again(draft: Draft, order: Order, at: datetime) -> Order:
    policy = draft.policy_of(order)
    paused = [clock for clock in order.clocks.values() if clock.state == "paused"]
    running = [clocks.resume(policy, clock, max(at, clock.paused_at or at)) for clock in paused]
    return change_clocks(draft, order, "clock.resumed", running, "resumed")


def complete(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The lead's work is done: the promises stop, the reporter is asked to accept. A helper's report ends their leg."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    at = fact_time(draft, data)
    order = _off_hold(draft, order, data)
    leg = next(one for one in order.legs if one.assignment_id == leg.assignment_id)
    others = [other for other in order.active_legs() if other.place < leg.place]
    if others:
        move_leg(draft, order, leg, "completed", "work-order.updated", acted(data) | {"work": _work(data)}, at=at)
        return
    stopped, disproved = stop_clocks(draft, order, ("accept", "arrive", "make_safe", "resolve"), at)
    order = draft.tell("work-order.completed", order, _completion(draft, order, leg, data, stopped), at=at)
    order = settle_clocks(draft, order, stopped, disproved)
    order = release_all(draft, order, "completed")
    rule = draft.policy_of(order).sla(order.urgency, order.trade, draft.territory.id, order.area_path, order.kind)
    if "confirm" in rule.targets:
        confirm = clocks.start(draft.policy_of(order), rule, "confirm", draft.now)
        if (old := order.clocks.get("confirm")) is not None:
            confirm = replace(confirm, version=old.version + 1)
        change_clocks(draft, order, "clock.started", [confirm], "completed")


_WORK = (
    *("disposition", "fault_code", "cause_code", "remedy_code", "performed_by", "labour", "materials", "visit_no"),
    *("expected_life_days", "downtime", "asset_id_confirmed", "asset_state_after", "checklist", "standard_ref"),
    *("permits", "photos_before", "photos_after", "signature_ref", "customer_present", "location_evidence"),
    *("followup_required", "billing", "contract_id"),
)


def _work(data: Data) -> Data:
    return {name: data[name] for name in _WORK if data.get(name) is not None}


def _completion(draft: Draft, order: Order, leg: Leg, data: Data, stopped: list[Clock]) -> Data:
    """All that a KPI needs, as numerator or denominator, in one event."""
    at = text_of(fact_time(draft, data))
    technician = draft.technician(leg.technician_id)
    site_acceptor = draft.policy_of(order).site.acceptor
    now_by = order.clocks | {clock.name: clock for clock in stopped}
    return (
        leg_facts(leg, "completed")
        | _work(data)
        | acted(data)
        | {
            "state": "completed",
            "owner": {"kind": site_acceptor.kind, "id": site_acceptor.id},
            "decided_at": draft.now_text,
            "clock_changes": stopped,
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
            "org_id": technician.org_id if technician else None,
            "drill": order.drill,
            "kind": order.kind,
            "origin": order.origin,
            "counters": order.counters,
            "clocks": [verdict_facts(clock) for clock in now_by.values()],
            "time_by_owner": [{"owner": owner, "s": spent_s} for owner, spent_s in order.time_by_owner.items()],
        }
    )


def verdict_facts(clock: Clock) -> Data:
    """A clock as a KPI reads it: the promise, the time spent, and the verdict."""
    ended = clock.stopped_at
    return {
        "name": clock.name,
        "target_s": clock.target_s,
        "due_at_original": text_of(clock.due_at_original),
        "due_at_current": text_of(clock.due_at),
        "wall_s": max(0, int((ended - clock.started_at).total_seconds())) if ended else None,
        "working_s": clock.elapsed_s,
        "paused_s": clock.paused_s,
        "extended_s": clock.extended_s,
        "verdict": clock.verdict,
        "verdict_revision": clock.verdict_revision,
    }


def request_help(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More hands: the crew grows by ``count`` people of a trade."""
    permit(action, data["actor"]["role"], order)
    trade = data["trade"]
    if trade not in draft.policy.document.trades:
        raise Rejected("unknown-trade", f"no trade {trade!r} in the catalogue", "trade")
    needs = [*msgspec.to_builtins(order.requirements), {"trade": trade, "count": data.get("count") or 1}]
    draft.tell("work-order.help-requested", order, acted(data) | {"changes": {"requirements": needs}})


def uplift(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A repair that turns out to be a major one (大修)."""
    permit(action, data["actor"]["role"], order)
    draft.tell("work-order.uplifted", order, acted(data) | {"changes": {"job_class": data["job_class"]}})


def handover(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Hand over at the end of a shift: said here, taken by ``accept_handover``; until then it stays mine."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    facts = leg_facts(leg, leg.state) | {"handover_to": data["to"], "notes": data.get("notes"), "pending": True}
    draft.tell("work-order.handed-over", order, facts | acted(data), at=fact_time(draft, data))


def accept_handover(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The colleague named in a handover takes the order over."""
    permit(action, data["actor"]["role"], order)
    actor = data["actor"]
    leg = next((leg for leg in order.active_legs() if leg.handover_to == actor["id"]), None)
    if leg is None:
        raise Rejected("no-handover", "nobody handed this order over to you", "actor.id")
    requirement = next(need for number, need in order.places() if number == leg.place)
    facts = acted(data) | {"pending": False, "to": actor["id"]}
    order = move_leg(draft, order, leg, "transferred", "work-order.handed-over", facts, at=fact_time(draft, data))
    order = give(draft, order, leg.place, requirement, actor["id"], mode="direct", why=None)
    progress(draft, order, "accept", data)


def contact_attempted(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Somebody tried to reach the reporter."""
    permit(action, data["actor"]["role"], order)
    facts = acted(data) | {"state": order.state, "contact_attempted": True}
    draft.tell("work-order.updated", order, facts, at=fact_time(draft, data))


WORK_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    **dict.fromkeys(PROGRESS, progress),
    "decline": leave,
    "return_order": leave,
    "transfer": transfer,
    "make_safe": make_safe,
    "hold": hold,
    "no_access": hold,
    "resume": resume,
    "complete": complete,
    "request_help": request_help,
    "uplift": uplift,
    "handover": handover,
    "accept_handover": accept_handover,
    "contact_attempted": contact_attempted,
}
