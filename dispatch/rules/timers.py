"""Timers: what an order waits for next. They follow from its state alone; their ids name what they were set for."""

from datetime import datetime
from typing import NamedTuple

from dispatch.rules.state import Order


class Timer(NamedTuple):
    """When something is due and what: ``resolve.warn``, ``resolve.breach``, ``resolve.rung``, ``offer.ID``, ``hold``.

    Timers compare by moment, then by kind: that is the order in which those of one order fire.
    """

    at: datetime
    kind: str
    version: int


def next_of(order: Order) -> Timer | None:
    """The order's earliest timer, or None."""
    if order.is_final:
        return None
    found = _next_of_clocks(order)
    for leg in order.legs:
        if leg.state == "offered" and leg.expires_at is not None:
            timer = Timer(leg.expires_at, f"offer.{leg.assignment_id}", leg.version)
            found = timer if found is None else min(found, timer)
    hold = order.hold
    if hold is not None and hold.expected_resume_at is not None and not hold.reminded:
        timer = Timer(hold.expected_resume_at, "hold", int(hold.since.timestamp()))
        found = timer if found is None else min(found, timer)
    return found


def _next_of_clocks(order: Order) -> Timer | None:
    """Only the earliest becomes a :class:`Timer`: this is asked for every order that an event has touched."""
    best_at: datetime | None = None
    best_kind, best_version = "", 0
    for clock in order.clocks.values():
        if clock.state != "running":
            continue
        what = ".breach"
        at: datetime | None = clock.due_at
        if clock.breached_at is not None:
            at, what = clock.rung_at, ".rung"
        elif clock.warned < len(clock.warn_at) and clock.warn_at[clock.warned] < clock.due_at:
            at, what = clock.warn_at[clock.warned], ".warn"
        if at is None:
            continue
        if best_at is None or at < best_at or (at == best_at and clock.name + what < best_kind):
            best_at, best_kind, best_version = at, clock.name + what, clock.version
    return Timer(best_at, best_kind, best_version) if best_at is not None else None


def next_timer(order: Order) -> tuple[datetime, str] | None:
    """The order's earliest timer as (due moment, id), or None."""
    found = next_of(order)
    return (found.at, id_of(order, found)) if found is not None else None


def id_of(order: Order, timer: Timer) -> str:
    """``order:cycle:kind:version``: another one whenever the timer is set anew."""
    return f"{order.id}:{order.cycle}:{timer.kind}:{timer.version}"
