"""What technicians report: accept, decline, travel, arrive, start, make safe, ask for help, hand on."""

from collections.abc import Callable

from dispatch.errors import Rejected
from dispatch.rules.draft import Draft, fact_time, settle_clocks, stop_clocks
from dispatch.rules.holds import take_off_hold
from dispatch.rules.legs import acted, current, leg_facts, leg_of, move_leg, needed, requirement_at
from dispatch.rules.lifecycle import LEG_RANK, permit
from dispatch.rules.promises import needs_of
from dispatch.rules.rounds import dues, give
from dispatch.rules.state import Data, Leg, Order

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
    late = not permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data, late=late)
    at = fact_time(draft, data)
    late = late or LEG_RANK.get(leg.state, 99) >= LEG_RANK[leg_state]
    stopped, wrong = stop_clocks(draft, order, names, at)
    facts = acted(data)
    if stopped:
        facts["clock_changes"] = stopped
    if late:
        here = leg_facts(leg, leg.state) | {"state": order.state, "late": True}
        order = draft.tell(short, order, here | facts, at=at)
    else:
        if leg.state == "offered":
            order = move_leg(draft, order, leg, "assigned", "work-order.assigned", _given(order, leg))
            leg = current(order, leg)
        order = move_leg(draft, order, leg, leg_state, short, facts, at=at)
    settle_clocks(draft, order, stopped, wrong)


def _given(order: Order, leg: Leg) -> Data:
    return {
        "mode": leg.mode,
        "requirement": {"trade": leg.trade},
        "urgency": order.urgency,
        "location": order.location,
        "text": order.text,
        "due": dues(order),
    }


def leave(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Decline an offer, or hand the order back (退单): the place is open again, and this person is not asked again."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data)
    if action == "decline" and leg.state not in {"offered", "assigned"}:
        raise Rejected("not-in-this-state", f"an assignment that is {leg.state} is returned, not declined", "action")
    if action == "return_order" and leg.state == "offered":
        raise Rejected("not-in-this-state", "an offer is declined, not returned", "action")
    leg_state, short = {
        "decline": ("declined", "work-order.declined"),
        "return_order": ("returned", "work-order.returned"),
    }[action]
    order = take_off_hold(draft, order, data, leg)
    move_leg(draft, order, current(order, leg), leg_state, short, acted(data), at=fact_time(draft, data))


def transfer(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Pass the order to a colleague (转单) who has the skill and room; it never hangs between two people."""
    permit(action, data["actor"]["role"], order)
    leg = leg_of(order, needed(data, "to"))
    if data["to"] == leg.technician_id:
        raise Rejected("already-on-the-crew", f"{leg.technician_id} has this order already", "to")
    order = take_off_hold(draft, order, data, leg)
    facts = acted(data) | {"to": data["to"]}
    at = fact_time(draft, data)
    order = move_leg(draft, order, current(order, leg), "transferred", "work-order.transferred", facts, at=at)
    give(draft, order, leg.place, requirement_at(order, leg.place), data["to"])


def make_safe(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The danger is over, the repair is not."""
    late = not permit(action, data["actor"]["role"], order)
    leg = leg_of(order, data, late=late)
    at = fact_time(draft, data)
    stopped, wrong = stop_clocks(draft, order, ("accept", "arrive", "make_safe"), at)
    facts = leg_facts(leg, leg.state) | {"state": order.state, "clock_changes": stopped} | acted(data)
    order = draft.tell("work-order.made-safe", order, facts, at=at)
    settle_clocks(draft, order, stopped, wrong)


def request_help(draft: Draft, order: Order, action: str, data: Data) -> None:
    """More hands: the crew grows by ``count`` people of a trade (default: the order's own)."""
    permit(action, data["actor"]["role"], order)
    trade = data.get("trade") or order.trade
    if trade is None:
        needed(data, "trade")
    count = data.get("count") or 1
    needs = [needs_facts(need) for need in order.requirements] + needs_of(draft, str(trade), count)
    facts = {"trade": trade, "count": count, "changes": {"requirements": needs}}
    draft.tell("work-order.help-requested", order, acted(data) | facts)


def needs_facts(need: object) -> Data:
    """A requirement as events tell it."""
    return {name: getattr(need, name) for name in ("trade", "min_level", "certificates", "count")}


def uplift(draft: Draft, order: Order, action: str, data: Data) -> None:
    """A repair that turns out to be a major one (大修)."""
    permit(action, data["actor"]["role"], order)
    job_class = needed(data, "job_class")["job_class"]
    draft.tell(
        "work-order.uplifted", order, acted(data) | {"job_class": job_class, "changes": {"job_class": job_class}}
    )


def handover(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Hand over at the end of a shift: said here, taken by ``accept_handover``; until then it stays mine."""
    permit(action, data["actor"]["role"], order)
    to = needed(data, "to")["to"]
    leg = leg_of(order, data)
    if leg.state == "offered":
        raise Rejected("not-in-this-state", "an offer cannot be handed over", "assignment_id")
    facts = leg_facts(leg, leg.state) | {"to": to, "handover_to": to, "notes": data.get("notes"), "pending": True}
    draft.tell("work-order.handed-over", order, facts | acted(data), at=fact_time(draft, data))


def accept_handover(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The colleague named in a handover takes the order over."""
    permit(action, data["actor"]["role"], order)
    actor = data["actor"]
    leg = next((leg for leg in order.active_legs() if leg.handover_to == actor["id"]), None)
    if leg is None:
        raise Rejected("no-handover", "nobody handed this order over to you", "actor.id")
    order = take_off_hold(draft, order, data, leg)
    facts = acted(data) | {"pending": False, "to": actor["id"]}
    at = fact_time(draft, data)
    order = move_leg(draft, order, current(order, leg), "transferred", "work-order.handed-over", facts, at=at)
    order = give(draft, order, leg.place, requirement_at(order, leg.place), actor["id"])
    progress(draft, order, "accept", {**data, "assignment_id": order.legs[-1].assignment_id})


def contact_attempted(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Somebody tried to reach the reporter."""
    permit(action, data["actor"]["role"], order)
    facts: Data = {"contact_attempted": True, "method": data.get("method"), "outcome": data.get("outcome")}
    draft.tell("work-order.updated", order, facts | acted(data), at=fact_time(draft, data))


WORK_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    **dict.fromkeys(PROGRESS, progress),
    "decline": leave,
    "return_order": leave,
    "transfer": transfer,
    "make_safe": make_safe,
    "request_help": request_help,
    "uplift": uplift,
    "handover": handover,
    "accept_handover": accept_handover,
    "contact_attempted": contact_attempted,
}
