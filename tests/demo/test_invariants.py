"""The invariants hold on what the rules decide; and, as a control, each one sees its own violation."""

import base64

import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from dispatch.demo.accounts import check_bytes, letters_of, unaccounted
from dispatch.demo.day import read_day
from dispatch.demo.invariants import Folded, fold_log, fold_one
from dispatch.rules.events import Event
from dispatch.rules.state import Clock, Data, moment_of
from dispatch.topics import ASSIGNMENTS, COMPLETIONS, DEAD_LETTERS, ESCALATIONS, TOPICS, WORK_ORDERS

NOON = "2026-03-03T04:00:00.000Z"
ONE = "2026-03-03T05:00:00.000Z"
LEG: Data = {"assignment_id": "wo1.1.1", "technician_id": "t1", "place": 0, "leg_state": "offered", "mode": "offer"}


class Log:
    """A log of one territory, written by hand."""

    def __init__(self, policy):
        self.policy = policy
        self.folded = Folded()
        self.sequence = 0

    def say(self, short, subject="wo1", time=NOON, **data):
        self.sequence += 1
        data = {"work_order_id": subject, "cycle": 1, **data}
        event = Event(sequence=self.sequence, type=short, subject=subject, time=time, data=data)
        fold_one(self.folded, self.policy, "north", event, tenant=self.policy.tenant)

    def technician(self, technician_id="t1", level=3, room=1):
        skills = [{"trade": "plumbing", "level": level}] if level else []
        data = {"id": technician_id, "version": 1, "org_id": "in", "skills": skills, "capacity": {"open": room}}
        self.say("technician.updated", technician_id, **data)

    def opened(self, order_id="wo1"):
        self.say("work-order.opened", order_id, **_opening(order_id))

    def clock(self, short, due_at=ONE, **fields):
        clock = Clock(
            name="accept", target_s=3600, calendar_id="always", ladder="standard", started_at=moment_of(NOON),
            resumed_at=moment_of(NOON), due_at=moment_of(due_at), due_at_original=moment_of(due_at), **fields,
        )  # fmt: skip
        self.say(short, time=due_at, clocks=msgspec.to_builtins([clock]))

    def raised(self, fired_at, level=1):
        said = {"clock": "accept", "cause": "breached", "level": level, "fired_at": fired_at}
        self.say("escalation.raised", escalation_id=f"wo1:1:accept:{level}", **said)

    def end(self):
        self.sequence += 1
        data = {"positions": {}, "policy_version": "p", "batch_id": "b", "now": NOON, "events": 1}
        event = Event(sequence=self.sequence, type="lane.decided", subject="north", time=NOON, data=data)
        fold_one(self.folded, self.policy, "north", event, tenant=self.policy.tenant)

    def broken(self):
        return [one.name for one in self.folded.broken]


@pytest.fixture
def log(policy):
    return Log(policy)


def test_an_order_offered_to_somebody_able_breaks_nothing(log):
    log.technician()
    log.opened()
    log.say("work-order.offered", **LEG, state="offered", requirement={"trade": "plumbing"})
    log.end()
    assert log.folded.broken == []


def test_a_step_that_the_table_does_not_know_breaks_i5(log):
    log.opened()
    log.say("work-order.closed", state="closed")
    assert log.broken() == ["I5"]


def test_a_place_promised_twice_breaks_i2(log):
    log.technician("t1")
    log.technician("t2")
    log.opened()
    needs = {"requirement": {"trade": "plumbing"}, "state": "offered"}
    log.say("work-order.offered", **LEG, **needs)
    log.say("work-order.offered", **LEG | {"assignment_id": "wo1.1.2", "technician_id": "t2"}, **needs)
    assert log.broken() == ["I2"]


def test_a_technician_over_capacity_breaks_i3(log):
    log.technician(room=1)
    for number in (1, 2):
        log.opened(f"wo{number}")
        leg = LEG | {"assignment_id": f"wo{number}.1.1"}
        log.say("work-order.offered", f"wo{number}", **leg, state="offered", requirement={"trade": "plumbing"})
    log.end()
    assert log.broken() == ["I3"]


def test_somebody_without_the_trade_breaks_i3(log):
    log.technician(level=0)
    log.opened()
    log.say("work-order.offered", **LEG, state="offered", requirement={"trade": "plumbing"})
    assert log.broken() == ["I3"]


def test_a_breach_before_its_time_breaks_i4(log):
    log.opened()
    log.clock("clock.started", due_at=ONE)
    log.say("clock.breached", time=NOON, clocks=[])
    log.clock("clock.breached", due_at=NOON, breached_at=moment_of(NOON), breach_event="b1")
    assert log.broken() == ["I4"]


def test_a_rung_climbed_twice_or_early_or_after_the_clock_stopped_breaks_i4(log):
    log.opened()
    log.clock("clock.started")
    log.clock("clock.breached", breached_at=moment_of(ONE), breach_event="b1", rung_at=moment_of(ONE))
    log.raised(ONE)
    assert log.broken() == []
    log.raised(ONE)
    log.raised(ONE, level=2)
    assert log.broken() == ["I4", "I4"]
    log.clock("clock.cancelled", state="cancelled")
    log.raised("2026-03-03T09:00:00.000Z", level=3)
    assert log.broken() == ["I4", "I4", "I4"]


def test_an_open_order_without_a_clock_breaks_i1(policy):
    record = _record(1, "work-order.opened", _opening())
    assert [one.name for one in fold_log([record], policy).broken] == ["I1"]


def test_a_missing_event_breaks_i7(policy):
    records = [_record(1, "work-order.opened", _opening()), _record(3, "work-order.cancelled", {"state": "cancelled"})]
    assert [one.name for one in fold_log(records, policy).broken] == ["I7"]


def test_a_request_that_led_to_nothing_is_named(policy):
    reports = read_day()[:1]
    broken = unaccounted(Folded(), [], reports, {"/demo:1"}, policy.tenant)
    assert [one.name for one in broken] == ["I1", "I1"]
    assert reports[0].request_id in broken[0].what


def test_a_dead_letter_accounts_for_its_input(policy):
    event = {"specversion": "1.0", "id": "1", "source": "/demo", "type": "t", "data": {"request_id": "r-1"}}
    letter = {"code": "not-json", "raw": base64.b64encode(msgspec.json.encode(event)).decode(), "errors": []}
    letters = letters_of([_consumed(DEAD_LETTERS, b"", [], msgspec.json.encode(letter))], policy.tenant)
    assert [(one.code, one.input, one.request_id) for one in letters] == [("not-json", "/demo:1", "r-1")]
    assert unaccounted(Folded(), letters, [], {"/demo:1"}, policy.tenant) == []


def test_a_copy_that_differs_or_is_missing_breaks_i7():
    opened = _record(1, "work-order.opened", {"a": 1})
    copy = _record(1, "work-order.opened", {"a": 2}, topic=COMPLETIONS)
    same = _record(1, "work-order.opened", {"a": 1}, topic=COMPLETIONS)
    rest = {ASSIGNMENTS: [], ESCALATIONS: []}
    assert check_bytes({WORK_ORDERS: [opened, opened], COMPLETIONS: [same, same], **rest}) == []
    assert len(check_bytes({WORK_ORDERS: [opened], COMPLETIONS: [copy], **rest})) == 1
    assert len(check_bytes({WORK_ORDERS: [opened], COMPLETIONS: [], **rest})) == 1


def _opening(order_id="wo1"):
    return {
        "work_order_id": order_id, "cycle": 1, "display_no": "N-1", "request_id": f"r-{order_id}", "kind": "repair",
        "origin": "reactive", "channel": "web", "drill": False, "state": "open", "links": [],
        "owner": {"kind": "role", "id": "dispatcher"}, "requirements": [{"trade": "plumbing"}], "urgency": "normal",
        "location": {}, "text": "", "reporter": {}, "policy_version": "p", "reported_at": NOON, "needs_triage": False,
    }  # fmt: skip


def _record(sequence, kind, data, topic=WORK_ORDERS):
    headers = [
        ("ce_id", f"campus:north:{sequence}".encode()), ("ce_sequence", f"{sequence:020}".encode()),
        ("ce_type", f"dispatch.{kind}.v1".encode()), ("ce_subject", b"wo1"), ("ce_time", NOON.encode()),
    ]  # fmt: skip
    return _consumed(topic, b"campus:north", headers, msgspec.json.encode(data))


def _consumed(topic, key, headers, value):
    assert topic in TOPICS
    return ConsumerRecord(topic, 0, 0, 0, 0, key, value, None, 0, len(value), tuple(headers))
