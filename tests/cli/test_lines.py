"""Lines become whole CloudEvents, or are refused with their number."""

import json

import pytest

from dispatch.cli.envelopes import read_lines
from dispatch.topics import ACTIONS, REQUESTS

NOW = "2026-03-02T00:00:00.000Z"
REPORT = {"type": "request", "data": {"channel": "web", "reporter": {"id": "stu-1"}, "text": "no water"}}
ACTOR = {"id": "n01", "role": "technician"}


def _read(*lines, topic=None, check=True):
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return list(read_lines(raw, topic=topic, now=NOW, check=check))


def test_a_shorthand_becomes_a_whole_event():
    (line,) = _read(REPORT)
    event = json.loads(line.value)
    assert line.refused is None
    assert event["specversion"] == "1.0"
    assert event["type"] == "dispatch.request.submitted.v1"
    assert event["source"] == "/cli"
    assert event["time"] == NOW
    assert line.topic == REQUESTS


def test_the_same_line_has_the_same_id_and_another_line_another_one():
    first, second, third = _read(REPORT, REPORT, {**REPORT, "data": {**REPORT["data"], "text": "no light"}})
    assert first.id == second.id
    assert first.id != third.id


def test_what_is_given_is_kept():
    (line,) = _read({**REPORT, "id": "r-1", "source": "/desk", "time": "2026-03-01T08:00:00+08:00", "tenantid": "t"})
    event = json.loads(line.value)
    assert (event["id"], event["source"], event["tenantid"]) == ("r-1", "/desk", "t")
    assert event["time"] == "2026-03-01T08:00:00+08:00"


def test_a_whole_event_goes_out_byte_for_byte():
    whole = json.dumps(
        {
            "specversion": "1.0",
            "id": "a",
            "source": "/b",
            "type": "dispatch.request.submitted.v1",
            "data": REPORT["data"],
        }
    ).encode()
    (line,) = _read(whole)
    assert line.value == whole


def test_actions_of_one_order_share_a_key_so_that_they_keep_their_order():
    accept = {"type": "action.accept", "data": {"work_order_id": "wo1-2", "actor": ACTOR}}
    start = {"type": "action.start", "data": {"work_order_id": "wo1", "actor": ACTOR}}
    first, second = _read(accept, start)
    assert first.refused is second.refused is None
    assert first.key == second.key == "wo1"
    assert first.topic == ACTIONS


def test_each_fault_of_a_request_is_counted():
    (line,) = _read({**REPORT, "data": {**REPORT["data"], "items": [{"text": "tap"}, {"text": "lamp"}]}})
    assert line.faults == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"garbage", "not-json"),
        (b"\xff\xfe", "bad-encoding"),
        (b"[1]", "not-cloudevent"),
        ({"data": {}}, "missing-attribute"),
        ({"type": "request"}, "missing-attribute"),
        ({"type": "no.such", "data": {}}, "unknown-type"),
        ({"type": "work-order.opened", "data": {}}, "unknown-type"),
        ({"type": "request", "data": {"channel": "web"}}, "missing-field"),
        ({**REPORT, "time": "2026-03-02T00:00:00"}, "naive-time"),
        ({"type": "action.grant_extension", "data": {"work_order_id": "wo1", "actor": ACTOR}}, "role-not-allowed"),
        ({**REPORT, "data": {**REPORT["data"], "campaign_id": "x" * 70_000}}, "too-large"),
    ],
)  # fmt: skip
def test_what_the_engine_would_refuse_is_refused_here(line, code):
    good, bad = _read(REPORT, line)
    assert good.refused is None
    assert bad.number == 2
    assert bad.refused.code == code


def test_blank_lines_count_but_do_not_matter():
    first, second = _read(b"", REPORT, b"  \n", b"garbage")
    assert (first.number, second.number) == (2, 4)


def test_unchecked_lines_go_to_the_topic_given_whatever_they_hold():
    first, second = _read(b"garbage", {"type": "request", "data": {}}, topic=REQUESTS, check=False)
    assert first.refused is second.refused is None
    assert first.value == b"garbage"
    assert second.topic == REQUESTS
