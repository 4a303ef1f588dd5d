"""The engine as a process of its own: one worker with all roles, as an operator would run it.

It is begun early, so that it has read its code by the time the servers answer, and is told its settings then.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

LOADED = "loaded\n"
READY = "ready\n"
LOADED_WITHIN_S = 60.0
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0


class EngineError(RuntimeError):
    """The worker ended by itself, or never began."""


class Engine:
    """The worker process, as its parent sees it: :meth:`load`, then :meth:`start`, at last :meth:`stop`."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        """``environ``: the secrets of its hooks; everything the worker says goes to ``log``."""
        self._environ = {**os.environ, **environ}
        self.log = log
        self._process: subprocess.Popen[str] | None = None

    def load(self) -> None:
        """Begin the process, and do not wait for it."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dispatch.demo.engine_process"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self._environ, text=True,
            )  # fmt: skip

    def wait_loaded(self) -> None:
        """Wait until it has read its code. Raises EngineError."""
        self._expect(LOADED, LOADED_WITHIN_S)

    def start(self, settings: Mapping[str, object]) -> float:
        """Tell it its settings and wait until it is ready; how long that took, in seconds. Raises EngineError."""
        began_s = time.monotonic()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(settings).decode() + "\n")
            self._process.stdin.flush()
        self._expect(READY, READY_WITHIN_S)
        return time.monotonic() - began_s

    def _expect(self, wanted: str, within_s: float) -> None:
        process = self._process
        if process is None or process.stdout is None:
            raise EngineError("the worker was never begun")
        timer = threading.Timer(within_s, process.kill)
        timer.start()
        try:
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if line != wanted:
            self.stop()
            raise EngineError(f"the worker did not start: {self._last_words()}; see {self.log}")

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
