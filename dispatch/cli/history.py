"""One order's events, found on the log and folded as the lanes fold them."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from dispatch.agents.log_reader import read_to_end, reader
from dispatch.cli.connections import lane_of, partitions_of
from dispatch.cli.output import say
from dispatch.models.commands import root_of
from dispatch.rules.clocks import stopped
from dispatch.rules.events import Event, clocks_field, revive, short_type
from dispatch.rules.evolve import fold
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Data, Order, Stopped
from dispatch.rules.territory import Territory
from dispatch.settings import Settings
from dispatch.stores.base import TerritoryKey
from dispatch.stores.redis import RedisStore
from dispatch.topics import WORK_ORDERS

_NUMBER: Final = re.compile(r"^(?P<territory>.+)-\d{5,}$")
_MARGIN: Final = timedelta(hours=1)
_OPENED: Final = b"dispatch.work-order.opened.v1"
_order = msgspec.msgpack.Decoder(Order).decode


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the order, and where and when it was written."""

    event: Event
    id: str
    recorded: str
    territory: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The order as its events leave it. ``clocks`` holds the last that was said of each, also of a final order."""

    order: Order
    territory: str
    clocks: dict[str, Clock]
    told: list[Told]


class Search:
    """Looks for one order on the log."""

    def __init__(self, settings: Settings, store: RedisStore, policy: Policy, wanted: str) -> None:
        """``wanted``: an order's id, or the number that people know it by."""
        self.settings = settings
        self.store = store
        self.policy = policy
        self.wanted = wanted
        self.client = settings.kafka_client()

    async def run(self) -> History | None:
        """Everything about the order; None when the log does not know it."""
        lanes = await partitions_of(self.settings, WORK_ORDERS)
        home = await self._home()
        places = range(lanes) if home is None else [lane_of(f"{self.policy.tenant}:{home}", lanes)]
        told: list[Told] = []
        for number in places:
            start = await self._start(home, number)
            told = await self._read(number, start)
            if start is not None and not (told and told[0].event.type == "work-order.opened"):
                told = await self._read(number, None)
            if told:
                told += await self._elsewhere(told, lanes, {number})
                break
        return _history(told)

    async def _home(self) -> str | None:
        """The territory that opened the order: its number names it, or its route does."""
        if found := _NUMBER.match(self.wanted):
            named = found["territory"].lower()
            if named in self.policy.territories:
                return named
        order_id = root_of(self.wanted)
        route = (await self.store.routes(self.policy.tenant, [order_id])).get(order_id)
        return route.partition("|")[0] if route else None

    async def _start(self, home: str | None, lane: int) -> int | None:
        """Where to begin to read: shortly before an open order was opened, if its time is that of the wall."""
        if home is None or self.settings.clock is not None:
            return None
        found = await self.store.orders(TerritoryKey(self.policy.tenant, home))
        blobs = [found[self.wanted]] if self.wanted in found else found.values()
        order = next((one for one in map(_order, blobs) if self.wanted in (one.id, one.display_no)), None)
        if order is None:
            return None
        place = TopicPartition(WORK_ORDERS, lane)
        async with reader(self.client) as consumer:
            consumer.assign([place])
            since_ms = int((order.opened_at - _MARGIN).timestamp() * 1000)
            at = (await consumer.offsets_for_times({place: since_ms}))[place]
        return at.offset if at is not None else None

    async def _elsewhere(self, told: list[Told], lanes: int, read: set[int]) -> list[Told]:
        """The order may have moved to other territories."""
        more: list[Told] = []
        asked = list(told)
        while asked:
            one = asked.pop()
            to = one.event.data.get("to_territory")
            lane = lane_of(f"{self.policy.tenant}:{to}", lanes) if to else None
            if one.event.type == "work-order.transferred-out" and lane is not None and lane not in read:
                read.add(lane)
                self.wanted = one.event.subject
                found = await self._read(lane, None)
                more += found
                asked += found
        return more

    async def _read(self, lane: int, start: int | None) -> list[Told]:
        found: list[Told] = []
        wanted = self.wanted
        async for record, headers in self._records(lane, start):
            subject = headers.get("ce_subject", b"").decode(errors="replace")
            if subject != wanted:
                if headers.get("ce_type") != _OPENED or not _is_called(record, self.wanted):
                    continue
                wanted = subject
            found.append(_told(record, headers, subject))
        return found

    async def _records(self, lane: int, start: int | None) -> AsyncIterator[tuple[ConsumerRecord, dict[str, bytes]]]:
        count = 0
        async for record in read_to_end(self.client, WORK_ORDERS, lane, start):
            count += 1
            if count % 200_000 == 0:
                say(f"read {count} events of {WORK_ORDERS}[{lane}] …")
            yield record, dict(record.headers)


def _fold(territory: Territory, event: Event) -> None:
    """Fold the event; one that another engine wrote otherwise is left out, for the rest is worth reading."""
    try:
        fold(territory, event)
    except (LookupError, TypeError, ValueError) as error:
        say(f"event {event.sequence} ({event.type}) cannot be folded by this engine: {type(error).__name__} {error}")


def _is_called(record: ConsumerRecord, display_no: str) -> bool:
    if display_no.encode() not in (record.value or b""):
        return False
    return bool(msgspec.json.decode(record.value).get("display_no") == display_no)


def _told(record: ConsumerRecord, headers: Mapping[str, bytes], subject: str) -> Told:
    text = {name: value.decode() for name, value in headers.items()}
    data: Data = msgspec.json.decode(record.value)
    event = Event(
        sequence=int(text["ce_sequence"]),
        type=short_type(text["ce_type"]),
        subject=subject,
        time=text["ce_time"],
        data=data,
        correlation=text.get("ce_correlationid"),
        causation=text.get("ce_causationid"),
        policy_version=text.get("ce_policyversion"),
        traceparent=text.get("ce_traceparent"),
    )
    territory = text.get("ce_partitionkey", "").partition(":")[2]
    return Told(event=event, id=text["ce_id"], recorded=text.get("ce_recordedtime", event.time), territory=territory)


def _history(told: list[Told]) -> History | None:
    told = sorted({one.id: one for one in told}.values(), key=lambda one: (one.recorded, one.event.sequence))
    if not told:
        return None
    territory = Territory("", told[0].territory)
    clocks: dict[str, Clock] = {}
    for one in told:
        event = revive(one.event)
        _fold(territory, event)
        for told_now in event.data.get(clocks_field(event.type)) or ():
            is_stop = isinstance(told_now, Stopped)
            clocks[told_now.name] = stopped(clocks[told_now.name], told_now) if is_stop else told_now
    order = territory.order(told[0].event.subject)
    if order is None:
        return None
    return History(order=order, territory=told[-1].territory, clocks=clocks, told=told)
