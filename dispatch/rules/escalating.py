"""Timers that came due: warnings, breaches and their ladders, offers nobody answered, holds that were forgotten."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dispatch.models.commands import Command
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, end_escalations
from dispatch.rules.legs import move_leg
from dispatch.rules.policy import RungAt
from dispatch.rules.state import Clock, Data, Order, text_of
from dispatch.rules.territory import next_shift_change

MOST_TIMERS = 50
"""How many timers of one order fire in one decision; the rest come due again at once."""


def raise_escalation(  # noqa: PLR0913 -- the parts of one event
    draft: Draft, order: Order, *, cause: str, level: int, to: tuple[str, ...], due_at: datetime | None = None,
    clock: Clock | None = None, ladder: str | None = None, rung: int | None = None, next_rung: RungAt | None = None,
    reason: str | None = None,
) -> Order:
    """Emit ``escalation.raised``. Its id names order, cycle, clock or cause, and level, so it is raised once."""
    number = f":{order.counters.get('urges', 0)}" if cause == "urging" else ""
    data: Data = {
        "escalation_id": f"{order.id}:{order.cycle}:{clock.name if clock else cause}{number}:{level}",
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
        "held_by": [{"owner": owner, "s": spent_s} for owner, spent_s in order.time_by_owner.items()],
        "recipients": [{"id": role, "role": role, "why": cause} for role in to],
        "next_rung": _next(clock, next_rung),
        "reason": reason,
        "drill": order.drill,
    }
    if clock is not None:
        data["clock_changes"] = [clock]
    return draft.tell("escalation.raised", order, data)


def _next(clock: Clock | None, rung: RungAt | None) -> Data | None:
    if clock is None or rung is None or clock.breached_at is None:
        return None
    return {"level": rung.level, "at": text_of(clock.breached_at + timedelta(seconds=rung.after_s))}


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
            fired |= _fire_shift(draft, timer_id.removeprefix("technician/").rsplit(":", 2)[0], timer_id)
        else:
            fired |= _fire_order(draft, timer_id.split(":", 1)[0], timer_id)
    draft.repeated = not fired


def _fire_shift(draft: Draft, technician_id: str, timer_id: str) -> bool:
    fired = False
    while technician := draft.technician(technician_id):
        change = next_shift_change(technician)
        if change is None or change[0] > draft.now or not (fired or change[1] == timer_id):
            break
        shift = next(s for s in technician.shifts if f":{int(s.start.timestamp())}" in change[1])
        short = "shift.ended" if shift.state == "started" else "shift.started"
        data = {"technician_id": technician_id, "start": text_of(shift.start), "end": text_of(shift.end)}
        draft.emit(short, technician_id, data | {"role": shift.role, "reason": "plan"}, at=change[0])
        fired = True
    return fired


def _fire_order(draft: Draft, order_id: str, timer_id: str) -> bool:
    order = draft.order(order_id)
    if order is None:
        return False
    first = clocks.next_timer(order)
    if first is None or first[1] != timer_id:
        return False
    for _ in range(MOST_TIMERS):
        timer = clocks.next_timer(order)
        if timer is None or timer[0] > draft.now:
            break
        kind = timer[1].split(":")[2]
        order = _fire(draft, order, kind, timer[0])
    return True


def _fire(draft: Draft, order: Order, kind: str, due_at: datetime) -> Order:
    if kind.startswith("offer."):
        return _expire_offer(draft, order, kind.removeprefix("offer."))
    if kind == "hold":
        order = draft.tell("work-order.updated", order, {"hold_reminded": True, "reason": "hold_overdue"})
        return raise_escalation(
            draft, order, cause="silence", level=1, to=("dispatcher",), due_at=due_at, reason="hold_overdue"
        )
    name, what = kind.split(".")
    clock = order.clocks[name]
    if what == "warn":
        warned = replace(clock, warned=clock.warned + 1, version=clock.version + 1)
        return draft.tell("clock.warned", order, {"clocks": [warned], "due_at": text_of(clock.due_at)})
    if name == "confirm" and draft.policy_of(order).site.confirm_silence == "auto_confirm":
        return auto_confirm(draft, order, clock)
    if what == "breach":
        return _breach(draft, order, clock)
    return _climb(draft, order, clock)


def _expire_offer(draft: Draft, order: Order, assignment_id: str) -> Order:
    leg = next(leg for leg in order.legs if leg.assignment_id == assignment_id)
    expired_at = leg.expires_at or draft.now
    return move_leg(draft, order, leg, "expired", "work-order.offer-expired", {"reason": "silence"}, at=expired_at)


def _breach(draft: Draft, order: Order, clock: Clock) -> Order:
    rungs = draft.policy_of(order).rungs(clock.ladder)
    first_at = clock.due_at + timedelta(seconds=rungs[0].after_s)
    event_id = f"{draft.territory.tenant}:{draft.territory.id}:{draft.territory.sequence + len(draft.events) + 1}"
    broken = replace(
        clock, breached_at=clock.due_at, breach_event=event_id, rung=0, rung_at=first_at, version=clock.version + 1
    )
    return draft.tell("clock.breached", order, {"clocks": [broken]}, at=clock.due_at)


def _climb(draft: Draft, order: Order, clock: Clock) -> Order:
    """One rung: told now, or held while somebody who acknowledged asked for time."""
    rungs = draft.policy_of(order).rungs(clock.ladder)
    rung, breached_at = rungs[clock.rung], clock.breached_at or clock.due_at
    due_at = breached_at + timedelta(seconds=rung.after_s)
    until = max((e.until for e in order.escalations if e.clock == clock.name and e.until), default=None)
    if until is not None and until > draft.now:
        held = replace(clock, rung_at=until, version=clock.version + 1)
        data = {"clock": clock.name, "level": rung.level, "held_until": text_of(until), "clock_changes": [held]}
        return draft.tell("escalation.held", order, data)
    after = rungs[clock.rung + 1] if clock.rung + 1 < len(rungs) else None
    next_at = breached_at + timedelta(seconds=after.after_s) if after else None
    climbed = replace(clock, rung=clock.rung + 1, rung_at=next_at, version=clock.version + 1)
    return raise_escalation(
        draft, order, cause="breached", level=rung.level, to=rung.to, due_at=due_at, clock=climbed,
        ladder=clock.ladder, rung=clock.rung, next_rung=after,
    )


def auto_confirm(draft: Draft, order: Order, clock: Clock) -> Order:
    """The reporter stayed silent through the confirm clock: accepted, marked as nobody's word."""
    ended = [clocks.cancel(clock, draft.now)]
    acceptance = {"by_role": "system", "mode": "auto"}
    data = {"state": "confirmed", "clock_changes": ended, "acceptance": acceptance, "changes": {"acceptance": acceptance}}
    order = draft.tell("work-order.auto-confirmed", order, data)
    return close(draft, order, {"reason": "silence"})


def close(draft: Draft, order: Order, data: Data) -> Order:
    """Close the order: clocks that still live are cancelled, escalations are over."""
    live = [clock for clock in order.clocks.values() if clock.is_live]
    if live:
        ended = [clocks.cancel(clock, draft.now) for clock in live]
        order = draft.tell("clock.cancelled", order, {"clocks": ended, "reason": "closed"})
    order = end_escalations(draft, order, lambda _clock: True)
    return draft.tell("work-order.closed", order, {"state": "closed", **data})


