"""The clock: deadlines that are due become commands, so that the log alone explains every decision.

It owns lanes as the desk does, but reads no records: it looks into the store which timers are due. At most one batch
of its own is undecided per territory; one that seems lost is sent again, which is harmless, for a stale timer has no
effect.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from mode import Service

from dispatch import metrics
from dispatch.agents.feed import Batch
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.log import get_log
from dispatch.models.commands import Command, encode_command
from dispatch.rules.state import text_of
from dispatch.stores.base import LaneStore, TerritoryKey
from dispatch.stores.redis import UNREACHABLE
from dispatch.timing import Clock
from dispatch.topics import COMMANDS_URGENT

log = get_log("clock")
LONGEST_SLEEP_S = 0.2
SHORTEST_SLEEP_S = 0.01
SEND_AGAIN_S = 5.0
MOST_TIMERS = 200


class Timekeeper:
    """Looks for due timers of the lanes it owns, and handles what it finds."""

    def __init__(
        self,
        *,
        tenant: str,
        store: LaneStore,
        publisher: Publisher,
        policies: PolicyBook,
        clock: Clock,
        lane_of: Callable[[str], int],
        steps: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """``steps`` is told the name of each step as it is passed; tests stop the process there."""
        self.tenant = tenant
        self.store = store
        self.publisher = publisher
        self.policies = policies
        self.clock = clock
        self.lane_of = lane_of
        self.steps = steps
        self.lanes: set[int] = set()
        self.asked: dict[TerritoryKey, tuple[frozenset[str], float]] = {}
        self._due: dict[int, list[TerritoryKey]] = {}
        self._next_ms: list[int] = []
        self._names: tuple[str, ...] = ()
        self._keys: dict[int, list[TerritoryKey]] = {}
        self._sizes, self._times = metrics.BATCH_RECORDS.labels("clock"), metrics.BATCH_SECONDS.labels("clock")

    async def take(self, lane: int, _consumer: AIOKafkaConsumer) -> Mapping[str, int]:
        """See Keeper."""
        self.lanes.add(lane)
        return {}

    async def release(self, lane: int) -> None:
        """See Keeper."""
        self.lanes.discard(lane)

    async def check(self, lane: int) -> None:
        """See Keeper."""

    def keys(self, lane: int) -> list[TerritoryKey]:
        """The territories of a lane."""
        names = tuple(self.policies.territories)
        if names != self._names:
            self._names, self._keys = names, {}
            for key in (TerritoryKey(self.tenant, name) for name in names):
                self._keys.setdefault(self.lane_of(str(key)), []).append(key)
        return self._keys.get(lane, [])

    async def look(self) -> list[int]:
        """The lanes of which a timer is due: one question to the store for all of them."""
        now_ms = int(self.clock.now().timestamp() * 1000)
        places = [(lane, key) for lane in sorted(self.lanes) for key in self.keys(lane)]
        self._due, self._next_ms = {}, []
        try:
            found = await self.store.next_due([key for _lane, key in places])
        except UNREACHABLE as error:
            log.warning("store is away", error=type(error).__name__)
            metrics.waited("store", LONGEST_SLEEP_S)
            return []
        for (lane, key), first_ms in zip(places, found, strict=True):
            if first_ms is None:
                continue
            if first_ms > now_ms:
                self._next_ms.append(first_ms)
            else:
                self._due.setdefault(lane, []).append(key)
        return list(self._due)

    async def handle(self, batch: Batch) -> None:
        """Send what is due in one lane, as one command a territory."""
        began_s = time.monotonic()
        now = self.clock.now()
        now_ms = int(now.timestamp() * 1000)
        out: list[Record] = []
        try:
            for key in self._due.get(batch.lane, ()):
                due, following = await self.store.due(key, now_ms, MOST_TIMERS)
                if following is not None:
                    self._next_ms.append(following)
                if due and self._is_news(key, due):
                    out.append(self._command(key, due, text_of(now)))
        except UNREACHABLE as error:
            log.warning("store is away", error=type(error).__name__)
            metrics.waited("store", LONGEST_SLEEP_S)
        self.steps("clock.read")
        if out:
            await self.publisher.publish(out)
        self.steps("clock.published")
        self._sizes.observe(len(out))
        self._times.observe(time.monotonic() - began_s)
        if not batch.done.done():
            batch.done.set_result(None)

    def wait_s(self) -> float:
        """How long (wall time) until the next look: to the next timer known, and never long, for new ones come."""
        ceiling_s = max(SHORTEST_SLEEP_S, LONGEST_SLEEP_S / self.clock.speed)
        if not self._next_ms:
            return ceiling_s
        now_ms = self.clock.now().timestamp() * 1000
        return min(max((min(self._next_ms) - now_ms) / 1000 / self.clock.speed, SHORTEST_SLEEP_S), ceiling_s)

    def _is_news(self, key: TerritoryKey, due: Sequence[tuple[str, int]]) -> bool:
        """Whether these timers have not been sent, or so long ago that the command may be lost."""
        ids = frozenset(timer_id for timer_id, _ms in due)
        asked, at_s = self.asked.get(key, (frozenset(), 0.0))
        undecided = bool(ids & asked)
        if undecided and time.monotonic() - at_s < SEND_AGAIN_S:
            return False
        self.asked[key] = (ids, time.monotonic())
        return True

    def _command(self, key: TerritoryKey, due: Sequence[tuple[str, int]], now_text: str) -> Record:
        first_id, first_ms = due[0]
        command = Command(
            id=f"timer:{first_id}:{first_ms}",
            type="due",
            tenant=key.tenant,
            territory=key.territory,
            data={"timers": [{"id": timer_id, "due_ms": ms} for timer_id, ms in due]},
            time=now_text,
        )
        return Record(COMMANDS_URGENT, self.lane_of(str(key)), str(key).encode(), encode_command(command))


class Ticker(Service):
    """Has the timekeeper look when the next timer may be due, and wakes the lanes that have one."""

    def __init__(self, keeper: Timekeeper, channels: Sequence[Any], **kwargs: Any) -> None:
        """``channels`` one per lane, as feeds have them."""
        super().__init__(**kwargs)
        self.keeper = keeper
        self.channels = channels

    @Service.task
    async def _tick(self) -> None:
        while not self.should_stop:
            batches = [Batch(lane, []) for lane in await self.keeper.look()]
            for batch in batches:
                await self.channels[batch.lane].send(value=batch)
            if batches:
                await asyncio.wait([batch.done for batch in batches], timeout=SEND_AGAIN_S)
            await self.sleep(self.keeper.wait_s())
