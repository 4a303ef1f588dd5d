"""Fixtures for a ``conftest.py`` to import: servers that tests have for themselves, a new engine and client for each.

Who imports them has a fixture ``settings``, in which ``forget_everything`` makes the servers as new.
"""

import pytest
import pytest_asyncio

from dispatch.embedded import embedded
from tests.support.client import Client
from tests.support.engine import Engine


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Servers for the tests of one module."""
    with embedded(tmp_path_factory.mktemp("own-servers")) as running:
        yield running


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
