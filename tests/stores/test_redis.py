"""What only Redis can get wrong: calls that are too large or malformed, lost replies, keys and their times."""

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from dispatch.errors import Fenced
from dispatch.stores import redis as redis_store
from dispatch.stores.base import TerritoryKey
from dispatch.stores.redis import RedisStore, connect
from dispatch.stores.redis_calls import save_call
from tests.stores.saves import everything, fence, save_of
from tests.support.tcp_proxy import LossyProxy


async def test_twenty_thousand_changed_orders_are_saved_in_one_call(client, key):
    store = RedisStore(client)
    orders = [(f"wo{n:06d}", b"x" * 40) for n in range(20_000)]
    technicians = [(f"t{n}", b"y") for n in range(9_000)]
    timers = [(n, f"wo{n:06d}:1:resolve.warn:1") for n in range(20_000)]
    first = save_of(1, orders=orders, technicians=technicians, timers_added=timers, outbox=(1, b"z"))
    await store.save({key: first})

    loaded = await store.load(key)
    assert loaded.orders == dict(orders)
    assert len(loaded.technicians) == 9_000
    assert (await store.due(key, 10**9, 5))[0] == [(f"wo{n:06d}:1:resolve.warn:1", n) for n in range(5)]

    gone = save_of(
        2,
        on=fence(first),
        finals=[(order_id, b"f") for order_id, _blob in orders[:12_000]],
        timers_dropped=[timer_id for _ms, timer_id in timers[:12_000]],
        published=[1, *range(100, 9_000)],
    )
    await store.save({key: gone})
    assert len(await store.orders(key)) == 8_000
    kept = await store.recall([(key, order_id) for order_id, _blob in orders])
    assert kept == [b"f"] * 12_000 + [None] * 8_000
    assert (await store.due(key, 10**9, 1))[0] == [("wo012000:1:resolve.warn:1", 12_000)]
    assert (await store.load(key)).outbox == []
    await store.save(
        {key: save_of(3, on=fence(gone), orders=orders[:9_000], reopened=[one for one, _ in orders[:9_000]])}
    )
    kept = await store.recall([(key, order_id) for order_id, _blob in orders])
    assert kept == [None] * 9_000 + [b"f"] * 3_000 + [None] * 8_000


def _without_last(keys, args):
    return keys, args[:-1]


def _one_too_many(keys, args):
    return keys, [*args, "more"]


def _count_too_large(keys, args):
    return keys, [*args[:2], 10_000, *args[3:]]


def _count_too_small(keys, args):
    return keys, [*args[:2], 0, *args[3:]]


def _count_no_number(keys, args):
    return keys, [*args[:2], "many", *args[3:]]


def _key_missing(keys, args):
    return keys[:-1], args


def _ttl_no_number(keys, args):
    return keys, [*args[:-1], "for ever"]


def _ttl_nothing(keys, args):
    return keys, [*args[:-1], 0]


def _no_timer_score(keys, args):
    return keys, ["soon" if arg == 77_777 else arg for arg in args]


def _count_negative(keys, args):
    return keys, [*args[:2], -1, *args[3:]]


@pytest.mark.parametrize(
    "spoil",
    [
        _without_last,
        _one_too_many,
        _count_too_large,
        _count_too_small,
        _count_no_number,
        _count_negative,
        _key_missing,
        _ttl_no_number,
        _ttl_nothing,
        _no_timer_score,
    ],
)
async def test_a_malformed_call_leaves_nothing_half_written(client, key, monkeypatch, spoil):
    store = RedisStore(client)
    first = save_of(1, orders=[("a", b"1")], finals=[("f", b"1")], timers_added=[(5, "a")], outbox=(1, b"x"))
    await store.save({key: first})
    before = await everything(store, key)
    monkeypatch.setattr(redis_store, "save_call", lambda key, save: spoil(*save_call(key, save)))

    bad = save_of(
        2,
        on=fence(first),
        orders=[("a", b"2"), ("b", b"2")],
        finals=[("g", b"2")],
        reopened=["f"],
        technicians=[("t", b"2")],
        recent=[("r", b"2")],
        forgotten=["q"],
        timers_dropped=["a"],
        timers_added=[(77_777, "b")],
        outbox=(2, b"y"),
        published=[1],
    )
    with pytest.raises(ResponseError):
        await store.save({key: bad})

    assert await everything(store, key) == before


async def test_all_keys_of_a_territory_share_its_hash_tag(client, tenant):
    store, key = RedisStore(client), TerritoryKey(tenant, "north")
    await store.save(
        {
            key: save_of(
                1,
                orders=[("a", b"1")],
                finals=[("f{x}", b"1")],
                technicians=[("t", b"1")],
                recent=[("r", b"1")],
                timers_added=[(1, "a")],
                outbox=(1, b"x"),
            )
        }
    )
    names = [name.decode() async for name in client.scan_iter(match=f"*{tenant}*")]
    assert len(names) == 7
    assert {name[: name.index("}") + 1] for name in names} == {f"{{{tenant}:north}}"}
    keys, _args = save_call(key, save_of(2, finals=[("f", b"")], reopened=["g"]))
    assert all(name.startswith(f"{{{tenant}:north}}:") for name in keys)


async def test_final_orders_are_kept_as_long_as_the_policy_says(client, key):
    await RedisStore(client).save({key: save_of(1, finals=[("f", b"1")], final_ttl_s=1234)})
    assert 1200 < await client.ttl(f"{{{key}}}:final:f") <= 1234


async def test_a_server_that_forgot_the_script_is_given_it_again(client, tenant):
    store = RedisStore(client)
    one, other = TerritoryKey(tenant, "a"), TerritoryKey(tenant, "b")
    await client.script_flush()
    await store.save({one: save_of(1, orders=[("x", b"1")]), other: save_of(1, orders=[("x", b"2")])})
    assert (await store.load(one)).orders == {"x": b"1"}
    assert (await store.load(other)).orders == {"x": b"2"}


async def test_a_lost_reply_is_not_executed_again_unseen_and_the_save_is_done_once(servers, client, key):
    host, port = servers.redis.removeprefix("redis://").split("/")[0].split(":")
    direct = RedisStore(client)
    await direct.save({key: save_of(1)})
    async with LossyProxy(host, int(port)) as proxy:
        through = connect(f"redis://127.0.0.1:{proxy.port}/0")
        store = RedisStore(through)
        second = save_of(2, on=(1, "b1"), orders=[("a", b"2")], outbox=(2, b"x"))
        await through.ping()
        calls = await _script_calls(client)
        proxy.lose_replies(1)
        with pytest.raises(RedisConnectionError):
            await store.save({key: second})

        assert proxy.lost == 1
        assert await _script_calls(client) == calls + 1
        done = await everything(direct, key)
        assert done[0].orders == {"a": b"2"}

        await store.save({key: second})
        assert await everything(direct, key) == done
        await store.save({key: save_of(3, on=fence(second))})
        await through.aclose()


async def test_after_a_lost_reply_a_newer_writer_still_wins(servers, client, key):
    host, port = servers.redis.removeprefix("redis://").split("/")[0].split(":")
    direct = RedisStore(client)
    async with LossyProxy(host, int(port)) as proxy:
        through = connect(f"redis://127.0.0.1:{proxy.port}/0")
        store = RedisStore(through)
        first = save_of(1, orders=[("a", b"1")])
        await through.ping()
        proxy.lose_replies(1)
        with pytest.raises(RedisConnectionError):
            await store.save({key: first})
        await direct.save({key: save_of(2, on=fence(first), orders=[("a", b"2")])})

        with pytest.raises(Fenced):
            await store.save({key: first})
        assert (await direct.load(key)).orders == {"a": b"2"}
        await through.aclose()


async def _script_calls(client):
    stats = await client.info("commandstats")
    return stats.get("cmdstat_evalsha", {}).get("calls", 0)


async def test_the_client_never_sends_a_call_again_by_itself(servers):
    client = connect(servers.redis)
    try:
        retry = client.connection_pool.connection_kwargs["retry"]
        assert retry._retries == 0
    finally:
        await client.aclose()


async def test_a_save_that_names_itself_twice_is_one_save_of_the_next(client, key):
    """A batch id makes two saves of one sequence different: the second one is refused, not taken for the first."""
    store = RedisStore(client)
    await store.save({key: save_of(1, batch="mine", orders=[("a", b"1")])})
    with pytest.raises(Fenced):
        await store.save({key: replace(save_of(1, batch="yours"), orders=[("a", b"2")])})
    assert (await store.load(key)).orders == {"a": b"1"}
