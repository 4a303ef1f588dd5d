"""Hearing what topics say: one consumer for the people, and a reader of whole topics for the reckoning."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from dispatch.demo.stage import Heard
from dispatch.rules.events import short_type
from dispatch.topics import ASSIGNMENTS, COMPLETIONS, DEAD_LETTERS, ESCALATIONS, WORK_ORDERS

HEARD = (ASSIGNMENTS, COMPLETIONS, ESCALATIONS, DEAD_LETTERS)
"""What people and counters listen to."""
LOGGED = (WORK_ORDERS, DEAD_LETTERS)
"""What whoever wants to know all listens to."""
Listener = Callable[[Heard], Awaitable[None]]


def heard_of(record: ConsumerRecord) -> Heard:
    """The event in a record, in the binary mode of CloudEvents."""
    headers = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
    return Heard(
        topic=record.topic,
        type=short_type(headers["type"]),
        id=headers["id"],
        territory=headers.get("partitionkey", "").partition(":")[2],
        subject=headers.get("subject", ""),
        time=datetime.fromisoformat(headers["time"]),
        data=msgspec.json.decode(record.value),
        headers=headers,
    )


async def listen(client: Mapping[str, Any], topics: Sequence[str], listeners: Sequence[Listener]) -> None:
    """Tell the listeners what comes, for ever. They must not dawdle: a day passes in a minute and a half."""
    consumer = AIOKafkaConsumer(
        *topics, **client, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=10
    )
    await consumer.start()
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    heard = heard_of(record)
                    for listener in listeners:
                        await listener(heard)
    finally:
        await consumer.stop()


async def read_all(client: Mapping[str, Any], topic: str) -> list[ConsumerRecord]:
    """Everything in a topic, each partition in its order."""
    consumer = AIOKafkaConsumer(**client, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        numbers = await _partitions(consumer, topic)
        places = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for records in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
                found.extend(records)
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()  # noqa: SLF001 -- nothing public asks for all topics
    return set(consumer._client.cluster.partitions_for_topic(topic) or ())  # noqa: SLF001


async def records_held(client: Mapping[str, Any], topics: Sequence[str]) -> dict[str, int]:
    """How many records each of these topics holds; those that do not exist are left out."""
    consumer = AIOKafkaConsumer(**client, group_id=None, enable_auto_commit=False)
    await consumer.start()
    held: dict[str, int] = {}
    try:
        there = await consumer.topics()
        for topic in topics:
            if topic not in there:
                continue
            places = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
            first, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            held[topic] = sum(end[place] - first[place] for place in places)
    finally:
        await consumer.stop()
    return held
