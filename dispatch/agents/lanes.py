"""A lane's state: taking it over, and turning what a batch decided into what is saved.

Taking: load the territories, fold what the log has and the store lacks, publish what the outbox holds, and go on
from the position. Whatever does not fit refuses to start, and says what to do.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from dispatch.agents.log_reader import read_to_end
from dispatch.agents.wire import read_event
from dispatch.errors import LaneError
from dispatch.log import get_log
from dispatch.models.commands import root_of
from dispatch.rules.batch import fold_end, retime
from dispatch.rules.events import Event, revive
from dispatch.rules.evolve import fold
from dispatch.rules.state import Data, Done, Order, moment_of, text_of
from dispatch.rules.state_staff import Technician
from dispatch.rules.territory import Territory
from dispatch.stores.base import Loaded, Meta, Save, TerritoryKey
from dispatch.topics import COMMANDS, COMMANDS_URGENT, WORK_ORDERS

log = get_log("lanes")
INPUTS = (COMMANDS_URGENT, COMMANDS)
FAR_BEHIND = 5000
Recall = Callable[[Sequence[tuple[TerritoryKey, str]]], Awaitable[list[bytes | None]]]
REBUILD = "Run `dispatch rebuild`: it makes the state anew from the log"

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_order = msgspec.msgpack.Decoder(Order).decode
_done = msgspec.msgpack.Decoder(Done).decode
_technician = msgspec.msgpack.Decoder(Technician).decode


@dataclass(slots=True)
class Held:
    """A territory in a lane: its state, the fence it builds on, and which outbox entries Kafka has already."""

    key: TerritoryKey
    territory: Territory
    fence: tuple[int, str] = (0, "")
    published: list[int] = field(default_factory=list)
    log_offset: int = 0
    buffered: dict[int, Event] = field(default_factory=dict)

    def fold(self, event: Event) -> bool:
        """Fold an event from the log; nothing counts before the ``lane.decided`` that ends its batch."""
        if event.sequence <= self.territory.sequence:
            return False
        self.buffered[event.sequence] = event
        if event.type != "lane.decided":
            return False
        first = event.sequence - event.data["events"]
        batch = [self.buffered.get(number) for number in range(first, event.sequence)]
        if any(one is None for one in batch) or first > self.territory.sequence + 1 + self._gap_allowed(event):
            raise LaneError(
                f"the log of {self.key} has a gap before {event.sequence} (state is at {self.territory.sequence})",
                REBUILD,
            )
        for one in batch:
            if one is not None:
                fold(self.territory, revive(one))
        fold_end(self.territory, event)
        self.buffered.clear()
        return True

    def _gap_allowed(self, event: Event) -> int:
        abandoned = event.data.get("abandoned")
        return abandoned["to"] - abandoned["from"] + 1 if abandoned else 0


def load_territory(key: TerritoryKey, loaded: Loaded | None, policy_version: str) -> Held:
    """The territory as the store has it; an empty one under the given policy when it has none."""
    territory = Territory(key.tenant, key.territory)
    held = Held(key=key, territory=territory)
    territory.policy_version = policy_version
    if loaded is None:
        return held
    meta = loaded.meta
    for blob in loaded.technicians.values():
        territory.put_technician(_technician(blob))
    for blob in loaded.orders.values():
        territory.put_order(_order(blob))
    for name, blob in loaded.recent.items():
        territory.put_recent(name, _done(blob))
    territory.sequence, territory.batch_id = meta.sequence, meta.batch_id
    territory.policy_version = meta.policy_version or policy_version
    territory.opened = meta.opened
    territory.now = moment_of(meta.now) if meta.now else None
    territory.positions = {topic: dict(place) for topic, place in meta.positions.items()}
    territory.edges = dict(meta.edges)
    held.fence = (meta.sequence, meta.batch_id)
    held.log_offset = meta.log_offset
    retime(territory)
    territory.saved()
    territory.unmatched.clear()
    territory.freed.clear()
    return held


def save_of(held: Held, outbox: bytes | None, final_ttl_s: int) -> Save:
    """What has changed in a territory since its last save, as one atomic change."""
    territory = held.territory
    dropped, added = retime(territory)
    notes = [(name, territory.recent_at(name)) for name in sorted(territory.recent.changed)]
    orders: list[tuple[str, bytes]] = []
    finals: list[tuple[str, bytes]] = []
    for order in territory.changed_orders.values():
        (finals if order.is_final else orders).append((order.id, _pack(order)))
    return Save(
        expected=held.fence,
        meta=meta_of(held),
        orders=orders,
        finals=finals,
        reopened=sorted(territory.reopened),
        technicians=[(one.id, _pack(one)) for one in territory.changed_technicians.values()],
        recent=[(name, _pack(done)) for name, done in notes if done is not None],
        forgotten=[name for name, done in notes if done is None],
        timers_dropped=dropped,
        timers_added=[(int(at.timestamp() * 1000), timer_id) for at, timer_id in added],
        outbox=(territory.sequence, outbox) if outbox is not None else None,
        published=held.published,
        final_ttl_s=final_ttl_s,
    )


def meta_of(held: Held) -> Meta:
    """How far the territory has come."""
    territory = held.territory
    return Meta(
        sequence=territory.sequence,
        batch_id=territory.batch_id,
        policy_version=territory.policy_version,
        opened=territory.opened,
        now=text_of(territory.now) if territory.now else None,
        positions=territory.positions,
        edges=territory.edges,
        log_offset=held.log_offset,
    )


def saved(held: Held) -> None:
    """The store has it: the next change builds on this one."""
    held.fence = (held.territory.sequence, held.territory.batch_id)
    held.published = []
    held.territory.saved()


async def fold_tail(
    client: Mapping[str, Any],
    lane: int,
    territories: Mapping[TerritoryKey, Held],
    consumer: AIOKafkaConsumer,
    recall_finals: Recall,
) -> tuple[list[Held], dict[str, str]]:
    """Fold what this lane's partition of the log has beyond the store.

    Returns the territories whose saved state is behind, and the routes of what the folded events opened. A batch
    without its end is not folded; its numbers are not used again. A territory that has been silent for long is named
    too, so that its place in the log is saved and the next owner reads less.
    """
    place = TopicPartition(WORK_ORDERS, lane)
    begin = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    known = [held for held in territories.values() if held.fence[0] > 0]
    if not known:
        if end > begin:
            raise LaneError(f"the store knows nothing of lane {lane}, and its log holds {end - begin} events", REBUILD)
        return [], {}
    tail: dict[TerritoryKey, list[Event]] = {}
    start = min(held.log_offset for held in known)
    if end > start:
        async for record in read_to_end(client, WORK_ORDERS, lane, start):
            held, event = territories.get(key_of(record.key)), read_event(record)
            if held is not None and event is not None and event.sequence > held.territory.sequence:
                tail.setdefault(held.key, []).append(event)
    behind = [held for held in known if end - held.log_offset > FAR_BEHIND]
    routes: dict[str, str] = {}
    for key, events in tail.items():
        held = territories[key]
        await _recall_for(recall_finals, held, events)
        grown = [held.fold(event) for event in events]
        routes.update(found for event in events if (found := route_of(event, key)))
        if any(grown) and held not in behind:
            behind.append(held)
        if held.buffered:
            held.territory.abandoned_to = max(held.buffered)
            held.buffered.clear()
    for held in territories.values():
        held.log_offset = end
    return behind, routes


async def _recall_for(recall_finals: Recall, held: Held, events: Sequence[Event]) -> None:
    """Have the final orders at hand that the tail speaks of: one may have been rated, or opened again."""
    ids = sorted({event.subject for event in events} - held.territory.orders.keys())
    wanted = [(held, order_id) for order_id in ids]
    recall(wanted, await recall_finals([(held.key, order_id) for order_id in ids]))


def route_of(event: Event, key: TerritoryKey) -> tuple[str, str] | None:
    """The route that an event tells of, as intake fixes it: of an order that was opened, or of a technician."""
    if event.type == "work-order.opened":
        lane = "u" if event.data["urgency"] == "emergency" else "n"
        return root_of(event.subject), f"{key.territory}|{lane}"
    if event.type == "technician.updated":
        return f"technician/{event.subject}", f"{key.territory}|n"
    return None


def key_of(key: bytes | None) -> TerritoryKey:
    """The territory that a record's key names."""
    tenant, _colon, territory = (key or b"").decode(errors="replace").partition(":")
    return TerritoryKey(tenant, territory)


def check_positions(
    lane: int, held: Sequence[Held], incarnations: Mapping[str, str], bounds: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """Where the lane goes on, by topic; LaneError when its positions do not fit the topics as they are.

    ``bounds``: first and end offset of this lane's partition. ``floor`` is the lane's own mark: all below it was
    decided for every territory.
    """
    offsets: dict[str, int] = {}
    for topic in INPUTS:
        first, end = bounds[topic]
        floor, highest = 0, -1
        for one in held:
            place: Data | None = one.territory.positions.get(topic)
            if place is None:
                continue
            if place["incarnation"] != incarnations[topic]:
                raise LaneError(
                    f"{topic} is not the topic that {one.key} was decided from (it was created anew)",
                    "Restore the topic, or run `dispatch rebuild --accept-new-topics` to go on from its beginning",
                )
            floor = max(floor, int(place["floor"]))
            highest = max(highest, int(place["offset"]))
        if highest >= end:
            raise LaneError(
                f"{topic}[{lane}] ends at {end}, but was decided up to {highest}: records are gone",
                "Restore the topic, or run `dispatch rebuild --accept-new-topics`",
            )
        if first > max(floor, highest + 1):
            raise LaneError(
                f"{topic}[{lane}] begins at {first}, but was decided only up to {max(floor, highest + 1)}: "
                "undecided commands have expired",
                "Send them again from dispatch.requests, then run `dispatch rebuild --accept-new-topics`",
            )
        offsets[topic] = max(floor, first)
    return offsets


def recall(wanted: Sequence[tuple[Held, str]], found: Sequence[bytes | None]) -> None:
    """Have the final orders that a batch speaks of at hand."""
    for (held, order_id), blob in zip(wanted, found, strict=True):
        if blob is not None:
            held.territory.recalled[order_id] = _order(blob)
