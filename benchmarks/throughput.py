"""Orders per second, from request to ``assigned`` event, beside a plain Faust agent that only passes bytes on.

One engine worker with all roles; every event published, every change saved with ``appendfsync always``; each order
is completed by a client on the same machine. Both sides get the same bytes from the same sender, which keeps a fixed
number of requests under way, so that the worker is what is slow.
"""

import argparse
import asyncio
import gc
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import campus, faust_pass
from benchmarks.client import Client, count_types, create, drive, engine_topics
from benchmarks.common import Bench, bench, child, machine, median, report, say, steady_rate
from dispatch.config import load_config
from dispatch.topics import ACTIONS, COMPLETIONS, DEAD_LETTERS, WORK_ORDERS

WARM_UP = 2000
COMPLETED = b"dispatch.work-order.completed.v1"
SHIFT_STARTED = b"dispatch.shift.started.v1"


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=20_000, help="orders per round (20000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side, in turn (3)")
    parser.add_argument("--window", type=int, default=4000, help="requests kept under way (4000)")
    parser.add_argument("--partitions", type=int, default=8, help="partitions of every topic (8)")
    parser.add_argument("--profile", type=Path, help="profile the engine into this file (.txt: readable); one round")
    parser.add_argument("--no-baseline", action="store_true", help="the engine alone, for tuning")
    return parser.parse_args()


async def prepare(client: Client, check: Any) -> None:
    """Bring the technicians on duty, and wait until all are."""
    events = list(campus.staff(datetime.now(UTC)))
    await client.send_by(ACTIONS, events)
    wanted = len(events) // 2
    on_duty = await count_types(client, WORK_ORDERS, SHIFT_STARTED, wanted)
    check()
    if len(on_duty) < wanted:
        raise RuntimeError(f"{len(on_duty)} of {wanted} technicians are on duty")


def requests(run: str, count: int) -> list[bytes]:
    """Serialised before the clock starts."""
    now = datetime.now(UTC)
    return [campus.request(number, run, now) for number in range(count)]


async def engine_round(bench: Bench, given: argparse.Namespace, client: Client, number: int) -> dict[str, Any]:
    """One round of the engine in a fresh worker process; what it did, counted from the topics."""
    argv = ["benchmarks.worker", *(["--profile", str(given.profile)] if given.profile else [])]
    env = bench.env(bench.folder / "config", DISPATCH_PARTITIONS=str(given.partitions))
    with child("engine", argv, env, bench.folder) as worker:
        if number == 0:
            say("technicians come on duty")
            await prepare(client, worker.check)
        say("warm up")
        warm = requests(f"w{number}", WARM_UP)
        await drive(client, warm, WARM_UP, worker, engine=True, topics=engine_topics())
        values = requests(f"e{number}", given.orders)
        gc.collect()
        cpu_s, mine_s = worker.cpu_s(), _own_cpu_s()
        began_s = time.perf_counter()
        arrivals_s, seen = await drive(
            client, values, given.window, worker, engine=True, topics=engine_topics()
        )
        took_s = time.perf_counter() - began_s
        cpu_s, mine_s = worker.cpu_s() - cpu_s, _own_cpu_s() - mine_s
        total = (number + 1) * (WARM_UP + given.orders)
        completed = await count_types(client, COMPLETIONS, COMPLETED, total)
        letters = await client.ends(DEAD_LETTERS)
        worker.check()
    found = {
        "rate": round(steady_rate(arrivals_s)), "assigned": len(seen), "took_s": round(took_s, 2),
        "cpu_us_per_order": round(cpu_s / given.orders * 1e6), "worker_cpu_share": round(cpu_s / took_s, 2),
        "client_cpu_share": round(mine_s / took_s, 2), "completed_of_all": len(completed), "expected_of_all": total,
        "dead_letters": letters, **_batches(worker.log.read_text(errors="replace")),
    }  # fmt: skip
    say(f"engine round {number + 1}: {found}")
    if found["assigned"] != given.orders or len(completed) != total or letters:
        raise RuntimeError(f"orders were lost: {found}")
    return found


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _batches(log: str) -> dict[str, float]:
    """How large the batches were, from the worker's own log."""
    sizes: dict[str, list[int]] = {"intake": [], "desk": []}
    for line in log.splitlines():
        if '"event": "batch"' in line:
            side = "intake" if '"part": "intake"' in line else "desk"
            name = '"inputs": ' if side == "intake" else '"commands": '
            sizes[side].append(int(line.partition(name)[2].partition(",")[0]))
    return {f"{side}_batch_mean": round(sum(each) / max(1, len(each)), 1) for side, each in sizes.items()}


async def baseline_round(bench: Bench, given: argparse.Namespace, client: Client, number: int) -> dict[str, Any]:
    """One round of Faust alone: the same bytes from topic to topic."""
    values = requests(f"b{number}", given.orders)
    topics = (faust_pass.SOURCE, faust_pass.TARGET)
    with child("faust", ["benchmarks.faust_pass"], bench.env(bench.folder), bench.folder) as worker:
        await drive(client, requests(f"v{number}", WARM_UP), WARM_UP, worker, engine=False, topics=topics)
        gc.collect()
        cpu_s = worker.cpu_s()
        arrivals_s, _ = await drive(client, values, given.window, worker, engine=False, topics=topics)
        cpu_s = worker.cpu_s() - cpu_s
    found = {"rate": round(steady_rate(arrivals_s)), "cpu_us_per_message": round(cpu_s / given.orders * 1e6)}
    say(f"faust round {number + 1}: {found}")
    return found


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds, the two sides in turn."""
    campus.check_texts(load_config(campus.write_config(bench.folder / "config")))
    client = Client(bench.kafka, given.partitions)
    await client.start()
    try:
        if not given.no_baseline:
            await create(bench.kafka, given.partitions, faust_pass.SOURCE, faust_pass.TARGET)
        engine, baseline = [], []
        for number in range(1 if given.profile else given.rounds):
            engine.append(await engine_round(bench, given, client, number))
            if not given.no_baseline:
                baseline.append(await baseline_round(bench, given, client, number))
    finally:
        await client.stop()
    ours, theirs = median([one["rate"] for one in engine]), median([one["rate"] for one in baseline])
    return {
        "name": "throughput", "ratio": round(ours / theirs, 3) if theirs else None, "engine": ours, "baseline": theirs,
        "unit": "orders/s over messages/s", "runs": {"engine": engine, "baseline": baseline},
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
