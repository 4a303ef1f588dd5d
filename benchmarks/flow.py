"""A closed loop: so many requests kept under way, and the moments at which their answers were read."""

import asyncio
import gc
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from benchmarks.client import ASSIGNED, IDLE_MS, Client, fetched, header, type_of
from benchmarks.common import Child, steady_rate

STALLED_S = 90.0
STEPS = 8
Beside = Sequence[tuple[str, bytes]]


class Flow:
    """Requests kept flowing so that ``window`` are under way.

    ``beside`` are (topic, value) pairs that nobody answers, spread evenly among the requests.
    """

    def __init__(self, client: Client, values: Sequence[bytes], window: int, beside: Beside = ()) -> None:
        """Nothing is sent before :meth:`feed`."""
        self.client = client
        self.values = values
        self.window = window
        self.beside = beside
        self.arrivals_s: list[float] = []
        self.answered: set[bytes] = set()
        self.sent = 0
        self._room = asyncio.Event()

    async def feed(self, topic: str) -> None:
        """Send until all are sent, an eighth of the window at a time."""
        step = max(self.client.partitions, self.window // STEPS)
        total = len(self.values)
        while self.sent < total:
            if self.sent - len(self.arrivals_s) + step > self.window:
                self._room.clear()
                await self._room.wait()
                continue
            upto = min(total, self.sent + step)
            await self._send_beside(self.sent, upto)
            await self.client.send(topic, self.values[self.sent : upto])
            self.sent = upto

    async def _send_beside(self, since: int, upto: int) -> None:
        share = len(self.beside) / len(self.values)
        grouped: dict[str, list[bytes]] = {}
        for topic, value in self.beside[int(since * share) : int(upto * share)]:
            grouped.setdefault(topic, []).append(value)
        for topic, values in grouped.items():
            await self.client.send(topic, values)

    def arrived(self, count: int) -> None:
        """So many answers have been read now."""
        self.arrivals_s.extend([time.perf_counter()] * count)
        self._room.set()


async def drive(flow: Flow, worker: Child, topic: str, answers: str, *, engine: bool) -> dict[str, Any]:
    """Send all to ``topic``, read an answer to each from ``answers``: rate, time and processor time used.

    With ``engine`` answers are assignments, counted once per request, and each is completed. RuntimeError when no
    answer comes for a minute and a half.
    """
    gc.collect()
    async with flow.client.reading(answers, lazily=True) as consumer:
        cpu_s, mine_s, began_s = worker.cpu_s(), own_cpu_s(), time.perf_counter()
        feeding = asyncio.create_task(flow.feed(topic))
        try:
            last_s = began_s
            while len(flow.arrivals_s) < len(flow.values):
                records = fetched(await consumer.getmany(timeout_ms=IDLE_MS))
                if feeding.done():
                    feeding.result()
                if records:
                    last_s = time.perf_counter()
                    await _take(flow, records, engine=engine)
                elif time.perf_counter() - last_s > STALLED_S:
                    missing = len(flow.values) - len(flow.arrivals_s)
                    raise RuntimeError(f"{missing} of {len(flow.values)} answers are missing:\n{worker.tail()}")
                else:
                    worker.check()
        finally:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding
        took_s = time.perf_counter() - began_s
        cpu_s, mine_s = worker.cpu_s() - cpu_s, own_cpu_s() - mine_s
    return {
        "rate": round(steady_rate(flow.arrivals_s)), "took_s": round(took_s, 2),
        "cpu_us_each": round(cpu_s / len(flow.values) * 1e6), "worker_cpu_share": round(cpu_s / took_s, 2),
        "client_cpu_share": round(mine_s / took_s, 2),
    }  # fmt: skip


async def _take(flow: Flow, records: list[Any], *, engine: bool) -> None:
    if not engine:
        flow.arrived(len(records))
        return
    fresh = []
    for record in records:
        request = header(record, "ce_correlationid")
        if type_of(record) == ASSIGNED and request not in flow.answered:
            flow.answered.add(request)
            fresh.append(record)
    flow.arrived(len(fresh))
    await flow.client.complete(fresh)


def own_cpu_s() -> float:
    """Processor time that this process has used, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
