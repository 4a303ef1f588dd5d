"""What a store keeps beside the state of territories, held against both: attempts, facts, routes, people, notes."""

import asyncio

from dispatch.stores.base import Attempt, Purse, TerritoryKey
from dispatch.stores.redis import RedisStore
from tests.stores.saves import everything, save_of
from tests.support.people import subjects

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
