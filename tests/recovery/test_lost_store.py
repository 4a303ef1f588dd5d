"""What Redis has lost comes back from the log, or is refused."""

import asyncio

import pytest

from dispatch.agents.rebuild import rebuild
from dispatch.stores.redis import connect
from dispatch.topics import DEAD_LETTERS, WORK_ORDERS
from tests.recovery.support import NORTH, SOUTH, assert_each_opened_once, assert_goes_on, some_work, staffed, state_of
from tests.support.client import token
from tests.support.engine import Engine, store_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_i8_an_emptied_redis_is_refused_and_rebuilt_from_the_log_to_the_same_state(settings, client):
    engine = Engine(settings)
    await engine.start()
    await staffed(client)
    work = await some_work(client, 10)
    order_id = work[4][0]
    await client.act("rate", order_id, (f"p-{work[4][1]}", "requester"), dimensions={"quality": 4})
    await client.act("reopen", order_id, (f"p-{work[4][1]}", "requester"), reason="again")
    await client.event("work-order.reopened", of=order_id)
    await client.act("relocate", work[0][0], ("d1", "dispatcher"), location={"area_id": "south.s3", "room": token()})
    await client.wait(
        lambda one: one.type == "work-order.offered" and one.subject == work[0][0] and one.key == b"campus:south"
    )
    await client.act("cancel", work[5][0], (f"p-{work[5][1]}", "requester"))
    await client.event("work-order.cancelled", of=work[5][0])
    await client.quiet()
    await engine.stop()
    before = await state_of(settings)

    redis = connect(settings.redis)
    await redis.flushall()
    refused = await engine.refusal()
    assert "dispatch rebuild" in refused.todo
    assert "lane" in refused.what
    assert not [key async for key in redis.scan_iter("*:outbox")]

    results = await rebuild(settings)
    assert {one.territory: one.hash_log for one in results} == before
    assert all(one.written for one in results)
    assert await state_of(settings) == before
    await redis.aclose()

    numbers = len(client.seen)
    await engine.start()
    try:
        await assert_goes_on(client)
        await client.act("accept", work[1][0], work[1][2], id=token())
        await client.quiet()
        fresh = {one.id for one in client.seen[numbers:] if one.topic == WORK_ORDERS}
        assert not fresh & {one.id for one in client.seen[:numbers]}
        assert_each_opened_once(client, [request_id for _order, request_id, _who, _leg in work])
    finally:
        await engine.stop()
    assert await state_of(settings) != before


async def test_i8_a_store_that_lost_its_tail_folds_it_from_the_log(settings, client):
    engine, redis, old, work = await copied_after(client, settings, orders=10)
    await engine.start()
    closed, reporter = work[4][0], (f"p-{work[4][1]}", "requester")
    await client.act("rate", closed, reporter, dimensions={"quality": 2})
    await client.act("reopen", closed, reporter, reason="again")
    await client.event("work-order.reopened", of=closed)
    later = [await client.report(area=area) for area in ("north.n4", "south.s3") * 10]
    for request_id in later:
        await client.offered(request_id)
    await client.act("cancel", work[5][0], (f"p-{work[5][1]}", "requester"))
    await client.event("work-order.cancelled", of=work[5][0])
    await client.act("relocate", work[0][0], ("d1", "dispatcher"), location={"area_id": "south.s3", "room": token()})
    await client.event("work-order.transferred-in", of=work[0][0])
    await client.quiet()
    await engine.stop()
    before = await state_of(settings)

    await restore(redis, old)
    await redis.aclose()
    await engine.start()
    try:
        await assert_goes_on(client)
        await client.quiet()
        assert_each_opened_once(client, [*later, *(request_id for _order, request_id, _who, _leg in work)])
        accepted = next(
            one
            for one in client.seen
            if one.type == "work-order.offered" and one.headers["ce_correlationid"] == later[0]
        )
        await client.act("accept", accepted.subject, (accepted.data["technician_id"], "technician"))
        await client.event("work-order.accepted", of=accepted.subject)
    finally:
        await engine.stop()
    assert (await state_of(settings)).keys() == before.keys()


async def test_i8_a_rolled_back_store_has_the_same_hash_as_soon_as_its_lanes_are_taken(settings, client):
    engine, redis, old, _no_work = await copied_after(client, settings)
    await engine.start()
    await some_work(client, 10)
    await engine.stop()
    before = await state_of(settings)
    await restore(redis, old)
    await redis.aclose()

    desk = Engine(settings, roles=("desk",))
    await desk.start()
    async with asyncio.timeout(60):
        async with store_of(settings) as store:
            while (await store.fences([NORTH, SOUTH])) != fences_in_log(client):  # noqa: ASYNC110 -- Redis tells nobody
                await asyncio.sleep(0.1)
    await desk.stop()
    assert await state_of(settings) == before


async def test_an_action_on_an_order_that_the_store_has_lost_waits_for_its_lane(settings, client):
    engine, redis, old, _no_work = await copied_after(client, settings)
    await engine.start()
    offer = await client.offered(await client.report())
    await client.quiet()
    await engine.stop()

    await restore(redis, old)
    assert await redis.delete(f"route:{{campus}}:{offer.subject}")
    async for name in redis.scan_iter("{lane:*}:vouched"):
        await redis.set(name, "the run before the store was cut")
    await redis.aclose()
    intake, desk = Engine(settings, roles=("intake",)), Engine(settings, roles=("desk",))
    await intake.start()
    await client.act("accept", offer.subject, (offer.data["technician_id"], "technician"))
    await asyncio.sleep(2)
    await desk.start()
    try:
        await client.event("work-order.accepted", of=offer.subject, within_s=30)
        assert not [one for one in client.seen if one.topic == DEAD_LETTERS]
    finally:
        await intake.stop()
        await desk.stop()


def fences_in_log(client):
    last = {}
    for one in client.seen:
        if one.type == "lane.decided":
            end = int(one.headers["ce_sequence"]), one.data["batch_id"]
            last[one.key] = max(end, last.get(one.key, end))
    return [last[str(key).encode()] for key in (NORTH, SOUTH)]


async def copied_after(client, settings, orders=0):
    """An engine that stopped after so many orders; the store, its copy from then, and the orders."""
    engine = Engine(settings)
    async with engine:
        await staffed(client)
        work = await some_work(client, orders) if orders else []
    redis = connect(settings.redis)
    return engine, redis, await copy_of(redis), work


async def copy_of(redis):
    """All keys of the territories as they are."""
    return {key: await redis.dump(key) async for key in redis.scan_iter("{campus:*")}


async def restore(redis, old):
    """Take the territories back to the copy; whatever came since is gone."""
    async for key in redis.scan_iter("{campus:*"):
        await redis.delete(key)
    for key, blob in old.items():
        await redis.restore(key, 0, blob)
