"""From request to assignment: p50 and p99 in an open loop, beside bare aiokafka produce → consume at the same rate.

Time counts from the moment at which a request was to be sent, so that a late sender hides nothing; what batches cost
is included. At 50 requests a second, and at half of what the engine can do.
"""

import argparse
import asyncio
import gc
import sys
import time
from contextlib import suppress
from typing import Any

from benchmarks import engine
from benchmarks.campus import number_of
from benchmarks.client import ASSIGNED, IDLE_MS, Client, fetched, header, type_of
from benchmarks.common import Bench, Child, bench, machine, median, percentile, report, say
from benchmarks.flow import Flow
from dispatch.topics import ASSIGNMENTS, REQUESTS

BARE = "bench.latency.bare"
CALM = 50
PATIENCE_S = 60.0


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a round (20)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side and rate, in turn (3)")
    parser.add_argument("--capacity", type=float, help="orders/s that the engine can do (measured when not given)")
    parser.add_argument("--partitions", type=int, default=8, help="partitions of every topic (8)")
    return parser.parse_args()


class OpenLoop:
    """Requests sent at fixed moments whatever comes back, and how long each took, in milliseconds."""

    def __init__(self, client: Client, values: list[bytes], rate: float, topic: str, answers: str) -> None:
        """``answers`` is where to look for what became of a request."""
        self.client = client
        self.values = values
        self.rate = rate
        self.topic = topic
        self.answers = answers
        self.began_s = 0.0
        self.took_ms: dict[int, float] = {}

    async def run(self, worker: Child) -> list[float]:
        """Send all and wait for all answers. RuntimeError when some never come."""
        async with self.client.reading(self.answers) as consumer:
            gc.collect()
            gc.disable()
            self.began_s = time.perf_counter() + 0.2
            sending = asyncio.create_task(self._send())
            last_s = self.began_s + len(self.values) / self.rate
            try:
                while len(self.took_ms) < len(self.values):
                    await self._take(fetched(await consumer.getmany(timeout_ms=IDLE_MS)))
                    worker.check()
                    if time.perf_counter() > last_s + PATIENCE_S:
                        raise RuntimeError(f"{len(self.took_ms)} of {len(self.values)} came back:\n{worker.tail()}")
            finally:
                gc.enable()
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
        return list(self.took_ms.values())

    async def _send(self) -> None:
        producer, partitions = self.client.producer, self.client.partitions
        for number, value in enumerate(self.values):
            wait_s = self.began_s + number / self.rate - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            await producer.send(self.topic, value, key=b"%d" % number, partition=number % partitions)

    async def _take(self, records: list[Any]) -> None:
        now_s = time.perf_counter()
        ours = self.answers == ASSIGNMENTS
        if ours:
            records = [record for record in records if type_of(record) == ASSIGNED]
        for record in records:
            number = number_of(header(record, "ce_correlationid")) if ours else int(record.key)
            self.took_ms.setdefault(number, (now_s - self.began_s - number / self.rate) * 1000)
        if ours and records:
            await self.client.complete(records)


async def one_round(client: Client, worker: Child, rate: float, given: argparse.Namespace, run: str) -> dict[str, Any]:
    """Both sides once at one rate."""
    values = engine.requests(run, int(rate * given.seconds))
    bare_ms = await OpenLoop(client, values, rate, BARE, BARE).run(worker)
    ours_ms = await OpenLoop(client, values, rate, REQUESTS, ASSIGNMENTS).run(worker)
    found: dict[str, Any] = {"rate": round(rate), "requests": len(values)}
    for side, took_ms in (("engine", ours_ms), ("baseline", bare_ms)):
        found[side] = {
            f"{name}_ms": round(percentile(took_ms, permille), 2)
            for name, permille in (("p50", 500), ("p99", 990), ("max", 1000))
        }
    say(f"{run}: {found}")
    return found


async def capacity_of(client: Client, worker: Child) -> float:
    """What the engine can do here and now, in orders per second."""
    found = await engine.order(Flow(client, engine.requests("cap", 6000), 4000), worker)
    say(f"capacity: {found}")
    return float(found["rate"])


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    config = engine.write_campus(bench)
    with engine.running(bench, config, given.partitions) as worker:
        async with Client(bench.kafka, given.partitions) as client:
            await client.create(BARE)
            say("technicians come on duty")
            await engine.staff_campus(client, worker)
            await engine.warm_up(client, worker, "w")
            capacity = given.capacity or await capacity_of(client, worker)
            idle_s, since_s = worker.cpu_s(), time.perf_counter()
            await asyncio.sleep(3)
            idle = (worker.cpu_s() - idle_s) / (time.perf_counter() - since_s)
            rounds = [
                await one_round(client, worker, rate, given, f"{name}{number}")
                for number in range(given.rounds)
                for name, rate in (("calm", float(CALM)), ("half", capacity / 2))
            ]
            counts = await engine.check(client, worker)
    rates = [_summary([one for one in rounds if one["rate"] == rate]) for rate in (CALM, round(capacity / 2))]
    if counts["assigned_in_all"] != counts["completed_in_all"] or counts["dead_letters"]:
        raise RuntimeError(f"orders were lost: {counts}")
    calm = rates[0]
    return {
        "name": "latency", "ratio": calm["p99_ratio"], "engine": calm["engine"]["p99_ms"],
        "baseline": calm["baseline"]["p99_ms"], "unit": "ms, p99 at 50 requests/s", "rates": rates,
        "capacity": round(capacity), "idle_cpu_share": round(idle, 3), "counts": counts,
        "runs": rounds, "machine": machine(),
    }  # fmt: skip


def _summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of the rounds at one rate."""
    sides = {
        side: {name: round(median([one[side][name] for one in rounds]), 2) for name in ("p50_ms", "p99_ms", "max_ms")}
        for side in ("engine", "baseline")
    }
    ratios = {
        f"{name}_ratio": round(sides["engine"][f"{name}_ms"] / sides["baseline"][f"{name}_ms"], 2)
        for name in ("p50", "p99")
    }
    return {"rate": rounds[0]["rate"], **sides, **ratios}


def main() -> int:
    """Run the benchmark."""
    given = arguments()
    with bench() as servers:
        report(**asyncio.run(run(servers, given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
