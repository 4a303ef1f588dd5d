"""Making Redis anew from the log: state, timers, positions and routes of every territory.

What the log has not, it cannot give back: the people store, and decisions that were saved but never published.
Those were never seen by anybody; their commands are decided again.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from dispatch.agents.lanes import Held, key_of, load_territory, route_of, save_of
from dispatch.agents.log_reader import read_to_end
from dispatch.agents.wire import read_event
from dispatch.rules.batch import state_hash
from dispatch.rules.events import Event
from dispatch.rules.state import Order
from dispatch.rules.territory import Territory
from dispatch.settings import Settings
from dispatch.stores.base import LaneStore, TerritoryKey
from dispatch.stores.redis import RedisStore, connect
from dispatch.topics import TOPICS, WORK_ORDERS

CHUNK = 2000
"""How many final orders one call writes."""
FINAL_TTL_S = 400 * 86400
_pack = msgspec.msgpack.Encoder(order="deterministic").encode


class RebuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the log and the store say of one territory; equal hashes are equal states (I8)."""

    territory: str
    events: int
    orders: int
    hash_log: str
    hash_store: str | None
    written: bool

    @property
    def same(self) -> bool:
        """Whether the store has what the log has."""
        return self.hash_log == self.hash_store


class Folded(msgspec.Struct, kw_only=True):
    """A territory as the log tells it: what is open, what is final, and the routes fixed for its orders."""

    held: Held
    finals: dict[str, bytes]
    routes: dict[str, str]
    events: int = 0

    def add(self, event: Event, end_offset: int) -> None:
        """Fold one event; final orders are set aside as blobs, as the store does."""
        self.events += 1
        if (route := route_of(event, self.held.key)) is not None:
            self.routes.setdefault(*route)
        territory = self.held.territory
        if self.held.buffered.get(event.sequence) is None and event.subject in self.finals:
            _recall(territory, event.subject, self.finals)
        if self.held.fold(event):
            self.held.log_offset = end_offset
            self.set_finals_aside()

    def set_finals_aside(self) -> None:
        """Keep what became final as a blob; what was reopened is no longer final."""
        territory = self.held.territory
        for order_id in territory.reopened:
            self.finals.pop(order_id, None)
        for order in territory.changed_orders.values():
            if order.is_final:
                self.finals[order.id] = _pack(order)
        territory.saved()


def _recall(territory: Territory, order_id: str, finals: Mapping[str, bytes]) -> None:
    if order_id not in territory.orders and order_id not in territory.recalled:
        territory.recalled[order_id] = msgspec.msgpack.decode(finals[order_id], type=Order)


async def fold_log(
    client: Mapping[str, Any], partitions: int, progress: Callable[[str], None]
) -> dict[TerritoryKey, Folded]:
    """Every territory, folded from the whole log."""
    found: dict[TerritoryKey, Folded] = {}
    for partition in range(partitions):
        count = 0
        async for record in read_to_end(client, WORK_ORDERS, partition):
            event, key = read_event(record), key_of(record.key)
            if event is None:
                continue
            if key not in found:
                held = load_territory(key, None, event.policy_version or "")
                found[key] = Folded(held=held, finals={}, routes={})
            found[key].add(event, record.offset + 1)
            count += 1
        progress(f"partition {partition}: {count} events")
    return found


async def rebuild(
    settings: Settings,
    *,
    check: bool = False,
    accept_new_topics: bool = False,
    progress: Callable[[str], None] = lambda _text: None,
) -> list[RebuildResult]:
    """Fold the log and, unless ``check``, write what it says into Redis. No lane may be at work meanwhile.

    With ``accept_new_topics`` the input positions start over, for topics that had to be created anew.
    """
    client = settings.kafka_client()
    redis = connect(settings.redis, **settings.redis_options())
    store = RedisStore(redis)
    try:
        partitions = int(await store.known_fact("partitions") or settings.partitions)
        folded = await fold_log(client, partitions, progress)
        if accept_new_topics and not check:
            for name in TOPICS:
                await store.forget(f"incarnation:{name}")
        return [
            await _settle(store, key, one, check=check, anew=accept_new_topics)
            for key, one in sorted(folded.items(), key=lambda item: str(item[0]))
        ]
    finally:
        await redis.aclose()


async def _settle(store: RedisStore, key: TerritoryKey, one: Folded, *, check: bool, anew: bool) -> RebuildResult:
    territory = one.held.territory
    if anew:
        territory.positions = {}
    hash_log = state_hash(territory, one.finals)
    hash_store = await stored_hash(store, key)
    written = not check and hash_log != hash_store
    if written:
        await _write(store, key, one)
    return RebuildResult(
        territory=str(key),
        events=one.events,
        orders=len(territory.orders),
        hash_log=hash_log,
        hash_store=hash_store,
        written=written,
    )


async def stored_hash(store: LaneStore, key: TerritoryKey) -> str | None:
    """The hash of a territory as the store has it; None when it has nothing."""
    loaded = await store.load(key)
    if loaded is None:
        return None
    return state_hash(load_territory(key, loaded, "").territory, await store.finals(key))


async def _write(store: RedisStore, key: TerritoryKey, one: Folded) -> None:
    held = one.held
    territory = held.territory
    if held.buffered:
        territory.abandoned_to = max(held.buffered)
    for order in territory.orders.values():
        territory.changed_orders[order.id] = order
    for technician in territory.technicians.values():
        territory.changed_technicians[technician.id] = technician
    territory.recent.changed.update(territory.recent.kept)
    territory.timers.clear()
    save = save_of(held, None, FINAL_TTL_S)
    finals = list(one.finals.items())
    first, rest = finals[:CHUNK], finals[CHUNK:]
    await store.replace(key, msgspec.structs.replace(save, finals=first))
    for chunk in _chunks(rest):
        fence = (territory.sequence, territory.batch_id)
        more = msgspec.structs.replace(
            save, expected=fence, orders=(), technicians=(), recent=(), timers_added=(), finals=chunk
        )
        await store.save({key: more})
    await store.fix_routes(key.tenant, one.routes)


def _chunks(items: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
