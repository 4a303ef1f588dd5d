"""Four months of a real city through the engine, on a scaled clock, and its verdicts compared with the city's own.

17,668 requests to Boston 311 (January to April 2015) are published when the scaled clock reaches their opening, by
coordinates alone, with the city's TARGET_DT as `due_at`; those that were closed are completed with CLOSED_DT as
`performed_at`, when the clock reaches it. A second worker takes over for the months after, until the last one is
closed. At the end the topics alone are read: every row opened, every closed one completed, and the verdict of its
resolve clock equal to OnTime_Status wherever that follows from target and close. Times without a zone are read as
America/New_York with fold=0 (see benchmarks/boston.py).
"""

import argparse
import asyncio
import heapq
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import boston, engine
from benchmarks.boston import Row
from benchmarks.client import (
    ASSIGNED,
    IDLE_MS,
    Assigned,
    Client,
    completion,
    fetched,
    header,
    read_assigned,
    subjects,
    type_of,
)
from benchmarks.common import Bench, Child, bench, machine, percentile, report, say
from benchmarks.verdicts import compare
from dispatch.config import load_config
from dispatch.timing import Clock, make_clock
from dispatch.topics import ACTIONS, ASSIGNMENTS, COMPLETIONS, REQUESTS, WORK_ORDERS

DEFAULT = Path(__file__).absolute().parents[2] / "shared/data/boston311/requests_2015_jan_apr.csv.gz"
LEAD_S = 10.0
BEHIND_S = 0.1
PATIENCE_S = 120.0


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay_boston", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="the gzipped CSV of requests")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long the months of the requests take (150)")
    parser.add_argument("--tail-seconds", type=float, default=40.0, help="how long the months after take (40)")
    parser.add_argument("--partitions", type=int, default=8, help="partitions of every topic (8)")
    parser.add_argument("--limit", type=int, help="only the first rows, for a quick look")
    return parser.parse_args()


class Replay:
    """What has been published, what waits for the clock, and what waits for an assignment."""

    def __init__(self, client: Client, rows: list[Row]) -> None:
        """``rows`` in order of their opening."""
        self.client = client
        self.rows = rows
        self.by_case = {row.case: row for row in rows}
        self.opened = 0
        self.completed = 0
        self.to_complete = sum(row.closed is not None for row in rows)
        self.sent_s: dict[str, float] = {}
        self.assigned: dict[str, Assigned] = {}
        self.waits_s: list[float] = []
        self._closing: list[tuple[datetime, str]] = []

    async def publish(self, now: datetime) -> None:
        """Send what is due at ``now``."""
        first = self.opened
        while self.opened < len(self.rows) and self.rows[self.opened].opened <= now:
            self.sent_s[self.rows[self.opened].case] = time.perf_counter()
            self.opened += 1
        if self.opened > first:
            await self.client.send(REQUESTS, map(boston.request, self.rows[first : self.opened]))
        done = []
        while self._closing and self._closing[0][0] <= now:
            closed, case = heapq.heappop(self._closing)
            at = boston.text_of(closed)
            done.append(completion(self.assigned[case], at, at))
        if done:
            self.completed += len(done)
            await self.client.send(ACTIONS, done)

    def take(self, records: list[Any]) -> None:
        """Note assignments; each can be completed from now on, once the clock has reached its close."""
        now_s = time.perf_counter()
        for record in records:
            case = header(record, "ce_correlationid").decode()
            if type_of(record) != ASSIGNED or case in self.assigned:
                continue
            self.assigned[case] = read_assigned(record.value)
            self.waits_s.append(now_s - self.sent_s[case])
            closed = self.by_case[case].closed
            if closed is not None:
                heapq.heappush(self._closing, (closed, case))

    def due(self, until: datetime) -> int:
        """How many assignments and completions there must be once all that is due by ``until`` has been handled."""
        rows = sum(row.opened <= until for row in self.rows)
        return rows + sum(row.closed is not None and row.closed <= until for row in self.rows)

    @property
    def done(self) -> int:
        """How many assignments have come, and completions have been sent."""
        return len(self.assigned) + self.completed


async def play(replay: Replay, worker: Child, clock: Clock, until: datetime, consumer: Any) -> None:
    """Publish along the clock until all that is due by ``until`` is sent; RuntimeError when nothing goes on."""
    behind = timedelta(seconds=BEHIND_S * clock.speed)
    due, done = replay.due(until), replay.done
    next_line_s = went_on_s = time.perf_counter()
    while replay.done < due:
        now = clock.now() - behind
        await replay.publish(min(now, until))
        replay.take(fetched(await consumer.getmany(timeout_ms=IDLE_MS // 5)))
        worker.check()
        if replay.done != done or now < until:
            done, went_on_s = replay.done, time.perf_counter()
        elif time.perf_counter() > went_on_s + PATIENCE_S:
            raise RuntimeError(f"{due - done} events are missing:\n{worker.tail()}")
        if time.perf_counter() > next_line_s:
            next_line_s = time.perf_counter() + 15
            say(
                f"{now:%Y-%m-%d}: {replay.opened} opened, {len(replay.assigned)} assigned, {replay.completed} completed"
            )


def clock_text(start: datetime, speed: float) -> str:
    """A scaled clock that starts now, as DISPATCH_CLOCK takes it."""
    return f"{start.isoformat()}@{time.time():.3f}x{speed:.0f}"


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """Both phases, and the comparison."""
    rows = boston.read_rows(given.file)[: given.limit]
    cut = boston.boxes(rows)
    config = boston.write_config(bench.folder / "config", cut)
    policy = load_config(config)
    boston.check_trades(policy, rows)
    first, last = rows[0].opened, rows[-1].opened
    end = max(last, *(row.closed for row in rows if row.closed))
    speed = (last - first).total_seconds() / given.seconds
    tail_speed = max(speed, (end - last).total_seconds() / given.tail_seconds)
    say(
        f"{len(rows)} rows, {len(cut)} territories, {first:%Y-%m-%d} to {last:%Y-%m-%d} at {speed:,.0f} times the speed"
    )
    async with Client(bench.kafka, given.partitions) as client:
        replay = Replay(client, rows)
        text = clock_text(first - timedelta(seconds=LEAD_S * speed), speed)
        clock = make_clock(text)
        with engine.running(bench, config, given.partitions, DISPATCH_CLOCK=text) as worker:
            await _staff(client, worker, policy, clock, end + timedelta(days=400))
            async with client.reading(ASSIGNMENTS) as consumer:
                began_s = time.perf_counter()
                await play(replay, worker, clock, last, consumer)
                took_s = time.perf_counter() - began_s
                worker.stop()
                text = clock_text(clock.now(), tail_speed)
                say(f"a second worker goes on to {end:%Y-%m-%d} at {tail_speed:,.0f} times the speed")
                with engine.running(bench, config, given.partitions, DISPATCH_CLOCK=text) as second:
                    await play(replay, second, make_clock(text), end, consumer)
                    await subjects(client, COMPLETIONS, engine.COMPLETED, replay.to_complete)
        found = await compare(client, rows)
    return {
        "name": "replay_boston", "ratio": round(found["equal"] / max(1, found["decidable"]), 6),
        "engine": found["equal"], "baseline": found["decidable"], "unit": "verdicts equal to the city's",
        "rows": len(rows), "orders_per_s": round(len(rows) / took_s, 1), "took_s": round(took_s, 1),
        "speed": round(speed),
        "assignment_p99_s": round(percentile(replay.waits_s, 990), 3), **found, "machine": machine(), "runs": 1,
    }  # fmt: skip


async def _staff(client: Client, worker: Child, policy: Any, clock: Clock, until: datetime) -> None:
    events = list(boston.staff(policy, clock.now() - timedelta(seconds=BEHIND_S * clock.speed), until))
    for place in range(client.partitions):
        await client.send_to(ACTIONS, place, [value for number, value in events if number % client.partitions == place])
    on_duty = await subjects(client, WORK_ORDERS, engine.SHIFT_STARTED, len(events) // 2)
    worker.check()
    if len(on_duty) < len(events) // 2:
        raise RuntimeError(f"{len(on_duty)} technicians are on duty:\n{worker.tail()}")


def main() -> int:
    """Run the benchmark: 0 when all is as it should be, 1 when something falls short, 2 without the data."""
    given = arguments()
    if not given.file.is_file():
        say(f"{given.file} is not there: give the path of the gzipped CSV of Boston 311 requests")
        return 2
    with bench() as servers:
        found = asyncio.run(run(servers, given))
    report(**found)
    return 0 if found["whole"] else 1


if __name__ == "__main__":
    sys.exit(main())
