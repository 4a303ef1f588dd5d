"""The desk: the single writer of its lanes. Parse, load, decide, save, publish; nothing else.

A batch is saved in one atomic change per territory, fenced against any other writer, and published afterwards from
what was saved; a crash anywhere repeats events with the same ids and bytes, and decides nothing twice.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import ConsumerRecord

from dispatch.agents import lanes, wire
from dispatch.agents.counting import count_batch
from dispatch.agents.desk_input import HELD, Lane, Parsed, is_killer, parse, portion
from dispatch.agents.feed import Batch
from dispatch.agents.lanes import Held
from dispatch.agents.patience import patiently
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.errors import Fenced
from dispatch.log import get_log
from dispatch.rules.batch import Decided, decide_batch
from dispatch.rules.state import Data, moment_of, text_of
from dispatch.stores.base import Attempt, DeskStore, TerritoryKey
from dispatch.stores.redis import UNREACHABLE
from dispatch.timing import Clock
from dispatch.topics import COMMANDS, COMMANDS_URGENT, WORK_ORDERS

log = get_log("desk")
READ_AGAIN_S = 2.0
Steps = Callable[[str], None]


class Desk:
    """Keeps lanes for a feed, and handles their batches."""

    def __init__(
        self,
        *,
        tenant: str,
        store: DeskStore,
        publisher: Publisher,
        policies: PolicyBook,
        clock: Clock,
        client: Mapping[str, Any],
        lane_of: Callable[[str], int],
        incarnations: Mapping[str, str],
        steps: Steps = lambda _name: None,
    ) -> None:
        """``steps`` is told the name of each step as it is passed; tests stop the process there."""
        self.tenant = tenant
        self.store = store
        self.publisher = publisher
        self.policies = policies
        self.clock = clock
        self.client = client
        self.lane_of = lane_of
        self.incarnations = incarnations
        self.steps = steps
        self.lanes: dict[int, Lane] = {}
        self._writer = uuid.uuid4().hex[:12]
        self._batches = 0

    # taking and releasing -------------------------------------------------------------------------------------

    async def take(self, number: int, consumer: AIOKafkaConsumer) -> dict[str, int]:
        """See Keeper: load, fold the log's tail, publish the outbox; the positions to go on from."""
        await self.policies.refresh()
        version = self.policies.latest.version
        run = await patiently(self.store.run)
        keys = [TerritoryKey(self.tenant, one) for one in self.policies.territories]
        mine = [key for key in keys if self.lane_of(str(key)) == number]
        loaded = [await patiently(partial(self.store.load, key)) for key in mine]
        held = {key: lanes.load_territory(key, found, version) for key, found in zip(mine, loaded, strict=True)}
        behind, routes = await lanes.fold_tail(
            self.client, number, held, consumer, lambda wanted: patiently(lambda: self.store.recall(wanted))
        )
        await patiently(lambda: self.store.fix_routes(self.tenant, routes))
        for one in behind:
            save = lanes.save_of(one, None, self._ttl_s())
            await patiently(partial(self.store.save, {one.key: save}))
            lanes.saved(one)
        bounds = await _bounds(consumer, number)
        offsets = lanes.check_positions(number, list(held.values()), self.incarnations, bounds)
        for key, found in zip(mine, loaded, strict=True):
            for sequence, blob in found.outbox if found else ():
                entry = wire.unpack(blob)
                await self._publish(number, [(held[key], sequence, entry)])
        last = await patiently(lambda: self.store.attempt(str(number)))
        if last is None:
            await patiently(lambda: self.store.begin(str(number), HELD, ()))
        careful_to = {topic: end for topic, (_first, end) in bounds.items()} if last is not None else {}
        self.lanes[number] = Lane(number, held, dict(offsets), last, careful_to)
        await patiently(lambda: self.store.vouch(str(number), run))
        log.info("lane taken", lane=number, territories=len(held), caught_up=len(behind), offsets=offsets)
        return offsets

    async def release(self, number: int) -> None:
        """See Keeper."""
        if self.lanes.pop(number, None) is not None:
            with suppress(*UNREACHABLE):
                await self.store.settle(str(number))

    async def check(self, number: int) -> None:
        """See Keeper: a store that lost its tail, or that another writer has used, is noticed without any input."""
        lane = self.lanes.get(number)
        if lane is None:
            return
        run = await patiently(self.store.run)
        keys = list(lane.territories)
        fences = await patiently(lambda: self.store.fences(keys))
        for key, fence in zip(keys, fences, strict=True):
            if fence != lane.territories[key].fence:
                msg = f"the store has {key} at {fence[0]}, this lane at {lane.territories[key].fence[0]}"
                raise Fenced(msg)
        await patiently(lambda: self.store.vouch(str(number), run))

    # the five verbs -------------------------------------------------------------------------------------------

    async def handle(self, batch: Batch) -> None:
        """Decide one batch of a lane, and say when it is done. Raises into the batch when the lane is lost."""
        try:
            lane = self._held(batch.lane)
            at = 0
            while at < len(batch.records):
                attempt = portion(lane, batch.records[at:])
                await self._handle(lane, batch.records[at : at + attempt.size], attempt)
                at += attempt.size
        except Fenced as fenced:
            self.lanes.pop(batch.lane, None)
            if not batch.done.done():
                batch.done.set_exception(fenced)
        else:
            if not batch.done.done():
                batch.done.set_result(None)

    async def _handle(self, lane: Lane, records: list[ConsumerRecord], attempt: Attempt) -> None:
        began_s = time.monotonic()
        parsed = self._parse(lane, records, killer=is_killer(attempt))
        self.steps("desk.read")
        await self._load(lane, parsed, attempt, careful=lane.is_careful(records))
        now = self._now(lane, parsed)
        decided: dict[TerritoryKey, Decided] = {}
        for key in parsed.positions:
            decided[key] = self._decide(lane, key, parsed, now)
            await asyncio.sleep(0)
        self.steps("desk.decided")
        entries = await self._save(lane, parsed, decided, text_of(now))
        self.steps("desk.saved")
        await self._publish(lane.number, entries)
        self.steps("desk.published")
        for topic, offset in {record.topic: record.offset for record in records}.items():
            lane.floors[topic] = max(lane.floors.get(topic, 0), offset + 1)
        count_batch(parsed, decided, now)
        self._tell(lane, records, decided, began_s)

    def _held(self, number: int) -> Lane:
        """The lane, if it is ours. One that is lost is given up the same way as after a lost race: Fenced."""
        if (lane := self.lanes.get(number)) is None:
            msg = f"lane {number} is not held"
            raise Fenced(msg)
        return lane

    def _parse(self, lane: Lane, records: list[ConsumerRecord], *, killer: bool) -> Parsed:
        return parse(lane, records, self.lane_of, self.policies, killer=killer)

    async def _load(self, lane: Lane, parsed: Parsed, attempt: Attempt, *, careful: bool) -> None:
        """Have at hand what the commands speak of: final orders, new policies. Careful: note that they are tried."""
        wanted: list[tuple[Held, str]] = []
        for key, commands in parsed.commands.items():
            held = lane.territories[key]
            for command in commands:
                wanted += [(held, one) for one in command.looks_at() if one not in held.territory.orders]
                if (
                    command.type == "policy.activated"
                    and str(command.data.get("version")) not in self.policies.versions
                ):
                    await self._read_policies()
        asked = [(held.key, order_id) for held, order_id in wanted]
        if careful:
            found = await patiently(lambda: self.store.begin(str(lane.number), attempt, asked))
        else:
            found = await patiently(lambda: self.store.recall(asked))
        lanes.recall(wanted, found)

    async def _read_policies(self) -> None:
        """What is new on the policies topic, however long the broker takes: a version must not be refused for that."""
        while True:
            try:
                await self.policies.refresh()
            except KafkaError as error:
                log.warning("policies not read", error=type(error).__name__)
                await asyncio.sleep(READ_AGAIN_S)
            else:
                return

    def _now(self, lane: Lane, parsed: Parsed) -> Any:
        """Read once per batch; never before the lane's last batch, nor before the clock that found a timer due."""
        seen = [held.territory.now for held in lane.territories.values() if held.territory.now is not None]
        due = (one for commands in parsed.commands.values() for one in commands if one.type == "due")
        seen.extend(moment_of(command.time) for command in due)
        return max([self.clock.now(), *seen])

    def _decide(self, lane: Lane, key: TerritoryKey, parsed: Parsed, now: Any) -> Decided:
        held = lane.territories[key]
        territory = held.territory
        self._batches += 1
        positions: dict[str, Data] = dict(territory.positions)
        for topic in lanes.INPUTS:
            offset = parsed.positions.get(key, {}).get(topic, positions.get(topic, {}).get("offset"))
            if offset is None:
                continue
            positions[topic] = {
                "incarnation": self.incarnations[topic],
                "partition": lane.number,
                "offset": offset,
                "floor": lane.floors.get(topic, 0),
            }
        batch_id = f"{self._writer}-{self._batches}"
        return decide_batch(territory, parsed.commands.get(key, ()), self.policies.versions, now, batch_id, positions)

    async def _save(
        self, lane: Lane, parsed: Parsed, decided: Mapping[TerritoryKey, Decided], recorded: str
    ) -> list[tuple[Held | None, int, wire.Entry]]:
        letters = list(parsed.letters)
        saves = {}
        routes: dict[str, str] = {}
        entries: list[tuple[Held | None, int, wire.Entry]] = []
        for key, one in decided.items():
            held = lane.territories[key]
            refused = [wire.refused_letter(parsed.records[id(r.command)], r) for r in one.refused]
            for refusal in one.refused:
                log.warning(
                    "refused",
                    lane=lane.number,
                    territory=key.territory,
                    code=refusal.code,
                    command=refusal.command.type,
                    ours=refusal.ours,
                )
            entry = wire.entry_of(key, one, [*refused, *letters], recorded)
            letters = []
            routes.update(found for event in one.events if (found := lanes.route_of(event, key)))
            saves[key] = lanes.save_of(held, wire.pack(entry), self._ttl_s())
            entries.append((held, held.territory.sequence, entry))
        await patiently(lambda: self.store.save(saves, routes))
        for key in saves:
            lanes.saved(lane.territories[key])
        if letters:
            entries.append(
                (
                    None,
                    0,
                    wire.Entry(tenant=self.tenant, territory="", recorded=recorded, events=[], letters=letters),
                )
            )
        return entries

    async def _publish(self, number: int, entries: Sequence[tuple[Held | None, int, wire.Entry]]) -> None:
        records: list[Record] = []
        for _held, _sequence, entry in entries:
            records.extend(wire.records_of(entry, number, self.lane_of))
        try:
            ends = await self.publisher.publish(records)
        except MessageSizeTooLargeError:
            ends = await self._publish_one_by_one(records, entries[0][2].recorded)
        for held, sequence, _entry in entries:
            if held is not None:
                held.published.append(sequence)
                held.log_offset = ends.get((WORK_ORDERS, number), held.log_offset)

    async def _publish_one_by_one(self, records: Sequence[Record], recorded: str) -> dict[tuple[str, int], int]:
        """The broker refuses one of them: send each alone, and that one to the dead letters."""
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            try:
                ends |= await self.publisher.publish([record])
            except MessageSizeTooLargeError:
                letter = wire.oversize_letter(record, self.tenant, recorded)
                ends |= await self.publisher.publish([wire.letter_record(letter, record.partition)])
                log.exception("the broker refuses a record", topic=record.topic, bytes=len(record.value))
        return ends

    # helpers --------------------------------------------------------------------------------------------------

    def _ttl_s(self) -> int:
        return self.policies.latest.site.tombstone

    def _tell(
        self,
        lane: Lane,
        records: Sequence[ConsumerRecord],
        decided: Mapping[TerritoryKey, Decided],
        began_s: float,
    ) -> None:
        """The canonical line of a batch."""
        log.info(
            "batch",
            lane=lane.number,
            commands=len(records),
            events=sum(len(one.events) for one in decided.values()),
            refused=sum(len(one.refused) for one in decided.values()),
            repeated=sum(one.repeated for one in decided.values()),
            took_ms=round((time.monotonic() - began_s) * 1000, 1),
            waiting=sum(len(held.territory.waiting) for held in lane.territories.values()),
        )


async def _bounds(consumer: AIOKafkaConsumer, lane: int) -> dict[str, tuple[int, int]]:
    """First and end offset of the lane's partition of each input topic."""
    places = [TopicPartition(topic, lane) for topic in (COMMANDS, COMMANDS_URGENT)]
    first = await consumer.beginning_offsets(places)
    end = await consumer.end_offsets(places)
    return {place.topic: (first[place], end[place]) for place in places}
