"""The other side of the engine, light enough to share two processors with it: it reports, watches, and completes.

Records are serialised before the clock starts and sent in whole batches to known partitions; assignments are read
with a decoder that looks at three fields, and each is answered with one ``complete``.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord

from dispatch.topics import ACTIONS

BATCH_BYTES = 1024 * 1024
ASSIGNED = b"dispatch.work-order.assigned.v1"
IDLE_MS = 100
COUNT_PATIENCE_S = 60.0
MOST_UNDER_WAY = 1000


class Assigned(msgspec.Struct):
    """What the client needs to know of an assignment."""

    work_order_id: str
    assignment_id: str
    technician_id: str


read_assigned = msgspec.json.Decoder(Assigned).decode


class Client:
    """One producer, and consumers as needed, on the servers of a benchmark."""

    def __init__(self, kafka: str, partitions: int) -> None:
        """Nothing connects before the ``async with``."""
        self.kafka = kafka
        self.partitions = partitions
        self.completed = 0
        self.producer: Any = None
        self._under_way: set[asyncio.Future[Any]] = set()
        self._turn = 0

    async def __aenter__(self) -> Self:
        """Connect the producer."""
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka, linger_ms=0, max_batch_size=BATCH_BYTES, acks="all"
        )
        await self.producer.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Send what is under way, and close."""
        await self.producer.stop()

    async def send(self, topic: str, values: Iterable[bytes]) -> None:
        """Send values to the partitions in turn, one batch each; :meth:`settled` tells whether they arrived."""
        grouped: dict[int, list[bytes]] = defaultdict(list)
        for value in values:
            grouped[self._turn % self.partitions].append(value)
            self._turn += 1
        for place, group in grouped.items():
            await self.send_to(topic, place, group)

    async def send_to(self, topic: str, place: int, values: Iterable[bytes]) -> None:
        """Send values to one partition, in order."""
        now_ms = int(time.time() * 1000)
        batch = self.producer.create_batch()
        for value in values:
            if batch.append(key=None, value=value, timestamp=now_ms) is None:
                await self._hand_over(topic, place, batch)
                batch = self.producer.create_batch()
                batch.append(key=None, value=value, timestamp=now_ms)
        await self._hand_over(topic, place, batch)

    async def _hand_over(self, topic: str, place: int, batch: Any) -> None:
        batch.close()
        future = await self.producer.send_batch(batch, topic, partition=place)
        self._under_way.add(future)
        if len(self._under_way) > MOST_UNDER_WAY:
            self._under_way = {one for one in self._under_way if not one.done() or one.exception() is not None}

    async def settled(self) -> None:
        """Wait until all that was sent is with the broker; raises KafkaError when some is not."""
        under_way, self._under_way = self._under_way, set()
        await asyncio.gather(*under_way)

    async def complete(self, records: Sequence[ConsumerRecord]) -> None:
        """Answer each assignment with a ``complete`` of its technician, done now."""
        done_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        await self.send(ACTIONS, [completion(read_assigned(record.value), done_at, done_at) for record in records])
        self.completed += len(records)

    @asynccontextmanager
    async def reading(
        self, topic: str, *, from_start: bool = False, lazily: bool = False
    ) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of all partitions of a topic, at its end or its beginning.

        ``lazily``: it asks the broker ten times a second at most, so that small batches cost neither of them much.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, enable_auto_commit=False, auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * BATCH_BYTES, fetch_max_wait_ms=IDLE_MS,
            fetch_min_bytes=BATCH_BYTES if lazily else 1,
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

    async def read_all(self, topic: str) -> AsyncIterator[ConsumerRecord]:
        """Every record that a topic has by now."""
        async with self.reading(topic, from_start=True) as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for record in fetched(await consumer.getmany(timeout_ms=IDLE_MS)):
                    yield record

    async def create(self, *names: str) -> None:
        """Topics of one's own, beside the engine's."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, self.partitions, 1) for name in names])
        finally:
            await admin.close()


def completion(one: Assigned, performed_at: str, time_text: str) -> bytes:
    """A ``complete`` as a device sends it."""
    return (
        f'{{"specversion":"1.0","id":"c-{one.assignment_id}","source":"/bench",'
        f'"type":"dispatch.action.complete.v1","time":"{time_text}","data":{{'
        f'"work_order_id":"{one.work_order_id}","assignment_id":"{one.assignment_id}","visit_no":1,'
        f'"performed_at":"{performed_at}","disposition":"fixed",'
        f'"actor":{{"id":"{one.technician_id}","role":"technician"}}}}}}'
    ).encode()


def header(record: ConsumerRecord, name: str) -> bytes:
    """The value of a header, empty without it."""
    return next((value for each, value in record.headers if each == name), b"")


def type_of(record: ConsumerRecord) -> bytes:
    """The event type in a record's headers."""
    return header(record, "ce_type")


def fetched(found: dict[Any, list[ConsumerRecord]]) -> list[ConsumerRecord]:
    """The records of one ``getmany``, of all partitions."""
    return [record for records in found.values() for record in records]


async def subjects(client: Client, topic: str, wanted: bytes, most: int) -> set[bytes]:
    """The subjects of all events of one type in a topic; waits until there are ``most``, or none come for a minute."""
    found: set[bytes] = set()
    async with client.reading(topic, from_start=True) as consumer:
        last_s = time.perf_counter()
        while len(found) < most and time.perf_counter() - last_s < COUNT_PATIENCE_S:
            for record in fetched(await consumer.getmany(timeout_ms=IDLE_MS)):
                if type_of(record) == wanted:
                    last_s = time.perf_counter()
                    found.add(header(record, "ce_subject"))
    return found
