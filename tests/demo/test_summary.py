"""The day's numbers, from a handful of events that a person can add up."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dispatch.demo.day import read_day
from dispatch.demo.stage import Heard
from dispatch.demo.summary import summarise
from dispatch.demo.tables import agreement


class Topic:
    """Events in the order in which they are said."""

    def __init__(self):
        self.events = []

    def say(self, kind, subject, territory="north", **data):
        number = len(self.events) + 1
        event = Heard(
            topic="any", type=kind, id=f"campus:{territory}:{number}", territory=territory, subject=subject,
            time=datetime(2026, 3, 3, tzinfo=UTC), data={"cycle": 1, **data}, headers={"sequence": f"{number:020}"},
        )  # fmt: skip
        self.events.append(event)
        return event.id

    def opened(self, subject, territory="north", **data):
        needs = [{"trade": "plumbing"}]
        self.say("work-order.opened", subject, territory, request_id=f"r-{subject}", requirements=needs, **data)

    def completed(self, subject, territory="north", *, visits=1, disposition="fixed", **verdicts):
        clocks = [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]
        self.say(
            "work-order.completed", subject, territory,
            state="completed", disposition=disposition, counters={"visits": visits}, clocks=clocks,
        )  # fmt: skip


def test_on_time_counts_verdicts_by_clock():
    topic = Topic()
    topic.opened("a")
    topic.completed("a", accept="met", resolve="met")
    topic.opened("b")
    topic.completed("b", accept="breached", resolve="met")
    found = summarise(topic.events, [])
    assert str(found.on_time["accept"]) == "1/2 = 50 %"
    assert str(found.on_time["resolve"]) == "2/2 = 100 %"
    assert str(found.on_time["make_safe"]) == "0/0"
    assert found.ends["awaiting"] == 2


def test_a_drill_counts_in_nothing():
    topic = Topic()
    topic.opened("a", drill=True)
    topic.completed("a", accept="breached")
    topic.say("escalation.raised", "a", cause="breached", clock="accept", level=1)
    found = summarise(topic.events, topic.events)
    assert (found.opened, found.completed, found.on_time["accept"].of, len(found.escalations)) == (0, 0, 0, 0)


def test_a_broken_promise_counts_although_the_order_is_not_done():
    completions, escalations = Topic(), Topic()
    completions.opened("a")
    escalations.say("clock.breached", "a", clocks=[{"name": "arrive"}])
    found = summarise(completions.events, escalations.events)
    assert str(found.on_time["arrive"]) == "0/1 = 0 %"


def test_a_correction_takes_the_breach_back():
    topic = Topic()
    topic.opened("a")
    breach = topic.say("clock.breached", "a", clocks=[{"name": "arrive"}])
    topic.say("work-order.corrected", "a", supersedes=breach, clocks=[{"name": "arrive", "verdict": "met"}])
    found = summarise(topic.events, [])
    assert str(found.on_time["arrive"]) == "1/1 = 100 %"
    assert found.corrected == 1


def test_a_rejection_voids_the_repair_until_the_next_one():
    topic = Topic()
    topic.opened("a")
    topic.completed("a", resolve="met")
    topic.say("work-order.work-rejected", "a")
    assert summarise(topic.events, []).on_time["resolve"].of == 0
    topic.completed("a", resolve="breached", visits=2)
    topic.say("work-order.confirmed", "a", acceptance={"mode": "explicit"})
    topic.say("work-order.closed", "a")
    found = summarise(topic.events, [])
    assert str(found.on_time["resolve"]) == "0/1 = 0 %"
    assert str(found.first_time_fix) == "0/1 = 0 %"
    assert (found.rejections, found.ends["closed"], found.acceptances["explicit"]) == (1, 1, 1)


def test_each_cycle_of_a_reopened_order_is_judged():
    topic = Topic()
    topic.opened("a")
    topic.completed("a", resolve="met")
    topic.say("work-order.closed", "a")
    topic.say("work-order.reopened", "a", cycle=2)
    found = summarise(topic.events, [])
    assert (found.reopens, found.ends["open"], found.on_time["resolve"].of) == (1, 1, 1)


def test_ratings_are_averaged_over_those_that_count():
    topic = Topic()
    topic.opened("a")
    topic.say("work-order.rated", "a", dimensions={"speed": 5, "quality": 4}, eligible=True)
    topic.say("work-order.rated", "a", dimensions={"speed": 1}, eligible=False)
    assert summarise(topic.events, []).rating == "4.50 (n=1)"


def test_territories_are_counted_apart_and_together():
    topic = Topic()
    topic.opened("a", "north")
    topic.opened("b", "south")
    topic.say("escalation.raised", "b", "south", cause="breached", clock="accept", level=2)
    assert summarise(topic.events, topic.events).opened == 2
    south = summarise(topic.events, topic.events, "south")
    assert south.opened == 1
    assert south.escalations["breached accept", 2] == 1
    assert not summarise(topic.events, topic.events, "north").escalations


@pytest.mark.parametrize(("said", "share"), [("normal", "1/2 = 50"), ("urgent", "2/2 = 100"), ("low", "0/2 = 0")])
def test_agreement_compares_what_was_classified_with_the_labels(said, share):
    first, second = (replace(each, expect={"trade": "gas", "urgency": "urgent"}) for each in read_day()[:2])
    reports = [first, replace(second, expect={**second.expect, "urgency_also": "normal"})]
    topic = Topic()
    for report in reports:
        event = {"request_id": report.request_id, "requirements": [{"trade": "gas"}], "urgency": said}
        topic.say("work-order.opened", report.request_id, **event)
    lines = agreement(topic.events, reports)
    assert "trade 2/2 = 100 %" in lines[0]
    assert f"urgency {share} %" in lines[0]
