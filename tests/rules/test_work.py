"""What technicians report: handing back and on, help, crews, and completions."""

import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.at_work import day_of_ann, more, taken
from tests.rules.small_policy import small_policy


@pytest.fixture
def day():
    return day_of_ann()


def test_an_order_handed_back_is_open_again_and_not_given_to_the_same_person(day):
    order = taken(day)
    day.act("return_order", order, by="ann", reason="no_tools")
    known = day.order(order)
    assert (known.state, known.asked, known.counters["returns"]) == ("open", {"ann": "returned"}, 1)
    more(day, "bob")
    assert day.order(order).owner.id == "bob"


def test_an_offer_is_declined_and_an_assignment_returned():
    day = Day(small_policy())
    day.technician("ann", skills={"plumbing": 3})
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("decline", order, by="ann")
    assert day.refused[-1].code == "not-in-this-state"


def test_a_transfer_never_hangs_between_two_people(day):
    more(day, "bob")
    order = taken(day)
    day.act("transfer", order, by="ann", to="bob", reason="sick")
    known = day.order(order)
    assert (known.state, known.owner.id, known.counters["transfers"]) == ("assigned", "bob", 1)
    assert day.territory().technicians["ann"].load == ()


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("nobody", "unknown-technician"),
        ("ann", "already-on-the-crew"),
        (None, "missing-field"),
        ("lay", "not-qualified"),
        ("full", "no-capacity"),
        ("away", "not-active"),
    ],
)
def test_a_transfer_to_who_cannot_take_it_is_refused_and_nothing_moves(day, to, code):
    order = taken(day)
    more(day, "lay", skills={"cleaning": 5})
    more(day, "full", capacity=0)
    more(day, "away", status="suspended")
    before = day.order(order)
    day.act("transfer", order, by="ann", **({"to": to} if to else {}))
    assert day.refused[-1].code == code
    assert day.order(order) == before


def test_a_handover_is_mine_until_the_other_takes_it(day):
    order = taken(day, "start")
    more(day, "bob")
    day.act("handover", order, by="ann", to="bob", notes="valve is closed")
    assert day.order(order).owner.id == "ann"
    day.act("accept_handover", order, by="bob")
    known = day.order(order)
    assert (known.owner.id, known.state) == ("bob", "accepted")
    assert not day.refused


def test_a_handover_survives_what_happens_in_between(day):
    order = taken(day)
    more(day, "bob")
    day.act("handover", order, by="ann", to="bob")
    day.act("start", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter")
    day.act("accept_handover", order, by="bob")
    known = day.order(order)
    assert (known.owner.id, known.hold) == ("bob", None)
    assert known.clocks["resolve"].state == "running"


def test_only_the_person_named_takes_a_handover(day):
    order = taken(day)
    more(day, "bob", "cat")
    day.act("handover", order, by="ann", to="bob")
    day.act("accept_handover", order, by="cat")
    assert day.refused[-1].code == "no-handover"


# crews and completions ----------------------------------------------------------------------------------------


def test_a_crew_is_given_together_and_its_lead_owns_the_order(day):
    more(day, "bob", "cat")
    order = taken(day, trade="moving")
    known = day.order(order)
    assert sorted(leg.technician_id for leg in known.active_legs()) == ["ann", "bob", "cat"]
    lead = min(known.active_legs(), key=lambda leg: leg.place)
    assert known.owner.id == lead.technician_id


def test_a_helpers_report_ends_their_leg_and_the_leads_the_order(day):
    more(day, "bob", "cat")
    order = day.report("piano", trade="moving")
    lead, *helpers = sorted(day.order(order).active_legs(), key=lambda leg: leg.place)
    for leg in day.order(order).active_legs():
        day.act("accept", order, by=leg.technician_id)
    day.act("complete", order, by=helpers[0].technician_id)
    known = day.order(order)
    assert (known.state, len(known.active_legs()), known.counters.get("completions")) == ("accepted", 2, None)
    assert day.last("work-order.completed").data["state"] == "accepted"
    assert "first_completed" not in known.times
    day.act("complete", order, by=lead.technician_id)
    known = day.order(order)
    assert (known.state, known.active_legs(), known.counters["completions"]) == ("completed", [], 1)
    assert day.told(order, "work-order.withdrawn")[-1].data["state"] == "completed"


def test_what_only_was_offered_cannot_be_completed():
    day = Day(small_policy(matching={"modes": [{"mode": "offer", "expires": "5m"}]}))
    with day.batch():
        for name in ("ann", "bob", "cat"):
            day.technician(name, skills={"moving": 3})
    order = day.report("piano", trade="moving")
    first, second, _ = day.order(order).active_legs()
    day.act("accept", order, by=first.technician_id)
    day.act("complete", order, by=second.technician_id)
    assert day.refused[-1].code == "not-in-this-state"


def test_more_hands_are_asked_for_and_come(day):
    order = taken(day, "start")
    more(day, "bob", "cat")
    day.act("request_help", order, by="ann", trade="plumbing", count=2)
    known = day.order(order)
    assert sorted(leg.technician_id for leg in known.active_legs()) == ["ann", "bob", "cat"]
    assert (known.state, known.owner.id) == ("in_progress", "ann")


def test_help_of_an_unknown_trade_is_refused(day):
    order = taken(day)
    day.act("request_help", order, by="ann", trade="alchemy")
    assert day.refused[-1].code == "unknown-trade"


def test_a_completion_holds_all_that_a_kpi_needs(day):
    order = day.report("leak", trade="plumbing", department_id="physics")
    day.advance(minutes=10)
    day.act("accept", order, by="ann")
    day.advance(minutes=30)
    day.act("arrive", order, by="ann")
    day.act("hold", order, by="ann", reason="reporter")
    day.advance(hours=1)
    day.act("complete", order, by="ann", fault_code="f", labour=[{"technician_id": "ann", "work_s": 600}])
    told = day.last("work-order.completed").data
    assert (told["disposition"], told["fault_code"], told["org_id"]) == ("fixed", "f", "estates")
    assert told["department_id"] == "physics"
    assert set(told["times"]) == {
        "reported",
        "opened",
        "first_assigned",
        "accepted",
        "arrived",
        "first_completed",
        "completed",
    }
    resolve = next(clock for clock in told["clocks"] if clock["name"] == "resolve")
    assert (resolve["working_s"], resolve["paused_s"], resolve["wall_s"]) == (2400, {"reporter": 3600}, 6000)
    assert (resolve["verdict"], "verdict_revision" in resolve) == ("met", False)
    assert sum(one["s"] for one in told["time_by_owner"]) == 6000
    assert told["counters"] == {"visits": 1, "holds": 1}


def test_completing_asks_the_reporter_and_silence_closes_the_order(day):
    order = taken(day, "complete")
    assert day.order(order).owner.id == "requester"
    day.advance(days=3)
    assert day.order(order).state == "closed"
    assert day.last("work-order.auto-confirmed").data["acceptance"] == {"by_role": "system", "mode": "auto"}


def test_silence_may_leave_the_order_waiting():
    site = {"tenant": "acme", "timezone": "UTC", "default_territory": "north", "confirm_silence": "leave"}
    day = Day(small_policy(site=site))
    day.technician("ann", skills={"plumbing": 3}, hours=200)
    order = day.report("leak", trade="plumbing")
    day.act("accept", order, by="ann")
    day.act("complete", order, by="ann")
    day.advance(days=4)
    assert day.order(order).state == "completed"
    assert day.last("escalation.raised").data["clock"] == "confirm"


def test_the_danger_is_over_before_the_repair(day):
    order = day.report("burst", trade="plumbing", urgency="emergency")
    day.act("accept", order, by="ann")
    day.advance(minutes=10)
    day.act("make_safe", order, by="ann")
    known = day.order(order)
    assert (known.state, known.clocks["make_safe"].verdict, known.clocks["resolve"].state) == (
        "accepted",
        "met",
        "running",
    )
    assert known.times["made_safe"] == text_of(day.now)


def test_a_major_repair_is_marked_and_an_attempt_to_reach_somebody_told(day):
    order = taken(day)
    day.act("uplift", order, by="ann", job_class="major")
    day.act("contact_attempted", order, by="ann", method="phone", outcome="no_answer")
    assert day.order(order).job_class == "major"
    assert day.last("work-order.updated").data["outcome"] == "no_answer"
