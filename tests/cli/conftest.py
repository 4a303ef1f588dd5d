"""Commands as a person would run them: in this process where they need nothing, and on servers of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatch.cli import main
from dispatch.embedded import embedded
from tests.support.logs import logged

CONFIG = Path(__file__).parents[2] / "config"
READY_WITHIN_S = 180.0
STOP_WITHIN_S = 10.0
LANES = 2


@dataclass(frozen=True)
class Invoke:
    """Runs a command in this process."""

    environ: dict[str, str]

    def __call__(self, *words: object, stdin: str | None = None) -> Result:
        """The result; an error that is not expected is raised."""
        runner = CliRunner(env={**dict.fromkeys(_inherited()), **self.environ})
        return runner.invoke(main, [str(word) for word in words], input=stdin, catch_exceptions=False)

    def lines(self, *words: object, stdin: str | None = None, code: int = 0) -> list[dict[str, Any]]:
        """What it prints with --json, line by line."""
        result = self(*words, "--json", stdin=stdin)
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


def _inherited() -> list[str]:
    return [name for name in os.environ if name.startswith("DISPATCH_")]


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Commands without servers."""
    return Invoke({"DISPATCH_CONFIG": str(CONFIG)})


@pytest.fixture(scope="session")
def nowhere() -> Invoke:
    """Commands whose servers do not answer."""
    return Invoke(
        {"DISPATCH_CONFIG": str(CONFIG), "DISPATCH_KAFKA": "127.0.0.1:1", "DISPATCH_REDIS": "redis://127.0.0.1:1/0"}
    )


@pytest.fixture(scope="package")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Invoke]:
    """Commands on a Kafka and a Redis of their own: other tests work with other topics and policies."""
    with embedded(tmp_path_factory.mktemp("cli-servers"), appendfsync="no") as running:
        yield Invoke(
            {
                "DISPATCH_CONFIG": str(CONFIG),
                "DISPATCH_KAFKA": running.kafka,
                "DISPATCH_REDIS": running.redis,
                "DISPATCH_DATA": str(tmp_path_factory.mktemp("cli-data")),
                "DISPATCH_PARTITIONS": str(LANES),
            }
        )


class Worker:
    """A worker in a process of its own."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatch", "worker"], env={**kept, **environ}, stdout=file, stderr=file
            )

    def wait_for(self, is_there: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Until its log says so."""
        deadline_s = monotonic() + READY_WITHIN_S
        while not is_there(self.said()):
            assert self.process.poll() is None, self.log.read_text()
            assert monotonic() < deadline_s, self.log.read_text()
            sleep(0.1)

    def said(self) -> list[dict[str, Any]]:
        """What it has logged; every line is JSON."""
        return list(logged(self.log))

    def end(self) -> int:
        """Its exit code, when it ends by itself."""
        return self.process.wait(timeout=READY_WITHIN_S)

    def stop(self) -> int:
        """By SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=STOP_WITHIN_S)


@pytest.fixture(scope="package")
def make_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict[str, str]], Worker]]:
    """Starts workers, and ends those that still run when all is over."""
    started: list[Worker] = []

    def make(environ: dict[str, str]) -> Worker:
        started.append(Worker(environ, tmp_path_factory.mktemp("cli-log") / "worker.log"))
        return started[-1]

    yield make
    for worker in started:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


@pytest.fixture(scope="package")
def live(fresh: Invoke, make_worker: Callable[[dict[str, str]], Worker]) -> Invoke:
    """Commands beside a worker that has taken its lanes."""
    assert fresh("topics", "--create").exit_code == 0
    worker = make_worker(fresh.environ)
    worker.wait_for(lambda said: sum(line["event"] == "lane taken" for line in said) == LANES)
    return fresh
