"""Reading the log: one partition of a topic from an offset to its end, outside any group."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord


@asynccontextmanager
async def reader(client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group."""
    consumer = AIOKafkaConsumer(**client, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_to_end(
    client: Mapping[str, Any], topic: str, partition: int, start: int | None = None
) -> AsyncIterator[ConsumerRecord]:
    """The records from ``start`` (default: the first there is) to the end as it is now."""
    place = TopicPartition(topic, partition)
    async with reader(client) as consumer:
        consumer.assign([place])
        begin = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        consumer.seek(place, max(begin, start if start is not None else begin))
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(place, timeout_ms=500, max_records=5000)).values():
                for record in records:
                    if record.offset < end:
                        yield record
