"""Mass incidents: many report one fault, one crew goes, everybody is told once and asked in the end."""

import pytest

from dispatch.testing import Day
from tests.rules.small_policy import small_policy

RULE = {"reports": 5, "within": "15m", "trades": ["plumbing"]}
DIRECT = {"modes": [{"mode": "direct"}]}


@pytest.fixture
def day():
    day = Day(small_policy(incidents=RULE, matching=DIRECT))
    with day.batch():
        for name in ("ann", "bob", "cid", "dan"):
            day.technician(name, skills={"plumbing": 3}, capacity_open=50, hours=100)
    return day


def reports(day, count, first=0, **data):
    """Reports from different rooms, a second apart."""
    found = []
    for number in range(first, first + count):
        found.append(day.report("no water", trade="plumbing", room=str(100 + number), by=f"s{number}", **data))
        day.advance(seconds=1)
    return found


def children(day, lead):
    return [link["id"] for link in day.order(lead).links if link["type"] == "parent_of"]


def test_a_burst_pipe_reported_forty_times_is_one_parent_and_one_crew(day):
    orders = reports(day, 40)
    lead, *rest = orders
    assert children(day, lead) == rest
    assert {day.order(one).incident_id for one in rest} == {lead}
    assert len(day.order(lead).active_legs()) == 1
    assert not any(day.order(one).active_legs() for one in rest)
    causes = [event.data["cause"] for event in day.told(kind="escalation.raised")]
    assert causes == ["incident"]
    told = [event.subject for event in day.told(kind="work-order.updated") if event.data["what"] == "joined_incident"]
    assert sorted(told) == sorted(rest)
    assert day.order(lead).impact == "building"


def test_who_was_sent_already_is_called_back_and_who_has_begun_leads(day):
    first = reports(day, 4)
    day.act("accept", first[2], by=day.order(first[2]).active_legs()[0].technician_id)
    last = reports(day, 1, first=4)
    assert [day.order(one).incident_id for one in (*first, *last)] == [first[2], first[2], None, first[2], first[2]]
    assert {event.subject for event in day.told(kind="work-order.withdrawn")} == {first[0], first[1], first[3]}
    assert day.order(first[2]).state == "accepted"


def test_of_two_who_have_begun_the_second_goes_on_alone(day):
    first = reports(day, 4)
    for order in first[:2]:
        day.act("accept", order, by=day.order(order).active_legs()[0].technician_id)
    reports(day, 1, first=4)
    assert [day.order(one).incident_id for one in first] == [None, None, first[0], first[0]]
    assert day.order(first[1]).state == "accepted"


def test_when_the_work_of_the_lead_is_done_all_are_done_and_each_is_asked(day):
    lead, *rest = reports(day, 6)
    day.advance(minutes=30)
    day.act("complete", lead, by=day.order(lead).active_legs()[0].technician_id)
    assert {day.order(one).state for one in (lead, *rest)} == {"completed"}
    done = [event.data for event in day.told(kind="work-order.completed") if event.subject != lead]
    assert {one["incident_id"] for one in done} == {lead}
    assert {clock["verdict"] for one in done for clock in one["clocks"] if clock["name"] == "resolve"} == {"met"}
    day.act("confirm", rest[0], by="s1")
    day.act("reject_work", rest[1], by="s2", reason="still dry here")
    assert day.order(rest[0]).state == "closed"
    assert (day.order(rest[1]).state, day.order(rest[1]).incident_id) == ("assigned", None)
    day.advance(days=4)
    assert day.order(rest[2]).state == "closed"


@pytest.mark.parametrize(("action", "data"), [("cancel", {"reason": "mistake"}), ("relocate", {})])
def test_when_the_lead_ends_otherwise_the_others_are_on_their_own_again(day, action, data):
    lead, *rest = reports(day, 6)
    if action == "relocate":
        data = {"resolved_location": {"territory": "south", "area_path": ["south"], "building": "b1"}}
    day.act(action, lead, by="dora", role="dispatcher", **data)
    assert {day.order(one).incident_id for one in rest} == {None}
    assert {day.order(one).state for one in rest} == {"assigned"}


def test_one_that_stands_still_for_a_reason_of_its_own_is_free_when_the_lead_is_done(day):
    lead, *rest = reports(day, 6)
    day.act("hold", rest[0], by="dora", role="dispatcher", reason="parts")
    day.act("complete", lead, by=day.order(lead).active_legs()[0].technician_id)
    assert (day.order(rest[0]).state, day.order(rest[0]).incident_id) == ("on_hold", None)
    day.act("resume", rest[0], by="dora", role="dispatcher")
    assert day.order(rest[0]).state == "assigned"


def test_one_reported_after_the_work_was_done_is_not_explained_by_it(day):
    lead, *rest = reports(day, 6)
    done = day.now
    day.advance(minutes=2)
    late = reports(day, 1, first=6)[0]
    assert day.order(late).incident_id == lead
    technician = day.order(lead).active_legs()[0].technician_id
    day.act("complete", lead, by=technician, at=done, after_the_fact={"reason": "cellar"})
    assert {day.order(one).state for one in rest} == {"completed"}
    assert (day.order(late).state, day.order(late).incident_id) == ("assigned", None)


def test_one_that_does_not_belong_is_taken_out_and_matched(day):
    lead, *rest = reports(day, 6)
    day.act("unmerge", rest[0], by="dora", role="dispatcher")
    assert (day.order(rest[0]).incident_id, day.order(rest[0]).state) == (None, "assigned")
    day.act("complete", lead, by=day.order(lead).active_legs()[0].technician_id)
    assert day.order(rest[0]).state == "assigned"
    day.act("unmerge", rest[0], by="dora", role="dispatcher")
    assert [refusal.code for refusal in day.refused] == ["not-in-this-state"]


def test_what_a_person_does_with_one_alone_takes_it_out_first(day):
    _lead, *rest = reports(day, 6)
    day.act("assign", rest[0], by="dora", role="dispatcher", to="dan")
    assert day.order(rest[0]).active_legs()[0].technician_id == "dan"
    day.act("reclassify", rest[1], by="dora", role="dispatcher", trade="cleaning")
    assert day.order(rest[1]).incident_id is None


def test_promises_run_on_but_only_the_lead_climbs_the_ladder(day):
    lead, *rest = reports(day, 6)
    day.advance(hours=11)
    broken = {event.subject for event in day.told(kind="clock.breached")}
    assert broken == {lead, *rest}
    held = [event for event in day.told(kind="escalation.held") if event.subject in rest]
    assert {event.data["inhibited_by"] for event in held} == {lead}
    raised = {event.subject for event in day.told(kind="escalation.raised")}
    assert raised == {lead}
    day.act("unmerge", rest[0], by="dora", role="dispatcher")
    assert day.told(rest[0], "escalation.raised")[0].data["reason"] == "left_incident"


def test_an_emergency_of_another_kind_never_waits_for_the_crew_of_others(day):
    lead, *_rest = reports(day, 6)
    order = day.report("stuck", trade="plumbing", room="9", urgency="emergency", hazards=["trapped"])
    assert day.order(order).incident_id is None
    assert day.order(order).active_legs()
    assert day.order(lead).state == "assigned"


@pytest.mark.parametrize(
    "data",
    [{"building": "b2"}, {"kind": "preventive"}, {"drill": True}, {"territory": "south"}],
    ids=["another building", "another kind", "a drill", "another campus"],
)
def test_what_is_not_the_same_does_not_count(day, data):
    orders = reports(day, 4) + reports(day, 4, first=4, **data)
    assert {day.order(one).incident_id for one in orders} == {None}


def test_reports_that_lie_far_apart_and_trades_that_are_not_named_make_no_incident(day):
    for number in range(6):
        reports(day, 1, first=number)
        day.advance(minutes=16)
    others = [day.report("dirty", trade="cleaning", room=str(number), by=f"s{number}") for number in range(6)]
    assert not day.told(kind="work-order.updated")
    assert {day.order(one).incident_id for one in others} == {None}


def test_those_who_follow_a_duplicate_count_as_reports():
    day = Day(small_policy(incidents=RULE, matching=DIRECT))
    same = [day.report("no water", trade="plumbing", room="100", by=f"s{number}") for number in range(3)]
    assert [day.order(one).state for one in same[1:]] == ["merged", "merged"]
    other = reports(day, 2, first=3)
    assert day.order(other[1]).incident_id == same[0]


def test_without_a_rule_there_are_none():
    day = Day(small_policy(matching=DIRECT))
    assert {day.order(one).incident_id for one in reports(day, 10)} == {None}
