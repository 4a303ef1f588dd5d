"""Both servers together, in one folder that survives a restart."""

import atexit
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from dispatch.embedded.errors import PortTakenError
from dispatch.embedded.folder import FolderLock, make_folder, require_room
from dispatch.embedded.jars import Progress
from dispatch.embedded.kafka import Kafka
from dispatch.embedded.process import end_orphan
from dispatch.embedded.redis import Redis

PORT_TRIES = 3


class Servers:
    """One Kafka and one Redis whose data are in one folder; a second start finds the same data again."""

    def __init__(
        self,
        folder: Path,
        *,
        progress: Progress | None = None,
        kafka_port: int = 0,
        redis_port: int = 0,
        appendfsync: str = "always",
        cache: Path | None = None,
    ) -> None:
        """Create the folder if need be; nothing starts yet. A port of 0 takes a free one."""
        self.folder = make_folder(folder)
        self._say = _one_at_a_time(progress)
        self._ports = (kafka_port, redis_port)
        self._lock = FolderLock(self.folder)
        self._kafka = Kafka(self.folder, port=kafka_port, cache=cache, progress=self._say)
        self._redis = Redis(self.folder, port=redis_port, appendfsync=appendfsync, progress=self._say)

    @property
    def kafka(self) -> str:
        """Kafka's address, `127.0.0.1:port`."""
        return self._kafka.bootstrap

    @property
    def redis(self) -> str:
        """Redis's address, `redis://127.0.0.1:port/0`."""
        return self._redis.url

    @property
    def kafka_pid(self) -> int | None:
        """The broker's process id, None when it does not run."""
        return self._kafka.process.pid

    @property
    def redis_pid(self) -> int | None:
        """Redis's process id, None when it does not run."""
        return self._redis.process.pid

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of those servers that run, by `kafka` and `redis`."""
        both = {"kafka": self.kafka_pid, "redis": self.redis_pid}
        return {name: pid for name, pid in both.items() if pid is not None}

    @property
    def cluster_id(self) -> str:
        """Kafka's cluster id, the same as long as the folder lives."""
        return self._kafka.cluster_id

    def start(self) -> Self:
        """Start both in parallel and return when both answer; on any error nothing is left running."""
        self._lock.acquire()
        atexit.register(self.stop)
        try:
            require_room(self.folder)
            for server in (self._kafka, self._redis):
                end_orphan(server.process.pid_file, server.data)
            self._start_both()
        except BaseException:
            self.stop(kill=True)
            raise
        return self

    def stop(self, *, kill: bool = False) -> None:
        """Stop both and give the folder up; calling it again does nothing."""
        atexit.unregister(self.stop)
        # One after the other and without a thread: at the end of the interpreter none can be started.
        try:
            self._redis.stop(kill=kill)
            self._kafka.stop(kill=kill)
        finally:
            self._lock.release()

    def start_kafka(self) -> None:
        """Start Kafka again on the port that it had; raises EmbeddedError."""
        self._kafka.start()

    def stop_kafka(self, *, kill: bool = False) -> None:
        """Stop Kafka alone, with `kill` by SIGKILL; its port stays reserved for the next start."""
        self._kafka.stop(kill=kill)

    def start_redis(self) -> None:
        """Start Redis again on the port that it had; raises EmbeddedError."""
        self._redis.start()

    def stop_redis(self, *, kill: bool = False) -> None:
        """Stop Redis alone, with `kill` by SIGKILL; its port stays reserved for the next start."""
        self._redis.stop(kill=kill)

    def __enter__(self) -> Self:
        """Start both."""
        return self.start()

    def __exit__(self, *_error: object) -> None:
        """Stop both."""
        self.stop()

    def _start_both(self) -> None:
        with ThreadPoolExecutor(2, thread_name_prefix="embedded") as pool:
            tasks = [
                pool.submit(self._start_one, self._redis, self._ports[1]),
                pool.submit(self._start_one, self._kafka, self._ports[0]),
            ]
            try:
                for task in as_completed(tasks):
                    task.result()
            except BaseException:
                self._kafka.stop(kill=True)
                self._redis.stop(kill=True)
                raise

    def _start_one(self, server: Kafka | Redis, wanted_port: int) -> None:
        """Start one; a free port that somebody took in the meantime is replaced by another."""
        for attempt in range(1, PORT_TRIES + 1):
            try:
                server.start()
            except PortTakenError:
                if wanted_port or attempt == PORT_TRIES:
                    raise
            else:
                return


@contextmanager
def embedded(
    folder: Path,
    *,
    progress: Progress | None = None,
    kafka_port: int = 0,
    redis_port: int = 0,
    appendfsync: str = "always",
    cache: Path | None = None,
) -> Iterator[Servers]:
    """Run both servers for the length of a `with` block; the arguments are those of Servers."""
    servers = Servers(
        folder,
        progress=progress,
        kafka_port=kafka_port,
        redis_port=redis_port,
        appendfsync=appendfsync,
        cache=cache,
    )
    with servers:
        yield servers


def _one_at_a_time(progress: Progress | None) -> Callable[[str], None]:
    """Wrap `progress` so that the two starting threads do not call it at once."""
    lock = threading.Lock()

    def say(line: str) -> None:
        if progress is not None:
            with lock:
                progress(line)

    return say
