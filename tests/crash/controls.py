"""The controls: what the checks are worth. Broken workers must be seen by them, and what works must not.

One run of two worker processes in which each territory is broken in a way of its own (``broken``), with the faults
that bring it out: a kill after a publication, and a stop of a worker that is about to save.
"""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

from dispatch.app import partition_of
from dispatch.embedded import Servers
from tests.crash.broken import WAYS
from tests.crash.client import Client
from tests.crash.recorded import Recorded
from tests.crash.run import Pace, Run, Say
from tests.crash.stage import PARTITIONS, TENANT, Stage, open_stage, territories
from tests.crash.supervisor import Worker
from tests.crash.verdict import COUNTERS, Verdict, judge

PER_LANE = 4
LAYOUT = (
    # early timers pull the whole lane's time ahead, so that they have a lane of their own
    ("early_timers",) * PER_LANE,
    # and so has a missing fence: a batch with one territory that is refused is not published, whatever else it saved
    ("no_fence",) * PER_LANE,
    ("other_bytes", "no_position", "no_timers", ""),
    ("no_memory", "double_places", "lost_commands", ""),
)
"""By lane: how its territories are broken; an empty name is one that works."""
RATE, DOUBTS = 12.0, 1.0
PACE = Pace(before_s=6, react_s=3, accounted_s=20, quiet_s=6)


def layout() -> dict[str, str]:
    """Territory -> way of being broken."""
    lanes: dict[int, list[str]] = {lane: [] for lane in range(PARTITIONS)}
    for name in territories(PARTITIONS, PER_LANE):
        lanes[partition_of(f"{TENANT}:{name}", PARTITIONS)].append(name)
    return {name: way for lane, names in lanes.items() for name, way in zip(names, LAYOUT[lane], strict=True)}


class Broken(Run):
    """The run of the broken workers."""

    def __init__(self, stage: Stage, servers: Servers, seed: int, say: Say, broken: dict[str, str]) -> None:
        super().__init__(stage, servers, seed, say, RATE, PACE)
        self.broken = broken
        ways = {way: [name for name, its in broken.items() if its == way] for way in WAYS}
        for number, _worker in enumerate(self.workers):
            name = f"b{number + 1}"
            self.workers[number] = Worker(stage, name, DISPATCH_INSTANCE=name, CRASH_BROKEN=json.dumps(ways))
        self.client = Client(stage, seed, RATE, DOUBTS)

    def where(self, way: str) -> str:
        """The first territory that is broken in this way."""
        return next(name for name, its in self.broken.items() if its == way)

    def faults(self) -> list[tuple[str, str]]:
        """What brings the breakages out."""
        return [
            ("failpoint", f"published.{self.where('other_bytes')}"),
            ("failpoint", f"published.{self.where('no_position')}"),
            ("stop", f"decided.{self.where('no_fence')}"),
        ]


_ORDER = re.compile(r"wo[0-9a-f]{20}")
_SITE = re.compile(r"site\d\d")


def by_territory(verdict: Verdict, recorded: Recorded) -> dict[str, dict[str, int]]:
    """How many findings each territory has, by counter."""
    home = {
        event.subject: name.partition(":")[2]
        for name, events in recorded.log.items()
        for event in events
        if event.type == "work-order.opened"
    }
    found: dict[str, dict[str, int]] = {}
    for counter, findings in verdict.found.items():
        for text in findings:
            order, site = _ORDER.search(text), _SITE.search(text)
            name = home.get(order[0], "?") if order else site[0] if site else "?"
            counts = found.setdefault(name, dict.fromkeys(COUNTERS, 0))
            counts[counter] += 1
    return found


async def broken_run(folder: Path, seed: int, say: Say) -> dict[str, Any]:
    """Run the broken workers; by way: the counter that must see it, and how often it did, and the clean territories."""
    shutil.rmtree(folder, ignore_errors=True)
    broken = layout()
    servers = Servers(folder / "servers", appendfsync="everysec")
    await asyncio.to_thread(servers.start)
    try:
        stage = open_stage(folder, servers.kafka, servers.redis, sorted(broken))
        run = Broken(stage, servers, seed, say, broken)
        recorded = await run.play(run.faults())
        verdict = judge(recorded, stage, run.ended_at_s, run.outage_s)[0]
    finally:
        await asyncio.to_thread(servers.stop)
    found = by_territory(verdict, recorded)
    result: dict[str, Any] = {}
    for way, known in WAYS.items():
        seen = sum(found.get(name, {}).get(known.counter, 0) for name, its in broken.items() if its == way)
        result[way] = {"counter": known.counter, "seen": seen}
        say(f"  {way}: {known.counter} = {seen}")
    clean = [name for name, way in broken.items() if not way]
    result["works"] = {"counter": "all", "seen": sum(sum(found.get(name, {}).values()) for name in clean)}
    for name in clean:
        for counter, findings in verdict.found.items():
            for text in findings:
                if found.get(name, {}).get(counter) and name in text:
                    say(f"  should be clean: {name}: {counter}: {text}")
    return result
