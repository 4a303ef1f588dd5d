"""What a worker says of itself when things are not as they should be; no servers."""

import asyncio
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatch import metrics
from dispatch.agents.counting import count_batch
from dispatch.agents.desk_input import Parsed
from dispatch.agents.measuring import Gauges, Inside, Measured, by_state_and_age
from dispatch.agents.patience import patiently
from dispatch.agents.publisher import Publisher
from dispatch.models.commands import Command
from dispatch.rules.batch import Decided, Refusal
from dispatch.rules.events import Event
from dispatch.rules.state import Order, Owner, moment_of
from dispatch.settings import Settings
from dispatch.stores.base import TerritoryKey
from dispatch.stores.memory import MemoryStore
from dispatch.timing import WallClock

NOW = moment_of("2026-03-02T08:00:00Z")
KEY = TerritoryKey("t", "north")


def value(name, **labels):
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def feed_of(name, *, joined=True, ready=(), taking=(), keeper=None):
    lanes = {n: SimpleNamespace(number=n, ready=n in ready) for n in (*ready, *taking)}
    return SimpleNamespace(name=name, joined=joined, lanes=lanes, keeper=keeper, reads=False, consumer=None, topics=())


def inside_of(*feeds, store=None, started=True):
    return Inside(Settings(), WallClock(), store or MemoryStore(), feeds=list(feeds), started=started)


async def test_a_worker_that_starts_is_not_ready_and_says_so():
    assert await Gauges(inside_of(started=False)).wrong() == {"engine": "starting or stopping"}


async def test_a_worker_without_lanes_of_its_own_is_ready():
    assert await Gauges(inside_of(feed_of("desk"))).wrong() == {}


async def test_a_role_that_has_not_joined_or_still_takes_lanes_is_named():
    gauges = Gauges(inside_of(feed_of("intake", joined=False), feed_of("desk", ready=(1,), taking=(0, 5))))
    assert await gauges.wrong() == {"intake": "has not joined its group", "desk": "takes lanes 0, 5"}


class Away(MemoryStore):
    """A store that does not answer, in one way or the other."""

    def __init__(self, *, hangs):
        super().__init__()
        self.hangs = hangs
        self.asked = 0

    async def known_fact(self, name):
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(60)
        raise RedisConnectionError


@pytest.mark.parametrize(("hangs", "why"), [(False, "ConnectionError"), (True, "no answer in time")])
async def test_a_store_that_is_away_makes_a_worker_unready_and_holds_up_nobody(monkeypatch, hangs, why):
    monkeypatch.setattr("dispatch.agents.measuring.ANSWER_WITHIN_S", 0.05)
    store = Away(hangs=hangs)
    gauges = Gauges(inside_of(store=store))
    async with asyncio.timeout(1):
        assert await gauges.wrong() == {"redis": why}
        assert await gauges.wrong() == {"redis": why}
    assert store.asked == 1  # asked again a second later at the earliest


async def test_gauges_of_lanes_that_have_gone_go_too():
    desk = feed_of("desk", ready=(3,))
    gauges = Gauges(inside_of(desk))
    await gauges.refresh()
    assert value("dispatch_lane_ready", role="desk", lane="3") == 1
    desk.lanes.clear()
    await gauges.refresh()
    assert metrics.REGISTRY.get_sample_value("dispatch_lane_ready", {"role": "desk", "lane": "3"}) is None


async def test_a_keeper_may_have_gauges_of_its_own():
    class Keeper:
        def measure(self):
            metrics.BREAKERS.labels("open").set(2)

    keeper = Keeper()
    assert isinstance(keeper, Measured)
    await Gauges(inside_of(feed_of("notify", keeper=keeper))).refresh()
    assert value("dispatch_breakers", state="open") == 2
    metrics.BREAKERS.clear()


def order(number, state, age_s):
    at = NOW - timedelta(seconds=age_s)
    return Order(
        id=f"o{number}", display_no="N-1", request_id="r", state=state, channel="web",
        owner=Owner(kind="role", id="desk"), owner_since=at, policy_version="p", reported_at=at, opened_at=at,
    )  # fmt: skip


def test_orders_are_counted_by_state_and_by_the_shortest_span_they_have_not_outlived():
    ages = [0, 900, 901, 3600, 14_400, 86_400, 259_200, 604_800, 604_801]
    names = [age for _state, age in by_state_and_age([order(n, "open", s) for n, s in enumerate(ages)], NOW)]
    assert names == ["15m", "15m", "1h", "1h", "4h", "1d", "3d", "7d", "older"]
    counted = Counter(by_state_and_age([order(1, "open", 5), order(2, "open", 6), order(3, "on_hold", 5000)], NOW))
    assert counted == {("open", "15m"): 2, ("on_hold", "4h"): 1}


def event(kind):
    return Event(sequence=1, type=kind, subject="o", time="", data={}, policy_version="p")


def command(kind, **data):
    return Command(id="c", type=kind, tenant="t", territory="north", data=data, time="")


def test_a_batch_is_counted_by_types_codes_and_the_deadline_that_waited_longest():
    names = ("dispatch_deadline_late_seconds_count", "dispatch_deadline_late_seconds_sum", "dispatch_repeated_total")
    before = [value(name) for name in names]
    opened = value("dispatch_events_total", type="work-order.opened")
    due_ms = int(NOW.timestamp() * 1000)
    due = command("due", timers=[{"id": "a", "due_ms": due_ms - 3000}, {"id": "b", "due_ms": due_ms - 10}])
    parsed = Parsed(commands={KEY: [due, command("act"), command("due", timers=[])]})
    refusal = Refusal(command=due, code="test-code", errors=[])
    events = [event("work-order.opened"), event("work-order.opened"), event("lane.decided")]
    count_batch(parsed, {KEY: Decided(events=events, refused=[refusal], repeated=2)}, NOW)
    assert [value(name) - old for name, old in zip(names, before, strict=True)] == [1, 3.0, 2]
    assert value("dispatch_events_total", type="work-order.opened") == opened + 2
    assert value("dispatch_refused_total", role="desk", code="test-code") == 1


async def test_waiting_for_the_store_is_counted(monkeypatch):
    monkeypatch.setattr("dispatch.agents.patience.RETRY_S", (0.01,))
    before = value("dispatch_waits_total", server="store"), value("dispatch_wait_seconds_total", server="store")
    answers = iter([RedisConnectionError(), RedisConnectionError(), "here"])

    async def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patiently(ask) == "here"
    assert value("dispatch_waits_total", server="store") == before[0] + 2
    assert value("dispatch_wait_seconds_total", server="store") == pytest.approx(before[1] + 0.02)


async def test_waiting_for_the_broker_is_counted(monkeypatch):
    monkeypatch.setattr("dispatch.agents.publisher.RETRY_S", (0.01,))
    publisher = Publisher({})
    answers = iter([KafkaTimeoutError(), {}])

    async def send(_records):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def renew(_generation):
        pass

    monkeypatch.setattr(publisher, "_send", send)
    monkeypatch.setattr(publisher, "_renew", renew)
    before = value("dispatch_waits_total", server="broker"), value("dispatch_wait_seconds_total", server="broker")
    assert await publisher.publish([]) == {}
    assert value("dispatch_waits_total", server="broker") == before[0] + 1
    assert value("dispatch_wait_seconds_total", server="broker") == pytest.approx(before[1] + 0.01)


def test_a_delivery_is_counted_by_hook_and_outcome():
    metrics.delivered("test-hook", "succeeded")
    metrics.delivered("test-hook", "succeeded", 2)
    assert value("dispatch_deliveries_total", hook="test-hook", outcome="succeeded") == 3
