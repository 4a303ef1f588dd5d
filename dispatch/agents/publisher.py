"""Publishing in order: whole batches to known partitions, again with a new producer after a failure."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from dispatch import metrics
from dispatch.log import get_log
from dispatch.topics import MAX_MESSAGE_BYTES

Headers = list[tuple[str, bytes]]
BATCH_BYTES = 4 * 1024 * 1024
RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
REQUEST_TIMEOUT_MS = 40_000
CLOSE_S = 5.0
log = get_log("publisher")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record to publish. Its Kafka timestamp is wall time, whatever domain time it speaks of."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers = []


class Publisher:
    """One idempotent producer for all lanes of a process."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        """``client``: what aiokafka's clients take. Nothing connects before :meth:`start`."""
        self._client = client
        self._producer: AIOKafkaProducer | None = None
        self._generation = 0
        self._renewing = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self.stopping = False

    async def start(self) -> None:
        """Connect."""
        self._producer = await self._make()

    async def stop(self) -> None:
        """Send what is under way, and close; what cannot be sent any more stays in the outbox."""
        self.stopping = True
        if self._producer is not None:
            await _close(self._producer, CLOSE_S)

    async def _make(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._client,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
        except BaseException:
            await _close(producer, CLOSE_S)
            raise
        return producer

    async def publish(self, records: Sequence[Record]) -> dict[tuple[str, int], int]:
        """Publish all records, those of one partition in their order; the offset after the last, by partition.

        Waits for the broker's word, and goes on trying for as long as it takes: what is published is in an
        outbox or not yet committed, so repeating it is safe. A record that the broker will never take is returned
        in the error's place: MessageSizeTooLargeError is raised.
        """
        tries = 0
        while True:
            generation = self._generation
            try:
                return await self._send(records)
            except MessageSizeTooLargeError:
                raise
            except KafkaError as error:
                if self.stopping:
                    raise
                log.warning("publish failed", error=type(error).__name__, records=len(records), tries=tries)
            wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
            metrics.waited("broker", wait_s)
            await asyncio.sleep(wait_s)
            tries += 1
            await self._renew(generation)

    async def _renew(self, generation: int) -> None:
        """A new producer: after an error the old one's sequence numbers are of no use."""
        async with self._renewing:
            if generation != self._generation or self.stopping:
                return
            old = self._producer
            try:
                self._producer = await asyncio.wait_for(self._make(), timeout=30)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("no producer yet", error=type(error).__name__)
                return
            self._generation += 1
            if old is not None:  # other lanes may wait for what it still has under way
                self._closing = asyncio.create_task(_close(old, REQUEST_TIMEOUT_MS / 1000))

    async def _send(self, records: Sequence[Record]) -> dict[tuple[str, int], int]:
        producer = self._producer
        if producer is None:
            msg = "the publisher has not been started"
            raise RuntimeError(msg)
        grouped: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            grouped[record.topic, record.partition].append(record)
        now_ms = int(time.time() * 1000)
        sent: dict[tuple[str, int], list[tuple[Any, int]]] = {}
        for (topic, partition), group in grouped.items():
            sent[topic, partition] = await _send_group(producer, topic, partition, group, now_ms)
        ends: dict[tuple[str, int], int] = {}
        waiting = [future for futures in sent.values() for future, _count in futures]
        await asyncio.gather(*waiting)
        for place, futures in sent.items():
            future, count = futures[-1]
            metadata: RecordMetadata = future.result()
            ends[place] = metadata.offset + count
            metrics.PUBLISHED_BY_TOPIC[place[0]].inc(len(grouped[place]))
        return ends


async def _send_group(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record], now_ms: int
) -> list[tuple[Any, int]]:
    """Hand one partition's records over as few batches as they fit in: (future, number of records) each."""
    futures: list[tuple[Any, int]] = []
    batch, count = producer.create_batch(), 0
    for record in records:
        taken = batch.append(key=record.key, value=record.value, timestamp=now_ms, headers=record.headers)
        if taken is None:
            if count == 0:
                raise MessageSizeTooLargeError
            batch.close()
            futures.append((await producer.send_batch(batch, topic, partition=partition), count))
            batch, count = producer.create_batch(), 0
            if batch.append(key=record.key, value=record.value, timestamp=now_ms, headers=record.headers) is None:
                raise MessageSizeTooLargeError
        count += 1
    batch.close()
    futures.append((await producer.send_batch(batch, topic, partition=partition), count))
    return futures


async def _close(producer: AIOKafkaProducer, within_s: float) -> None:
    try:
        await asyncio.wait_for(producer.stop(), timeout=within_s)
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("producer closed the hard way", error=type(error).__name__)
