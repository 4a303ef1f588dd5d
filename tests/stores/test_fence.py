"""The fence (I6), held against both stores: a stale writer is refused, and what is sent again is done once."""

import pytest

from dispatch.errors import Fenced
from dispatch.stores.base import TerritoryKey
from tests.stores.saves import NEW, everything, fence, save_of


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
