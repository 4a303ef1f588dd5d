"""Workers that are killed, told to stop, or must not start."""

import asyncio
import signal

import pytest

from dispatch.stores.redis import connect
from tests.recovery.support import a_steady_stream, assert_each_opened_once, staffed, state_of
from tests.support.engine import PARTITIONS, Engine
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_when_a_worker_is_killed_the_other_takes_its_lanes_and_nothing_is_lost_or_doubled(
    settings, client, tmp_path
):
    async with WorkerProcess(settings, tmp_path / "a.log") as one, WorkerProcess(settings, tmp_path / "b.log") as other:
        await one.until(1)
        await other.until(1)
        await staffed(client)
        async with a_steady_stream(client) as published:
            await asyncio.sleep(2)
            await one.end(signal.SIGKILL)
            await asyncio.sleep(9)
        for request_id in published:
            await client.offered(request_id, within_s=30)
        await client.quiet()
        assert await other.end(signal.SIGTERM) == 0
    assert_each_opened_once(client, published)
    assert "lane failed" not in (tmp_path / "b.log").read_text()
    await state_of(settings)


async def test_a_worker_that_is_told_to_stop_ends_with_0_within_ten_seconds(settings, client, tmp_path):
    async with WorkerProcess(settings, tmp_path / "w.log") as worker:
        await worker.until(PARTITIONS)
        await staffed(client)
        async with a_steady_stream(client, pause_s=0.01):
            await asyncio.sleep(0.5)
            began_s = asyncio.get_running_loop().time()
            assert await worker.end(signal.SIGTERM) == 0
            assert asyncio.get_running_loop().time() - began_s < 10
    told = (tmp_path / "w.log").read_text()
    assert "Crashed" not in told, "what is in flight is finished, not broken off"
    assert "store is away" not in told


async def test_a_worker_that_must_not_start_ends_with_1_and_says_why(settings, client, tmp_path):
    async with Engine(settings):
        await staffed(client)
    redis = connect(settings.redis)
    await redis.flushall()
    await redis.aclose()
    async with WorkerProcess(settings, tmp_path / "w.log") as worker:
        code = await worker.ended(within_s=90)
    assert code == 1
    assert "dispatch rebuild" in (tmp_path / "w.log").read_text()
