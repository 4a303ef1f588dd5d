"""Timers that came due: warnings, breaches and their ladders, offers nobody answered, holds that were forgotten."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.models.policy_words import EmergencyPlan
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, cancel_clocks, change_clocks, end_escalations
from dispatch.rules.legs import move_leg
from dispatch.rules.plans import facts_of
from dispatch.rules.policy import RungAt
from dispatch.rules.rework import watched_until
from dispatch.rules.state import Clock, Data, Order, moment_of, text_of
from dispatch.rules.territory import next_shift, next_shift_change
from dispatch.rules.timers import Timer, id_of, next_of

MOST_TIMERS = 50
"""How many timers of one order fire in one decision; the rest come due again at once."""


def raise_escalation(
    draft: Draft,
    order: Order,
    *,
    cause: str,
    level: int,
    to: tuple[str, ...],
    due_at: datetime | None = None,
    clock: Clock | None = None,
    ladder: str | None = None,
    rung: int | None = None,
    next_rung: Data | None = None,
    reason: str | None = None,
    plan: EmergencyPlan | None = None,
) -> Order:
    """Emit ``escalation.raised``; its id names the order, cycle, and the clock's breach and rung, or a number."""
    if clock is not None:
        about = f"{clock.name}.{clock.verdict_revision}:{rung}"
    else:
        about = f"{cause}:{order.counters.get('escalations', 0) + 1}"
    data: Data = {
        "escalation_id": f"{order.id}:{order.cycle}:{about}",
        "clock": clock.name if clock else None,
        "cause": cause,
        "ladder": ladder,
        "rung": rung,
        "level": level,
        "due_at": text_of(due_at) if due_at else None,
        "fired_at": draft.now_text,
        "order_state": order.state,
        "owner": {"kind": order.owner.kind, "id": order.owner.id},
        "time_left_s": _left_s(draft, order),
        "held_by": owner_times(order, draft.now),
        "recipients": [{"id": role, "role": role, "why": cause} for role in to],
        "next_rung": next_rung,
        "reason": reason,
        "drill": order.drill,
    }
    if clock is not None:
        data["clock_changes"] = [clock]
    if plan is not None:
        data["plan"] = facts_of(plan)
    return draft.tell("escalation.raised", order, data)


def owner_times(order: Order, until: datetime) -> list[Data]:
    """Who was accountable for how many seconds, the present owner up to ``until``."""
    totals, since, owner = order.time_by_owner.copy(), order.owner_since, order.owner
    key = f"{owner.kind}/{owner.id}"
    totals[key] = totals.get(key, 0) + (int((until - since).total_seconds()) if until > since else 0)
    told: list[Data] = []
    for key, spent_s in totals.items():
        kind, _slash, owner_id = key.partition("/")
        told.append({"owner": {"kind": kind, "id": owner_id}, "s": spent_s})
    return told


def _left_s(draft: Draft, order: Order) -> int | None:
    resolve = order.clocks.get("resolve")
    return int((resolve.due_at - draft.now).total_seconds()) if resolve and resolve.is_live else None


def fire_due(draft: Draft, command: Command) -> None:
    """Decide a ``due`` command: each named timer that is still the next one of its order, and those due with it.

    A stale id (the clock stopped, paused or was re-armed meanwhile) has no effect.
    """
    fired = False
    for timer in command.data["timers"]:
        timer_id = timer["id"]
        if timer_id.startswith("technician/"):
            technician_id = timer_id.removeprefix("technician/").rsplit(":", 2)[0]
            fired |= _fire_shift(draft, technician_id, timer_id)
        else:
            fired |= _fire_order(draft, timer_id.rsplit(":", 3)[0], timer_id)
    draft.repeated = not fired


def _fire_shift(draft: Draft, technician_id: str, timer_id: str) -> bool:
    fired = False
    while technician := draft.technician(technician_id):
        change = next_shift_change(technician)
        meant = next_shift(technician)
        if change is None or meant is None or change[0] > draft.now or not (fired or change[1] == timer_id):
            break
        at, shift = meant
        short = "shift.ended" if shift.state == "started" else "shift.started"
        data = {"technician_id": technician_id, "start": text_of(shift.start), "end": text_of(shift.end)}
        draft.emit(short, technician_id, data | {"role": shift.role, "reason": "plan"}, at=at)
        fired = True
    return fired


def _fire_order(draft: Draft, order_id: str, timer_id: str) -> bool:
    order = draft.order(order_id)
    first = next_of(order) if order is not None else None
    if order is None or first is None or first.at > draft.now or id_of(order, first) != timer_id:
        return False
    for _ in range(MOST_TIMERS):
        timer = next_of(order)
        if timer is None or timer.at > draft.now:
            break
        order = _fire(draft, order, timer)
    return True


def catch_up(draft: Draft, order: Order, until: datetime) -> Order:
    """Fire what was due before a fact at ``until``: it does not matter whether the clock or the fact comes first."""
    territory = draft.territory
    if order.id not in territory.untimed_orders:  # nothing has changed since its timer was set
        set_for = territory.timers.get(order.id)
        if set_for is None or set_for[0] >= until:
            return order
    while (timer := next_of(order)) is not None and timer.at < until:
        order = _fire(draft, order, timer)
    return order


def _fire(draft: Draft, order: Order, timer: Timer) -> Order:
    kind = timer.kind
    if kind.startswith("offer."):
        leg = next(leg for leg in order.legs if leg.assignment_id == kind.removeprefix("offer."))
        return move_leg(draft, order, leg, "expired", "work-order.offer-expired", {"reason": "silence"}, at=timer.at)
    if kind == "hold":
        order = draft.tell("work-order.updated", order, {"hold_reminded": True, "reason": "hold_overdue"})
        return raise_escalation(
            draft, order, cause="silence", level=1, to=("dispatcher",), due_at=timer.at, reason="hold_overdue"
        )
    name, _dot, what = kind.partition(".")
    clock = order.clocks[name]
    if what == "warn":
        warned = replace(clock, warned=clock.warned + 1, version=clock.version + 1)
        data = {"clocks": [warned], "due_at": text_of(clock.due_at)}
        return draft.tell("clock.warned", order, data, at=timer.at)
    if name == "confirm" and draft.policy_of(order).site.confirm_silence == "auto_confirm":
        return auto_confirm(draft, order, clock)
    return _breach(draft, order, clock) if what == "breach" else _climb(draft, order, clock, timer.at)


def _breach(draft: Draft, order: Order, clock: Clock) -> Order:
    rungs = draft.policy_of(order).rungs(clock.ladder)
    territory = draft.territory
    broken = replace(
        clock,
        breached_at=clock.due_at,
        breach_event=f"{territory.tenant}:{territory.id}:{draft.next_sequence}",
        rung=0,
        rung_at=clock.due_at + timedelta(seconds=rungs[0].after_s),
        version=clock.version + 1,
    )
    return draft.tell("clock.breached", order, {"clocks": [broken]}, at=clock.due_at)


def _climb(draft: Draft, order: Order, clock: Clock, due_at: datetime) -> Order:
    """One rung: told now, or held while somebody who acknowledged asked for time.

    The next rung follows at the ladder's own distance, so that a rest (a hold, a pause) moves the ladder as a whole.
    """
    rungs = draft.policy_of(order).rungs(clock.ladder)
    rung = rungs[clock.rung]
    if order.incident_id is not None:
        silent = replace(clock, rung=len(rungs), rung_at=None, version=clock.version + 1)
        about = f"{order.id}:{order.cycle}:{clock.name}.{clock.verdict_revision}:{clock.rung}"
        data: Data = {"escalation_id": about, "clock": clock.name, "level": rung.level}
        data |= {"inhibited_by": order.incident_id, "clock_changes": [silent]}
        return draft.tell("escalation.held", order, data)
    until = max((e.until for e in order.escalations if e.clock == clock.name and e.until), default=None)
    if until is not None and until > due_at:
        held = replace(clock, rung_at=until, version=clock.version + 1)
        data = {
            "escalation_id": next(e.id for e in order.escalations if e.clock == clock.name and e.until == until),
            "clock": clock.name,
            "level": rung.level,
            "held_until": text_of(until),
            "clock_changes": [held],
        }
        return draft.tell("escalation.held", order, data)
    after = rungs[clock.rung + 1] if clock.rung + 1 < len(rungs) else None
    next_at = due_at + timedelta(seconds=after.after_s - rung.after_s) if after else None
    climbed = replace(clock, rung=clock.rung + 1, rung_at=next_at, version=clock.version + 1)
    return raise_escalation(
        draft,
        order,
        cause="breached",
        level=rung.level,
        to=rung.to,
        due_at=due_at,
        clock=climbed,
        ladder=clock.ladder,
        rung=clock.rung,
        next_rung=_next(after, next_at),
    )


def _next(rung: RungAt | None, at: datetime | None) -> Data | None:
    return {"level": rung.level, "at": text_of(at)} if rung is not None and at is not None else None


def auto_confirm(draft: Draft, order: Order, clock: Clock) -> Order:
    """The reporter stayed silent through the confirm clock: accepted, marked as nobody's word."""
    ended = clocks.cancel(clock, draft.now)
    acceptance = {"by_role": "system", "mode": "auto"}
    data = {"state": "confirmed", "acceptance": acceptance, "changes": {"acceptance": acceptance}}
    order = draft.tell("work-order.auto-confirmed", order, data, at=clock.due_at)
    order = change_clocks(draft, order, "clock.cancelled", [ended], "silence")
    return close(draft, order, {"reason": "silence"})


def close(draft: Draft, order: Order, data: Data) -> Order:
    """Close the order: clocks that still live are cancelled, escalations are over."""
    order = cancel_clocks(draft, order, "closed")
    order = end_escalations(draft, order)
    facts: Data = {"state": "closed", **data}
    if until := watched_until(draft, order):
        facts["rework_until"] = until
    return draft.tell("work-order.closed", order, facts)


def extend_clock(draft: Draft, order: Order, clock: Clock, until: str) -> Clock:
    """The clock with more time; Rejected when that is none."""
    moment = moment_of(until)
    if moment <= clock.due_at or moment <= draft.now:
        raise Rejected("invalid-value", f"an extension ends after {text_of(max(clock.due_at, draft.now))}", "until")
    return clocks.extend(draft.policy_of(order), clock, moment, draft.now)
