"""The board knows what the topics said, and draws it in the room there is, in either language."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from dispatch.demo.board import Board
from dispatch.demo.board_view import at_hand, rows_for, soonest, view
from dispatch.demo.board_words import Words, hour, span, words_of
from dispatch.demo.stage import Heard
from dispatch.topics import WORK_ORDERS

TEN = datetime(2026, 3, 3, 2, tzinfo=UTC)
NAMES = {
    "zh": Words(lang="zh", trades={"plumbing": "水暖"}, areas={"n1": "第一教学楼", "n2": "图书馆"}),
    "en": Words(lang="en", trades={"plumbing": "Plumbing"}, areas={"n1": "Teaching Building 1", "n2": "Library"}),
}


class Log:
    """Says events at the minutes after ten, and has a board that hears them."""

    def __init__(self):
        self.board = Board()
        self.events = []

    def say(self, kind, subject="a", minute=0, **data):
        event = Heard(
            topic=WORK_ORDERS, type=kind, id=f"campus:north:{len(self.events) + 1}", territory="north",
            subject=subject, time=TEN + timedelta(minutes=minute), data=data,
        )  # fmt: skip
        self.events.append(event)
        self.board.note(event)

    def open(
        self, subject="a", number="NORTH-00001", *, urgency="normal", due=(("accept", 30), ("resolve", 240)), **more
    ):
        self.say(
            "work-order.opened", subject, display_no=number, state="open", urgency=urgency, request_id=subject,
            requirements=[{"trade": "plumbing"}], location={"area_id": "n1", "room": "402"},
            targets=[clock(name, minutes) for name, minutes in due], **more,
        )  # fmt: skip

    def leg(self, name, state, leg_state, subject="a", by="n01", **more):
        self.say(
            f"work-order.{name}", subject, state=state, leg_state=leg_state, technician_id=by,
            assignment_id=f"{subject}.1", **more,
        )  # fmt: skip

    def states(self):
        return dict(self.board.states())


def clock(name, minutes, **more):
    return {"name": name, "due_at": (TEN + timedelta(minutes=minutes)).isoformat(), **more}


@pytest.fixture
def log():
    return Log()


def test_an_order_is_counted_in_the_state_that_its_last_event_led_to(log):
    log.open("a")
    log.open("b", "NORTH-00002")
    log.leg("offered", "offered", "offered", "a")
    assert log.states() == {"offered": 1, "open": 1}
    log.say("work-order.cancelled", "b", state="cancelled")
    assert log.states() == {"offered": 1, "cancelled": 1}
    assert log.board.counts["opened"] == 2


def test_an_event_that_is_repeated_changes_nothing(log):
    log.open()
    log.board.note(log.events[0])
    assert log.board.counts["opened"] == 1
    assert len(log.board.news) == 1


def test_clocks_stand_in_the_order_in_which_they_run_out_and_paused_ones_last(log):
    log.open("a", "NORTH-00001", due=[("accept", 30), ("resolve", 240)])
    log.open("b", "NORTH-00002", due=[("resolve", 20)])
    log.open("c", "NORTH-00003", due=[("resolve", 10)])
    log.say("clock.paused", "c", clocks=[clock("resolve", 10, state="paused")])
    assert [(card.number[-1], one.name) for card, one in soonest(log.board)] == [
        ("2", "resolve"), ("1", "accept"), ("3", "resolve"),
    ]  # fmt: skip


def test_a_clock_that_stopped_is_gone_and_the_next_one_is_shown(log):
    log.open()
    stopped = [clock("accept", 30, state="stopped", verdict="met")]
    log.leg("accepted", "accepted", "accepted", clock_changes=stopped)
    ((_card, promise),) = soonest(log.board)
    assert promise.name == "resolve"
    log.say("work-order.closed", state="closed")
    assert not soonest(log.board)


def test_clocks_of_another_form_are_no_clocks(log):
    log.open(due=[("resolve", 60)])
    log.say("work-order.work-rejected", state="open", clocks=[{"name": "resolve", "verdict": "met"}])
    assert [promise.name for _card, promise in soonest(log.board)] == ["resolve"]


def test_a_breach_is_known_and_counted(log):
    log.open(due=[("accept", 5)])
    log.say("clock.breached", minute=5, clocks=[clock("accept", 5, breached_at="2026-03-03T02:05:00Z")])
    ((_card, promise),) = soonest(log.board)
    assert promise.breached
    assert log.board.counts["breached"] == 1


def test_technicians_are_where_they_arrived_and_at_what_they_are_furthest_with(log):
    log.say("technician.updated", "n01", id="n01", home_area="n2")
    log.say("shift.started", "n01", technician_id="n01")
    worker = log.board.workers["n01"]
    assert (worker.on_shift, worker.area_id, at_hand(worker)) == (True, "n2", None)
    for subject in ("a", "b"):
        log.open(subject, f"NORTH-{subject}")
        log.leg("offered", "offered", "offered", subject)
    log.leg("departed", "en_route", "en_route", "b")
    assert at_hand(worker) == ("b", "en_route")
    log.leg("arrived", "en_route", "arrived", "b")
    assert worker.area_id == "n1"
    log.say("work-order.completed", "b", state="completed")
    assert at_hand(worker) == ("a", "offered")
    log.leg("offer-expired", "open", "expired", "a")
    assert at_hand(worker) is None
    assert log.board.orders["a"].holder is None
    log.say("shift.ended", "n01", technician_id="n01")
    assert not worker.on_shift


def test_a_technician_whose_order_is_held_is_free(log):
    log.open()
    log.leg("started", "in_progress", "in_progress")
    log.leg("held", "on_hold", "on_hold", reason="waiting_parts")
    assert at_hand(log.board.workers["n01"]) is None


def test_an_escalation_rings_until_it_is_resolved(log):
    log.open()
    raised = {"escalation_id": "e1", "clock": "accept", "level": 2, "recipients": [{"id": "shift_leader"}]}
    log.say("escalation.raised", **raised)
    bell = log.board.bells["e1"]
    assert (bell.level, bell.cause, bell.to, bell.answered) == (2, "accept", ("shift_leader",), False)
    log.say("escalation.acknowledged", escalation_id="e1")
    assert bell.answered
    log.say("escalation.resolved", escalation_id="e1")
    assert not log.board.bells
    assert log.board.counts["escalations"] == 1


def test_the_front_desk_changes_what_a_report_was_taken_for(log):
    log.open()
    log.say(
        "work-order.classified", urgency="urgent", changes={"urgency": "urgent", "requirements": [{"trade": "gas"}]}
    )
    assert (log.board.orders["a"].urgency, log.board.orders["a"].trade) == ("urgent", "gas")


def test_letters_and_deliveries_are_counted_though_they_are_about_no_order(log):
    log.say("input.refused", "")
    log.say("delivery.succeeded", "a")
    assert (log.board.counts["dead_letters"], log.board.counts["told"]) == (1, 1)


def drawn(board, lang, width, height=40, minute=0):
    console = Console(width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(view(board, TEN + timedelta(minutes=minute), NAMES[lang], width, height))
    return capture.get().splitlines()


def busy_morning():
    log = Log()
    for number in range(1, 26):
        name = f"n{number:02}"
        log.say("technician.updated", name, id=name, home_area="n2")
        log.say("shift.started", name, technician_id=name)
    for number in range(1, 41):
        order = f"o{number}"
        log.open(order, f"NORTH-{number:05}", urgency="urgent", due=[("arrive", 5 * number)])
        by = f"n{number % 20 + 1:02}"
        log.leg("offered", "offered", "offered", order, by)
        log.say(
            "escalation.raised", order, escalation_id=order, clock="arrive", level=1, recipients=[{"id": "supervisor"}]
        )
    return log


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("height", [21, 24, 40, 60])
def test_it_fits_into_the_room_there_is(lang, width, height):
    lines = drawn(busy_morning().board, lang, width, height)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= height


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "zh",
            [
                "校园的一天",
                "3月3日 周二  10:20",
                "待接 40",
                "水暖",
                "第一教学楼 402",
                "-0:15 到场",
                "升级未了: 40",
                "主管",
            ],
        ),
        (
            "en",
            ["A day on campus", "Tue 3 Mar  10:20", "offered 40", "Plumbing", "-0:15 arrive", "Open escalations: 40"],
        ),
    ],
)
def test_what_matters_is_said_at_both_widths_in_both_languages(width, lang, words):
    text = "\n".join(drawn(busy_morning().board, lang, width, minute=20))
    assert [word for word in words if word not in text] == []
    assert "n01" in text
    assert "NORTH-00001" in text


def test_an_empty_board_can_be_drawn():
    assert any("open 0" in line for line in drawn(Board(), "en", 80))


def test_what_is_late_is_red_and_what_is_soon_late_is_yellow():
    log = Log()
    log.open("a", "NORTH-00001", due=[("accept", -1)])
    log.open("b", "NORTH-00002", due=[("accept", 5)])
    log.open("c", "NORTH-00003", due=[("accept", 500)])
    console = Console(width=120, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as capture:
        console.print(view(log.board, TEN, NAMES["en"], 120, 40))
    text = capture.get()
    assert "\x1b[1;31m-0:01" in text
    assert "\x1b[33m 0:05" in text or "\x1b[33m0:05" in text
    assert "\x1b[32m 8:20" in text or "\x1b[32m8:20" in text


def test_words_have_two_languages_and_names_come_from_the_policy(policy):
    for lang in ("zh", "en"):
        words = words_of(policy, lang)
        assert words.trade("plumbing") == getattr(policy.document.trades["plumbing"].name, lang)
        assert words.place("north.n1") == getattr(policy.areas["north.n1"].name, lang)
    assert words_of(policy, "zh")("in_progress") == "在修"
    assert words_of(policy, "en")("in_progress") == "at work"
    assert words_of(policy, "en")("no_such_word") == "no such word"
    assert words_of(policy, "en").place(None) == "–"


@pytest.mark.parametrize(
    ("minutes", "said"), [(65, "1:05"), (0, "0:00"), (-12, "-0:12"), (-61, "-1:01"), (1500, "25:00")]
)
def test_time_left_is_said_in_hours_and_minutes(minutes, said):
    assert span(timedelta(minutes=minutes)) == said


def test_hours_are_those_of_the_campus():
    assert hour(TEN) == "10:00"


def test_a_small_terminal_leaves_a_little_of_each_part():
    assert min(rows_for(80, 10)) > 0
    assert min(rows_for(120, 10)) > 0
