"""One engine and one client for all tests that leave them whole; they share one event loop."""

import pytest
import pytest_asyncio

from dispatch.agents.admin import create_topics
from tests.support.client import Client, token
from tests.support.engine import Engine, settings_for


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def engine(servers, tmp_path_factory):
    settings = settings_for(servers.kafka, servers.redis, tmp_path_factory.mktemp("engine"))
    await create_topics(settings.kafka_client(), settings.partitions)
    async with Engine(settings) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def client(engine):
    async with Client(engine.settings.kafka) as found:
        await found.technician(f"t-{token()}", "north")
        await found.technician(f"t-{token()}", "south")
        yield found
        found.assert_repeats_are_identical()
        found.assert_numbered_without_gaps()


@pytest.fixture
def uid():
    return token()
