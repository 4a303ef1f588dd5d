"""The other side of the engine, light enough to share two processors with it: it reports, watches, and completes.

Records are serialised before the clock starts and sent in whole batches to known partitions; assignments are read
with a decoder that looks at three fields, and each is answered with one ``complete``.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord

from benchmarks.common import Child
from dispatch.topics import ACTIONS, ASSIGNMENTS, REQUESTS

BATCH_BYTES = 1024 * 1024
ASSIGNED = b"dispatch.work-order.assigned.v1"
IDLE_MS = 100
STALLED_S = 60.0


class Assigned(msgspec.Struct):
    """What the client needs to know of an assignment."""

    work_order_id: str
    assignment_id: str
    technician_id: str


_assigned = msgspec.json.Decoder(Assigned).decode


class Client:
    """One producer and one consumer on the servers of a benchmark."""

    def __init__(self, kafka: str, partitions: int) -> None:
        """Nothing connects before :meth:`start`."""
        self.kafka = kafka
        self.partitions = partitions
        self.producer: Any = None
        self.completed = 0
        self._failed: list[BaseException] = []

    async def start(self) -> None:
        """Connect the producer."""
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka, linger_ms=0, max_batch_size=BATCH_BYTES, acks="all"
        )
        await self.producer.start()

    async def stop(self) -> None:
        """Close the producer."""
        await self.producer.stop()

    async def send(self, topic: str, values: Sequence[bytes], start: int = 0) -> None:
        """Send values to the partitions in turn, one batch each; ``start`` is the first one's partition."""
        batches = [self.producer.create_batch() for _ in range(self.partitions)]
        used = set()
        now_ms = int(time.time() * 1000)
        for number, value in enumerate(values, start):
            place = number % self.partitions
            if batches[place].append(key=None, value=value, timestamp=now_ms) is None:
                await self._hand_over(topic, place, batches[place])
                batches[place] = self.producer.create_batch()
                batches[place].append(key=None, value=value, timestamp=now_ms)
            used.add(place)
        for place in used:
            await self._hand_over(topic, place, batches[place])

    async def send_by(self, topic: str, keyed: Sequence[tuple[int, bytes]]) -> None:
        """Send values each to the partition that its number leads to, and wait for the broker's word."""
        for place in range(self.partitions):
            mine = [value for number, value in keyed if number % self.partitions == place]
            for first in range(0, len(mine), 500):
                batch = self.producer.create_batch()
                for value in mine[first : first + 500]:
                    batch.append(key=None, value=value, timestamp=int(time.time() * 1000))
                batch.close()
                await (await self.producer.send_batch(batch, topic, partition=place))

    async def _hand_over(self, topic: str, place: int, batch: Any) -> None:
        batch.close()
        if self._failed:
            raise self._failed[0]
        (await self.producer.send_batch(batch, topic, partition=place)).add_done_callback(self._sent)

    def _sent(self, future: "asyncio.Future[Any]") -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._failed.append(error)

    @asynccontextmanager
    async def reading(self, topic: str, *, from_start: bool = False) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of all partitions of a topic, at its end or its beginning."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, enable_auto_commit=False, auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * BATCH_BYTES,
        )  # fmt: skip
        await consumer.start()
        try:
            places = [TopicPartition(topic, each) for each in range(self.partitions)]
            consumer.assign(places)
            await (consumer.seek_to_beginning(*places) if from_start else consumer.seek_to_end(*places))
            for place in places:
                await consumer.position(place)
            yield consumer
        finally:
            await consumer.stop()

    async def complete(self, records: Sequence[ConsumerRecord]) -> None:
        """Answer each assignment with a ``complete`` of its technician."""
        done_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        values = []
        for record in records:
            one = _assigned(record.value)
            self.completed += 1
            values.append(
                f'{{"specversion":"1.0","id":"c-{one.assignment_id}","source":"/bench",'
                f'"type":"dispatch.action.complete.v1","time":"{done_at}","data":{{'
                f'"work_order_id":"{one.work_order_id}","assignment_id":"{one.assignment_id}","visit_no":1,'
                f'"disposition":"fixed","actor":{{"id":"{one.technician_id}","role":"technician"}}}}}}'.encode()
            )
        await self.send(ACTIONS, values, self.completed)

    async def ends(self, topic: str) -> int:
        """How many records a topic has had, over all partitions."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await consumer.start()
        try:
            places = [TopicPartition(topic, each) for each in range(self.partitions)]
            return sum((await consumer.end_offsets(places)).values())
        finally:
            await consumer.stop()


def type_of(record: ConsumerRecord) -> bytes:
    """The event type in a record's headers."""
    return next((value for name, value in record.headers if name == "ce_type"), b"")


def correlation_of(record: ConsumerRecord) -> bytes:
    """The id of the request that an event goes back to."""
    return next((value for name, value in record.headers if name == "ce_correlationid"), b"")


def fetched(found: dict[Any, list[ConsumerRecord]]) -> list[ConsumerRecord]:
    """The records of one ``getmany``, of all partitions."""
    return [record for records in found.values() for record in records]


class Flow:
    """Requests kept flowing so that ``window`` are under way, and the moments at which answers were read."""

    def __init__(self, client: Client, values: Sequence[bytes], window: int) -> None:
        """``values`` are sent in order, ``window`` of them ahead of the answers."""
        self.client = client
        self.values = values
        self.window = window
        self.arrivals_s: list[float] = []
        self.sent = 0
        self._room = asyncio.Event()

    async def feed(self, topic: str) -> None:
        """Send until all are sent, an eighth of the window at a time."""
        step = max(self.client.partitions, self.window // 8)
        while self.sent < len(self.values):
            if self.sent - len(self.arrivals_s) + step > self.window:
                self._room.clear()
                await self._room.wait()
                continue
            await self.client.send(topic, self.values[self.sent : self.sent + step], self.sent)
            self.sent += step

    def arrived(self, count: int) -> None:
        """So many answers have been read now."""
        self.arrivals_s.extend([time.perf_counter()] * count)
        self._room.set()


async def drive(
    client: Client, values: Sequence[bytes], window: int, worker: Child, *, engine: bool, topics: tuple[str, str]
) -> tuple[list[float], set[bytes]]:
    """Send all values to ``topics[0]``, read an answer to each from ``topics[1]``: when each came, and their ids.

    With ``engine`` answers are assignments, and are completed. RuntimeError when no answer comes for a minute.
    """
    flow = Flow(client, values, window)
    seen: set[bytes] = set()
    async with client.reading(topics[1]) as consumer:
        feeding = asyncio.create_task(flow.feed(topics[0]))
        last_s = time.perf_counter()
        while len(flow.arrivals_s) < len(values):
            records = fetched(await consumer.getmany(timeout_ms=IDLE_MS))
            if feeding.done():
                feeding.result()
            if not records:
                worker.check()
                if time.perf_counter() - last_s > STALLED_S:
                    missing = len(values) - len(flow.arrivals_s)
                    raise RuntimeError(f"{missing} of {len(values)} answers are missing; the worker says:\n{worker.tail()}")
                continue
            last_s = time.perf_counter()
            if engine:
                records = [record for record in records if type_of(record) == ASSIGNED]
                seen.update(correlation_of(record) for record in records)
                flow.arrived(len(records))
                await client.complete(records)
            else:
                flow.arrived(len(records))
    return flow.arrivals_s, seen


async def count_types(client: Client, topic: str, wanted: bytes, most: int, since: int = 0) -> set[bytes]:
    """The subjects of all events of one type in a topic; returns when ``most`` are found, or none come for a while.

    ``since``: records of the topic that were there before are passed over by their number, all partitions together.
    """
    found: set[bytes] = set()
    async with client.reading(topic, from_start=True) as consumer:
        last_s = time.perf_counter()
        while len(found) < most and time.perf_counter() - last_s < STALLED_S:
            for record in fetched(await consumer.getmany(timeout_ms=IDLE_MS)):
                last_s = time.perf_counter()
                if type_of(record) == wanted:
                    found.add(next(value for name, value in record.headers if name == "ce_subject"))
    return found


async def create(kafka: str, partitions: int, *names: str) -> None:
    """Topics of one's own, beside the engine's."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


def engine_topics() -> tuple[str, str]:
    """Where requests go in, and where assignments come out."""
    return REQUESTS, ASSIGNMENTS


def pretty(fields: dict[str, Any]) -> str:
    """A dictionary for progress lines."""
    return json.dumps(fields, ensure_ascii=False)
