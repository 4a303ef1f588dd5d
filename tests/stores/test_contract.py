"""What a store promises, held against both of them: the one in Redis and its twin in memory."""

from dispatch.stores.base import Attempt, TerritoryKey
from tests.stores.saves import NEW, everything, fence, save_of

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
