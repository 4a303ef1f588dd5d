"""How the desk moves orders: together, apart, elsewhere, and from one technician to another."""

from datetime import timedelta

import pytest

from dispatch.models.commands import Command
from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy

SOUTH = {"territory": "south", "area_id": "south.b1", "building": "b1", "room": "7", "area_path": ["south", "south.b1"]}


@pytest.fixture
def day():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3, "electrical": 3}, certificates=("licence",), hours=500)
    day.technician("sue", skills={"plumbing": 3}, territory="south", hours=500)
    return day


def desk(day, action, order, **data):
    return day.act(action, order, by="desk", role="dispatcher", **data)


# merge and unmerge --------------------------------------------------------------------------------------------


def test_a_merged_orders_reporters_follow_the_one_that_goes_on(day):
    first = day.report("leak", trade="plumbing", room="1", by="one")
    second = day.report("drip", trade="plumbing", room="2", by="two")
    third = day.report("drip", trade="plumbing", room="2", by="three")
    assert day.order(third).merged_into == second
    desk(day, "merge", second, into=first)
    assert day.order(first).followers == ("two", "three")
    assert day.order(second).state == "merged"
    assert day.territory().technicians["ann"].load == (day.order(first).legs[0].assignment_id,)


@pytest.mark.parametrize("into", ["nowhere", "itself", "closed"])
def test_an_order_can_only_be_merged_into_another_open_one(day, into):
    order = day.report("leak", trade="plumbing", room="1")
    closed = day.report("leak", trade="plumbing", room="2")
    desk(day, "cancel", closed)
    desk(day, "merge", order, into={"itself": order, "closed": closed}.get(into, into))
    assert day.refused[-1].code == "unknown-order"


def test_an_unmerged_order_has_the_promises_it_should_have_had_and_is_dispatched(day):
    first = day.report("leak", trade="plumbing", room="1", by="one")
    second = day.report("leak", trade="plumbing", room="1", by="two")
    reported_at = day.now
    day.advance(minutes=5)
    desk(day, "unmerge", second)
    known = day.order(second)
    assert (known.state, known.merged_into) == ("assigned", None)
    assert known.clocks["accept"].due_at == reported_at + timedelta(minutes=20)
    assert day.order(first).followers == ()


def test_timers_from_before_a_merge_are_stale_after_it_is_undone(day):
    first = day.report("leak", trade="plumbing", room="1")
    second = day.report("leak", trade="plumbing", room="2")
    versions = {name: clock.version for name, clock in day.order(second).clocks.items()}
    desk(day, "merge", second, into=first)
    desk(day, "unmerge", second)
    assert all(clock.version > versions[name] for name, clock in day.order(second).clocks.items())


def test_what_was_merged_before_triage_goes_back_to_the_front_desk(day):
    first = day.report("leak", trade="plumbing", room="1")
    second = day.report("odd")
    desk(day, "merge", second, into=first)
    desk(day, "unmerge", second)
    known = day.order(second)
    assert (known.owner.id, known.clocks["triage"].state) == ("front_desk", "running")


# split --------------------------------------------------------------------------------------------------------


def test_a_split_makes_orders_of_their_own_linked_both_ways(day):
    order = day.report("wet wall and no light", trade="plumbing", room="1")
    desk(day, "split", order, parts=[{"trade": "electrical", "text": "no light"}, {"urgency": "low"}])
    first, second = day.order(f"{order}-1"), day.order(f"{order}-2")
    assert (first.trade, first.text, first.state) == ("electrical", "no light", "assigned")
    assert (second.trade, second.urgency, second.text) == ("plumbing", "low", "wet wall and no light")
    assert first.links == ({"type": "split_from", "id": order},)
    assert [link["id"] for link in day.order(order).links] == [first.id, second.id]
    assert day.last("work-order.split").data["into"] == [first.id, second.id]


def test_a_part_of_the_same_place_and_trade_is_not_taken_for_a_duplicate(day):
    order = day.report("two taps", trade="plumbing", room="1")
    desk(day, "split", order, parts=[{}])
    assert day.order(f"{order}-1").state != "merged"


def test_a_second_split_goes_on_numbering(day):
    order = day.report("much", trade="plumbing", room="1")
    desk(day, "split", order, parts=[{}])
    desk(day, "split", order, parts=[{}])
    assert day.order(f"{order}-2").links == ({"type": "split_from", "id": order},)
    desk(day, "split", order)
    assert day.refused[-1].code == "missing-field"


# elsewhere ----------------------------------------------------------------------------------------------------


def test_an_order_moves_within_its_territory_and_stays_with_who_has_it(day):
    order = day.report("leak", trade="plumbing", room="1")
    place = {"territory": "north", "area_id": "north.b2", "area_path": ["north", "north.b2"]}
    desk(day, "relocate", order, resolved_location=place)
    assert (day.order(order).location, day.order(order).owner.id) == (place, "ann")


def test_an_order_that_moves_is_released_by_one_territory_and_adopted_by_the_other(day):
    order = day.report("leak", trade="plumbing", room="1")
    day.act("accept", order, by="ann")
    before = day.order(order)
    desk(day, "relocate", order, resolved_location=SOUTH)
    assert order not in day.territory("north").orders
    known = day.order(order)
    assert (known.owner.id, known.display_no, known.reported_at) == ("sue", before.display_no, before.reported_at)
    assert day.territory("north").technicians["ann"].load == ()
    assert len(day.territory("south").technicians["sue"].load) == 1
    types = [event.type for event in day.told(order)]
    out, into = types.index("work-order.transferred-out"), types.index("work-order.transferred-in")
    assert out < into
    assert known.clocks["resolve"].due_at == before.clocks["resolve"].due_at


def test_an_action_on_an_order_that_has_moved_is_passed_on_once(day):
    order = day.report("leak", trade="plumbing", room="1")
    desk(day, "relocate", order, resolved_location=SOUTH)
    data = {
        "action": "note",
        "data": {
            "work_order_id": order,
            "actor": {"id": "x", "role": "dispatcher"},
            "performed_at": text_of(day.now),
            "note": "hello",
        },
    }
    for _ in range(2):
        day.say("act", data, to="north", order_id=order, command_id="late-note")
    assert [event.data["note"] for event in day.told(order) if event.data.get("note")] == ["hello"]
    assert not day.refused


def test_a_command_of_another_territory_counts_once(day):
    order = day.report("leak", trade="plumbing", room="1")
    desk(day, "relocate", order, resolved_location=SOUTH)
    edges = dict(day.territory("south").edges)
    command = Command(
        id="again",
        type="adopt",
        tenant="acme",
        territory="south",
        data={"order": {}},
        time=text_of(day.now),
        order_id=order,
        sender="north",
        sender_sequence=edges["north"],
    )
    day._decide([command])
    assert not day.refused
    assert day.last("lane.decided").data["repeated"] == 1


def test_an_order_may_move_back(day):
    order = day.report("leak", trade="plumbing", room="1")
    home = day.order(order).location
    desk(day, "relocate", order, resolved_location=SOUTH)
    desk(day, "relocate", order, resolved_location=home)
    known = day.territory("north").orders[order]
    assert (known.owner.id, known.moved_to) == ("ann", None)
    day.act("accept", order, by="ann")
    assert not day.refused


def test_an_order_on_hold_is_taken_up_again_before_it_moves(day):
    order = day.report("leak", trade="plumbing", room="1")
    day.act("accept", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter")
    desk(day, "relocate", order, resolved_location=SOUTH)
    known = day.order(order)
    assert known.hold is None
    assert {clock.state for clock in known.clocks.values()} == {"stopped", "running"}


def test_what_is_left_behind_is_little_and_knows_where_it_went(day):
    order = day.report("leak", trade="plumbing", room="1")
    desk(day, "relocate", order, resolved_location=SOUTH)
    left = day.lanes["north"].finals[order]
    assert (left.moved_to, left.text, left.location, left.clocks) == ("south", "", {}, {})


# from one to another ------------------------------------------------------------------------------------------


def test_the_desk_may_give_an_order_to_who_declined_it():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.act("decline", order, by="ann", reason="busy")
    assert day.order(order).owner.id == "shift_leader"
    desk(day, "assign", order, to="ann", pinned_until=text_of(day.now + timedelta(hours=1)))
    known = day.order(order)
    assert (known.state, known.owner.id, known.exhausted) == ("assigned", "ann", False)
    assert known.legs[-1].pinned_until == day.now + timedelta(hours=1)
    assert known.escalations == ()


def test_no_force_beats_skill_or_room(day):
    day.technician("lay", skills={"cleaning": 1})
    order = day.report("leak", trade="plumbing")
    desk(day, "assign", order, to="lay")
    assert day.refused[-1].code == "not-qualified"
    assert day.order(order).owner.id == "ann"


def test_a_reassignment_takes_the_order_from_one_and_gives_it_to_another(day):
    order = day.report("leak", trade="plumbing")
    day.technician("bob", skills={"plumbing": 1})
    desk(day, "reassign", order, to="bob")
    known = day.order(order)
    assert (known.owner.id, known.legs[0].state, known.asked) == ("bob", "withdrawn", {"ann": "withdrawn"})


def test_a_reassignment_without_a_name_is_matched_anew(day):
    order = day.report("leak", trade="plumbing")
    day.technician("bob", skills={"plumbing": 1})
    desk(day, "reassign", order)
    assert day.order(order).owner.id == "bob"


def test_there_is_nobody_to_take_an_order_from_that_nobody_has():
    day = Day(direct_policy())
    order = day.report("leak", trade="plumbing")
    desk(day, "reassign", order)
    assert day.refused[-1].code == "no-assignment"


def test_who_is_needed_more_elsewhere_is_called_away(day):
    small = day.report("drip", trade="plumbing", room="1", urgency="low")
    day.act("accept", small, by="ann")
    day.technician("ann", skills={"plumbing": 3}, capacity=1, version=2, hours=None)
    burst = day.report("burst", trade="plumbing", room="2", urgency="emergency")
    assert day.order(burst).active_legs() == []
    desk(day, "preempt", burst, to="ann", instead_of=small)
    assert day.order(burst).owner.id == "ann"
    assert (day.order(small).state, day.order(small).owner.id, day.order(small).asked) == ("open", "dispatcher", {})


def test_nobody_is_called_away_from_what_they_do_not_do(day):
    first = day.report("drip", trade="plumbing", room="1")
    second = day.report("drip", trade="plumbing", room="2")
    desk(day, "preempt", second, to="sue", instead_of=first)
    assert day.refused[-1].code == "no-assignment"


# what an order is ---------------------------------------------------------------------------------------------


def test_another_trade_calls_everybody_back_and_promises_anew(day):
    order = day.report("no light", trade="plumbing")
    day.act("arrive", order, by="ann")
    desk(day, "reclassify", order, trade="electrical")
    known = day.order(order)
    assert (known.trade, known.trade_reported, known.counters["wrong_trade_arrivals"]) == ("electrical", "plumbing", 1)
    assert (known.state, known.legs[0].state, known.owner.id) == ("assigned", "withdrawn", "ann")


def test_a_danger_that_is_named_later_asks_for_its_certificates(day):
    order = day.report("leak", trade="plumbing")
    assert day.order(order).owner.id == "ann"
    desk(day, "reclassify", order, hazards=["height"])
    known = day.order(order)
    assert known.requirements[0].certificates == ("climber",)
    assert (known.hazards, known.legs[0].state) == (("height",), "withdrawn")


def test_a_danger_that_is_named_later_leaves_the_crew_as_it_was(day):
    crew = [{"trade": "plumbing", "min_level": 3, "count": 2}, {"trade": "cleaning", "count": 1}]
    order = day.report("leak", trade="plumbing")
    desk(day, "reclassify", order, requirements=crew)
    desk(day, "reclassify", order, hazards=["height"])
    needs = day.order(order).requirements
    assert [(one.trade, one.min_level, one.count) for one in needs] == [("plumbing", 3, 2), ("cleaning", 1, 1)]
    assert {one.certificates for one in needs} == {("climber",)}


def test_more_urgency_shortens_the_promises_and_keeps_what_has_elapsed(day):
    order = day.report("leak", trade="plumbing")
    reported_at = day.now
    day.advance(minutes=10)
    desk(day, "reclassify", order, urgency="emergency")
    known = day.order(order)
    assert known.clocks["resolve"].due_at == reported_at + timedelta(hours=4)
    assert known.clocks["make_safe"].due_at == reported_at + timedelta(hours=1)
    assert known.owner.id == "ann"
    assert day.last("escalation.raised").data["cause"] == "emergency"
    day.advance(seconds=0)
    assert day.told(order, "clock.breached")[0].time == text_of(reported_at + timedelta(minutes=5))


def test_less_urgency_drops_the_promise_to_make_safe(day):
    order = day.report("leak", trade="plumbing", urgency="emergency")
    desk(day, "reclassify", order, urgency="normal")
    assert day.order(order).clocks["make_safe"].state == "cancelled"
    assert day.order(order).clocks["resolve"].due_at == day.now + timedelta(hours=10)


def test_a_clock_that_stands_still_takes_the_new_promise_when_it_runs_again(day):
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.advance(hours=1)
    day.act("hold", order, by="ann", reason="reporter")
    desk(day, "reclassify", order, urgency="emergency")
    day.advance(hours=9)
    day.act("resume", order, by="ann")
    assert day.order(order).clocks["resolve"].due_at == day.now + timedelta(hours=3)
