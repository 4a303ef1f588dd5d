"""Both stores, a tenant that no other test uses, and one of its territories."""

import secrets
from collections.abc import AsyncIterator

import pytest

from dispatch.stores.base import TerritoryKey
from dispatch.stores.memory import MemoryStore
from dispatch.stores.redis import RedisStore, connect


@pytest.fixture
async def client(servers):
    client = connect(servers.redis)
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
async def store(request, servers) -> AsyncIterator[MemoryStore | RedisStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    redis = connect(servers.redis)
    yield RedisStore(redis)
    await redis.aclose()


@pytest.fixture
def tenant():
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def key(tenant):
    return TerritoryKey(tenant, "north")
