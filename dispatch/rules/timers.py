"""Timers: what an order waits for next. They follow from its state alone; their ids name what they were set for."""

from collections.abc import Iterator
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
    return min(_timers(order), default=None)


def next_timer(order: Order) -> tuple[datetime, str] | None:
    """The order's earliest timer as (due moment, id), or None."""
    found = next_of(order)
    return (found.at, id_of(order, found)) if found is not None else None


def id_of(order: Order, timer: Timer) -> str:
    """``order:cycle:kind:version``: another one whenever the timer is set anew."""
    return f"{order.id}:{order.cycle}:{timer.kind}:{timer.version}"


def _timers(order: Order) -> Iterator[Timer]:
    if order.is_final:
        return
    for clock in order.clocks.values():
        if clock.state != "running":
            continue
        if clock.breached_at is None:
            due_at = clock.due_at
            if clock.warned < len(clock.warn_at) and clock.warn_at[clock.warned] < due_at:
                yield Timer(clock.warn_at[clock.warned], f"{clock.name}.warn", clock.version)
            else:
                yield Timer(due_at, f"{clock.name}.breach", clock.version)
        elif clock.rung_at is not None:
            yield Timer(clock.rung_at, f"{clock.name}.rung", clock.version)
    for leg in order.legs:
        if leg.state == "offered" and leg.expires_at is not None:
            yield Timer(leg.expires_at, f"offer.{leg.assignment_id}", leg.version)
    hold = order.hold
    if hold is not None and hold.expected_resume_at is not None and not hold.reminded:
        yield Timer(hold.expected_resume_at, "hold", int(hold.since.timestamp()))
