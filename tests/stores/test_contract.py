"""What a store promises, held against both of them: the one in Redis and its twin in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from dispatch.errors import Fenced
from dispatch.stores import redis as redis_store
from dispatch.stores.base import Attempt, Meta, Purse, Save, TerritoryKey
from dispatch.stores.memory import MemoryStore
from dispatch.stores.redis import RedisStore, connect
from dispatch.stores.redis_calls import save_call
from tests.support.people import subjects
from tests.support.tcp_proxy import LossyProxy

NEW = (0, "")


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


def save_of(sequence, *, on=NEW, batch=None, **content):
    meta = Meta(sequence=sequence, batch_id=batch or f"b{sequence}", **content.pop("meta", {}))
    return Save(expected=on, meta=meta, **content)


def fence(save):
    return save.meta.sequence, save.meta.batch_id


async def everything(store, key):
    """All that the store tells of a territory."""
    return await store.load(key), await store.finals(key), await store.due(key, 10**15, 100)


# load and save ------------------------------------------------------------------------------------------------


async def test_a_territory_that_was_never_saved_is_none(store, key):
    assert await everything(store, key) == (None, {}, ([], None))
    assert await store.orders(key) == {}


async def test_what_is_saved_is_loaded_byte_for_byte(store, key):
    blob = bytes(range(256))
    meta = {
        "policy_version": "p1",
        "opened": 7,
        "now": "2026-03-02T08:00:00.123Z",
        "positions": {"dispatch.commands": {"incarnation": "abc", "partition": 3, "offset": 41, "floor": 40}},
        "edges": {"south": 12, "东区": 3},
        "log_offset": 99,
    }
    first = save_of(
        3,
        meta=meta,
        orders=[("wo1", blob), ("wo-二", b"\x00\xff")],
        technicians=[("t:1", blob)],
        recent=[("b1/402|水暖", blob)],
        outbox=(3, blob),
    )
    await store.save({key: first})

    loaded = await store.load(key)
    assert loaded.meta == first.meta
    assert loaded.orders == {"wo1": blob, "wo-二": b"\x00\xff"}
    assert loaded.technicians == {"t:1": blob}
    assert loaded.recent == {"b1/402|水暖": blob}
    assert loaded.outbox == [(3, blob)]
    assert await store.orders(key) == loaded.orders


async def test_a_save_changes_what_it_names_and_keeps_the_rest(store, key):
    first = save_of(1, orders=[("a", b"1"), ("b", b"1")], technicians=[("t", b"1")], outbox=(1, b"x"))
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), orders=[("b", b"2")])})

    loaded = await store.load(key)
    assert loaded.orders == {"a": b"1", "b": b"2"}
    assert loaded.technicians == {"t": b"1"}
    assert loaded.outbox == [(1, b"x")]
    assert (loaded.meta.sequence, loaded.meta.batch_id) == (2, "b2")


async def test_notes_of_work_are_kept_replaced_and_forgotten(store, key):
    first = save_of(1, recent=[("r1|plumbing", b"1"), ("r2|plumbing", b"1"), ("r3|gas", b"1")])
    await store.save({key: first})
    second = save_of(2, on=fence(first), recent=[("r1|plumbing", b"2")], forgotten=["r2|plumbing", "never"])
    await store.save({key: second})
    assert (await store.load(key)).recent == {"r1|plumbing": b"2", "r3|gas": b"1"}
    await store.replace(key, save_of(3, recent=[("r9|gas", b"3")]))
    assert (await store.load(key)).recent == {"r9|gas": b"3"}


async def test_an_empty_save_moves_the_position_alone(store, key):
    await store.save({key: save_of(1)})
    loaded = await store.load(key)
    assert (loaded.orders, loaded.technicians, loaded.outbox) == ({}, {}, [])
    assert loaded.meta.sequence == 1


# the fence (I6) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stale",
    [NEW, (1, "b1"), (2, "other"), (3, "b2"), (2, "")],
    ids=["new", "older", "same number", "newer", "no batch"],
)
async def test_a_stale_writer_is_refused_and_nothing_is_written(store, key, stale):
    first = save_of(1, orders=[("a", b"1")], timers_added=[(5, "a:1:x:1")], outbox=(1, b"x"))
    second = save_of(2, on=fence(first), finals=[("f", b"1")])
    await store.save({key: first})
    await store.save({key: second})
    before = await everything(store, key)

    late = save_of(
        3,
        on=stale,
        batch="mine",
        orders=[("a", b"2"), ("z", b"2")],
        finals=[("g", b"2")],
        reopened=["f"],
        technicians=[("t", b"2")],
        timers_dropped=["a:1:x:1"],
        timers_added=[(6, "z")],
        outbox=(3, b"y"),
        published=[1],
    )
    with pytest.raises(Fenced, match=str(key)):
        await store.save({key: late})

    assert await everything(store, key) == before


async def test_when_one_of_several_territories_is_stale_it_is_named_and_untouched(store, tenant):
    fresh, stale, other = (TerritoryKey(tenant, name) for name in ("fresh", "stale", "other"))
    await store.save({stale: save_of(5, orders=[("a", b"1")])})

    with pytest.raises(Fenced, match=f"{stale}$"):
        await store.save(
            {
                fresh: save_of(1, orders=[("a", b"2")]),
                stale: save_of(6, on=(4, "b4"), orders=[("a", b"2")]),
                other: save_of(1, orders=[("a", b"2")]),
            }
        )

    assert (await store.load(stale)).orders == {"a": b"1"}
    for key in (fresh, other):
        assert (await store.load(key)).orders == {"a": b"2"}


async def test_the_same_save_sent_again_is_done_once_and_is_no_race(store, key):
    first = save_of(1, orders=[("a", b"1")], outbox=(1, b"x"), timers_added=[(5, "a")])
    await store.save({key: first})
    before = await everything(store, key)
    await store.save({key: first})
    assert await everything(store, key) == before

    await store.save({key: save_of(2, on=fence(first), orders=[("a", b"2")])})
    with pytest.raises(Fenced):
        await store.save({key: first})


async def test_saves_of_several_territories_sent_again_complete_what_is_missing(store, tenant):
    done, missing = TerritoryKey(tenant, "done"), TerritoryKey(tenant, "missing")
    saves = {done: save_of(1, orders=[("a", b"1")]), missing: save_of(1, orders=[("b", b"1")])}
    await store.save({done: saves[done]})
    await store.save(saves)
    assert (await store.load(done)).orders == {"a": b"1"}
    assert (await store.load(missing)).orders == {"b": b"1"}


async def test_the_fence_can_be_asked_for(store, tenant):
    known, unknown = TerritoryKey(tenant, "known"), TerritoryKey(tenant, "unknown")
    await store.save({known: save_of(7)})
    assert await store.fences([unknown, known]) == [(0, ""), (7, "b7")]
    assert await store.fences([]) == []


async def test_how_far_territories_have_come_is_told_without_loading_them(store, tenant):
    known, unknown = TerritoryKey(tenant, "n"), TerritoryKey(tenant, "u")
    save = save_of(7, meta={"now": "2026-03-02T08:00:00.123Z"})
    await store.save({known: save})
    assert await store.metas([unknown, known]) == [None, save.meta]
    assert await store.metas([]) == []


# final orders -------------------------------------------------------------------------------------------------


async def test_a_final_order_leaves_the_open_ones_and_can_be_fetched_by_its_id(store, key):
    first = save_of(1, orders=[("a", b"1"), ("b", b"1")])
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), finals=[("a", b"closed"), ("c", b"merged")])})

    assert await store.orders(key) == {"b": b"1"}
    assert await store.finals(key) == {"a": b"closed", "c": b"merged"}
    found = await store.begin(
        "0", Attempt(start="x:1", size=1, tries=1), [(key, "a"), (key, "b"), (key, "c"), (key, "nobody")]
    )
    assert found == [b"closed", None, b"merged", None]
    assert await store.recall([(key, "nobody"), (key, "c"), (key, "b")]) == [None, b"merged", None]
    assert await store.recall([]) == []


async def test_a_reopened_order_is_open_and_no_longer_final(store, key):
    first = save_of(1, finals=[("a", b"closed"), ("b", b"closed")])
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), orders=[("a", b"open")], reopened=["a"])})

    assert await store.orders(key) == {"a": b"open"}
    assert await store.finals(key) == {"b": b"closed"}


async def test_an_order_reopened_and_closed_again_in_one_save_is_final(store, key):
    first = save_of(1, finals=[("a", b"closed")])
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), finals=[("a", b"again")])})
    assert (await store.orders(key), await store.finals(key)) == ({}, {"a": b"again"})


async def test_final_orders_are_those_of_the_territory_alone(store, tenant):
    one, longer = TerritoryKey(tenant, "north"), TerritoryKey(tenant, "north2")
    await store.save({one: save_of(1, finals=[("a", b"1")]), longer: save_of(1, finals=[("b", b"2")])})
    assert await store.finals(one) == {"a": b"1"}
    assert await store.finals(longer) == {"b": b"2"}


# timers -------------------------------------------------------------------------------------------------------


async def test_timers_are_due_in_order_up_to_the_moment_and_the_next_one_is_named(store, key):
    timers = [(300, "c"), (100, "b"), (100, "a"), (200, "d"), (10**13, "far")]
    await store.save({key: save_of(1, timers_added=timers)})

    assert await store.due(key, 99, 10) == ([], 100)
    assert await store.due(key, 100, 10) == ([("a", 100), ("b", 100)], 200)
    assert await store.due(key, 299, 10) == ([("a", 100), ("b", 100), ("d", 200)], 300)
    assert await store.due(key, 10**14, 10) == (
        [("a", 100), ("b", 100), ("d", 200), ("c", 300), ("far", 10**13)],
        None,
    )


async def test_no_more_timers_than_the_limit_are_handed_out_and_the_next_may_be_due_already(store, key):
    await store.save({key: save_of(1, timers_added=[(n, f"t{n}") for n in range(5)])})
    assert await store.due(key, 100, 2) == ([("t0", 0), ("t1", 1)], 2)
    assert await store.due(key, 2, 3) == ([("t0", 0), ("t1", 1), ("t2", 2)], 3)


async def test_a_timer_set_again_moves_and_a_dropped_one_is_gone(store, key):
    first = save_of(1, timers_added=[(100, "a"), (200, "b"), (300, "c")])
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), timers_dropped=["b", "unknown"], timers_added=[(400, "a")])})
    assert await store.due(key, 1000, 10) == ([("c", 300), ("a", 400)], None)


async def test_a_timer_dropped_and_added_in_one_save_is_there(store, key):
    first = save_of(1, timers_added=[(100, "a")])
    await store.save({key: first})
    await store.save({key: save_of(2, on=fence(first), timers_dropped=["a"], timers_added=[(150, "a")])})
    assert await store.due(key, 1000, 10) == ([("a", 150)], None)


# outbox -------------------------------------------------------------------------------------------------------


async def test_the_outbox_is_in_order_of_sequence_and_loses_what_was_published(store, key):
    on = NEW
    for sequence in (9, 10, 100, 101):  # as text, 10 and 100 would come before 9
        one = save_of(sequence, on=on, outbox=(sequence, b"%d" % sequence))
        await store.save({key: one})
        on = fence(one)
    assert [number for number, _blob in (await store.load(key)).outbox] == [9, 10, 100, 101]

    await store.save({key: save_of(102, on=on, outbox=(102, b""), published=[9, 100, 5])})
    assert (await store.load(key)).outbox == [(10, b"10"), (101, b"101"), (102, b"")]


# replace ------------------------------------------------------------------------------------------------------


async def test_replace_drops_all_that_was_known_whatever_the_fence_says(store, key):
    old = save_of(
        7,
        orders=[("a", b"1")],
        finals=[("f", b"1")],
        technicians=[("t", b"1")],
        timers_added=[(5, "a")],
        outbox=(7, b"x"),
    )
    await store.save({key: old})
    anew = save_of(3, on=(999, "whoever"), orders=[("b", b"2")], finals=[("g", b"2")], timers_added=[(6, "b")])
    await store.replace(key, anew)

    loaded = await store.load(key)
    assert (loaded.meta, loaded.orders, loaded.technicians, loaded.outbox) == (anew.meta, {"b": b"2"}, {}, [])
    assert await store.finals(key) == {"g": b"2"}
    assert await store.due(key, 1000, 10) == ([("b", 6)], None)
    await store.save({key: save_of(4, on=fence(anew))})


async def test_replace_leaves_other_territories_alone(store, tenant):
    one, other = TerritoryKey(tenant, "a"), TerritoryKey(tenant, "b")
    await store.save(
        {one: save_of(1, orders=[("x", b"1")]), other: save_of(1, orders=[("x", b"1")], finals=[("f", b"")])}
    )
    await store.replace(one, save_of(1))
    assert (await store.load(other)).orders == {"x": b"1"}
    assert await store.finals(other) == {"f": b""}


# attempts and facts -------------------------------------------------------------------------------------------


async def test_the_last_attempt_of_a_lane_is_remembered(store, tenant):
    lane, other = f"{tenant}-1", f"{tenant}-2"
    assert await store.attempt(lane) is None
    await store.begin(lane, Attempt(start="dispatch.commands:4", size=9, tries=1), [])
    again = Attempt(start="dispatch.commands:4", size=9, tries=2)
    await store.begin(lane, again, [])
    assert await store.attempt(lane) == again
    assert await store.attempt(other) is None
    await store.settle(lane)
    await store.settle(lane)
    assert await store.attempt(lane) is None


async def test_a_fact_is_what_was_recorded_first_until_it_is_forgotten(store, tenant):
    name = f"{tenant}:incarnation"
    assert await store.fact(name, "one") == "one"
    assert await store.fact(name, "two") == "one"
    await store.forget(name)
    await store.forget(name)
    assert await store.fact(name, "two") == "two"


# routes -------------------------------------------------------------------------------------------------------


async def test_a_route_is_fixed_once(store, tenant):
    assert await store.fix_routes(tenant, {"wo1": "north|n", "wo2": "south|u"}) == {"wo1": "north|n", "wo2": "south|u"}
    again = await store.fix_routes(tenant, {"wo1": "south|u", "wo3": "south|n"})
    assert again == {"wo1": "north|n", "wo3": "south|n"}
    assert await store.routes(tenant, ["wo1", "wo2", "wo3", "nobody"]) == {
        "wo1": "north|n",
        "wo2": "south|u",
        "wo3": "south|n",
    }
    assert await store.fix_routes(tenant, {}) == {}
    assert await store.routes(tenant, []) == {}


async def test_routes_given_with_a_save_are_fixed_with_it_and_never_changed_by_it(store, tenant, key):
    await store.fix_routes(tenant, {"wo1": "south|n"})
    first = save_of(1, orders=[("wo1", b"1"), ("wo2", b"1")])
    await store.save({key: first}, {"wo1": "north|n", "wo2": "north|u"})
    await store.save({key: first}, {"wo1": "north|n", "wo2": "north|u"})
    assert await store.routes(tenant, ["wo1", "wo2"]) == {"wo1": "south|n", "wo2": "north|u"}
    assert (await store.load(key)).orders == {"wo1": b"1", "wo2": b"1"}


# people -------------------------------------------------------------------------------------------------------


async def test_a_person_keeps_one_subject_and_the_latest_details(store, tenant):
    first = await subjects(store, tenant, {"li": ("s1", b"one"), "王 伟": ("s2", b"two")})
    again = await subjects(store, tenant, {"li": ("s9", b"newer")})

    assert first == {"li": "s1", "王 伟": "s2"}
    assert again == {"li": "s1"}
    assert await store.person(tenant, "s1") == b"newer"
    assert await store.person(tenant, "s2") == b"two"
    assert await store.person(tenant, "s9") is None
    assert await subjects(store, tenant, {}) == {}


async def test_one_look_up_answers_people_fixed_routes_and_known_ones_each_in_its_place(store, tenant):
    await store.fix_routes(tenant, {"wo1": "north|n", "wo2": "north|u"})
    people = {"li": ("s1", b"one"), "wang": ("s2", b"")}
    fresh, known = {"wo1": "south|n", "wo3": "south|u"}, ["wo2", "unheard-of"]
    routes = {"wo1": "north|n", "wo2": "north|u", "wo3": "south|u"}
    assert await store.look_up(tenant, people, fresh, known) == ({"li": "s1", "wang": "s2"}, routes)
    assert await store.routes(tenant, ["wo3", "unheard-of"]) == {"wo3": "south|u"}
    assert await store.person(tenant, "s2") is None
    assert await store.look_up(tenant, {}, {}, ()) == ({}, {})


async def test_i11_an_erased_subject_is_unreadable_and_nothing_leads_back(store, tenant):
    await subjects(store, tenant, {"li": ("s1", b"one"), "wang": ("s2", b"two")})

    assert await store.erase(tenant, "s1") is True
    assert await store.person(tenant, "s1") is None
    assert await store.erase(tenant, "s1") is False
    assert await store.person(tenant, "s2") == b"two"

    assert await subjects(store, tenant, {"li": ("s3", b"anew")}) == {"li": "s3"}
    assert await store.person(tenant, "s1") is None
    assert await store.person(tenant, "s3") == b"anew"


# tenants (I10) ------------------------------------------------------------------------------------------------


async def test_i10_tenants_with_the_same_names_share_nothing(store, tenant):
    other = f"{tenant}x"
    ours, theirs = TerritoryKey(tenant, "north"), TerritoryKey(other, "north")
    await store.save({ours: save_of(1, orders=[("a", b"1")], finals=[("f", b"1")], timers_added=[(1, "a")])})
    await store.fix_routes(tenant, {"wo1": "north|n"})
    await subjects(store, tenant, {"li": ("s1", b"ours")})

    assert await everything(store, theirs) == (None, {}, ([], None))
    assert await store.begin("0", Attempt(start="x:1", size=1, tries=1), [(theirs, "f")]) == [None]
    assert await store.routes(other, ["wo1"]) == {}
    assert await store.person(other, "s1") is None
    assert await store.erase(other, "s1") is False
    assert await subjects(store, other, {"li": ("s2", b"theirs")}) == {"li": "s2"}
    assert await store.person(tenant, "s1") == b"ours"
    await store.erase(other, "s2")
    assert await subjects(store, tenant, {"li": ("s3", b"ours")}) == {"li": "s1"}


async def test_a_save_of_nothing_asks_nothing_and_the_next_answers_are_their_own(store, tenant):
    one, other = TerritoryKey(tenant, "a"), TerritoryKey(tenant, "b")
    await store.save({one: save_of(1, timers_added=[(7, "t")])})
    answers = await asyncio.gather(
        store.save({}), store.next_due([one, other]), store.save({}), store.fences([other, one]), store.next_due([])
    )
    assert answers == [None, [7, None], None, [(0, ""), (1, "b1")], []]


# what only Redis can get wrong --------------------------------------------------------------------------------


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


# what notify reads -------------------------------------------------------------------------------------------


async def test_orders_are_glanced_at_whether_open_or_final_and_in_the_order_asked_for(store, tenant):
    north, south = TerritoryKey(tenant, "north"), TerritoryKey(tenant, "south")
    await store.save({north: save_of(1, orders=[("a", b"A")], finals=[("b", b"B")])})
    await store.save({south: save_of(1, orders=[("c", b"C")])})
    wanted = [(south, "c"), (north, "b"), (north, "nobody"), (north, "a"), (south, "a")]
    assert await store.glance(wanted) == [b"C", b"B", None, b"A", None]
    assert await store.glance([]) == []


async def test_technicians_are_read_alone(store, key):
    assert await store.technicians(key) == {}
    await store.save({key: save_of(1, technicians=[("t1", b"one"), ("工", b"two")])})
    assert await store.technicians(key) == {"t1": b"one", "工": b"two"}


async def test_a_purse_gives_what_it_holds_and_a_full_one_is_not_touched_beside_an_empty_one(store, tenant):
    hour, next_hour, day = Purse("hour:1", 2, 60), Purse("hour:2", 2, 60), Purse("day", 3, 60)
    assert [await store.spend(tenant, (hour, day)) for _ in range(4)] == [None, None, "hour:1", "hour:1"]
    assert [await store.spend(tenant, (next_hour, day)) for _ in range(2)] == [None, "day"]
    assert await store.spend(f"{tenant}x", (hour, day)) is None


async def test_many_who_spend_at_once_spend_no_more_than_there_is(store, tenant):
    purse = Purse("hour", 7, 60)
    spent = await asyncio.gather(*(store.spend(tenant, (purse,)) for _ in range(50)))
    assert spent.count(None) == 7


async def test_a_purse_is_forgotten_when_its_time_is_over(client, tenant):
    await RedisStore(client).spend(tenant, (Purse("hour", 1, 1234),))
    assert 0 < await client.ttl(f"purse:{{{tenant}}}:hour") <= 1234


async def test_several_people_are_read_at_once_and_who_is_erased_is_none(store, tenant):
    await subjects(store, tenant, {"li": ("s1", b"one"), "wang": ("s2", b"two")})
    await store.erase(tenant, "s2")
    assert await store.people(tenant, ["s1", "s2", "s3"]) == [b"one", None, None]
    assert await store.people(tenant, []) == []


async def test_a_note_is_written_over_and_tells_what_it_was(store, tenant):
    assert await store.noted(f"{tenant}:n") is None
    assert await store.note(f"{tenant}:n", b"one") is None
    assert await store.note(f"{tenant}:n", b"two") == b"one"
    assert await store.noted(f"{tenant}:n") == b"two"


async def test_a_run_is_vouched_for_when_every_lane_has_done_so(store, tenant):
    lanes = [f"{tenant}-{number}" for number in range(2)]
    run = await store.run()
    assert await store.run() == run
    assert not await store.vouched(lanes)
    await store.vouch(lanes[0], run)
    assert not await store.vouched(lanes)
    await store.vouch(lanes[1], "another")
    assert not await store.vouched(lanes)
    await store.vouch(lanes[1], run)
    assert await store.vouched(lanes)
    assert await store.vouched([])
