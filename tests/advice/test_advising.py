"""The agent beside a store and a publisher of the test's own: who is asked about, who is not, and what is counted."""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from dispatch import metrics
from dispatch.agents.advice_words import PROMPT_VERSION, question
from dispatch.agents.advising import Advise, purses
from dispatch.agents.feed import Batch
from dispatch.hooks.adviser import make_adviser
from dispatch.models.commands import decode_command
from dispatch.rules.advising import advice_id
from dispatch.rules.state import text_of
from dispatch.stores.base import Meta, Save, TerritoryKey
from dispatch.stores.memory import MemoryStore
from dispatch.testing import Day
from dispatch.topics import COMMANDS
from tests.advice.endpoint import Model, answering, hang
from tests.rules.small_policy import small_policy

POLICY = small_policy()
KEY = TerritoryKey("acme", "north")
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Time:
    speed = 1.0

    def __init__(self):
        self.at = NOW

    def now(self):
        return self.at


class Published(list):
    async def publish(self, records):
        self.extend(records)
        return {}


class Book:
    latest = POLICY


class Counted:
    """What has been counted since it was made."""

    def __init__(self):
        self._before = self._all()

    def _all(self):
        samples = next(iter(metrics.ADVICE.collect())).samples
        return {one.labels["outcome"]: one.value for one in samples if one.name.endswith("_total")}

    def __call__(self):
        now = {name: int(value - self._before.get(name, 0)) for name, value in self._all().items()}
        return {name: value for name, value in now.items() if value}


@contextlib.asynccontextmanager
async def advising(model, **document):
    """The agent; beside it its time, its store, and what it has published."""
    given = model.document(**document)
    time_, store, published = Time(), MemoryStore(), Published()
    agent = Advise(
        tenant="acme", store=store, publisher=published, policies=Book(), clock=time_, lane_of=lambda _key: 0,
        document=given, adviser=make_adviser(given, {}),
    )  # fmt: skip
    agent.time, agent.kept, agent.published = time_, store, published
    await agent.start()
    try:
        yield agent
    finally:
        await agent.stop()


def event(number=1, *, kind="work-order.opened", at=NOW, value=None, **data):
    facts = {"work_order_id": f"wo{number}", "text": f"something is strange {number}", "needs_triage": True, **data}
    headers = {
        "ce_type": f"dispatch.{kind}.v1",
        "ce_subject": f"wo{number}",
        "ce_time": text_of(at),
        "ce_sequence": f"{number:020}",
        "ce_traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return ConsumerRecord(
        topic="dispatch.work-orders", partition=0, offset=number, timestamp=0, timestamp_type=0, key=b"acme:north",
        value=json.dumps(facts).encode() if value is None else value, checksum=None, serialized_key_size=0,
        serialized_value_size=0, headers=[(name, text.encode()) for name, text in headers.items()],
    )  # fmt: skip


async def handled(agent, *records):
    batch = Batch(0, list(records))
    await agent.handle(batch)
    assert batch.done.done()
    return batch


async def test_an_opening_that_waits_at_the_front_desk_is_asked_about_and_the_hint_goes_to_its_lane():
    counted = Counted()
    async with Model() as model, advising(model) as agent:
        await handled(agent, event(1))
        (record,) = agent.published
    assert (record.topic, record.partition, record.key) == (COMMANDS, 0, b"acme:north")
    command = decode_command(record.value)
    assert (command.id, command.type, command.order_id) == (advice_id("wo1"), "advice.given", "wo1")
    assert (command.tenant, command.territory) == ("acme", "north")
    assert command.traceparent.startswith("00-0af")
    assert command.data["source"] == {"name": "house", "model": "larger", "prompt_version": PROMPT_VERSION}
    assert command.data["asked_at"] == "2026-03-02T08:00:00.000Z"
    assert (command.data["trade"], command.data["confidence"]) == ("plumbing", 0.75)
    assert command.data["took_ms"] >= 0
    assert counted() == {"asked": 1, "answered": 1}
    assert "something is strange 1" in model.asked[0]["messages"][1]["content"]


async def test_a_hint_of_the_agent_is_what_the_rules_and_the_contract_take():
    async with Model() as model, advising(model) as agent:
        await handled(agent, event(1))
        command = decode_command(agent.published[0].value)
    day = Day(POLICY)
    order = day.report("something is strange", order_id="wo1")
    day.say("advice.given", command.data, order_id=order, command_id=command.id)
    assert day.order(order).advice["reason"] == "sounds like water"
    assert not day.refused


async def test_only_openings_that_triage_could_not_place_are_asked_about():
    counted = Counted()
    async with Model() as model, advising(model, up_to_permille=400) as agent:
        await handled(
            agent,
            event(1, needs_triage=False),
            event(2, kind="work-order.classified"),
            event(3, text=None),
            event(4, text=" \u200b "),
            event(5, classifier={"confidence": 0.45}),
            event(6, value=b"{"),
            event(7, value=b'{"needs_triage": "yes"}'),
            event(8, at=NOW - timedelta(minutes=31)),
            event(9, classifier={"confidence": 0.4, "source": "none"}),
        )
        assert [decode_command(one.value).order_id for one in agent.published] == ["wo9"]
    assert counted() == {"no_text": 2, "sure": 1, "unreadable": 2, "old": 1, "asked": 1, "answered": 1}
    assert len(model.asked) == 1


async def test_an_order_that_was_placed_or_advised_meanwhile_is_not_asked_about():
    day = Day(POLICY)
    for number in (1, 2, 3):
        day.report("something is strange", order_id=f"wo{number}")
    day.act("reclassify", "wo1", by="desk", role="front_desk", trade="plumbing")
    source = {"name": "house", "model": "larger", "prompt_version": "x"}
    said = {"trade": "plumbing", "confidence": 0.5, "source": source, "asked_at": text_of(NOW), "took_ms": 1}
    day.say("advice.given", said, order_id="wo2", command_id=advice_id("wo2"))
    blobs = [(f"wo{number}", msgspec.msgpack.encode(day.order(f"wo{number}"))) for number in (1, 2, 3)]
    counted = Counted()
    async with Model() as model, advising(model) as agent:
        await agent.kept.save({KEY: Save(expected=(0, ""), meta=Meta(sequence=1, batch_id="b"), orders=blobs)})
        await handled(agent, *(event(number) for number in (1, 2, 3)))
        assert [decode_command(one.value).order_id for one in agent.published] == ["wo3"]
    assert counted() == {"placed": 2, "asked": 1, "answered": 1}


@pytest.mark.parametrize("limits", [{"per_hour": 3}, {"per_hour": 3, "per_day": 3}])
async def test_what_is_over_the_budget_is_not_asked_and_counted(limits):
    counted = Counted()
    async with Model() as model, advising(model, **limits) as agent:
        for first in (1, 6):
            await handled(agent, *(event(number) for number in range(first, first + 5)))
    assert len(model.asked) == 3
    assert counted() == {"over_budget": 7, "asked": 3, "answered": 3}


def test_a_budget_is_that_of_the_hour_and_the_day():
    document = Model(port=1).document(per_hour=5, per_day=9)
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()

    def names(*, seconds):
        return [one.name for one in purses(document, noon + seconds)]

    assert [(one.most, one.lasts_s) for one in purses(document, noon)] == [(5, 7200), (9, 172800)]
    assert names(seconds=0) == names(seconds=3599.9)
    assert [a == b for a, b in zip(names(seconds=0), names(seconds=3600), strict=True)] == [False, True]
    assert [a == b for a, b in zip(names(seconds=0), names(seconds=43_200), strict=True)] == [False, False]


USELESS = ["I cannot say", '{"trade": "magic", "urgency": "low", "kind": "repair", "confidence": 1}', ""]


@pytest.mark.parametrize("says", USELESS)
async def test_a_useless_answer_is_counted_and_the_endpoint_goes_on(says):
    counted = Counted()
    async with Model(says=says) as model, advising(model, breaker={"failures": 1}) as agent:
        await handled(agent, event(1), event(2))
        assert agent.endpoint.state == "closed"
        assert agent.published == []
    assert counted() == {"asked": 2, "useless": 2}


async def test_an_endpoint_that_fails_rests_and_is_probed_again():
    counted = Counted()
    breaker = {"failures": 2, "rest": "1s", "most": "1s"}
    async with Model(behave=answering(500)) as model, advising(model, concurrency=1, breaker=breaker) as agent:
        await handled(agent, *(event(number) for number in range(1, 6)))
        assert agent.endpoint.state == "open"
        agent.measure()
        assert metrics.ADVICE_BREAKER.labels("open")._value.get() == 1
        assert counted() == {"asked": 2, "failed": 2, "resting": 3}
        model.behave = None
        await asyncio.sleep(1.1)
        await handled(agent, event(6), event(7))
        assert agent.endpoint.state == "closed"
    assert counted() == {"asked": 4, "failed": 2, "resting": 3, "answered": 2}


async def test_an_endpoint_that_asks_for_a_rest_has_it():
    counted = Counted()
    async with (
        Model(behave=answering(429, Retry_After="60")) as model,
        advising(model, concurrency=1, breaker={"failures": 9}) as agent,
    ):
        await handled(agent, event(1), event(2), event(3))
    assert len(model.asked) == 1
    assert counted() == {"asked": 1, "failed": 1, "resting": 2}


async def test_one_that_hangs_costs_a_batch_a_bounded_time():
    counted = Counted()
    began_s = time.monotonic()
    async with Model(behave=hang) as model, advising(model, breaker={"failures": 3, "rest": "1h"}) as agent:
        await handled(agent, *(event(number) for number in range(1, 101)))
    assert time.monotonic() - began_s < 4
    found = counted()
    assert found["asked"] == found["failed"] <= 2 * 4
    assert found["resting"] == 100 - found["asked"]


async def test_while_one_order_waits_for_its_answer_another_gets_older_and_is_left_out():
    counted = Counted()
    async with Model(behave=hang) as model, advising(model, concurrency=1) as agent:
        task = asyncio.create_task(handled(agent, event(1), event(2)))
        await asyncio.sleep(0.3)
        agent.time.at += timedelta(hours=1)
        await task
    assert counted() == {"asked": 1, "failed": 1, "old": 1}


@pytest.mark.parametrize("how", ["release", "stop"])
async def test_a_lane_that_goes_does_not_wait_for_answers_and_its_batch_is_not_done(how):
    async with Model(behave=hang) as model, advising(model, timeout="100s", concurrency=2) as agent:
        agent.endpoint = msgspec.structs.replace(agent.endpoint, rest_until=time.time() - 1)
        batch = Batch(0, [event(1), event(2)])
        handling = asyncio.create_task(agent.handle(batch))
        await asyncio.sleep(0.3)
        assert agent.endpoint.state == "half-open"
        began_s = time.monotonic()
        await (agent.release(0) if how == "release" else agent.stop())
        await handling
        assert time.monotonic() - began_s < 1
        assert batch.done.cancelled()
        assert agent.endpoint.state == "open"  # the next question may probe it again
        assert agent.published == []


async def test_a_fault_of_ours_about_one_order_stops_no_other(monkeypatch):
    def fail_for_one(document, policy, order_id, text):
        if order_id == "wo1":
            raise IndexError
        return question(document, policy, order_id, text)

    monkeypatch.setattr("dispatch.agents.advising.question", fail_for_one)
    counted = Counted()
    async with Model() as model, advising(model) as agent:
        batch = await handled(agent, event(1), event(2))
        assert batch.done.exception() is None
        assert [decode_command(one.value).order_id for one in agent.published] == ["wo2"]
    assert counted() == {"failed": 1, "asked": 1, "answered": 1}


async def test_a_fault_while_handing_on_is_the_batches_and_it_is_not_done():
    async with Model() as model, advising(model) as agent:

        async def fail(_records):
            raise ConnectionError

        agent.published.publish = fail
        batch = await handled(agent, event(1))
        assert isinstance(batch.done.exception(), ConnectionError)


class Consumer:
    """What a lane's consumer knows of its partition."""

    def __init__(self, committed=None, young=None):
        self._committed, self._young, self.since_ms = committed, young, None

    async def committed(self, _place):
        return self._committed

    async def offsets_for_times(self, wanted):
        ((place, self.since_ms),) = wanted.items()
        return {place: self._young}

    async def end_offsets(self, places):
        return dict.fromkeys(places, 99)


async def test_it_goes_on_from_its_commit_and_begins_with_what_is_young():
    class At:
        offset = 42

    async with Model() as model, advising(model) as agent:
        assert await agent.take(0, Consumer(committed=7)) == {}
        first = Consumer(young=At())
        assert await agent.take(0, first) == {"dispatch.work-orders": 42}
        assert abs(first.since_ms / 1000 - (time.time() - 1800)) < 5
        assert await agent.take(0, Consumer()) == {"dispatch.work-orders": 99}
