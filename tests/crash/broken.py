"""Workers that are broken on purpose, each territory in a way of its own, so that the checks are known to see it.

What is broken: the fence (saves that compare nothing), the position check, the memory of handled actions, bytes that
change from one publication to the next, timers that are forgotten or fire early, places that are given twice, and
commands that are lost on the way. The other territories work as they should, and must be found clean.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dispatch.agents import desk, wire
from dispatch.agents.clock import Timekeeper
from dispatch.agents.publisher import Publisher
from dispatch.rules import decide
from dispatch.rules.state import Order
from dispatch.stores.redis import RedisStore
from dispatch.topics import COMMANDS, COMMANDS_URGENT, WORK_ORDERS

AHEAD = timedelta(minutes=10)
Steps = Callable[[str], None]
DECIDE_BATCH = "decide_batch"


def _put(owner: Any, name: str, value: Any) -> None:
    """Replace something of the engine, in this process."""
    setattr(owner, name, value)


def apply(chosen: Mapping[str, Iterable[str]], steps: Steps) -> None:
    """Break this process: for each way by name, the territories that it is broken in."""
    _tell_territories(steps)
    for name, territories in chosen.items():
        BREAKAGES[name](frozenset(territories))


def _tell_territories(steps: Steps) -> None:
    """Two more steps, by territory: ``decided.T`` before the save, ``published.T`` after the publication."""
    decide_batch, publish = getattr(desk, DECIDE_BATCH), Publisher.publish

    def decided(territory: Any, *args: Any) -> Any:
        found = decide_batch(territory, *args)
        steps(f"decided.{territory.id}")
        return found

    async def published(self: Publisher, records: Sequence[Any], *rest: Any) -> Any:
        ends = await publish(self, records, *rest)
        for name in {_territory(record.key) for record in records if record.topic == WORK_ORDERS}:
            steps(f"published.{name}")
        return ends

    _put(desk, DECIDE_BATCH, decided)
    _put(Publisher, "publish", published)


def _territory(key: bytes | None) -> str:
    return (key or b"").decode().partition(":")[2]


def no_fence(territories: frozenset[str]) -> None:
    """Save over whatever is there."""
    save = RedisStore.save

    async def saved(self: RedisStore, saves: Any, routes: Any = None) -> None:
        blind = {}
        for key, one in saves.items():
            loaded = await self.load(key) if key.territory in territories else None
            blind[key] = replace(one, expected=(loaded.meta.sequence, loaded.meta.batch_id)) if loaded else one
        await save(self, blind, routes)

    _put(RedisStore, "save", saved)


def no_position(territories: frozenset[str]) -> None:
    """Decide whatever is read, decided before or not."""
    parse = desk.Desk._parse

    def parsed(self: Any, lane: Any, *args: Any, **more: Any) -> Any:
        chosen = [held.territory for key, held in lane.territories.items() if key.territory in territories]
        kept = [one.positions for one in chosen]
        for one in chosen:
            one.positions = {}
        try:
            return parse(self, lane, *args, **more)
        finally:
            for one, positions in zip(chosen, kept, strict=True):
                one.positions = positions

    _put(desk.Desk, "_parse", parsed)


def no_memory(territories: frozenset[str]) -> None:
    """Forget which actions have had their effect."""
    act = decide.RULES["act"]

    def acted(draft: Any, command: Any) -> None:
        order = draft.order(command.order_id or "")
        if order is not None and draft.territory.id in territories:
            draft.put_order(replace(order, handled=tuple(one for one in order.handled if one != command.id)))
        act(draft, command)

    decide.RULES["act"] = acted


def other_bytes(territories: frozenset[str]) -> None:
    """Say of every publication when it was made, instead of when it was decided."""
    records_of = wire.records_of

    def records(entry: Any, *args: Any) -> Any:
        if entry.territory in territories:
            entry = replace(entry, recorded=f"{entry.recorded[:-1]}{time.time_ns() % 1000:03d}Z")
        return records_of(entry, *args)

    _put(wire, "records_of", records)


def no_timers(territories: frozenset[str]) -> None:
    """Never look whether something is due."""
    keys = Timekeeper.keys

    def some(self: Timekeeper, lane: int) -> Any:
        return [key for key in keys(self, lane) if key.territory not in territories]

    _put(Timekeeper, "keys", some)


def early_timers(territories: frozenset[str]) -> None:
    """Live ten minutes ahead: whatever is due by then fires now."""
    decide_batch, due, next_due = getattr(desk, DECIDE_BATCH), RedisStore.due, RedisStore.next_due
    ahead_ms = int(AHEAD.total_seconds() * 1000)

    def decided(territory: Any, commands: Any, policies: Any, now: datetime, *rest: Any) -> Any:
        return decide_batch(territory, commands, policies, now + AHEAD * (territory.id in territories), *rest)

    async def sooner(self: RedisStore, key: Any, until_ms: int, *rest: Any) -> Any:
        return await due(self, key, until_ms + ahead_ms * (key.territory in territories), *rest)

    async def nearer(self: RedisStore, keys: Sequence[Any]) -> Any:
        found = zip(keys, await next_due(self, keys), strict=True)
        return [ms if ms is None else ms - ahead_ms * (key.territory in territories) for key, ms in found]

    _put(desk, DECIDE_BATCH, decided)
    _put(RedisStore, "due", sooner)
    _put(RedisStore, "next_due", nearer)


def double_places(territories: frozenset[str]) -> None:
    """Take every place of a crew for an open one."""
    open_places = Order.open_places
    prefixes = tuple(f"{name.upper()}-" for name in territories)

    def places(self: Order) -> Any:
        return list(self.places()) if self.display_no.startswith(prefixes) else open_places(self)

    _put(Order, "open_places", places)


def lost_commands(territories: frozenset[str]) -> None:
    """Take one input in five for handled without handing it on, as one who commits before publishing may."""
    publish = Publisher.publish

    async def most(self: Publisher, records: Sequence[Any], *rest: Any) -> Any:
        kept = [record for record in records if not _unlucky(record, territories)]
        return await publish(self, kept, *rest)

    _put(Publisher, "publish", most)


def _unlucky(record: Any, territories: frozenset[str]) -> bool:
    if record.topic not in {COMMANDS, COMMANDS_URGENT} or _territory(record.key) not in territories:
        return False
    return b'"type":"due"' not in record.value and hashlib.md5(record.value).digest()[0] % 5 == 0


@dataclass(frozen=True)
class Way:
    """One way of being broken: what does it, and the counter that must see it."""

    breaks: Callable[[frozenset[str]], None]
    counter: str


WAYS = {
    "no_fence": Way(no_fence, "stale_accepted"),
    "no_position": Way(no_position, "repeated_effects_after_id_dedupe"),
    "no_memory": Way(no_memory, "repeated_effects_after_id_dedupe"),
    "other_bytes": Way(other_bytes, "same_id_other_bytes"),
    "no_timers": Way(no_timers, "missed_timers"),
    "early_timers": Way(early_timers, "early_escalations"),
    "double_places": Way(double_places, "double_assigned"),
    "lost_commands": Way(lost_commands, "lost"),
}
BREAKAGES = {name: way.breaks for name, way in WAYS.items()}
