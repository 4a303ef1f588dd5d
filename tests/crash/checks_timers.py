"""Checks of time: every timer that came due fired, none too early, none whose clock stood still.

Timers are worked out here from the clocks and legs that events carry, not by the engine's own rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.crash.checks_state import FINAL
from tests.crash.recorded import Batch, Happened, Recorded
from tests.crash.stage import Stage

LATE_WALL_S = 30.0
"""How late a timer may fire while workers are being killed, in seconds of the wall clock, if not said otherwise."""
END_WALL_S = 4.0
"""How late it may be at the end of a run, when all has been well for longer than that."""
EARLY_S = 1.0
"""How much before its due moment a timer may seem to fire, in domain seconds, for clocks are cut to milliseconds."""


class Timer(NamedTuple):
    """What an order waits for: ``warn`` 0, 1 …, ``breach``, ``rung`` 0, 1 …, ``offer``."""

    order: str
    cycle: int
    what: str
    of: str
    number: int


@dataclass
class Watched:
    """An order as far as its timers go."""

    cycle: int = 1
    final: bool = False
    clocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    offers: dict[str, datetime] = field(default_factory=dict)

    def pending(self, order: str) -> dict[Timer, datetime]:
        """Each clock's next timer and each offer's end."""
        if self.final:
            return {}
        found: dict[Timer, datetime] = {}
        for name, clock in self.clocks.items():
            if clock.get("state", "running") != "running":
                continue
            warned, points, due = clock.get("warned", 0), clock.get("warn_at", []), _moment(clock["due_at"])
            if clock.get("breached_at") is not None:
                if clock.get("rung_at"):
                    rung = Timer(order, self.cycle, "rung", name, clock.get("rung", 0))
                    found[rung] = _moment(clock["rung_at"])
            elif warned < len(points) and _moment(points[warned]) < due:
                found[Timer(order, self.cycle, "warn", name, warned)] = _moment(points[warned])
            else:
                found[Timer(order, self.cycle, "breach", name, 0)] = due
        found |= {Timer(order, self.cycle, "offer", leg, 0): at for leg, at in self.offers.items()}
        return found

    def apply(self, event: Happened) -> None:
        """Take one event in."""
        data = event.data
        if event.type == "work-order.reopened":
            self.cycle, self.clocks = data["cycle"], {}
        for clock in carried(event):
            known = {} if "due_at" in clock else self.clocks.get(clock["name"], {})  # a stop says only what changed
            self.clocks[clock["name"]] = {**known, **clock}
        if "leg_state" in data:
            if data["leg_state"] == "offered" and data.get("expires_at"):
                self.offers[data["assignment_id"]] = _moment(data["expires_at"])
            elif data["leg_state"] != "offered":
                self.offers.pop(data["assignment_id"], None)
        if "state" in data:
            self.final = data["state"] in FINAL


def carried(event: Happened) -> list[dict[str, Any]]:
    """The clocks that an event starts, stops or moves."""
    if event.type == "work-order.opened":
        return event.data["targets"]
    return event.data["clocks"] if event.type.startswith("clock.") else event.data.get("clock_changes", [])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass
class Timing:
    """What was found; what is more than ``late`` (domain time) after its due moment counts as missed."""

    late: timedelta
    missed: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    fired: int = 0
    latest_wall_s: float = 0.0


def check_timers(run: Recorded, stage: Stage, ended_at_s: float, late_wall_s: float = LATE_WALL_S) -> Timing:
    """Walk through the batches of each territory. ``ended_at_s``: the wall time at which workers were stopped.

    ``late_wall_s``: how late a timer may be while workers are being killed: the longest outage there was.
    """
    found = Timing(late=timedelta(seconds=late_wall_s * stage.speed))
    for batches in run.batches.values():
        orders: dict[str, Watched] = {}
        for batch in batches:
            _walk(batch, orders, stage, found)
        until = stage.domain(ended_at_s) - timedelta(seconds=END_WALL_S * stage.speed)
        for order, watched in orders.items():
            for timer, due in watched.pending(order).items():
                if due < until:
                    found.missed.append(f"{timer} was due at {due}, and had not fired {until - due} later")
    return found


def _walk(batch: Batch, orders: dict[str, Watched], stage: Stage, found: Timing) -> None:
    now = _moment(batch.end.data["now"])
    published = stage.domain(batch.end.rec.at_s)
    touched = {event.subject for event in batch.events if event.type != "lane.decided"}
    before = {order: orders[order].pending(order) for order in touched if order in orders}
    fired: set[Timer] = set()
    for event in batch.events:
        if event.type.split(".")[0] not in {"work-order", "clock", "escalation"}:
            continue
        watched = orders.setdefault(event.subject, Watched())
        pending = watched.pending(event.subject)
        for timer in _fired(event, watched):
            fired.add(timer)
            found.fired += 1
            due = pending.get(timer)
            if due is None:
                found.early.append(f"{event.id} ({event.type}): {timer} did not run")
            elif due > min(now, published) + timedelta(seconds=EARLY_S):
                found.early.append(f"{event.id} ({event.type}): due {due}, fired {now}, published {published}")
            else:
                found.latest_wall_s = max(found.latest_wall_s, (now - due).total_seconds() / stage.speed)
        watched.apply(event)
    for order, pending in before.items():
        after = orders[order].pending(order)
        for timer, due in pending.items():
            if due + found.late < now and timer not in fired and timer not in after:
                found.missed.append(f"{timer} was due at {due}, and was overtaken at {now}")


def _fired(event: Happened, watched: Watched) -> Iterator[Timer]:
    """The timers that an event is the firing of, judged by the state before it."""
    data, order, cycle = event.data, event.subject, watched.cycle
    if event.type == "clock.warned":
        for clock in data["clocks"]:
            yield Timer(order, cycle, "warn", clock["name"], clock.get("warned", 0) - 1)
    elif event.type == "clock.breached":
        for clock in data["clocks"]:
            yield Timer(order, cycle, "breach", clock["name"], 0)
    elif event.type == "work-order.auto-confirmed":
        yield Timer(order, cycle, "breach", "confirm", 0)
    elif event.type == "work-order.offer-expired":
        yield Timer(order, cycle, "offer", data["assignment_id"], 0)
    elif event.type == "escalation.raised" and data["cause"] == "breached":
        yield Timer(order, cycle, "rung", data["clock"], data["rung"])
