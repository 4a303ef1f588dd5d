"""What bad input costs the good: good orders per second with 1 % poison among all records, over that without.

Many kinds of poison, in requests and in actions, refused by intake or by the desk. Each must be one dead letter, and
no good order may be missing. Rounds in turn, A B B A, so that neither side gains from its place.
"""

import argparse
import asyncio
import statistics
import sys
from typing import Any

from benchmarks import engine
from benchmarks.client import ASSIGNED, Client, header, read_assigned, type_of
from benchmarks.common import Bench, Child, bench, machine, median, report, say
from benchmarks.flow import Flow
from benchmarks.poison_kinds import poison
from dispatch.topics import ASSIGNMENTS, DEAD_LETTERS

LETTERS_WITHIN_S = 60.0
EXPECTED_RATIO = 0.95


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.poison", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=10_000, help="good orders per round (10000)")
    parser.add_argument("--rounds", type=int, default=12, help="rounds of each side (12)")
    parser.add_argument("--permille", type=int, default=10, help="poison among requests and among actions (10)")
    parser.add_argument("--window", type=int, default=4000, help="requests kept under way (4000)")
    parser.add_argument("--partitions", type=int, default=8, help="partitions of every topic (8)")
    return parser.parse_args()


async def finished_order(client: Client) -> dict[str, str]:
    """An order of the warm-up, which is completed: what some of the poison speaks of."""
    async for record in client.read_all(ASSIGNMENTS):
        if type_of(record) == ASSIGNED:
            one = read_assigned(record.value)
            return {"order": one.work_order_id, "technician": one.technician_id, "assignment": one.assignment_id}
    raise RuntimeError("no assignment on the topic")


async def letters(client: Client) -> dict[str, int]:
    """Dead letters by code, each input counted once."""
    codes: dict[bytes, str] = {}
    async for record in client.read_all(DEAD_LETTERS):
        codes[header(record, "ce_id")] = record.value.partition(b'"code":"')[2].partition(b'"')[0].decode()
    return {code: list(codes.values()).count(code) for code in sorted(set(codes.values()))}


async def one_round(
    client: Client, worker: Child, given: argparse.Namespace, number: int, known: dict[str, str], *, bad: bool
) -> dict[str, Any]:
    """Good orders, with or without poison beside them."""
    # as many records go into the actions as into the requests: a completion for each order
    count = 2 * given.orders * given.permille // 1000 if bad else 0
    beside = [poison(f"p{number}", each, known) for each in range(count)]
    name = "poison" if bad else "clean"
    flow = Flow(client, engine.requests(f"{name}{number}", given.orders), given.window, beside)
    found = await engine.order(flow, worker) | {"poison": count}
    say(f"{name}: {found}")
    return found


async def wait_for_letters(client: Client, worker: Child, expected: int) -> dict[str, int]:
    """The dead letters, once there are as many as expected or the time is over."""
    found: dict[str, int] = {}
    for _ in range(int(LETTERS_WITHIN_S / 2)):
        worker.check()
        found = await letters(client)
        if sum(found.values()) >= expected:
            break
        await asyncio.sleep(2)
    return found


def uncertainty(sides: dict[bool, list[dict[str, Any]]]) -> float | None:
    """The standard error of the ratio: from how much the A B B A blocks differ; None of fewer than two."""
    pairs = [
        [sum(one["rate"] for one in sides[bad][at : at + 2]) for at in range(0, len(sides[bad]) - 1, 2)]
        for bad in (True, False)
    ]
    ratios = [poisoned / clean for poisoned, clean in zip(*pairs, strict=True) if clean]
    return round(statistics.stdev(ratios) / len(ratios) ** 0.5, 3) if len(ratios) > 1 else None


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    config = engine.write_campus(bench)
    sides: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    with engine.running(bench, config, given.partitions) as worker:
        async with Client(bench.kafka, given.partitions) as client:
            say("technicians come on duty")
            await engine.staff_campus(client, worker)
            await engine.warm_up(client, worker, "w")
            await engine.check(client, worker)
            known = await finished_order(client)
            for number in range(2 * given.rounds):
                bad = number % 4 in {1, 2}
                sides[bad].append(await one_round(client, worker, given, number, known, bad=bad))
            sent = sum(one["poison"] for one in sides[True])
            found = await wait_for_letters(client, worker, sent)
            counts = await engine.check(client, worker)
    clean, poisoned = (median([one["rate"] for one in sides[bad]]) for bad in (False, True))
    costs = [median([one["cpu_us_each"] for one in sides[bad]]) for bad in (False, True)]
    good = engine.WARM_UP + 2 * given.rounds * given.orders
    whole = good == counts["assigned_in_all"] == counts["completed_in_all"] and sum(found.values()) == sent
    return {
        "name": "poison", "ratio": round(poisoned / clean, 3), "engine": poisoned, "baseline": clean,
        "unit": "good orders/s with poison over without", "ratio_error": uncertainty(sides),
        "cpu_us": {"engine": costs[1], "baseline": costs[0]}, "poison_sent": sent, "dead_letters": sum(found.values()),
        "codes": found, "counts": counts, "good_orders": good, "whole": whole, "expected_ratio": EXPECTED_RATIO,
        "runs": {"engine": sides[True], "baseline": sides[False]}, "machine": machine(),
    }  # fmt: skip


def main() -> int:
    """Run the benchmark; 1 when an input has no dead letter or an order is missing."""
    given = arguments()
    with bench() as servers:
        found = asyncio.run(run(servers, given))
    report(**found)
    return 0 if found["whole"] else 1


if __name__ == "__main__":
    sys.exit(main())
