"""A worker that dies where it is told: ``python -m tests.crash.worker``, started by the supervisor.

The file ``arm-NAME`` in the run's folder holds ``{"step": …, "n": …, "do": "kill" | "stop"}``: at the n-th passing
of the step from then on the process sends itself SIGKILL or SIGSTOP, having noted it in the file ``hits``.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from dispatch.agents import publisher
from dispatch.app import create_app
from dispatch.log import configure
from dispatch.settings import ROLES, read_settings
from dispatch.worker import run_until_stopped
from tests.crash import broken
from tests.crash.deliveries_broken import BROKEN

PR_SET_PDEATHSIG = 1
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Failpoints:
    """Told each step as it is passed; ends or stops the process where the arm file says."""

    def __init__(self, folder: Path, name: str) -> None:
        self._arm = folder / f"arm-{name}"
        self._hits = folder / "hits"
        self._name = name
        self._text = ""
        self._left = 0

    def armed(self, step: str) -> dict[str, Any] | None:
        """What is to happen at this step, None when nothing is."""
        try:
            text = self._arm.read_text()
        except FileNotFoundError:
            return None
        armed: dict[str, Any] = json.loads(text)
        if text != self._text:
            self._text, self._left = text, int(armed["n"])
        return armed if armed["step"] == step else None

    def __call__(self, step: str) -> None:
        """A step is passed."""
        armed = self.armed(step)
        if armed is None:
            return
        self._left -= 1
        if self._left > 0:
            return
        self._arm.unlink(missing_ok=True)
        with self._hits.open("a") as hits:
            hits.write(json.dumps({"at": time.time(), "worker": self._name, **armed}) + "\n")
        os.kill(os.getpid(), SIGNALS[armed["do"]])


def watch_publishing(steps: Failpoints) -> None:
    """Pass ``publish.group`` when one topic partition's part of a publication is on the broker, and others are not."""
    names = ("_send", "_send_group")
    send, send_group = publisher.Publisher._send, getattr(publisher, names[1])
    left: ContextVar[list[int]] = ContextVar("left")

    async def counted(self: publisher.Publisher, records: Sequence[publisher.Record]) -> Any:
        left.set([len({(record.topic, record.partition) for record in records})])
        return await send(self, records)

    async def watched(*args: Any) -> Any:
        futures = await send_group(*args)
        groups = left.get()
        groups[0] -= 1
        if groups[0] > 0 and steps.armed("publish.group"):
            await asyncio.gather(*(future for future, _count in futures))
            steps("publish.group")
        return futures

    setattr(publisher.Publisher, names[0], counted)
    setattr(publisher, names[1], watched)


async def main() -> int:
    """Run until SIGTERM, or until a failpoint ends it."""
    folder, name = Path(os.environ["CRASH_FOLDER"]), os.environ["CRASH_NAME"]
    steps = Failpoints(folder, name)
    watch_publishing(steps)
    settings = read_settings()
    if chosen := os.environ.get("CRASH_BROKEN"):
        broken.apply(json.loads(chosen), steps)
    if broken_way := os.environ.get("CRASH_DELIVERIES_BROKEN"):
        BROKEN[broken_way][0]()
    roles = [role for role in ROLES if role in os.environ.get("CRASH_ROLES", ",".join(ROLES)).split(",")]
    app = create_app(settings, roles, steps=steps)
    return await run_until_stopped(app, on_ready=(folder / f"ready-{name}").touch)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    configure("info")
    sys.exit(asyncio.run(main()))
