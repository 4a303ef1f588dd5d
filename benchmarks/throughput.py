"""Orders per second, from request to ``assigned`` event, beside a plain Faust agent that only passes bytes on.

One engine worker with all roles; every event published, every change saved with ``appendfsync always``; each order
is completed by a client on the same machine. Both sides get the same bytes from the same sender, which keeps a fixed
number of requests under way, so that the worker is what is slow.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import campus, engine, faust_pass
from benchmarks.client import Client
from benchmarks.common import Bench, bench, child, machine, median, report, say
from benchmarks.flow import Flow, drive


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--orders", type=int, default=20_000, help="orders per round (20000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side, in turn (3)")
    parser.add_argument("--window", type=int, default=4000, help="requests kept under way (4000)")
    parser.add_argument("--partitions", type=int, default=8, help="partitions of every topic (8)")
    parser.add_argument("--profile", type=Path, help="profile one round into this file (.txt: sampled)")
    parser.add_argument("--no-baseline", action="store_true", help="the engine alone, for tuning")
    return parser.parse_args()


async def engine_round(bench: Bench, given: argparse.Namespace, client: Client, number: int) -> dict[str, Any]:
    """One round of the engine in a fresh worker process; what it did, counted from the topics."""
    with engine.running(bench, bench.folder / "config", given.partitions, given.profile) as worker:
        if number == 0:
            say("technicians come on duty")
            await engine.staff_campus(client, worker)
        await engine.warm_up(client, worker, f"w{number}")
        flow = Flow(client, engine.requests(f"e{number}", given.orders), given.window)
        found = await engine.order(flow, worker)
        found |= await engine.check(client, worker) | engine.batch_sizes(worker)
    say(f"engine round {number + 1}: {found}")
    expected = (number + 1) * (engine.WARM_UP + given.orders)
    if not (expected == found["assigned_in_all"] == found["completed_in_all"]) or found["dead_letters"]:
        raise RuntimeError(f"{expected} orders expected: {found}")
    return found


async def baseline_round(bench: Bench, given: argparse.Namespace, client: Client, number: int) -> dict[str, Any]:
    """One round of Faust alone: the same bytes from topic to topic."""
    topics = (faust_pass.SOURCE, faust_pass.TARGET)
    with child("faust", ["benchmarks.faust_pass"], bench.env(bench.folder), bench.folder) as worker:
        warm = Flow(client, engine.requests(f"v{number}", engine.WARM_UP), engine.WARM_UP)
        await drive(warm, worker, *topics, engine=False)
        flow = Flow(client, engine.requests(f"b{number}", given.orders), given.window)
        found = await drive(flow, worker, *topics, engine=False)
    say(f"faust round {number + 1}: {found}")
    return found


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds, the two sides in turn."""
    engine.write_campus(bench)
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    async with Client(bench.kafka, given.partitions) as client:
        if not given.no_baseline:
            await client.create(faust_pass.SOURCE, faust_pass.TARGET)
        for number in range(1 if given.profile else given.rounds):
            ours.append(await engine_round(bench, given, client, number))
            if not given.no_baseline:
                theirs.append(await baseline_round(bench, given, client, number))
    rates = [median([one["rate"] for one in side]) for side in (ours, theirs)]
    costs = [median([one["cpu_us_each"] for one in side]) for side in (ours, theirs)]
    return {
        "name": "throughput", "ratio": round(rates[0] / rates[1], 3) if rates[1] else None,
        "engine": rates[0], "baseline": rates[1], "unit": "orders/s over messages/s",
        "cpu_us": {"engine": costs[0], "baseline": costs[1]},
        "cpu_ratio": round(costs[1] / costs[0], 3), "runs": {"engine": ours, "baseline": theirs},
        "orders": given.orders, "request_bytes": len(campus.request(1, "e0", datetime.now(UTC))), "machine": machine(),
    }  # fmt: skip


def main() -> int:
    """Run the benchmark."""
    given = arguments()
    with bench() as servers:
        report(**asyncio.run(run(servers, given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
