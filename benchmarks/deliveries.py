"""Deliveries per second to healthy receivers while a fifth of the endpoints hang, over the same while none does.

One worker with the role notify alone; the events stand on the log before it starts, one for each delivery, spread
over all endpoints in turn. Rounds A B B A A B B A; rates are of the same healthy endpoints in both, between a tenth and
nine tenths of their messages. Every healthy message must have arrived, each once.
"""

import argparse
import asyncio
import base64
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml
from aiokafka import AIOKafkaProducer

from benchmarks.common import Bench, bench, child, machine, median, report, say, steady_rate
from dispatch.agents.admin import create_topics
from dispatch.app import partition_of
from dispatch.config import load_config
from dispatch.models.cloudevents import outgoing_headers
from dispatch.rules.state_staff import Technician
from dispatch.stores.base import Meta, Save, TerritoryKey
from dispatch.stores.redis import RedisStore, connect
from dispatch.topics import WORK_ORDERS

ROOT = Path(__file__).resolve().parents[1]
PARTITIONS = 4
SETTLE_S = 2.0
_pack = msgspec.msgpack.Encoder().encode


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deliveries", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000, help="per round, to all endpoints (10000)")
    parser.add_argument("--endpoints", type=int, default=20, help="how many receivers (20)")
    parser.add_argument("--hanging", type=int, default=4, help="how many of them hang (4)")
    parser.add_argument("--port", type=int, default=18_099, help="of the receivers, on this machine")
    return parser.parse_args()


class Log:
    """The log as a desk would write it, and the technicians that it speaks of."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        policy = load_config(folder)
        self.bench = bench
        self.tenant = policy.tenant
        self.territories = sorted(policy.territories)
        self.sequences = dict.fromkeys(self.territories, 0)
        self.batches = 0

    async def staff(self, hooks: list[str]) -> None:
        """One technician for each hook in each territory."""
        redis = connect(self.bench.redis)
        store = RedisStore(redis)
        self.batches += 1
        now = datetime.now(UTC)
        for name in self.territories:
            key = TerritoryKey(self.tenant, name)
            ((sequence, batch),) = await store.fences([key])
            people = [
                Technician(id=f"{name}-{hook}", version=1, version_time=now, org_id="own", profile={"hooks": [hook]})
                for hook in hooks
            ]
            meta = Meta(sequence=self.batches, batch_id=f"b{self.batches}")
            packed = [(one.id, _pack(one)) for one in people]
            await store.save({key: Save(expected=(sequence, batch), meta=meta, technicians=packed)})
        await redis.aclose()

    async def write(self, hooks: list[str], count: int) -> None:
        """So many offers, to the technicians in turn."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bench.kafka, enable_idempotence=True, linger_ms=5)
        await producer.start()
        for number in range(count):
            territory = self.territories[number // len(hooks) % len(self.territories)]
            hook = hooks[number % len(hooks)]
            await producer.send(WORK_ORDERS, **self._record(territory, hook, number))
        await producer.stop()

    def _record(self, territory: str, hook: str, number: int) -> dict[str, Any]:
        self.sequences[territory] += 1
        sequence = self.sequences[territory]
        key, order_id = f"{self.tenant}:{territory}", f"wo{hook}x{number}"
        data = {
            "work_order_id": order_id, "cycle": 1, "assignment_id": f"{order_id}.1.1", "place": 0,
            "technician_id": f"{territory}-{hook}", "leg_state": "offered", "state": "offered", "mode": "offer",
            "requirement": {"trade": "plumbing"}, "urgency": "normal", "location": {"room": "402"},
            "text": "水龙头漏水 the tap leaks",
        }  # fmt: skip
        headers = outgoing_headers(
            event_id=f"{key}:{sequence}",
            source=f"/dispatch/{self.tenant}/{territory}",
            event_type="dispatch.work-order.offered.v1",
            subject=order_id,
            time="2026-03-02T00:10:00.000Z",
            recordedtime="2026-03-02T00:10:00.000Z",
            partitionkey=key,
            sequence=sequence,
            tenantid=self.tenant,
        )
        partition = partition_of(key, PARTITIONS)
        return {"value": msgspec.json.encode(data), "key": key.encode(), "headers": headers, "partition": partition}


def write_hooks(folder: Path, given: argparse.Namespace, hooks: list[str], hanging: int) -> None:
    """``hooks.yaml`` of a round: the last ``hanging`` of its hooks never answer."""
    file = folder / "hooks.yaml"
    data = yaml.safe_load(file.read_text("utf-8"))
    data["hooks"] = {
        hook: {
            "kind": "webhook",
            "url": f"http://127.0.0.1:{given.port}/{'hang' if number >= len(hooks) - hanging else 'ok'}/{hook}",
            "secrets": ["BENCH_SECRET"],
            "allow": ["127.0.0.1"],
            "ports": [given.port],
        }
        for number, hook in enumerate(hooks)
    }
    data |= {"defaults": {}, "receivers": {}, "quiet": None}
    data["routes"] = [{"event": "work-order.offered", "to": ["technician"], "template": "offered", "give_up": "1h"}]
    file.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")


async def one_round(bench: Bench, given: argparse.Namespace, log: Log, number: int, hanging: int) -> dict[str, Any]:
    """One round; what arrived at the endpoints that are healthy in every round."""
    folder = bench.folder / "config"
    hooks = [f"r{number}e{each}" for each in range(given.endpoints)]
    write_hooks(folder, given, hooks, hanging)
    await log.staff(hooks)
    await log.write(hooks, given.deliveries)
    healthy = set(hooks[: given.endpoints - given.hanging])
    wanted = sum(hooks[each % len(hooks)] in healthy for each in range(given.deliveries))
    file = bench.folder / f"arrived-{number}"
    env = bench.env(
        folder,
        DISPATCH_PARTITIONS=str(PARTITIONS),
        BENCH_ROLES="notify",
        BENCH_SECRET="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    )
    with (
        child("receivers", ["benchmarks.hook_server", str(given.port), str(file)], {}, bench.folder) as receivers,
        child("notify", ["benchmarks.worker"], env, bench.folder) as worker,
    ):
        before_s, now_s = -1.0, 0.0
        while now_s != before_s or '"planned"' not in worker.log.read_text():
            worker.check()
            await asyncio.sleep(SETTLE_S)
            before_s, now_s = now_s, receivers.cpu_s()  # when it stands still, nothing arrives any more
        used_s = worker.cpu_s()
    arrived = [line.split() for line in file.read_text().splitlines()]
    times = [float(at_s) for at_s, path in arrived if path.rpartition("/")[2] in healthy]
    repeated = len(times) - wanted
    found = {"rate": round(steady_rate(times), 1), "arrived": len(times), "wanted": wanted, "cpu_s": round(used_s, 1)}
    found["to_hanging"] = Counter(path.split("/")[1] for _at, path in arrived)["hang"]
    say(f"round {number + 1}, {hanging} hang: {found}")
    if repeated:
        raise RuntimeError(f"{wanted} messages expected: {found}")
    return found


def sides(hanging: int) -> Iterator[int]:
    """A B B A A B B A."""
    yield from (0, hanging, hanging, 0, 0, hanging, hanging, 0)


async def run(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds."""
    folder = bench.folder / "config"
    shutil.copytree(ROOT / "config", folder)
    await create_topics({"bootstrap_servers": bench.kafka}, PARTITIONS)
    log = Log(bench, folder)
    rates: dict[int, list[float]] = {0: [], given.hanging: []}
    for number, hanging in enumerate(sides(given.hanging)):
        found = await one_round(bench, given, log, number, hanging)
        rates[hanging].append(found["rate"])
    with_them, without = median(rates[given.hanging]), median(rates[0])
    return {
        "benchmark": "deliveries",
        "endpoints": given.endpoints,
        "hanging": given.hanging,
        "deliveries": given.deliveries,
        "rate": with_them,
        "rate_without": without,
        "ratio": round(with_them / without, 3),
        "rates": rates[given.hanging],
        "rates_without": rates[0],
        "machine": machine(),
    }


def main() -> int:
    """0 when the hanging ones cost the others no more than a twentieth."""
    given = arguments()
    with bench() as servers:
        found = asyncio.run(run(servers, given))
    report(**found)
    return 0 if found["ratio"] >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
