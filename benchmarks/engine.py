"""The engine under test: one worker process with all roles, its campus, and what must be true after a run."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import campus
from benchmarks.client import Client, header, subjects, type_of
from benchmarks.common import Bench, Child, child, say
from benchmarks.flow import Flow, drive
from dispatch.config import load_config
from dispatch.topics import ACTIONS, ASSIGNMENTS, COMMANDS, COMPLETIONS, DEAD_LETTERS, REQUESTS, WORK_ORDERS

COMPLETED = b"dispatch.work-order.completed.v1"
SHIFT_STARTED = b"dispatch.shift.started.v1"
WARM_UP = 2000


def write_campus(bench: Bench) -> Path:
    """The campus's config folder, with texts that the lexicon understands."""
    folder = campus.write_config(bench.folder / "config")
    campus.check_texts(load_config(folder))
    return folder


@contextmanager
def running(bench: Bench, config: Path, partitions: int, profile: Path | None = None, **env: str) -> Iterator[Child]:
    """An engine worker for the length of a ``with`` block."""
    argv = ["benchmarks.worker", *(["--profile", str(profile)] if profile else [])]
    with child("engine", argv, bench.env(config, DISPATCH_PARTITIONS=str(partitions), **env), bench.folder) as worker:
        yield worker


async def staff_campus(client: Client, worker: Child) -> None:
    """Bring the campus's technicians on duty, and wait until all are."""
    events = list(campus.staff(datetime.now(UTC)))
    for place in range(client.partitions):
        await client.send_to(
            ACTIONS, place, [value for territory, value in events if territory % client.partitions == place]
        )
    wanted = len(events) // 2
    on_duty = await subjects(client, WORK_ORDERS, SHIFT_STARTED, wanted)
    worker.check()
    if len(on_duty) < wanted:
        raise RuntimeError(f"{len(on_duty)} of {wanted} technicians are on duty:\n{worker.tail()}")


def requests(run: str, count: int) -> list[bytes]:
    """Reports of a run, serialised before the clock starts."""
    now = datetime.now(UTC)
    return [campus.request(number, run, now) for number in range(count)]


async def order(flow: Flow, worker: Child) -> dict[str, Any]:
    """Send a flow's requests through the engine; see :func:`benchmarks.flow.drive`."""
    return await drive(flow, worker, REQUESTS, ASSIGNMENTS, engine=True)


async def warm_up(client: Client, worker: Child, run: str, count: int = WARM_UP) -> None:
    """Some orders that nobody measures."""
    await order(Flow(client, requests(run, count), count), worker)


async def check(client: Client, worker: Child) -> dict[str, int]:
    """Counts from the topics alone: every order that was assigned is completed, and what was refused."""
    await client.settled()
    completed = await subjects(client, COMPLETIONS, COMPLETED, client.completed)
    worker.check()
    if len(completed) < client.completed:
        say(f"completions are missing: {await _trace(client)}\n{worker.tail()}")
    letters = {header(record, "ce_id") async for record in client.read_all(DEAD_LETTERS)}
    return {"assigned_in_all": client.completed, "completed_in_all": len(completed), "dead_letters": len(letters)}


async def _trace(client: Client) -> dict[str, Any]:
    """Where orders were lost: how many ``complete`` each topic on their way holds, by partition."""
    found: dict[str, Any] = {}
    for topic, mark in ((ACTIONS, b"dispatch.action.complete"), (COMMANDS, b'"action":"complete"'), (COMPLETIONS, b"")):
        counts: Counter[int] = Counter()
        async for record in client.read_all(topic):
            counts[record.partition] += mark in record.value if mark else type_of(record) == COMPLETED
        found[topic] = {"sum": counts.total(), **dict(sorted(counts.items()))}
    return found


def batch_sizes(worker: Child) -> dict[str, float]:
    """How many inputs the roles handled at a time, from the worker's own log."""
    sizes: dict[str, list[int]] = {"intake": [], "desk": []}
    for line in worker.log.read_text(errors="replace").splitlines():
        said = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
        if said.get("event") == "batch" and (side := said["part"]) in sizes:
            sizes[side].append(said["inputs" if side == "intake" else "commands"])
    return {f"{side}_batch_mean": round(sum(each) / max(1, len(each)), 1) for side, each in sizes.items()}
