"""Looking at a worker from within: its gauges, and whether it is ready. Nothing here runs unless somebody asks."""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from dispatch import __version__, metrics
from dispatch.agents.clock import Timekeeper
from dispatch.agents.desk import Desk
from dispatch.agents.feed import Feed
from dispatch.agents.policies import PolicyBook
from dispatch.rules.state import Order
from dispatch.settings import Settings
from dispatch.stores.base import LaneStore
from dispatch.stores.redis import UNREACHABLE
from dispatch.timing import Clock, WallClock

ANSWER_WITHIN_S = 2.0
SERVERS_EVERY_S = 1.0
ORDERS_EVERY_S = 10.0
AT_A_TIME = 5000
"""Orders counted before other tasks have their turn: about 2 ms."""
AGES = ((900, "15m"), (3600, "1h"), (14_400, "4h"), (86_400, "1d"), (259_200, "3d"), (604_800, "7d"))
OLDER = "older"


@runtime_checkable
class Measured(Protocol):
    """A feed's keeper that has gauges of its own."""

    def measure(self) -> None:
        """Set them. Must not wait for anything."""


@dataclass
class Inside:
    """What there is to see of a worker; the engine fills it as it starts."""

    settings: Settings
    clock: Clock
    store: LaneStore
    policies: PolicyBook | None = None
    feeds: list[Feed] = field(default_factory=list)
    started: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the servers said when they were asked last. ``trouble``: server -> why it is not well."""

    lags: dict[tuple[str, int], int] = field(default_factory=dict)
    overdue_s: dict[int, float] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)


class Gauges:
    """Measures when asked; whoever asks again at once is told the same."""

    def __init__(self, inside: Inside) -> None:
        """Nothing is measured yet."""
        self.inside = inside
        self._seen = _Seen()
        self._seen_s = float("-inf")
        self._orders: Counter[tuple[str, str]] = Counter()
        self._waiting = 0
        self._orders_s = float("-inf")
        self._asking = asyncio.Lock()

    async def wrong(self) -> dict[str, str]:
        """Why this worker is not ready: what -> why; empty when it is."""
        inside = self.inside
        found = {} if inside.started else {"engine": "starting or stopping"}
        if inside.started:
            await self._ask()
        for feed in inside.feeds:
            if not feed.joined:
                found[feed.name] = "has not joined its group"
            elif away := sorted(lane.number for lane in feed.lanes.values() if not lane.ready):
                found[feed.name] = f"takes lanes {', '.join(map(str, away))}"
        return found | (self._seen.trouble if inside.started else {})

    async def refresh(self) -> None:
        """Set all gauges. They are set at once, so that two workers in one process do not mix."""
        wrong = await self.wrong()
        await self._count_orders()
        inside = self.inside
        for gauge in (metrics.INFO, metrics.LANE_READY, metrics.LAG, metrics.OPEN_ORDERS, metrics.OVERDUE):
            gauge.clear()
        if inside.policies is not None:
            metrics.INFO.labels(__version__, inside.policies.latest.version).set(1)
        metrics.READY.set(not wrong)
        metrics.LANES.set(inside.settings.partitions)
        for feed in inside.feeds:
            for lane in feed.lanes.values():
                metrics.LANE_READY.labels(feed.name, lane.number).set(lane.ready)
            if isinstance(feed.keeper, Measured):
                feed.keeper.measure()
        for (role, number), records in self._seen.lags.items():
            metrics.LAG.labels(role, number).set(records)
        for number, seconds in self._seen.overdue_s.items():
            metrics.OVERDUE.labels(number).set(seconds)
        for (state, age), count in self._orders.items():
            metrics.OPEN_ORDERS.labels(state, age).set(count)
        metrics.WAITING.set(self._waiting)
        metrics.DIVERGENCE.set(inside.clock.divergence_s() if isinstance(inside.clock, WallClock) else 0.0)

    async def _ask(self) -> None:
        """Ask the servers: how far the topics go, which timers are due. What is not answered is what was known."""
        async with self._asking:
            if time.monotonic() - self._seen_s < SERVERS_EVERY_S:
                return
            trouble: dict[str, str] = {}
            lags, overdue_s = self._seen.lags, self._seen.overdue_s
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    lags = await self._lags()
            except (KafkaError, ConsumerStoppedError, TimeoutError) as error:
                trouble["kafka"] = _why(error)
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    overdue_s = await self._overdue()
            except UNREACHABLE as error:
                trouble["redis"] = _why(error)
            self._seen, self._seen_s = _Seen(lags, overdue_s, trouble), time.monotonic()

    async def _lags(self) -> dict[tuple[str, int], int]:
        """Role and lane -> records between what is done and the end of the topics."""
        found: dict[tuple[str, int], int] = {}
        for feed in self.inside.feeds:
            ready = [lane.number for lane in feed.lanes.values() if lane.ready]
            places = [TopicPartition(topic, number) for topic in feed.topics for number in ready] if feed.reads else []
            if not places or feed.consumer is None:
                continue
            for place, end in (await feed.consumer.end_offsets(places)).items():
                done = feed.done.get(place, end)
                at = feed.name, place.partition
                found[at] = found.get(at, 0) + max(end - done, 0)
        return found

    async def _overdue(self) -> dict[int, float]:
        """Lane -> seconds for which its earliest timer has been due, of lanes whose clock is kept here."""
        inside = self.inside
        await inside.store.known_fact("partitions")
        now_ms = inside.clock.now().timestamp() * 1000
        found: dict[int, float] = {}
        for keeper in (feed.keeper for feed in inside.feeds):
            if not isinstance(keeper, Timekeeper):
                continue
            places = [(lane, key) for lane in sorted(keeper.lanes) for key in keeper.keys(lane)]
            due = await inside.store.next_due([key for _lane, key in places])
            for (lane, _key), first_ms in zip(places, due, strict=True):
                late_s = max(0.0, (now_ms - first_ms) / 1000) if first_ms is not None else 0.0
                found[lane] = max(found.get(lane, 0.0), late_s)
        return found

    async def _count_orders(self) -> None:
        """Count open orders of the desk's lanes, a few thousand at a time, and not at every look."""
        if time.monotonic() - self._orders_s < ORDERS_EVERY_S:
            return
        self._orders_s = time.monotonic()
        desks = [feed.keeper for feed in self.inside.feeds if isinstance(feed.keeper, Desk)]
        held = [one for desk in desks for lane in desk.lanes.values() for one in lane.territories.values()]
        now = self.inside.clock.now()
        found: Counter[tuple[str, str]] = Counter()
        for one in held:
            orders = list(one.territory.orders.values())
            for at in range(0, len(orders), AT_A_TIME):
                found.update(by_state_and_age(orders[at : at + AT_A_TIME], now))
                await asyncio.sleep(0)
        self._orders = found
        self._waiting = sum(len(one.territory.waiting) for one in held)


def by_state_and_age(orders: Sequence[Order], now: datetime) -> Iterable[tuple[str, str]]:
    """State and age of each order; the age as the shortest span of ``AGES`` that it has not outlived."""
    moments = [now - timedelta(seconds=bound_s) for bound_s, _name in reversed(AGES)]
    names = (OLDER, *(name for _bound_s, name in reversed(AGES)))
    for order in orders:
        yield order.state, names[bisect_right(moments, order.reported_at)]


def _why(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
