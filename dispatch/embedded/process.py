"""One child process that never outlives its parent, with its log file and its pid file."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dispatch.embedded.errors import EmbeddedError, broken_folder

# Runs between fork and exec, in a fresh interpreter of 20 ms: `preexec_fn` is not safe beside threads.
# PR_SET_PDEATHSIG (1) makes the kernel send SIGKILL when the thread that forked ends.
GUARD = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9);"
    "os.getppid() == int(sys.argv[1]) or os._exit(1); os.execv(sys.argv[2], sys.argv[2:])"
)
POLL_S = 0.02
KILL_WAIT_S = 10.0
TAIL_BYTES = 16_384


class Process:
    """A server process: start it, wait until it answers, stop it; start it again as often as needed."""

    def __init__(self, name: str, folder: Path, log: Path) -> None:
        """Prepare a process called `name` that will run in `folder` and write its output to `log`."""
        self.name = name
        self.folder = folder
        self.log = log
        self.pid_file = folder.with_suffix(".pid")
        self._popen: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        self._gone.set()

    @property
    def pid(self) -> int | None:
        """The process id, or None when it is not running."""
        return self._popen.pid if self._popen is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs (a stopped one, SIGSTOP, does too)."""
        return not self._gone.is_set()

    def require_stopped(self) -> None:
        """Raise EmbeddedError if the process runs."""
        if self.alive:
            raise EmbeddedError(f"The embedded {self.name} runs already (pid {self.pid}).")

    def start(self, argv: Sequence[str]) -> None:
        """Start the program `argv`, whose first item is a full path."""
        self.require_stopped()
        outcome: list[OSError] = []
        spawned = threading.Event()
        self._popen = None
        self._gone.clear()
        # The thread lives as long as the child, because the kernel ties the child's life to it.
        threading.Thread(
            target=self._run, args=(argv, spawned, outcome), name=f"embedded-{self.name}", daemon=True
        ).start()
        spawned.wait()
        if outcome:
            raise broken_folder(f"the log of the embedded {self.name}", outcome[0]) from outcome[0]

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready()`; raise EmbeddedError with the log's last lines if it dies or is late."""
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise EmbeddedError(f"The embedded {self.name} ended while it started. {self.last_words()}")
            if ready():
                return
            if time.monotonic() > deadline:
                late = f"gave no answer within {timeout_s:.0f} s"
                raise EmbeddedError(f"The embedded {self.name} {late}. {self.last_words()}")
            time.sleep(POLL_S)

    def stop(self, timeout_s: float = 20.0, *, kill: bool = False) -> None:
        """End the process: politely, then after `timeout_s` (or at once with `kill`) by SIGKILL."""
        if self._popen is None:
            return
        if not kill:
            self._popen.send_signal(signal.SIGTERM)
            self._popen.send_signal(signal.SIGCONT)
        if kill or not self._gone.wait(timeout_s):
            self._popen.send_signal(signal.SIGKILL)
            self._gone.wait(KILL_WAIT_S)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self, lines: int = 15) -> str:
        """Return the last lines of the log, without stack traces, and where the whole of it is."""
        tail = tail_of(self.log, lines)
        return f"Its last log lines ({self.log}):\n{tail}" if tail else f"Its log {self.log} is empty."

    def _run(self, argv: Sequence[str], spawned: threading.Event, outcome: list[OSError]) -> None:
        guard = [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid())] if sys.platform == "linux" else []
        try:
            with self.log.open("ab") as output:
                # A session of its own: Ctrl-C reaches the parent, which then stops the servers in order.
                self._popen = subprocess.Popen(
                    [*guard, *argv],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.pid_file.write_text(str(self._popen.pid))
        except OSError as error:
            outcome.append(error)
            if self._popen is None:
                self._gone.set()
        finally:
            spawned.set()
        if self._popen is not None:
            self._popen.wait()
            self._gone.set()


def tail_of(log: Path, lines: int) -> str:
    """Return the last `lines` lines of `log` that are not part of a stack trace."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("\tat ")]
    return "\n".join(kept[-lines:])


def end_orphan(pid_file: Path, folder: Path) -> None:
    """Kill the server that a dead owner left behind: the recorded pid, if it still runs in `folder`."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + KILL_WAIT_S
    while _runs_in(pid, folder) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
    pid_file.unlink(missing_ok=True)


def _runs_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False
