"""What all benchmarks share: real servers in a temporary folder, processes of one's own, figures, the report."""

import contextlib
import ctypes
import json
import logging
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatch.embedded import embedded

READY = "ready"
READY_WITHIN_S = 180.0
STOP_WITHIN_S = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a benchmark runs: the addresses of its servers, and a folder that is removed at the end."""

    kafka: str
    redis: str
    folder: Path

    def env(self, config: Path, **more: str) -> dict[str, str]:
        """The environment of an engine worker on these servers."""
        data = self.folder / "data"
        return {
            "DISPATCH_KAFKA": self.kafka, "DISPATCH_REDIS": self.redis,
            "DISPATCH_CONFIG": str(config), "DISPATCH_DATA": str(data), **more,
        }  # fmt: skip


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Servers for one benchmark: those of DISPATCH_KAFKA and DISPATCH_REDIS, or embedded ones, fsync always."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic's leader is missed, and asked for again
    folder = Path(tempfile.mkdtemp(prefix="dispatch-bench-"))
    kafka, redis = os.environ.get("DISPATCH_KAFKA"), os.environ.get("DISPATCH_REDIS")
    try:
        if kafka and redis:
            yield Bench(kafka=kafka, redis=redis, folder=folder)
            return
        with embedded(folder / "servers", progress=say, appendfsync="always") as running:
            yield Bench(kafka=running.kafka, redis=running.redis, folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """One line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def report(**fields: Any) -> None:
    """The one line on standard output that says it all."""
    print(json.dumps(fields, ensure_ascii=False), flush=True)


class Child:
    """A Python module in a process of its own: its output goes to a log file, ``ready`` on its first line."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        """Start ``python -m …`` at once; ``env`` comes on top of ours."""
        self.name = name
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *argv],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self, word: str = READY) -> None:
        """Wait until the log has a line that holds ``word``; RuntimeError with the log's end when it ends first."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while word not in self.log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{self.tail()}")
            time.sleep(0.05)

    def check(self) -> None:
        """RuntimeError with the log's end when the process has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with code {self._process.returncode}:\n{self.tail()}")

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log, without those that say that all is well."""
        told = self.log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in told if '"level":"info"' not in line][-lines:])

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used; 0 where /proc is missing."""
        return cpu_s(self._process.pid)

    def stop(self) -> None:
        """SIGTERM, and after a while SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextlib.contextmanager
def child(name: str, argv: Sequence[str], env: Mapping[str, str], folder: Path) -> Iterator[Child]:
    """A child that is ready, for the length of a ``with`` block."""
    one = Child(name, argv, env, folder)
    try:
        one.wait_until_ready()
        yield one
    finally:
        one.stop()


def cpu_s(pid: int) -> float:
    """User and system seconds of a process; 0 where /proc is missing."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def median(values: Sequence[float]) -> float:
    """The middle value; 0 of nothing."""
    return statistics.median(values) if values else 0.0


def percentile(values: Sequence[float], permille: int) -> float:
    """The value that ``permille`` thousandths of the values do not exceed (nearest rank); 0 of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * permille / 1000) - 1)] if ranked else 0.0


def steady_rate(arrivals_s: Sequence[float], from_share: float = 0.1, to_share: float = 0.9) -> float:
    """Events per second between two shares of all arrivals, which are in order of time."""
    first, last = int(len(arrivals_s) * from_share), int(len(arrivals_s) * to_share) - 1
    took_s = arrivals_s[last] - arrivals_s[first]
    return (last - first) / took_s if took_s > 0 else 0.0


def machine() -> str:
    """What the figures were measured on, in a few words."""
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
