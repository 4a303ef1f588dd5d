"""``python -m tests.crash.deliveries --events 20000 --faults 0.3 --kills 10``: one line of JSON last.

Two workers deliver to a receiver that verifies with the official package, drops repeated ids, and answers badly as
often as it is told; workers are killed at each step and at no step in particular, one is stopped past its session, once
more while it plans, and the secret is changed in between. Then the ledger and the receiver are compared with what was
to be delivered.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dispatch.agents.admin import create_topics
from dispatch.app import partition_of
from dispatch.embedded import Servers
from dispatch.topics import DELIVERIES, WORK_ORDERS
from tests.crash.deliveries_broken import BROKEN
from tests.crash.deliveries_faulty import Faulty
from tests.crash.deliveries_stage import Made, fill_store, make_events, write_hooks
from tests.crash.deliveries_verdict import after_withdrawal, broken_rules, ended_as, how_each_ended, out_of_order
from tests.crash.stage import SESSION_TIMEOUT_MS, TENANT, Stage, open_stage
from tests.crash.supervisor import READY_WITHIN_S, Supervisor, Worker, until
from tests.support.receiver import Receiver, new_secret

STEPS = ("notify.read", "notify.recorded", "notify.sent", "notify.settled", "notify.marked")
AHEAD = 400
"""How far the log may be ahead of what has ended, so that kills meet work under way, and little is superseded."""
SETTLED_WITHIN_S = 300.0
BROKEN_WITHIN_S = 10.0
CONTROL_EVENTS = 1500
CONTROL_KILLS = 2
HIT_WITHIN_S = 20.0
Say = Callable[[str], None]


class Run:
    """One run."""

    def __init__(
        self, stage: Stage, events: list[Made], faults: float, kills: int, seed: int, say: Say, broken: str = ""
    ) -> None:
        self.broken = broken
        self.stage = stage
        self.events = events
        self.say = say
        self.rng = random.Random(seed)
        self.receiver = Receiver()
        self.faulty = Faulty(self.receiver, faults, seed)
        self.workers: list[Worker] = []
        self.kills = kills
        self.killed: list[str] = []
        self.published = 0
        self.may_publish = 0
        self.ended: set[str] = set()
        self.rotated = 0

    async def play(self) -> dict[str, Any]:
        """Publish everything while workers die; what came of it."""
        async with self.receiver as receiver:
            receiver.behave = self.faulty
            secrets = [new_secret(), new_secret()]
            receiver.secret = secrets[0]
            environment = {"HOOK_SECRET_1": secrets[0], "HOOK_SECRET_2": secrets[1], "CRASH_ROLES": "notify"}
            environment["CRASH_DELIVERIES_BROKEN"] = self.broken
            write_hooks(self.stage.folder / "config", receiver.port, ["HOOK_SECRET_1"])
            self.workers = [
                Worker(self.stage, "w1", DISPATCH_INSTANCE="w1", **environment),
                Worker(self.stage, "w2", **environment),
            ]
            self.supervisor = Supervisor(self.workers, self.say)
            await create_topics({"bootstrap_servers": self.stage.kafka}, self.stage.partitions)
            await fill_store(self.stage, self.events)
            await self.supervisor.start()
            began_s = time.monotonic()
            following = asyncio.create_task(self._follow())
            publishing = asyncio.create_task(self._publish())
            try:
                await self._disturb(publishing)
                await publishing
                for worker in self.workers:
                    worker.disarm()
                within_s = BROKEN_WITHIN_S if self.broken else SETTLED_WITHIN_S
                settled = await until(self._all_over, within_s, 1.0)
                took_s = time.monotonic() - began_s
            finally:
                publishing.cancel()
                following.cancel()
                await asyncio.gather(publishing, following, return_exceptions=True)
                await self.supervisor.stop()
        return {**await self._judge(), "settled": settled, "seconds": round(took_s, 1)}

    async def _publish(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.stage.kafka, enable_idempotence=True, linger_ms=5)
        await producer.start()
        try:
            for at in range(0, len(self.events), 50):
                await until(self._caught_up, BROKEN_WITHIN_S if self.broken else SETTLED_WITHIN_S, 0.02)
                for one in self.events[at : at + 50]:
                    key = f"{TENANT}:{one.territory}"
                    await producer.send(
                        WORK_ORDERS,
                        msgspec.json.encode(one.data),
                        key=key.encode(),
                        headers=one.headers(),
                        partition=partition_of(key, self.stage.partitions),
                    )
                self.published = min(at + 50, len(self.events))
                if self.rng.random() < 0.05:  # as a desk does that was killed between publishing and knowing it
                    for one in self.events[max(0, at - 20) : at]:
                        key = f"{TENANT}:{one.territory}"
                        value, lane = msgspec.json.encode(one.data), partition_of(key, self.stage.partitions)
                        headers = one.headers()
                        await producer.send(WORK_ORDERS, value, key=key.encode(), headers=headers, partition=lane)
        finally:
            await producer.stop()

    async def _caught_up(self) -> bool:
        return self.published < self.may_publish and self.published - len(self.ended) < AHEAD

    async def _follow(self) -> None:
        """Watch the ledger for ends."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.stage.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(DELIVERIES, lane) for lane in range(self.stage.partitions)])
            async for record in consumer:
                if ended_as(record) is not None:
                    self.ended.add(msgspec.json.decode(record.value)["delivery_id"])
        finally:
            await consumer.stop()

    async def _disturb(self, publishing: "asyncio.Task[None]") -> None:
        """Kills spread over the run, two stops, and two changes of secrets.

        What is published stops at the next of them: a step that nobody passes for want of events would not be struck.
        """
        plan: list[tuple[str, str]] = [("kill", STEPS[n % len(STEPS)] if n % 2 == 0 else "") for n in range(self.kills)]
        plan.insert(len(plan) // 2, ("stop", ""))
        plan.insert(len(plan) // 4, ("stop", "notify.read"))
        plan.insert(len(plan) // 3, ("rotate", "1"))
        plan.insert(2 * len(plan) // 3, ("rotate", "2"))
        for number, (what, step) in enumerate(plan):
            wanted, self.may_publish = ((number + n) * len(self.events) // (len(plan) + 2) for n in (1, 2))
            while self.published < wanted and not publishing.done():  # noqa: ASYNC110 -- polled like the rest
                await asyncio.sleep(0.05)
            self.say(f"{number + 1}/{len(plan)} {what} {step} ({self.published} events, {self.heard} heard)")
            await self._ready()
            await {"kill": self._kill, "stop": self._stop, "rotate": self._rotate}[what](step)
        self.may_publish = len(self.events)

    @property
    def heard(self) -> int:
        return len(self.receiver.effects)

    async def _ready(self) -> None:
        await self.supervisor.wait(lambda: all(w.ready for w in self.workers), READY_WITHIN_S, "both workers")

    async def _kill(self, step: str) -> None:
        if not step:
            await asyncio.sleep(self.rng.uniform(0, 1))
            self.rng.choice(self.workers).signal(signal.SIGKILL)
            self.killed.append("random")
            return
        for worker in self.workers:
            worker.arm(step, self.rng.randint(1, 3))
        if await until(self._hit, HIT_WITHIN_S, 0.02):
            self.killed.append(step)
        for worker in self.workers:
            worker.disarm()

    async def _hit(self) -> bool:
        return any(not worker.armed for worker in self.workers)

    async def _stop(self, step: str) -> None:
        """One stands still past its session while the other goes on with its lanes; then it wakes up.

        At a step, the other is killed before: whoever comes next finds in the ledger what the first then writes late.
        """
        other, worker = self.workers
        worker.expected_end = True
        if step:
            worker.arm(step, do="stop")
            if not await until(lambda: _is(worker.stopped), HIT_WITHIN_S, 0.02):
                worker.disarm()
                return
        else:
            worker.signal(signal.SIGSTOP)
        await asyncio.sleep(SESSION_TIMEOUT_MS / 1000 + 4)
        if step:
            other.signal(signal.SIGKILL)
            self.killed.append("taken-over")
        worker.signal(signal.SIGCONT)
        self.killed.append("stopped")

    async def _rotate(self, step: str) -> None:
        """First sign with both secrets and then have the receiver change; then drop the old one."""
        names = ["HOOK_SECRET_2", "HOOK_SECRET_1"] if step == "1" else ["HOOK_SECRET_2"]
        write_hooks(self.stage.folder / "config", self.receiver.port, names)
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
            process = worker.process
            await until(lambda process=process: _over(process), 30.0)  # type: ignore[misc]
        await self._ready()
        if step == "1":
            self.receiver.secret = self.workers[0]._environment["HOOK_SECRET_2"]
        self.rotated += 1

    async def _all_over(self) -> bool:
        """Whether the ledger has an end for every delivery."""
        return len(self.ended) >= len(self.events)

    async def _judge(self) -> dict[str, Any]:
        receiver = self.receiver
        expected = {one.delivery: one for one in self.events}
        ends = await how_each_ended(self.stage)
        spared = {one for one, (kind, _reason) in ends.items() if kind == "dropped" and one not in receiver.effects}
        to_come = expected.keys() - spared
        reasons = Counter(f"{kind}:{reason}" for kind, reason in ends.values() if kind != "succeeded")
        return {
            "events": len(self.events),
            "dropped_unsent": len(spared),
            "to_deliver": len(to_come),
            "effects": len(receiver.effects),
            "ratio": len(receiver.effects) / max(1, len(to_come)),
            "missing": len(to_come - receiver.effects.keys()),
            "unexpected": len(receiver.effects.keys() - expected.keys()),
            "after_withdrawal": after_withdrawal(receiver.order, expected),
            "out_of_order": out_of_order(receiver.order, expected),
            "ends": dict(reasons),
            "repeated_and_dropped_by_the_receiver": receiver.repeated,
            "same_id_other_bytes": receiver.differing,
            "requests": receiver.seen,
            "unverified": receiver.unverified,
            "faults": dict(self.faulty.done),
            "kills": sum(one != "stopped" for one in self.killed),
            "killed_at": dict(Counter(self.killed)),
            "secrets_rotated": self.rotated,
            "ended_by_themselves": self.supervisor.ended_by_themselves,
        }


async def _is(what: bool) -> bool:
    return what


async def _over(process: Any) -> bool:
    return process is None or process.poll() is not None


async def controls(folder: Path, faults: float, seed: int, say: Say) -> dict[str, Any]:
    """Runs of workers that are broken on purpose; each must be seen by its counters."""
    seen: dict[str, Any] = {}
    for name, (_break, counters) in BROKEN.items():
        say(f"control: workers that are {name}")
        found = await main_run(folder / name, CONTROL_EVENTS, faults, CONTROL_KILLS, seed, say, name)
        seen[name] = {counter: found[counter] for counter in counters}
    return seen


async def main_run(
    folder: Path, events: int, faults: float, kills: int, seed: int, say: Say, broken: str = ""
) -> dict[str, Any]:
    """The whole of it on servers of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    servers = Servers(folder / "servers", progress=say)
    await asyncio.to_thread(servers.start)
    try:
        stage = open_stage(folder, servers.kafka, servers.redis)
        made = list(make_events(stage.names, events, seed))
        return await Run(stage, made, faults, kills, seed, say, broken).play()
    finally:
        await asyncio.to_thread(servers.stop)


def say(line: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> int:
    """0 when everybody heard of everything once, and of nothing that was withdrawn."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.deliveries", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=float, default=0.3, help="how often the receiver answers badly")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's random choices")
    parser.add_argument("--keep", type=Path, default=None, help="a folder to keep the run's data and logs in")
    parser.add_argument("--no-controls", action="store_true", help="leave out the broken workers")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    with tempfile.TemporaryDirectory(prefix="crash-") as scratch:
        folder = given.keep or Path(scratch)
        try:
            found = asyncio.run(main_run(folder / "run", given.events, given.faults, given.kills, seed, say))
            if not given.no_controls:
                found["controls"] = asyncio.run(controls(folder / "controls", given.faults, seed, say))
        except TimeoutError as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}", "seed": seed}))
            return 1
    wrong = broken_rules(found, given.kills)
    print(json.dumps({**found, "seed": seed, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
