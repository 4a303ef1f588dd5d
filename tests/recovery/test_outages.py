"""Servers that are away: nothing is lost and nothing doubled."""

import asyncio
import os
import signal

import pytest

from tests.recovery.support import a_steady_stream, assert_each_opened_once, staffed, state_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("how", "away_s"), [("killed", 5), ("frozen", 5), pytest.param("killed", 60, marks=pytest.mark.slow)]
)
async def test_redis_may_be_away_and_nothing_is_lost_or_doubled(own, settings, client, engine, away_s, how):
    await staffed(client)
    async with a_steady_stream(client) as published:
        await asyncio.sleep(1)
        if how == "killed":
            await asyncio.to_thread(own.stop_redis, kill=True)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(own.start_redis)
        else:
            os.kill(own.redis_pid, signal.SIGSTOP)
            await asyncio.sleep(away_s)
            os.kill(own.redis_pid, signal.SIGCONT)
        await asyncio.sleep(1)
    await all_well(settings, client, engine, published, within_s=30)


@pytest.mark.parametrize("away_s", [5, pytest.param(60, marks=pytest.mark.slow)])
async def test_kafka_may_be_away_and_nothing_is_lost_or_doubled(own, settings, client, engine, away_s):
    await staffed(client)
    async with a_steady_stream(client) as published:
        await asyncio.sleep(1)
        await asyncio.to_thread(own.stop_kafka, kill=True)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(own.start_kafka)
        await asyncio.sleep(1)
    await all_well(settings, client, engine, published, within_s=60)


async def all_well(settings, client, engine, published, within_s):
    for request_id in published:
        await client.offered(request_id, within_s=within_s)
    assert not engine.app.crashed
    await client.quiet()
    assert_each_opened_once(client, published)
    await state_of(settings)
