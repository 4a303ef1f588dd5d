"""Servers that tests may stop, kill and empty; a new engine for every test."""

import pytest
import pytest_asyncio

from dispatch.embedded import embedded
from tests.support.engine import forget_everything, settings_for
from tests.support.own_engine import client, engine

__all__ = ["client", "engine"]


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
