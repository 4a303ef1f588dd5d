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
        self.lanes: dict[int, float] = {}
        self.asked: dict[TerritoryKey, tuple[frozenset[str], float]] = {}

    async def take(self, lane: int, _consumer: AIOKafkaConsumer) -> Mapping[str, int]:
        """See Keeper."""
        self.lanes[lane] = 0.0
        return {}

    async def release(self, lane: int) -> None:
        """See Keeper."""
        self.lanes.pop(lane, None)

    async def check(self, lane: int) -> None:
        """See Keeper."""

    def keys(self, lane: int) -> list[TerritoryKey]:
        """The territories of a lane."""
        keys = (TerritoryKey(self.tenant, name) for name in self.policies.territories)
        return [key for key in keys if self.lane_of(str(key)) == lane]

    async def handle(self, batch: Batch) -> None:
        """Look at one lane: send what is due as one command a territory; remember when to look again."""
        now = self.clock.now()
        now_ms = int(now.timestamp() * 1000)
        out: list[Record] = []
        next_ms: list[int] = []
        try:
            keys = self.keys(batch.lane)
            for key, first_ms in zip(keys, await self.store.next_due(keys), strict=True):
                if first_ms is not None and first_ms > now_ms:
                    next_ms.append(first_ms)
                elif first_ms is not None:
                    due, following = await self.store.due(key, now_ms, MOST_TIMERS)
                    next_ms += [following] if following is not None else []
                    if due and self._is_news(key, due):
                        out.append(self._command(key, due, text_of(now)))
        except UNREACHABLE as error:
            log.warning("store is away", error=type(error).__name__)
        self.steps("clock.read")
        if out:
            await self.publisher.publish(out)
        self.steps("clock.published")
        wait_s = (min(next_ms) - now_ms) / 1000 / self.clock.speed if next_ms else LONGEST_SLEEP_S
        ceiling_s = max(SHORTEST_SLEEP_S, LONGEST_SLEEP_S / self.clock.speed)
        if batch.lane in self.lanes:
            self.lanes[batch.lane] = time.monotonic() + min(max(wait_s, SHORTEST_SLEEP_S), ceiling_s)
        if not batch.done.done():
            batch.done.set_result(None)

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
    """Has the timekeeper look at each of its lanes when the next timer may be due."""

    def __init__(self, keeper: Timekeeper, channels: Sequence[Any], **kwargs: Any) -> None:
        """``channels`` one per lane, as feeds have them."""
        super().__init__(**kwargs)
        self.keeper = keeper
        self.channels = channels

    @Service.task
    async def _tick(self) -> None:
        while not self.should_stop:
            now_s = time.monotonic()
            ready = [lane for lane, at_s in self.keeper.lanes.items() if at_s <= now_s]
            batches = [Batch(lane, []) for lane in ready]
            for batch in batches:
                await self.channels[batch.lane].send(value=batch)
            if batches:
                await asyncio.wait([batch.done for batch in batches], timeout=SEND_AGAIN_S)
            await self.sleep(SHORTEST_SLEEP_S)
