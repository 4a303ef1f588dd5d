"""One engine with its pages open, and a client beside it, on servers of their own.

On those of the session another engine may be at work: the two would take each other's lanes for lost.
"""

import asyncio
import contextlib
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from dispatch.agents.admin import create_topics
from dispatch.embedded import embedded
from dispatch.embedded.ports import free_port
from tests.support.client import PATIENCE_S, Client, token
from tests.support.engine import Engine, settings_for
from tests.support.models import tiny


@dataclass(frozen=True)
class Pages:
    """What a worker shows."""

    port: int

    async def get(self, path, host="127.0.0.1"):
        """Status and text."""
        return await asyncio.to_thread(self._get, f"http://{host}:{self.port}{path}")

    @staticmethod
    def _get(url):
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async def samples(self):
        """(name, labels) -> value."""
        status, text = await self.get("/metrics")
        assert status == 200
        families = text_string_to_metric_families(text)
        return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}

    async def value(self, name, **labels):
        """One sample; 0 when nothing was counted yet."""
        return (await self.samples()).get((name, frozenset(labels.items())), 0.0)

    async def reached(self, least, name, **labels):
        """One sample once it is ``least`` or more: a batch is counted after what it says is out. As it is, if never."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while await self.value(name, **labels) < least:  # noqa: ASYNC110 -- pages do not say when they change
                    await asyncio.sleep(0.05)
        return await self.value(name, **labels)


@pytest.fixture(scope="package")
def servers(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("seeing-servers"), appendfsync="no") as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def settings(servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "shadow.bin").write_bytes(tiny("taps", tap={"plumbing": 9}, 水龙={"plumbing": 9}))
    given = {"web_port": free_port(), "triage_shadow": folder / "shadow.bin"}
    found = settings_for(servers.kafka, servers.redis, folder, **given)
    await create_topics(found.kafka_client(), found.partitions)
    return found


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def engine(settings):
    async with Engine(settings) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def client(engine):
    async with Client(engine.settings.kafka) as found:
        await found.technician(f"t-{token()}", "north")
        yield found


@pytest.fixture
def pages(engine):
    return Pages(engine.settings.web_port)
