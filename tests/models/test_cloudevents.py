"""CloudEvents over Kafka: the official SDK reads what we write, and we read what it writes."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from dispatch.errors import Rejected
from dispatch.models import RequestSubmitted, outgoing_headers, parse
from tests.models.examples import REQUEST

TYPE = "dispatch.request.submitted.v1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AT = datetime(2026, 3, 2, 8, 10, tzinfo=timezone(timedelta(hours=8)))
BODY = json.dumps(REQUEST, ensure_ascii=False).encode()
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"17"),
    ("ce_source", b"/wechat"),
    ("ce_type", TYPE.encode()),
    ("ce_time", b"2026-03-02T08:10:00+08:00"),
    ("ce_tenantid", b"uni"),
    ("ce_traceparent", TRACE.encode()),
    ("content-type", b"application/json"),
]
ENVELOPE = {
    "specversion": "1.0",
    "id": "17",
    "source": "/wechat",
    "type": TYPE,
    "time": "2026-03-02T08:10:00+08:00",
    "tenantid": "uni",
    "traceparent": TRACE,
    "datacontenttype": "application/json",
    "data": REQUEST,
}
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def enveloped(**changes):
    changed = {name: value for name, value in (ENVELOPE | changes).items() if value is not ...}
    return json.dumps(changed, ensure_ascii=False).encode()


def without(name):
    return [(header, value) for header, value in BINARY if header != name]


def check(found):
    assert (found.id, found.source, found.type, found.time, found.subject) == (
        "17",
        "/wechat",
        TYPE,
        AT,
        None,
    )
    assert found.attributes["tenantid"] == "uni"
    assert found.attributes["traceparent"] == TRACE
    assert json.loads(found.data) == REQUEST
    assert RequestSubmitted.model_validate_json(found.data).reporter.name == "王小明"


# ── read by us ──


def test_binary_mode_is_read():
    check(parse(BINARY, b"uni:north", BODY))


def test_data_stay_the_very_bytes_that_were_sent():
    assert parse(BINARY, None, BODY).data is BODY
    spaced = b'{ "a" : 1.0e0 }'
    raw = enveloped(data=0).replace(b'"data": 0', b'"data": ' + spaced)
    assert parse(STRUCTURED, None, raw).data == spaced


def test_names_of_headers_are_read_in_any_case():
    check(parse([(name.title(), value) for name, value in BINARY], None, BODY))


def test_headers_that_are_no_attributes_are_ignored():
    found = parse([*BINARY, ("x-other", b"\xff"), ("ce_empty", None)], None, BODY)
    check(found)
    assert "empty" not in found.attributes


def test_structured_mode_is_read():
    check(parse(STRUCTURED, b"k", enveloped()))


def test_a_plain_line_with_an_envelope_is_read_without_any_header():
    check(parse([], None, enveloped()))


def test_data_in_base64_is_read():
    check(parse(STRUCTURED, None, enveloped(data=..., data_base64=base64.b64encode(BODY).decode())))


def test_the_key_is_told_as_partition_key_unless_the_event_names_one():
    assert parse(BINARY, b"uni:north", BODY).attributes["partitionkey"] == "uni:north"
    named = [*BINARY, ("ce_partitionkey", b"mine")]
    assert parse(named, b"uni:north", BODY).attributes["partitionkey"] == "mine"
    assert "partitionkey" not in parse(BINARY, None, BODY).attributes


def test_attributes_that_are_numbers_or_booleans_become_text():
    found = parse(STRUCTURED, None, enveloped(sampled=True, weight=7, subject=None))

    assert (found.attributes["sampled"], found.attributes["weight"], found.subject) == ("true", "7", None)


def test_time_may_be_absent():
    assert parse(without("ce_time"), None, BODY).time is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T00:10:00Z", datetime(2026, 3, 2, 0, 10, tzinfo=UTC)),
        ("2026-03-02t00:10:00z", datetime(2026, 3, 2, 0, 10, tzinfo=UTC)),
        ("2026-03-02T00:10:00.5Z", datetime(2026, 3, 2, 0, 10, 0, 500_000, tzinfo=UTC)),
        ("2026-03-02T00:10:00.123456499Z", datetime(2026, 3, 2, 0, 10, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T20:40:00-03:30", datetime(2026, 3, 2, 0, 10, tzinfo=UTC)),
    ],
)
def test_every_way_to_write_a_moment_is_read(text, expected):
    assert parse([*BINARY, ("ce_time", text.encode())], None, BODY).time == expected


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_required_attribute_is_missed_in_both_modes(name):
    for arguments in (
        (without(f"ce_{name}"), None, BODY),
        ([*BINARY, (f"ce_{name}", b"")], None, BODY),
        (STRUCTURED, None, enveloped(**{name: ""})),
    ):
        with pytest.raises(Rejected) as refused:
            parse(*arguments)
        assert refused.value.code == "missing-attribute"
        assert refused.value.errors[0]["path"] == name


@pytest.mark.parametrize(
    ("headers", "value", "code", "path"),
    [
        ([], b"", "missing-data", "data"),
        ([], None, "missing-data", "data"),
        ([], b"hello", "not-json", ""),
        ([], b"\xff\xfe", "bad-encoding", ""),
        ([], b"{" * 100_000, "not-json", ""),
        ([], b"[1]", "not-cloudevent", ""),
        ([], BODY, "not-cloudevent", ""),
        ([("content-type", b"application/json")], BODY, "not-cloudevent", ""),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "not-cloudevent", ""),
        ([("content-type", b"application/cloudevents+avro")], b"x", "not-cloudevent", ""),
        (
            [("content-type", b"application/cloudevents+json; charset=gbk")],
            enveloped(),
            "bad-encoding",
            "content-type",
        ),
        (STRUCTURED, b"{", "not-json", ""),
        (STRUCTURED, enveloped(specversion="0.3"), "bad-attribute", "specversion"),
        (STRUCTURED, enveloped(data=...), "missing-data", "data"),
        (STRUCTURED, enveloped(data_base64="eA=="), "bad-attribute", "data_base64"),
        (STRUCTURED, enveloped(data=..., data_base64="?"), "bad-attribute", "data_base64"),
        (STRUCTURED, enveloped(data=..., data_base64="\u00e9"), "bad-attribute", "data_base64"),
        (STRUCTURED, enveloped(id={"a": 1}), "bad-attribute", "id"),
        (STRUCTURED, enveloped(weight=1.5), "bad-attribute", "weight"),
        (STRUCTURED, enveloped(datacontenttype="text/xml", data="<a/>"), "bad-attribute", "datacontenttype"),
        (STRUCTURED, enveloped(time="2026-03-02T08:10:00"), "naive-time", "time"),
        ([*BINARY, ("content-type", b"text/plain")], BODY, "bad-attribute", "datacontenttype"),
        ([*BINARY, ("ce_specversion", b"0.3")], BODY, "bad-attribute", "specversion"),
        ([*BINARY, ("ce_id", b"\xff")], BODY, "bad-encoding", "id"),
        ([*BINARY, ("ce_id", b"a\x00b")], BODY, "bad-attribute", "id"),
        ([*BINARY, ("ce_id", b"a" * 1_025)], BODY, "bad-attribute", "id"),
        ([*BINARY, ("ce_time", b"2026-03-02T08:10:00")], BODY, "naive-time", "time"),
        ([*BINARY, ("ce_time", b"1772410200")], BODY, "bad-attribute", "time"),
        ([*BINARY, ("ce_time", b"2026-03-02")], BODY, "bad-attribute", "time"),
        ([*BINARY, ("ce_time", b'2026-03-02T08:10:00Z" ')], BODY, "bad-attribute", "time"),
        (BINARY, None, "missing-data", "data"),
        (BINARY, b"", "missing-data", "data"),
    ],
)
def test_what_is_no_event_is_refused_by_code_and_path(headers, value, code, path):
    with pytest.raises(Rejected) as refused:
        parse(headers, None, value)

    assert (refused.value.code, refused.value.errors[0]["path"]) == (code, path)


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20))), st.binary() | st.none(), st.binary())
def test_whatever_lies_in_a_topic_is_read_or_refused_and_nothing_else(headers, key, value):
    for head in (headers, [*BINARY, *headers], STRUCTURED):
        with suppress(Rejected):
            parse(head, key, value)


# ── with the official SDK ──

WORDS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40)
MOMENTS = st.datetimes(
    min_value=datetime(1901, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zones
    max_value=datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
)
JSON_OBJECTS = st.dictionaries(
    st.text(max_size=9), st.integers(-(2**53), 2**53) | st.text(max_size=9) | st.booleans() | st.none()
)


@given(st.tuples(WORDS, WORDS, WORDS), MOMENTS, JSON_OBJECTS, st.booleans())
def test_we_read_what_the_sdk_writes(names, time, data, structured):
    event_id, source, subject = names
    event = CloudEvent(
        attributes={
            "id": event_id,
            "source": source,
            "type": TYPE,
            "subject": subject,
            "time": time,
            "datacontenttype": "application/json",
            "specversion": "1.0",
            "partitionkey": "uni:north",
        },
        data=data,
    )
    message = (sdk.to_structured_event if structured else sdk.to_binary_event)(event)

    found = parse(list(message.headers.items()), message.key.encode(), message.value)

    assert (found.id, found.source, found.type, found.subject) == (event_id, source, TYPE, subject)
    assert found.time == time
    assert json.loads(found.data) == data
    assert found.attributes["partitionkey"] == "uni:north"


@given(st.tuples(WORDS, WORDS, st.none() | WORDS), MOMENTS, JSON_OBJECTS, st.integers(0, 10**19))
def test_the_sdk_reads_what_we_write(names, time, data, sequence):
    subject, correlation, policy = names
    headers = outgoing_headers(
        event_id=f"uni:north:{sequence}",
        source="/dispatch/uni/north",
        event_type="dispatch.work-order.opened.v1",
        subject=subject,
        time=time,
        recordedtime=time,
        partitionkey="uni:north",
        sequence=sequence,
        tenantid="uni",
        correlationid=correlation,
        causationid="c-1",
        policyversion=policy,
        traceparent=TRACE,
    )
    message = sdk.KafkaMessage(dict(headers), b"uni:north", json.dumps(data).encode())

    event = sdk.from_binary_event(message)

    assert event.get_specversion() == "1.0"
    assert event.get_id() == f"uni:north:{sequence}"
    assert event.get_source() == "/dispatch/uni/north"
    assert event.get_type() == "dispatch.work-order.opened.v1"
    assert event.get_subject() == subject
    assert event.get_time() == time
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == data
    extensions = {
        "partitionkey": "uni:north",
        "sequence": f"{sequence:020}",
        "tenantid": "uni",
        "correlationid": correlation,
        "causationid": "c-1",
        "policyversion": policy,
        "traceparent": TRACE,
    }
    for name, value in extensions.items():
        assert event.get_extension(name) == value
    assert datetime.fromisoformat(event.get_extension("recordedtime")) == time
    ours = parse(headers, b"uni:north", message.value)
    assert (ours.id, ours.time, ours.subject) == (event.get_id(), time, subject)


def test_absent_attributes_are_left_out_and_the_sequence_sorts_as_text():
    least = {
        "event_id": "i",
        "source": "/s",
        "event_type": "t",
        "subject": None,
        "partitionkey": "p",
        "time": "2026-03-02T00:10:00Z",
        "recordedtime": datetime(2026, 3, 2, 0, 10, tzinfo=UTC),
        "tenantid": "u",
    }
    nine, ten = (dict(outgoing_headers(**least, sequence=number)) for number in (9, 10))

    assert nine["ce_sequence"] == b"00000000000000000009" < ten["ce_sequence"]
    assert nine["ce_time"] == nine["ce_recordedtime"] == b"2026-03-02T00:10:00Z"
    assert nine.keys() == {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_recordedtime", "ce_partitionkey"),
        *("ce_sequence", "ce_tenantid", "content-type"),
    }
