"""Traces: one request is followed by its traceparent, and nothing of ours gets into what is published."""

from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dispatch import tracing
from dispatch.app import create_app
from dispatch.errors import ConfigError
from dispatch.settings import Settings
from dispatch.tracing import MOST_LINKS, Tracing, traceparent_of
from tests.support.client import Client, token
from tests.support.engine import Engine

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def record(value=b"{}", headers=(), offset=0):
    return SimpleNamespace(topic="dispatch.requests", partition=2, offset=offset, value=value, headers=headers)


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def traced(exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider)


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (record(headers=[("ce_traceparent", PARENT.encode())]), PARENT),
        (record(headers=[("other", b"x"), ("traceparent", PARENT.encode())]), PARENT),
        (record(f'{{"id": "1", "traceparent": "{PARENT}", "data": {{}}}}'.encode()), PARENT),
        (record(f'{{"traceparent":"{PARENT}"}}'.encode()), PARENT),
        (record(rb'{"text": "he said \"traceparent\": \"' + PARENT.encode() + rb'\""}'), None),
        (record(b"\xff\xfe"), None),
        (record(None), None),
        (record(headers=[("ce_traceparent", b"\xff")]), "\ufffd"),
    ],
)
def test_the_traceparent_is_found_wherever_cloudevents_put_it(one, found):
    assert traceparent_of(one) == found


def test_a_batch_is_a_span_and_each_traced_input_one_in_its_own_trace(traced, exporter):
    mine = record(headers=[("ce_traceparent", PARENT.encode())], offset=7)
    traced.batch("desk", 2, [record(), mine, record(b'"traceparent": "00-nonsense"')], 0.25)
    inner, batch = exporter.get_finished_spans()
    assert (inner.name, batch.name) == ("desk", "desk batch")
    assert f"{inner.context.trace_id:032x}" == TRACE
    assert f"{inner.parent.span_id:016x}" == SPAN
    assert inner.parent.is_remote
    assert inner.attributes["messaging.kafka.offset"] == 7
    assert [link.context.span_id for link in inner.links] == [batch.context.span_id]
    assert [f"{link.context.trace_id:032x}" for link in batch.links] == [TRACE]
    assert batch.parent is None
    assert batch.attributes["messaging.batch.message_count"] == 3
    assert batch.end_time - batch.start_time == 250_000_000


def test_a_request_that_its_sender_did_not_sample_is_not_traced(traced, exporter):
    traced.batch("intake", 0, [record(headers=[("ce_traceparent", f"00-{TRACE}-{SPAN}-00".encode())])], 0.1)
    assert [span.name for span in exporter.get_finished_spans()] == ["intake batch"]


@pytest.mark.parametrize(
    "bad", ["", "x", f"01-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"]
)
def test_what_is_no_traceparent_is_left_out(traced, exporter, bad):
    traced.batch("intake", 0, [record(headers=[("ce_traceparent", bad.encode())])], 0.1)
    assert [len(span.links) for span in exporter.get_finished_spans()] == [0]


def test_a_batch_links_to_no_more_than_a_collector_takes(traced, exporter):
    traced.batch("intake", 0, [record(headers=[("traceparent", PARENT.encode())])] * (MOST_LINKS + 5), 0.1)
    *inner, batch = exporter.get_finished_spans()
    assert len(inner) == MOST_LINKS + 5
    assert len(batch.links) == MOST_LINKS


def test_traces_are_off_unless_asked_for(tmp_path, monkeypatch):
    def refuse():
        raise AssertionError

    monkeypatch.setattr("dispatch.app.start_tracing", refuse)
    create_app(Settings(data=tmp_path))
    with pytest.raises(AssertionError):
        create_app(Settings(data=tmp_path, traces=True))


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(ConfigError, match=r"DISPATCH_TRACES.*workorder-dispatch\[otel\]"):
        tracing.start_tracing()


@pytest.mark.asyncio(loop_scope="session")
async def test_one_request_is_followed_from_topic_to_topic(settings, engine, traced, exporter, monkeypatch):
    monkeypatch.setattr("dispatch.app.start_tracing", lambda: traced)
    await engine.stop()
    other = settings.model_copy(update={"traces": True, "web_port": None})
    trace = f"{token():0>32}"
    async with Engine(other), Client(settings.kafka) as client:
        await client.technician(f"t-{token()}", "north")
        request_id = await client.report(traceparent=f"00-{trace}-{SPAN}-01", binary=True)
        offer = await client.offered(request_id)
        assert offer.headers["ce_traceparent"] == f"00-{trace}-{SPAN}-01"
        await client.wait(lambda one: one.type == "delivery.succeeded" and one.data["event_id"] == offer.id)
        await client.quiet()
    await engine.start()
    mine = [span for span in exporter.get_finished_spans() if f"{span.context.trace_id:032x}" == trace]
    steps = {span.name: span.attributes["messaging.destination.name"] for span in mine}
    assert list(steps.items()) == [
        ("intake", "dispatch.requests"),
        ("desk", "dispatch.commands"),
        ("notify", "dispatch.work-orders"),
    ]
    assert {f"{span.parent.span_id:016x}" for span in mine} == {SPAN}
