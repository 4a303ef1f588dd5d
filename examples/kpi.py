"""A KPI service: the on-time share by clock and the rework rate (返修率), from dispatch.completions alone.

    python examples/kpi.py --once --kafka 127.0.0.1:9092     # up to now
    python examples/kpi.py --for 3600 --json                 # an hour more, then the figures

A cycle of an order counts by the verdicts of its completion. What comes later corrects it: a late fact (`corrected`),
work that was not accepted (`work-rejected`: the verdict is void until the work is done again). Drills, exclusions, and
orders that were refused, merged or cancelled are in no denominator; they are counted beside it. A repair came back if
an order or a new cycle says that it is rework of it, whoever found that: the machine, the reporter, an inspector.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer
from streams import DONE, NOTHING, Event, arguments, consumer_for, events, read, run, say

KPI = "on_time"
GONE = ("refused", "merged", "cancelled")
CLOCKS = ("triage", "accept", "arrive", "make_safe", "resolve", "confirm")


@dataclass
class Cycle:
    """One pass of an order through the loop: what was promised, and how each promise ended (revision, verdict)."""

    promised: dict[str, str | None] = field(default_factory=dict)
    verdicts: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    left_out: str | None = None

    def judge(self, clocks: list[dict[str, Any]]) -> None:
        """A verdict of a later revision replaces an earlier one; a clock without a verdict still runs."""
        for clock in clocks:
            revision = clock.get("verdict_revision") or 0
            if clock.get("verdict") and revision >= self.verdicts.get(clock["name"], (0, None))[0]:
                self.verdicts[clock["name"]] = (revision, clock["verdict"])
                self.promised.setdefault(clock["name"], clock.get("due_at_current") or clock.get("due_at"))

    def void(self, clocks: list[dict[str, Any]]) -> None:
        """The verdicts of work that was not accepted."""
        for clock in clocks:
            revision = clock.get("verdict_revision") or 0
            if revision >= self.verdicts.get(clock["name"], (0, None))[0]:
                self.verdicts[clock["name"]] = (revision + 1, None)

    def close(self) -> None:
        """A promise without a verdict by now was called off on the way."""
        self.promised = {name: due for name, due in self.promised.items() if self.verdict(name)}

    def verdict(self, name: str) -> str | None:
        """`met`, `breached`, or None while it runs."""
        return self.verdicts.get(name, (0, None))[1]


class OnTime:
    """Folds events into cycles. The same event twice changes nothing."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self.cycles: dict[tuple[str, int], Cycle] = {}
        self.repaired: set[str] = set()
        self.rework: dict[tuple[str, int], tuple[str, str]] = {}
        self.now = ""

    def hear(self, event: Event) -> None:
        """Take one event of dispatch.completions in."""
        self.now = max(self.now, event.time)
        data = event.data
        kind = event.type.removeprefix("work-order.")
        order_id, number = data["work_order_id"], data.get("cycle") or 1
        cycle = self.cycles.setdefault((order_id, number), Cycle())
        if kind == "opened":
            cycle.promised = {one["name"]: one.get("due_at") for one in data.get("targets", ())}
        elif kind == "reopened" and (before := self.cycles.get((order_id, number - 1))):
            cycle.promised = dict.fromkeys(before.promised)
            cycle.left_out = "drill" if before.left_out == "drill" else None
        if data.get("drill"):
            cycle.left_out = "drill"
        elif kind in GONE:
            cycle.left_out = kind
        elif any(one["kpi"] == KPI for one in data.get("exclusions", ())):
            cycle.left_out = "excluded"
        elif kind in {"completed", "answered"} and cycle.left_out in GONE:
            cycle.left_out = None  # a refusal or a merger that was undone
        if kind == "work-rejected":
            cycle.void(data.get("clocks", []))
        else:
            cycle.judge([*data.get("clocks", ()), *data.get("clock_changes", ())])
        if kind == "closed":
            cycle.close()
        self._count_rework(kind, order_id, number, data)

    def _count_rework(self, kind: str, order_id: str, number: int, data: dict[str, Any]) -> None:
        if kind == "completed" and data.get("state") == "completed" and not data.get("drill"):
            self.repaired.add(order_id)
        if (rework := data.get("rework")) is not None:
            self.rework[order_id, number] = (rework["of_id"], rework.get("basis") or "?")

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each clock: promised = met + breached + open. `open_overdue` knows of no pauses."""
        counted = [one for one in self.cycles.values() if one.left_out is None]
        for name in CLOCKS:
            of = [one for one in counted if name in one.promised]
            ends = Counter(one.verdict(name) for one in of)
            still = [one.promised[name] for one in of if one.verdict(name) is None]
            ended = ends["met"] + ends["breached"]
            if of:
                yield {
                    "clock": name,
                    "promised": len(of),
                    "met": ends["met"],
                    "breached": ends["breached"],
                    "on_time": round(ends["met"] / ended, 4) if ended else None,
                    "open": len(still),
                    "open_overdue": sum(1 for due in still if due and _moment(due) < _moment(self.now)),
                }

    def rework_rate(self) -> dict[str, Any]:
        """How many of the orders repaired came back, and who found out."""
        told = [found for cycle, found in self.rework.items() if self.cycles[cycle].left_out is None]
        back = {of_id: basis for of_id, basis in told if of_id in self.repaired}
        of = len(self.repaired)
        by = dict(Counter(back.values()))
        return {"repaired": of, "came_back": len(back), "rate": round(len(back) / of, 4) if of else None, "by": by}

    def left_out(self) -> dict[str, int]:
        """How many cycles are in no denominator, by reason."""
        return dict(sorted(Counter(one.left_out for one in self.cycles.values() if one.left_out).items()))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def show(figures: OnTime, *, as_json: bool) -> None:
    """The figures as lines of JSON, or as a table."""
    rows = list(figures.rows())
    if as_json:
        for row in [*rows, {"rework": figures.rework_rate()}, {"left_out": figures.left_out()}]:
            say(json.dumps(row))
        return
    say(f"{'clock':<10} {'on time':>8} {'met':>6} {'late':>6} {'open':>6} {'overdue':>8} {'promised':>9}")
    for row in rows:
        share = "-" if row["on_time"] is None else f"{row['on_time']:.1%}"
        counts = f"{row['met']:>6} {row['breached']:>6} {row['open']:>6} {row['open_overdue']:>8} {row['promised']:>9}"
        say(f"{row['clock']:<10} {share:>8} {counts}")
    rework = figures.rework_rate()
    share = "-" if rework["rate"] is None else f"{rework['rate']:.1%}"
    say(f"rework 返修率: {share} ({rework['came_back']} of {rework['repaired']} repaired; {rework['by'] or 'none'})")
    say(f"in no denominator: {figures.left_out() or 'none'}")


async def main() -> int:
    """0 when there was something to count, 1 when there was nothing."""
    parser = arguments(__doc__)
    parser.add_argument("--every", type=float, default=60.0, metavar="SECONDS", help="how often to tell the figures")
    parser.add_argument("--json", action="store_true", help="lines of JSON")
    given = parser.parse_args()
    figures, end_s = OnTime(), time.monotonic() + (given.for_s or float("inf"))
    async with consumer_for(given.kafka, "dispatch.completions", beginning=True) as consumer:
        await catch_up(consumer, figures)
        while not given.once and (left_s := end_s - time.monotonic()) > 0:
            show(figures, as_json=given.json)
            async for event in events(consumer, min(left_s, given.every)):
                figures.hear(event)
    show(figures, as_json=given.json)
    return DONE if figures.cycles else NOTHING


async def catch_up(consumer: AIOKafkaConsumer, figures: OnTime) -> None:
    """From the beginning to where the topic ends now."""
    ends = await consumer.end_offsets(consumer.assignment())
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                figures.hear(read(record))


if __name__ == "__main__":
    run(main)
