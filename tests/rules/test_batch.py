"""A batch: one bad command harms no other, the end says how far it came, and the same input gives the same bytes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.invariants import packed_finals, unlisted_types
from dispatch.models.commands import Command
from dispatch.rules.batch import decide_batch, fold_end, next_due, retime, state_hash
from dispatch.rules.events import full_type, revive, short_type
from dispatch.rules.evolve import fold
from dispatch.rules.state import Order, text_of
from dispatch.rules.state_staff import Technician
from dispatch.rules.territory import Territory
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def command(kind, data, *, number=1, order_id=None):
    return Command(
        id=f"c{number}", type=kind, tenant="acme", territory="north", data=data, time=text_of(NOW), order_id=order_id
    )


def empty(policy):
    territory = Territory("acme", "north")
    territory.policy_version = policy.version
    return territory


def a_day():
    day = Day(direct_policy())
    with day.batch():
        day.technician("ann", skills={"plumbing": 3})
        first = day.report("leak", trade="plumbing", room="1")
        day.report("leak", trade="plumbing", room="2")
    day.advance(minutes=25)
    day.act("accept", first, by="ann")
    day.act("complete", first, by="ann")
    day.advance(days=4)
    return day


def test_a_command_that_fails_is_refused_alone_and_the_others_go_on():
    policy = small_policy()
    territory = empty(policy)
    good = {"id": "ann", "version": 1, "org_id": "o", "home_territory": "north"}
    commands = [
        command("technician.updated", {"id": "broken"}, number=1),
        command("technician.updated", good, number=2),
        command("levitate", {}, number=3),
        command("act", {"action": "note", "data": {}}, number=4, order_id="nowhere"),
    ]
    decided = decide_batch(territory, commands, {policy.version: policy}, NOW, "b", {})
    assert [(one.command.id, one.code, one.ours) for one in decided.refused] == [
        ("c1", "decide-failed", True),
        ("c3", "unknown-command", False),
        ("c4", "unknown-order", False),
    ]
    assert set(territory.technicians) == {"ann"}
    assert [event.type for event in decided.events] == ["technician.updated", "lane.decided"]
    assert decided.events[-1].data["refused"] == 3


def test_a_command_that_fails_half_way_leaves_no_trace():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    before = day.order(order), day.territory().sequence
    day.act("transfer", order, by="ann", to="nobody")
    assert day.refused[-1].code == "unknown-technician"
    assert (day.order(order), day.territory().sequence) == (before[0], before[1] + 1)


def test_the_end_says_how_far_each_topic_was_read():
    policy = small_policy()
    territory = empty(policy)
    place = {"incarnation": "x", "partition": 3, "offset": 17}
    decide_batch(territory, [], {policy.version: policy}, NOW, "b1", {"dispatch.commands": place})
    other = {"incarnation": "y", "partition": 3, "offset": 4}
    decided = decide_batch(territory, [], {policy.version: policy}, NOW, "b2", {"dispatch.commands-urgent": other})
    end = decided.events[-1]
    assert end.data["positions"] == {"dispatch.commands": place, "dispatch.commands-urgent": other}
    assert (end.data["batch_id"], end.data["events"], end.sequence) == ("b2", 0, 2)
    copy = empty(policy)
    fold_end(copy, end)
    assert state_hash(copy, {}) == state_hash(territory, {})


def test_events_are_numbered_without_a_gap_and_the_batch_says_how_many_they_are():
    day = a_day()
    assert [event.sequence for event in day.events] == list(range(1, len(day.events) + 1))
    since = 0
    for event in day.events:
        if event.type == "lane.decided":
            assert event.data["events"] == since
            since = 0
        else:
            since += 1


def test_every_event_names_its_cause():
    day = a_day()
    ends = {f"acme:north:{event.sequence}" for event in day.events if event.type == "lane.decided"}
    for event in day.events:
        if event.type == "lane.decided":
            continue
        assert event.causation
        if event.type in {"assignment.evaluated", "work-order.assigned"}:
            assert event.causation in ends


def test_the_same_inputs_give_the_same_bytes():
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    assert encode(a_day().events) == encode(a_day().events)


def test_every_type_of_event_is_in_the_catalogue():
    assert unlisted_types(a_day().events) == set()


def test_an_activated_policy_holds_from_the_next_order_on():
    old, new = small_policy(), direct_policy()
    day = Day(old)
    day.technician("ann", skills={"plumbing": 3})
    first = day.report("leak", trade="plumbing", room="1")
    day.policies[new.version] = new
    day.say("policy.activated", {"version": new.version})
    second = day.report("leak", trade="plumbing", room="2")
    assert (day.order(first).policy_version, day.order(second).policy_version) == (old.version, new.version)
    assert (day.order(first).state, day.order(second).state) == ("offered", "assigned")
    day.say("policy.activated", {"version": new.version})
    assert day.last("lane.decided").data["repeated"] == 1
    day.say("policy.activated", {"version": "nobody knows"})
    assert day.refused[-1].code == "unknown-policy"


def test_numbers_of_a_batch_that_never_ended_are_left_out():
    policy = small_policy()
    territory = empty(policy)
    territory.abandoned_to = 7
    decided = decide_batch(territory, [], {policy.version: policy}, NOW, "b", {})
    assert decided.events[-1].sequence == 8
    assert decided.events[-1].data["abandoned"] == {"from": 1, "to": 7}


def test_now_is_cut_to_milliseconds_so_that_state_and_log_agree():
    policy = small_policy()
    territory = empty(policy)
    decide_batch(territory, [], {policy.version: policy}, NOW + timedelta(microseconds=1999), "b", {})
    assert territory.now == NOW + timedelta(milliseconds=1)


def test_state_survives_the_store():
    day = a_day()
    for order in day.lanes["north"].finals.values():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order) == order
    for technician in day.territory().technicians.values():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(technician), type=Technician) == technician


def test_the_log_alone_leads_to_the_same_state():
    day = a_day()
    copy = Territory("acme", "north")
    for event in day.events:
        read = revive(replace(event, data=msgspec.json.decode(msgspec.json.encode(event.data))))
        if read.type == "lane.decided":
            fold_end(copy, read)
        else:
            fold(copy, read)
    ours = state_hash(day.territory(), packed_finals(day.lanes["north"].finals))
    assert state_hash(copy, packed_finals(copy.recalled)) == ours


def test_short_and_full_names_of_types_are_the_same_thing():
    assert full_type("work-order.opened") == "dispatch.work-order.opened.v1"
    assert short_type(full_type("clock.paused")) == "clock.paused"


# timers for the store -----------------------------------------------------------------------------------------


def test_timers_are_told_as_what_is_to_be_dropped_and_added_since_the_last_save():
    policy = direct_policy()
    territory, policies = empty(policy), {policy.version: policy}
    day = Day(policy)
    order = day.order(day.report("leak", trade="plumbing"))
    territory.put_order(order)
    dropped, added = retime(territory)
    assert (dropped, [at for at, _id in added]) == ([], [order.clocks["accept"].warn_at[0]])
    assert retime(territory) == (dropped, added), "asked again it says the same"
    territory.saved()
    assert retime(territory) == ([], [])
    decided = decide_batch(territory, [], policies, NOW, "b", {})
    assert decided.events[-1].data["next_due_at"] == text_of(added[0][0])
    territory.put_order(replace(order, state="cancelled"))
    assert retime(territory) == ([added[0][1]], [])
    assert next_due(territory) is None


def test_a_timer_that_comes_and_goes_between_two_saves_is_not_told():
    policy = direct_policy()
    territory = empty(policy)
    order = Day(policy)
    order = order.order(order.report("leak", trade="plumbing"))
    territory.put_order(order)
    retime(territory)
    territory.put_order(replace(order, state="cancelled"))
    assert retime(territory) == ([], [])


@pytest.mark.parametrize("count", [1, 30, 300])
def test_the_next_timer_is_the_earliest_of_all_however_they_change(count):
    policy = direct_policy()
    day = Day(policy, audit=False)
    for number in range(count):
        day.report("leak", trade="plumbing", room=str(number), reported_at=text_of(NOW + timedelta(minutes=number % 7)))
    territory = day.territory()
    while territory.timers:
        first = min(at for at, _id in territory.timers.values())
        assert next_due(territory) == first
        owner = min(territory.timers, key=territory.timers.__getitem__)
        territory.put_order(replace(territory.orders[owner], state="cancelled"))
        retime(territory)
    assert next_due(territory) is None
