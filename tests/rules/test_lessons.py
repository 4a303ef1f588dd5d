"""What the log teaches: corrections in full, what was left and mended a little, and nobody's name."""

from datetime import timedelta

import pytest

from dispatch.rules.lessons import FULL, READ, SMALL, Told, learn, told
from dispatch.rules.state import moment_of
from dispatch.testing import Day
from tests.rules.small_policy import small_policy

START = moment_of("2026-03-02T08:00:00Z")
MACHINE = {"source": "model", "model_version": "triage-1", "confidence": 0.7}


@pytest.fixture
def day():
    day = Day(small_policy(matching={"modes": [{"mode": "direct"}]}))
    day.technician("ann", skills={"plumbing": 3, "cleaning": 3})
    return day


def report(day, text, trade="plumbing", **data):
    return day.report(text, trade=trade, classifier=MACHINE, room=text, **data)


def lessons(day, **given):
    return learn([one for event in day.events if (one := told(event)) is not None], **given)


def taught(day):
    return [(each.text, each.label.trade, each.weight, each.basis) for each in lessons(day).lessons]


def test_a_correction_teaches_what_people_made_of_it_beside_what_the_machine_said(day):
    order = report(day, "a puddle")
    day.act("reclassify", order, by="dora", trade="cleaning", urgency="low")
    (lesson,) = lessons(day).lessons
    assert (lesson.text, lesson.weight, lesson.basis, lesson.model_version) == (
        "a puddle",
        FULL,
        "corrected",
        "triage-1",
    )
    assert (lesson.said.trade, lesson.said.urgency) == ("plumbing", "normal")
    assert (lesson.label.trade, lesson.label.urgency, lesson.label.kind) == ("cleaning", "low", "repair")


def test_the_last_of_several_corrections_counts(day):
    order = report(day, "a puddle")
    day.act("reclassify", order, by="dora", trade="cleaning")
    day.advance(minutes=5)
    day.act("reclassify", order, by="dora", trade="plumbing")
    assert taught(day) == [("a puddle", "plumbing", FULL, "corrected")]


def test_what_the_front_desk_makes_of_an_order_that_nobody_could_place_is_a_lesson(day):
    order = report(day, "the blue box", trade=None)
    day.act("reclassify", order, by="dora", trade="cleaning")
    assert taught(day) == [("the blue box", "cleaning", FULL, "triaged")]


def test_an_emergency_that_people_found_or_denied_teaches_its_hazard_or_that_it_was_calm(day):
    raised, lowered = report(day, "it hums"), report(day, "fire drill", urgency="emergency", hazards=["fire"])
    day.act("reclassify", raised, by="dora", urgency="emergency", hazards=["electric_shock"])
    day.act("reclassify", lowered, by="dora", urgency="normal")
    by_text = {each.text: each.label for each in lessons(day).lessons}
    assert (by_text["it hums"].urgency, by_text["it hums"].hazard) == ("emergency", "electric_shock")
    assert (by_text["fire drill"].urgency, by_text["fire drill"].hazard) == ("normal", "")


def complete(day, order, **data):
    day.act("complete", order, by="ann", **data)


def test_what_nobody_changed_and_the_trade_mended_confirms_a_little(day):
    complete(day, report(day, "tap drips"))
    assert taught(day) == [("tap drips", "plumbing", SMALL, "confirmed")]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"disposition": "no_fault_found"}, "open"),
        ({"urgency": "emergency"}, "emergency"),
        ({"classifier": {"source": "hint"}}, "hinted"),
        ({"drill": True}, "drills"),
        ({"origin": "preventive"}, "planned"),
        ({"text": " "}, "wordless"),
    ],
)
def test_what_says_nothing_of_a_text_confirms_nothing_and_is_counted(day, given, why):
    done = {"disposition": given.pop("disposition", "fixed")}
    complete(day, day.report(**{"text": "tap drips", "trade": "plumbing", "classifier": MACHINE, **given}), **done)
    assert lessons(day).lessons == ()
    assert lessons(day).counts == {why: 1}


def test_work_that_was_rejected_confirms_nothing_until_it_is_done_again(day):
    order = report(day, "tap drips")
    complete(day, order)
    day.act("reject_work", order, by="reporter", reason="still drips")
    assert taught(day) == []
    day.advance(minutes=1)
    complete(day, order, visit_no=2)
    assert taught(day) == [("tap drips", "plumbing", SMALL, "confirmed")]


def test_an_order_that_a_technician_calls_the_wrong_trade_confirms_nothing(day):
    day.technician("bob", skills={"plumbing": 2})
    order = report(day, "tap drips")
    first = next(leg.technician_id for leg in day.order(order).legs)
    day.act("return_order", order, by=first, reason="wrong_trade")
    second = next(leg.technician_id for leg in day.order(order).legs if leg.is_active)
    day.act("complete", order, by=second)
    assert lessons(day).counts == {"doubted": 1}


def test_parts_of_a_split_teach_by_their_own_words_and_the_whole_teaches_nothing(day):
    order = report(day, "tap drips and floor dirty")
    parts = [{"text": "floor dirty", "trade": "cleaning"}, {"trade": "cleaning"}]
    day.act("split", order, by="dora", parts=parts)
    complete(day, order)
    assert taught(day) == [("floor dirty", "cleaning", FULL, "split")]
    assert lessons(day).counts == {"in_parts": 1, "split": 1, "whole_text": 1}


def test_an_order_merged_by_mistake_counts_again(day):
    first, second = report(day, "tap drips"), report(day, "wet floor")
    day.act("reclassify", second, by="dora", trade="cleaning")
    day.act("merge", second, by="dora", into=first)
    assert taught(day) == []
    day.act("unmerge", second, by="dora")
    assert taught(day) == [("wet floor", "cleaning", FULL, "corrected")]


def test_what_the_reporter_said_later_is_what_the_desk_has_read(day):
    order = report(day, "it is broken")
    day.act("amend", order, by="reporter", text="the floor is dirty")
    day.act("reclassify", order, by="dora", trade="cleaning")
    assert taught(day) == [("the floor is dirty", "cleaning", FULL, "corrected")]


def test_since_counts_from_the_correction_and_not_from_the_report(day):
    early, late = report(day, "tap drips"), report(day, "wet floor")
    day.act("reclassify", early, by="dora", trade="cleaning")
    day.advance(days=2)
    day.act("reclassify", late, by="dora", trade="cleaning")
    found = lessons(day, since=START + timedelta(days=1))
    assert [each.text for each in found.lessons] == ["wet floor"]
    assert found.counts == {"corrected": 1, "earlier": 1}


def opened(order, text, trade, minute):
    data = {
        "text": text,
        "requirements": [{"trade": trade}],
        "urgency": "normal",
        "kind": "repair",
        "classifier": MACHINE,
    }
    return Told("work-order.opened", order, START + timedelta(minutes=minute), minute, data)


def after(order, kind, minute, **data):
    return Told(f"work-order.{kind}", order, START + timedelta(minutes=minute), minute, data)


def changed(order, trade, minute):
    return after(order, "reclassified", minute, requirements=[{"trade": trade}])


def test_the_log_may_be_read_in_any_order():
    events = [
        opened("a", "wet", "plumbing", 1), changed("a", "cleaning", 5), changed("a", "masonry", 7),
        opened("b", "dark", "electrical", 2), after("b", "completed", 9, disposition="fixed"),
        changed("c", "cleaning", 3),
    ]  # fmt: skip
    assert learn(events) == learn(events[::-1])
    assert learn(events).counts == {"confirmed": 1, "corrected": 1, "unknown": 1}
    assert [(each.text, each.label.trade) for each in learn(events).lessons] == [
        ("dark", "electrical"),
        ("wet", "masonry"),
    ]


def test_of_one_text_most_orders_decide_and_five_confirmations_are_a_correction():
    corrected = [opened("x", "Wet", "plumbing", 0), changed("x", "cleaning", 30)]

    def confirmed(count):
        orders = [f"o{number}" for number in range(count)]
        return [
            one
            for number, order in enumerate(orders, start=1)
            for one in (opened(order, "wet ", "plumbing", number), after(order, "completed", 20, disposition="fixed"))
        ]

    (lesson,) = learn([*corrected, *confirmed(4)]).lessons
    assert (lesson.label.trade, lesson.weight) == ("cleaning", FULL)
    (lesson,) = learn([*corrected, *confirmed(6)]).lessons
    assert (lesson.label.trade, lesson.weight) == ("plumbing", SMALL)


def test_a_lesson_holds_no_order_and_nobody():
    fields = {"text", "label", "weight", "basis", "said", "model_version"}
    (lesson,) = learn([opened("wo-secret", "wet", "plumbing", 1), changed("wo-secret", "cleaning", 2)]).lessons
    assert set(lesson.__struct_fields__) == fields
    assert "wo-secret" not in repr(lesson)


def test_only_events_that_may_teach_are_kept(day):
    complete(day, report(day, "tap drips"))
    kept = {event.type for event in day.events if told(event) is not None}
    assert kept == {"work-order.opened", "work-order.completed"}
    assert kept < READ
