"""Servers that tests may stop, kill and empty; a new engine for every test."""

import pytest
import pytest_asyncio

from dispatch.embedded import embedded
from tests.support.client import Client
from tests.support.engine import Engine, forget_everything, settings_for


@pytest.fixture(scope="package")
def own(tmp_path_factory):
    """Servers that a test may stop, kill and empty."""
    with embedded(tmp_path_factory.mktemp("own-servers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def settings(own, tmp_path):
    given = settings_for(own.kafka, own.redis, tmp_path)
    await forget_everything(given)
    return given


@pytest_asyncio.fixture(loop_scope="module")
async def engine(settings):
    async with Engine(settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(settings):
    async with Client(settings.kafka) as found:
        yield found
        found.assert_repeats_are_identical()
        found.assert_numbered_without_gaps()
