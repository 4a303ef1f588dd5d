"""The engine on servers of its own, and the examples as a person would run them."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from dispatch.agents.admin import create_topics
from dispatch.embedded import embedded
from tests.support.client import Client
from tests.support.engine import Engine, settings_for

EXAMPLES = Path(__file__).parents[2] / "examples"
END_WITHIN_S = 120


@dataclass(frozen=True)
class Ended:
    """What a program left behind."""

    code: int
    out: str
    err: str


async def start(name, *words, **environ):
    """Start an example as a process of its own, under another working directory than its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DISPATCH_") and key != "PYTHONPATH"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        str(EXAMPLES / f"{name}.py"),
        *map(str, words),
        env={**clean, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process):
    """Wait until it has ended by itself."""
    try:
        out, err = await asyncio.wait_for(process.communicate(), END_WITHIN_S)
    except TimeoutError:
        process.kill()
        raise
    return Ended(process.returncode, out.decode(), err.decode())


async def run(name, *words, **environ):
    """Run an example to its end."""
    return await ended(await start(name, *words, **environ))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("examples-servers"), appendfsync="no") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(own, tmp_path_factory):
    settings = settings_for(own.kafka, own.redis, tmp_path_factory.mktemp("examples"))
    await create_topics(settings.kafka_client(), settings.partitions)
    async with Engine(settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(engine):
    async with Client(engine.settings.kafka) as found:
        yield found
