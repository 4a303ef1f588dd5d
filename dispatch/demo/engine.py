"""The engine as a process of its own: one worker with all roles, as an operator would run it.

``python -m dispatch.demo.engine`` says ``ready`` on standard output, and stops when its standard input ends, so that
it never outlives the demo.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from dispatch.app import create_app
from dispatch.log import configure
from dispatch.settings import read_settings
from dispatch.worker import run_until_stopped

READY = "ready\n"
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0


class EngineError(RuntimeError):
    """The worker ended by itself, or never began."""


class Engine:
    """The worker process, as its parent sees it."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        """``environ``: the ``DISPATCH_…`` settings; everything the worker says goes to ``log``."""
        self._environ = {**os.environ, **environ}
        self.log = log
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start it and wait until it is ready; how long that took, in seconds."""
        began_s = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dispatch.demo.engine"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self._environ, text=True,
            )  # fmt: skip
        timer = threading.Timer(READY_WITHIN_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            timer.cancel()
        if line != READY:
            self.stop()
            raise EngineError(f"the worker did not start: {self._last_words()}; see {self.log}")
        return time.monotonic() - began_s

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return next((line for line in reversed(lines) if not line.startswith((" ", "ERROR asyncio"))), "no word")

    def check(self) -> None:
        """Raise EngineError when it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise EngineError(f"the worker ended with code {self._process.returncode}; see {self.log}")

    def stop(self) -> int:
        """Stop it as an operator would (SIGTERM); its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            code = self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None
        return code


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _ready() -> None:
    sys.stdout.write(READY)
    sys.stdout.flush()


def main() -> int:
    """The worker itself."""
    settings = read_settings()
    configure(settings.log_level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return asyncio.run(_run())


async def _run() -> int:
    return await run_until_stopped(create_app(read_settings()), _ready)


if __name__ == "__main__":
    sys.exit(main())
