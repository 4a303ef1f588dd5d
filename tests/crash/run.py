"""A run: servers, two workers, people, and one fault after another; then quiet, and the topics are read."""

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from dispatch.app import partition_of
from dispatch.embedded import Servers
from dispatch.topics import ACTIONS, COMMANDS, REQUESTS
from tests.crash.client import Client
from tests.crash.doctored import doctored
from tests.crash.faults import cut_redis
from tests.crash.recorded import Recorded, read_topics
from tests.crash.stage import FAILPOINTS, SESSION_TIMEOUT_MS, TENANT, Stage, open_stage
from tests.crash.supervisor import READY_WITHIN_S, Supervisor, Worker, log_lines, until
from tests.crash.verdict import Verdict, judge_with_store

Say = Callable[[str], None]
HIT_WITHIN_S = 25.0
OUTAGE_S = 30.0
"""How long lanes may stand still beside the slowest start of a worker: a session's end, a rebalance, a catching up."""
MOST_AT_A_STEP = 3
TAKEN = "lane taken"
GONE_ON = 4
"""So many batches of a lane later every territory in it has decided something that the stopped worker knows not of."""
TAKEN_WITHIN_S = 40.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take, in seconds: people before the first fault and after the last, reading up, quiet."""

    before_s: float = 3.0
    react_s: float = 4.0
    accounted_s: float = 120.0
    quiet_s: float = 8.0
    most_between_s: float = 2.5


@dataclass
class Tally:
    """What was done to the engine."""

    kills: int = 0
    stops: int = 0
    tail_cuts: int = 0
    saves_cut: int = 0
    failpoints: list[str] = field(default_factory=list)
    stops_at: list[str] = field(default_factory=list)


class Run:
    """One run of two workers under faults."""

    def __init__(self, stage: Stage, servers: Servers, seed: int, say: Say, rate: float, pace: Pace = Pace()) -> None:
        self.pace = pace
        self.stage = stage
        self.servers = servers
        self.rng = random.Random(seed)
        self.say = say
        self.tally = Tally()
        # The first keeps its membership over a restart (static), the second's must time out first.
        self.workers = [Worker(stage, "w1", DISPATCH_INSTANCE="w1"), Worker(stage, "w2")]
        self.supervisor = Supervisor(self.workers, say)
        self.client = Client(stage, seed, rate)
        self.ended_at_s = 0.0

    async def play(self, faults: Sequence[tuple[str, str]]) -> Recorded:
        """Start, do the faults in order, wait until all is accounted for; what is on the topics then."""
        await self.supervisor.start()
        await self.client.start()
        feeding = asyncio.create_task(self.client.feed())
        try:
            await asyncio.sleep(self.pace.before_s)
            for number, (kind, what) in enumerate(faults, 1):
                self.say(f"{number}/{len(faults)} {kind} {what} ({self.client.requests} requests)")
                await FAULTS[kind](self, what)
                await asyncio.sleep(self.rng.uniform(0.2, self.pace.most_between_s))
            await self._quieten()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await self.client.stop()
            self.ended_at_s = time.time()
            await self.supervisor.stop()
        return await read_topics(self.stage.kafka, self.stage.partitions)

    @property
    def outage_s(self) -> float:
        """How long lanes may have stood still at a time."""
        return self.supervisor.slowest_start_s + OUTAGE_S

    async def judge(self, recorded: Recorded) -> Verdict:
        """All checks, and what only this process knows."""
        verdict = await judge_with_store(recorded, self.stage, self.ended_at_s, self.outage_s)
        verdict.figures["slowest_start_s"] = round(self.supervisor.slowest_start_s, 1)
        verdict.figures["fenced"] = len(log_lines(self.workers, "lane lost"))
        verdict.figures["ended_by_themselves"] = self.supervisor.ended_by_themselves
        return verdict

    async def _quieten(self) -> None:
        self.client.stop_feeding()
        await asyncio.sleep(self.pace.react_s)
        await self.client.stop()
        for worker in self.workers:
            worker.disarm()
        await self._ready()

        async def all_read() -> bool:
            return not await lag(self.stage)

        done = await until(all_read, self.pace.accounted_s, 0.5)
        self.say(f"all inputs read; quiet for {self.pace.quiet_s:.0f} s" if done else "inputs are still behind")
        await asyncio.sleep(self.pace.quiet_s)

    async def _ready(self) -> None:
        await self.supervisor.wait(lambda: all(w.ready for w in self.workers), READY_WITHIN_S, "the workers to be back")

    # faults ---------------------------------------------------------------------------------------------------

    async def failpoint(self, step: str) -> None:
        """Kill whichever worker passes the step first (n times)."""
        await self._ready()
        n = self.rng.randint(1, MOST_AT_A_STEP)
        hit = await self._at(step, n, "kill")
        if hit is not None:
            self.tally.kills += 1
            self.tally.failpoints.append(step)

    async def _at(self, step: str, n: int, do: str) -> Worker | None:
        """Arm a worker, and after a while the other one as well, until one of them passes the step."""
        order = self.rng.sample(self.workers, 2)
        hit: list[Worker] = []
        armed: list[Worker] = []

        def met() -> bool:
            hit[:] = [worker for worker in armed if not worker.armed]
            return bool(hit)

        for worker in order:
            armed.append(worker)
            worker.arm(step, n, do)
            try:
                await self.supervisor.wait(met, HIT_WITHIN_S, step)
                break
            except TimeoutError:
                self.say(f"  {worker.name} did not pass {step}")
        for worker in armed:
            worker.disarm()
        return hit[0] if hit else None

    async def random_kill(self, which: str) -> None:
        """Kill one worker, or both, at a moment of no meaning."""
        await self._ready()
        await asyncio.sleep(self.rng.uniform(0, 2))
        for worker in self.workers if which == "both" else [self.rng.choice(self.workers)]:
            worker.signal(signal.SIGKILL)
            self.tally.kills += 1

    async def stop(self, step: str) -> None:
        """Let a worker stand still past its session, so that the other takes its lanes; then let it go on."""
        await self._ready()
        await asyncio.sleep(self.pace.before_s)
        worker = await self._at(step, 1, "stop") if step != "random" else self.rng.choice(self.workers)
        if worker is None:
            return
        others = [one for one in self.workers if one is not worker]
        lane = partition_of(f"{TENANT}:{step.partition('.')[2]}", self.stage.partitions)
        before, decided = len(log_lines(others, TAKEN)), _batches(others, lane)
        worker.signal(signal.SIGSTOP)
        self.tally.stops += 1
        self.tally.stops_at.append(step)
        await asyncio.sleep(SESSION_TIMEOUT_MS / 1000)

        async def taken() -> bool:
            return len(log_lines(others, TAKEN)) > before

        async def gone_on() -> bool:
            return _batches(others, lane) >= decided + GONE_ON

        if not await until(taken, TAKEN_WITHIN_S, 0.5):
            self.say(f"  nobody took a lane of {worker.name}")
        if step.startswith("decided.") and not await until(gone_on, TAKEN_WITHIN_S, 0.5):
            self.say(f"  nobody went on with lane {lane} of {worker.name}")
        await asyncio.sleep(self.rng.uniform(1, 3))
        worker.signal(signal.SIGCONT)
        worker.expected_end = True
        await asyncio.sleep(self.pace.before_s)

    async def cut(self, which: str) -> None:
        """Cut the power of Redis, and perhaps of a worker with it."""
        await self._ready()
        await asyncio.sleep(2)
        if which == "with worker":
            self.rng.choice(self.workers).signal(signal.SIGKILL)
            self.tally.kills += 1
        lost = await asyncio.to_thread(cut_redis, self.servers, self.rng)
        self.tally.tail_cuts += 1
        self.tally.saves_cut += lost
        self.say(f"  {lost} saves cut")


def _batches(workers: list[Worker], lane: int) -> int:
    """How many batches of a lane the workers' desks have told of."""
    return sum(line.get("part") == "desk" and line["lane"] == lane for line in log_lines(workers, "batch"))


FAULTS: dict[str, Callable[[Run, str], Any]] = {
    "failpoint": Run.failpoint,
    "kill": Run.random_kill,
    "stop": Run.stop,
    "cut": Run.cut,
}


def plan(kills: int, rng: random.Random) -> list[tuple[str, str]]:
    """So many kills: each failpoint once if there are enough, the rest at random; stops and tail cuts between."""
    points = rng.sample(FAILPOINTS, min(kills, len(FAILPOINTS)))
    faults = [("failpoint", step) for step in points]
    rest = kills - len(faults)
    if rest >= 2:
        faults.append(("kill", "both"))
        rest -= 2
    faults += [("kill", "one")] * rest
    rng.shuffle(faults)
    extra = [("stop", "desk.decided"), ("cut", "alone"), ("stop", "random"), ("cut", "with worker")]
    for number, fault in enumerate(extra[: max(1, kills // 4)]):
        faults.insert((number + 1) * len(faults) // (len(extra) + 1) + number, fault)
    return faults


async def lag(stage: Stage) -> dict[str, int]:
    """How many records of its inputs each group has still to read; timers' commands are not waited for."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.kafka, enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        behind: dict[str, int] = {}
        for role, topics in (("intake", (REQUESTS, ACTIONS)), ("desk", (COMMANDS,))):
            done = await admin.list_consumer_group_offsets(f"{stage.group}-{role}")
            places = [TopicPartition(topic, number) for topic in topics for number in range(stage.partitions)]
            ends = await consumer.end_offsets(places)
            missing = sum(ends[one] - (done[one].offset if one in done else 0) for one in places)
            if missing > 0:
                behind[role] = missing
        return behind
    finally:
        await consumer.stop()
        await admin.close()


@dataclass
class Outcome:
    """What a run came to: the verdict, what was done, and the doctored copies of it."""

    verdict: Verdict
    tally: Tally
    controls: dict[str, Any]


async def main_run(folder: Path, kills: int, seed: int, rate: float, say: Say) -> Outcome:
    """The whole of it on servers of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    servers = Servers(folder / "servers", appendfsync="everysec", progress=say)
    await asyncio.to_thread(servers.start)
    try:
        run = Run(open_stage(folder, servers.kafka, servers.redis), servers, seed, say, rate)
        recorded = await run.play(plan(kills, random.Random(seed)))
        say("judging")
        verdict = await run.judge(recorded)
        controls = await doctored(recorded, run.stage, run.ended_at_s, verdict)
    finally:
        await asyncio.to_thread(servers.stop)
    return Outcome(verdict, run.tally, controls)
