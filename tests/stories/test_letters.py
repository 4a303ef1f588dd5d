"""Complaints, suggestions and inquiries: answered by somebody who is not concerned, and never lost."""

from pathlib import Path

import pytest

from dispatch.config import load_config, load_hooks
from dispatch.hooks.words import render, values_of
from dispatch.testing import Day
from tests.rules.small_policy import DOCUMENT, small_policy

CONFIG = Path(__file__).resolve().parents[2] / "config"
MONITOR = {"kind": "role", "id": "quality_monitor"}
SITE = {**DOCUMENT["site"], "letters": {"complaint": MONITOR, "inquiry": {"kind": "role", "id": "front_desk"}}}


@pytest.fixture
def day():
    day = Day(small_policy(site=SITE, matching={"modes": [{"mode": "direct"}]}))
    day.technician("ann", skills={"plumbing": 3}, supervisor_id="lea")
    return day


def done(day):
    order = day.report("tap leaks", trade="plumbing", room="1")
    day.act("complete", order, by="ann")
    return order


def complaint(day, **data):
    return day.report("she was rude", kind="complaint", **data)


def test_a_complaint_belongs_to_the_quality_monitor_and_no_craftsman_is_sent(day):
    order = complaint(day, trade="plumbing")
    known = day.order(order)
    assert (known.state, known.owner.id, known.needs_triage) == ("open", "quality_monitor", False)
    day.advance(minutes=10)
    assert not day.order(order).legs
    assert not day.told(order, "assignment.evaluated")


def test_it_is_looked_into_answered_accepted_and_filed(day):
    order = complaint(day, about_ref=done(day))
    day.act("investigate", order, by="quin", role="quality_monitor")
    assert (day.order(order).owner.kind, day.order(order).owner.id) == ("person", "quin")
    assert day.order(order).clocks["accept"].verdict == "met"
    day.advance(hours=1)
    day.act("answer", order, by="quin", role="quality_monitor", text="We have spoken to her.", disposition="upheld")
    answered = day.last("work-order.answered")
    assert (answered.data["answer"], answered.data["disposition"]) == ("We have spoken to her.", "upheld")
    assert {one["name"]: one["verdict"] for one in answered.data["clocks"]}["resolve"] == "met"
    assert day.order(order).owner.id == "requester"
    day.act("confirm", order, by="reporter")
    assert day.order(order).state == "closed"


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_shipped_words_tell_the_writer_the_answer(day, locale):
    policy = load_config(CONFIG)
    order = complaint(day)
    day.act("answer", order, by="quin", role="quality_monitor", text="We have spoken to her.")
    data = day.last("work-order.answered").data
    words = getattr(load_hooks(CONFIG, policy).templates["answered"], locale)
    _title, text = render(words, values_of("work-order.answered", data, day.order(order), policy, locale))
    assert text.startswith("We have spoken to her.")


def test_an_answer_that_does_not_satisfy_is_looked_into_again(day):
    order = complaint(day)
    day.act("answer", order, by="quin", role="quality_monitor", text="So what?")
    day.act("reject_work", order, by="reporter", reason="no answer at all")
    known = day.order(order)
    assert (known.state, known.owner.id) == ("open", "quality_monitor")
    assert known.clocks["resolve"].is_live


def test_silence_after_the_answer_files_it(day):
    order = complaint(day)
    day.act("answer", order, by="quin", role="quality_monitor", text="Done.")
    day.advance(days=4)
    assert day.order(order).state == "closed"


def test_an_urged_complaint_reaches_whoever_leads(day):
    order = complaint(day)
    day.act("urge", order, by="reporter")
    assert day.last("escalation.raised").data["cause"] == "urging"


@pytest.mark.parametrize("who", ["ann", "lea"])
@pytest.mark.parametrize(("action", "data"), [("investigate", {}), ("answer", {"text": "!"}), ("close", {})])
def test_neither_the_accused_nor_who_leads_them_may_handle_it(day, who, action, data):
    order = complaint(day, about_ref=done(day))
    assert day.order(order).parties == ("ann", "lea")
    day.act(action, order, by=who, role="quality_monitor", **data)
    assert [refusal.code for refusal in day.refused] == ["conflict-of-interest"]
    assert day.order(order).owner.id == "quality_monitor"


def test_the_complaint_still_finds_them_when_the_order_is_long_closed(day):
    order = done(day)
    day.act("confirm", order, by="reporter")
    assert day.order(complaint(day, about_ref=order)).parties == ("ann", "lea")


def test_a_complaint_about_an_order_that_nobody_here_knows_is_taken_all_the_same(day):
    assert day.order(complaint(day, about_ref="wo-elsewhere")).parties == ()


def test_a_repair_is_done_and_not_answered(day):
    order = day.report("no light", trade="electrical", room="1")
    day.act("answer", order, by="quin", role="quality_monitor", text="No.")
    assert [refusal.code for refusal in day.refused] == ["not-a-letter"]


def test_a_complaint_that_was_a_fault_is_sent_to_the_craft_even_by_who_is_concerned(day):
    order = complaint(day, about_ref=done(day))
    day.act("reclassify", order, by="dora", role="dispatcher", kind="repair", trade="plumbing")
    known = day.order(order)
    assert known.state == "assigned"
    technician = known.active_legs()[0].technician_id
    day.act("complete", order, by=technician)
    assert day.order(order).state == "completed"


def test_an_emergency_in_a_complaint_is_an_emergency(day):
    order = complaint(day, trade="plumbing", urgency="emergency")
    assert day.order(order).state == "assigned"


def test_where_the_site_names_nobody_the_front_desk_triages_as_before():
    day = Day(small_policy())
    order = day.report("she was rude", kind="complaint")
    assert day.order(order).owner.id == "front_desk"
    assert day.order(order).needs_triage
