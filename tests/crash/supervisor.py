"""Worker processes: started, killed, stopped, and started again whenever they end."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.crash.stage import ROOT, Stage
from tests.support.logs import logged

POLL_S = 0.05
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 20.0


class Worker:
    """One worker by name; the process behind it changes."""

    def __init__(self, stage: Stage, name: str, **environment: str) -> None:
        self.stage = stage
        self.name = name
        self.log = stage.folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.started_at_s = 0.0
        self.expected_end = False
        self._arm = stage.folder / f"arm-{name}"
        self._ready = stage.folder / f"ready-{name}"
        self._environment = environment

    @property
    def alive(self) -> bool:
        """Whether its process runs, stopped or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has come up."""
        return self.alive and self._ready.exists()

    def start(self) -> None:
        """Start a process; it dies with this one."""
        self._ready.unlink(missing_ok=True)
        self.starts += 1
        self.started_at_s = time.monotonic()
        self.expected_end = self.armed  # it may have been armed while the one before was dying
        environment = {**os.environ, **self.stage.environment(self.name, **self._environment)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.worker"],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def arm(self, step: str, n: int = 1, do: str = "kill") -> None:
        """Have it end (or stop) at the n-th passing of a step from now on."""
        fresh = self._arm.with_suffix(".new")
        fresh.write_text(json.dumps({"step": step, "n": n, "do": do, "armed_at": time.time()}))
        fresh.replace(self._arm)
        self.expected_end = True

    @property
    def armed(self) -> bool:
        """Whether it still has to pass the step."""
        return self._arm.exists()

    def disarm(self) -> None:
        """Forget the step."""
        self._arm.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process, if there is one."""
        self.expected_end = self.expected_end or number in {signal.SIGKILL, signal.SIGTERM}
        if self.process is not None and self.alive:
            self.process.send_signal(number)

    @property
    def stopped(self) -> bool:
        """Whether its process stands still (SIGSTOP)."""
        if self.process is None or not self.alive:
            return False
        return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


class Supervisor:
    """Keeps workers running, as an init system would."""

    def __init__(self, workers: list[Worker], say: Callable[[str], None]) -> None:
        self.workers = workers
        self.ended_by_themselves = 0
        self.slowest_start_s = 0.0
        self._say = say
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all, and watch them."""
        for worker in self.workers:
            worker.start()
        self._task = asyncio.create_task(self._watch())
        await self.wait(lambda: all(worker.ready for worker in self.workers), READY_WITHIN_S, "workers to be ready")

    async def _watch(self) -> None:
        coming = {worker.name: 0 for worker in self.workers}
        while True:
            for worker in self.workers:
                if worker.ready and coming[worker.name] < worker.starts:
                    coming[worker.name] = worker.starts
                    self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - worker.started_at_s)
                if not worker.alive:
                    if not worker.expected_end:
                        self.ended_by_themselves += 1
                        self._say(f"{worker.name} ended by itself: {last_words(worker)}")
                    worker.start()
            await asyncio.sleep(POLL_S)

    async def wait(self, met: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait until a condition is met. Raises TimeoutError that says what was waited for."""

        async def check() -> bool:
            return met()

        if not await until(check, timeout_s):
            words = "; ".join(f"{worker.name}: {last_words(worker)}" for worker in self.workers)
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}. {words}")

    async def stop(self, *, kill: bool = False) -> None:
        """Stop all, politely."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for worker in self.workers:
            worker.signal(signal.SIGKILL if kill else signal.SIGTERM)
        await asyncio.gather(*(asyncio.to_thread(_ended, worker) for worker in self.workers))
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
            if worker.process is not None:
                worker.process.wait()


async def until(met: Callable[[], Awaitable[bool]], timeout_s: float, every_s: float = POLL_S) -> bool:
    """Whether a condition was met within a time, asked for it again and again."""
    deadline_s = time.monotonic() + timeout_s
    while not (is_met := await met()) and time.monotonic() < deadline_s:  # noqa: ASYNC110 -- of another process
        await asyncio.sleep(every_s)
    return is_met


def _ended(worker: Worker) -> None:
    if worker.process is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(STOP_WITHIN_S)


def last_words(worker: Worker, lines: int = 3) -> str:
    """The end of a worker's log."""
    try:
        text = worker.log.read_text(errors="replace")
    except OSError:
        return ""
    return " | ".join(line[-300:] for line in text.splitlines()[-lines:])


def log_lines(workers: list[Worker], event: str) -> list[dict[str, Any]]:
    """The canonical log lines of one kind, of all workers."""
    return [line for worker in workers for line in logged(worker.log, event)]
