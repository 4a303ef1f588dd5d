"""What the KPI example counts, on days with simulated time: corrections, rejections, drills, and everything twice."""

import importlib
import random
from datetime import timedelta

import msgspec
import pytest

from dispatch.rules.state import text_of
from dispatch.testing import Day
from dispatch.topics import COMPLETIONS, topics_of
from tests.examples.conftest import EXAMPLES
from tests.rules.small_policy import direct_policy


@pytest.fixture
def kpi(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("kpi")


def completions(kpi, day):
    """The events of a day that stand on dispatch.completions, as a consumer reads them."""
    streams = importlib.import_module("streams")
    found = []
    for number, event in enumerate(day.events):
        kind = event.type.removeprefix("dispatch.").removesuffix(".v1")
        if COMPLETIONS in topics_of(f"dispatch.{kind}.v1"):
            data = msgspec.json.decode(msgspec.json.encode(event.data))
            found.append(
                streams.Event(str(number), kind, text_of(event.time), "", {"work_order_id": event.subject} | data)
            )
    return found


def counted(kpi, events):
    figures = kpi.OnTime()
    for event in events:
        figures.hear(event)
    return {row["clock"]: row for row in figures.rows()}, figures


@pytest.fixture
def day():
    day = Day(direct_policy())
    day.technician("ann", skills={"plumbing": 3}, hours=200)
    return day


def test_what_is_done_in_time_is_on_time_and_what_is_late_is_not(kpi, day):
    for minutes, room in ((5, "1"), (60 * 15, "2")):
        order = day.report("tap leaks", trade="plumbing", room=room)
        day.advance(minutes=minutes)
        for action in ("accept", "arrive", "complete"):
            day.act(action, order, by="ann")
    waits = day.report("tap leaks", trade="plumbing", room="3")
    rows, _figures = counted(kpi, completions(kpi, day))
    assert {name: rows["resolve"][name] for name in ("promised", "met", "breached", "on_time", "open")} == {
        "promised": 3,
        "met": 1,
        "breached": 1,
        "on_time": 0.5,
        "open": 1,
    }
    assert day.order(waits).state == "assigned"


def test_a_fact_that_comes_late_corrects_the_figure(kpi, day):
    order = day.report("tap leaks", trade="plumbing", room="1")
    begun = day.now
    day.advance(hours=11)
    for action, minutes in (("accept", 5), ("arrive", 20)):
        day.act(action, order, by="ann", at=begun + timedelta(minutes=minutes), after_the_fact={"reason": "cellar"})
    day.act("complete", order, by="ann", at=begun + timedelta(minutes=50), after_the_fact={"reason": "cellar"})
    rows, _figures = counted(kpi, completions(kpi, day))
    assert {name: row["on_time"] for name, row in rows.items() if name != "confirm"} == dict.fromkeys(
        ("accept", "arrive", "resolve"), 1.0
    )


def test_work_that_is_not_accepted_is_open_again_until_it_is_done_again(kpi, day):
    order = day.report("tap leaks", trade="plumbing", by="s1")
    for action in ("accept", "arrive", "complete"):
        day.act(action, order, by="ann")
    rows, _figures = counted(kpi, completions(kpi, day))
    assert (rows["resolve"]["met"], rows["resolve"]["open"]) == (1, 0)
    day.act("reject_work", order, by="s1", reason="still leaks")
    rows, _figures = counted(kpi, completions(kpi, day))
    assert (rows["resolve"]["met"], rows["resolve"]["open"], rows["resolve"]["on_time"]) == (0, 1, None)
    day.act("complete", order, by="ann", visit_no=2)
    day.act("confirm", order, by="s1")
    rows, _figures = counted(kpi, completions(kpi, day))
    assert (rows["resolve"]["met"], rows["resolve"]["open"]) == (1, 0)
    assert rows["confirm"]["met"] == 1


def test_drills_mergers_and_cancellations_are_in_no_denominator(kpi, day):
    drill = day.report("tap leaks", trade="plumbing", room="1", drill=True)
    kept = day.report("tap leaks", trade="plumbing", room="2", by="s1")
    merged = day.report("tap leaks", trade="plumbing", room="2", by="s2")
    gone = day.report("tap leaks", trade="plumbing", room="3", by="s3")
    day.act("cancel", gone, by="s3", reason="works again")
    assert [day.order(one).state for one in (drill, kept, merged, gone)] == [
        "assigned",
        "assigned",
        "merged",
        "cancelled",
    ]
    rows, figures = counted(kpi, completions(kpi, day))
    assert rows["resolve"]["promised"] == 1
    assert figures.left_out() == {"cancelled": 1, "drill": 1, "merged": 1}


def test_the_rework_rate_counts_repairs_that_came_back_whoever_found_it(kpi, day):
    def repaired(room, **data):
        order = day.report("tap leaks", trade="plumbing", room=room, by="s1", **data)
        day.advance(hours=1)
        day.act("complete", order, by="ann")
        day.act("confirm", order, by="s1")
        day.advance(hours=1)
        return order

    for room in "1234":
        last = repaired(room)
    repaired("1")
    day.act("reopen", last, by="s1", reason="leaks again")
    gone = day.report("tap leaks", trade="plumbing", room="2", by="s1")
    day.act("cancel", gone, by="s1", reason="works")
    repaired("9", drill=True)
    repaired("9", drill=True)
    _rows, figures = counted(kpi, completions(kpi, day))
    assert figures.rework_rate() == {
        "repaired": 5,
        "came_back": 2,
        "rate": 0.4,
        "by": {"machine": 1, "reporter": 1},
    }


@pytest.mark.parametrize("seed", range(5))
def test_everything_heard_twice_counts_once(kpi, day, seed):
    order = day.report("tap leaks", trade="plumbing", by="s1")
    day.act("complete", order, by="ann")
    day.act("reject_work", order, by="s1", reason="still leaks")
    day.act("complete", order, by="ann", visit_no=2)
    day.act("confirm", order, by="s1")
    events = completions(kpi, day)
    # A worker that was killed between sending and noting it sends a run of events again, in order.
    dice = random.Random(seed)
    start = dice.randrange(len(events))
    end = dice.randrange(start, len(events)) + 1
    twice = [*events[:end], *events[start:]]
    assert counted(kpi, twice)[0] == counted(kpi, events)[0]
