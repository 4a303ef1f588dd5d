"""What a run has left on the topics, and how it is read: the only thing that the checks look at."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from dispatch.topics import (
    ACTIONS,
    ASSIGNMENTS,
    COMMANDS,
    COMMANDS_URGENT,
    COMPLETIONS,
    DEAD_LETTERS,
    ESCALATIONS,
    REQUESTS,
    WORK_ORDERS,
)

COPIES = (ASSIGNMENTS, ESCALATIONS, COMPLETIONS)
READ = (REQUESTS, ACTIONS, COMMANDS_URGENT, COMMANDS, WORK_ORDERS, *COPIES, DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Rec:
    """One record as it was read. ``at_s`` is its Kafka timestamp: wall time, seconds since the epoch."""

    topic: str
    partition: int
    offset: int
    at_s: float
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def content(self) -> tuple[bytes | None, bytes, tuple[tuple[str, bytes], ...]]:
        """What must be the same whenever an id is seen: key, value, and the attributes."""
        return self.key, self.value, tuple(sorted(pair for pair in self.headers if pair[0].startswith("ce_")))

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return self.topic, self.partition, self.offset


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the log, where it first appeared."""

    id: str
    territory: str
    sequence: int
    type: str
    subject: str
    time: str
    causation: str | None
    correlation: str | None
    rec: Rec

    @property
    def data(self) -> dict[str, Any]:
        """The event's data, read anew each time: all of them at once would fill the memory."""
        data: dict[str, Any] = msgspec.json.decode(self.rec.value)
        return data


def happened(rec: Rec) -> Happened:
    """The event that a record holds."""
    said = {name: value.decode() for name, value in rec.headers}
    return Happened(
        id=said["ce_id"],
        territory=said["ce_partitionkey"],
        sequence=int(said["ce_sequence"]),
        type=said["ce_type"].removeprefix("dispatch.").removesuffix(".v1"),
        subject=said["ce_subject"],
        time=said["ce_time"],
        causation=said.get("ce_causationid"),
        correlation=said.get("ce_correlationid"),
        rec=rec,
    )


@dataclass(frozen=True)
class Batch:
    """The events of one ``lane.decided``, itself last."""

    territory: str
    events: list[Happened]

    @property
    def end(self) -> Happened:
        """The ``lane.decided``."""
        return self.events[-1]


@dataclass
class Recorded:
    """All records of a run by topic, in order of partition and offset."""

    topics: Mapping[str, list[Rec]]
    _events: dict[str, list[Happened]] = field(default_factory=dict)

    @cached_property
    def log(self) -> dict[str, list[Happened]]:
        """By territory: each event once, in the order in which they first appeared on the log."""
        found: dict[str, list[Happened]] = defaultdict(list)
        seen: set[str] = set()
        for rec in self.topics[WORK_ORDERS]:
            event = happened(rec)
            if event.id not in seen:
                seen.add(event.id)
                found[event.territory].append(event)
        return dict(found)

    @cached_property
    def batches(self) -> dict[str, list[Batch]]:
        """By territory: the log cut after each ``lane.decided``, in order of sequence."""
        found: dict[str, list[Batch]] = {}
        for territory, events in self.log.items():
            cut: list[Batch] = []
            run: list[Happened] = []
            for event in sorted(events, key=lambda one: one.sequence):
                run.append(event)
                if event.type == "lane.decided":
                    keep = run[-event.data["events"] - 1 :]
                    cut.append(Batch(territory, keep))
                    run = []
            found[territory] = cut
        return found

    @cached_property
    def commands(self) -> dict[tuple[str, int, int], dict[str, Any]]:
        """The commands by place."""
        recs = (*self.topics[COMMANDS_URGENT], *self.topics[COMMANDS])
        return {rec.place: msgspec.json.decode(rec.value) for rec in recs}

    def places(self, territory: str) -> dict[str, list[int]]:
        """By topic, the offsets of the commands for a territory, ``tenant:name``; those for ``*`` are for all."""
        tenant, _colon, name = territory.partition(":")
        found: dict[str, list[int]] = defaultdict(list)
        for (topic, _partition, offset), command in self.commands.items():
            if command["tenant"] == tenant and command["territory"] in {name, "*"}:
                found[topic].append(offset)
        return found

    @cached_property
    def inputs(self) -> dict[str, list[tuple[Rec, dict[str, Any]]]]:
        """Requests and actions by the id that a command made of them has, with every record that carries it."""
        found: dict[str, list[tuple[Rec, dict[str, Any]]]] = defaultdict(list)
        for topic in (REQUESTS, ACTIONS):
            for rec in self.topics[topic]:
                said = msgspec.json.decode(rec.value)
                found[f"{said['source']}:{said['id']}"].append((rec, said))
        return dict(found)

    @cached_property
    def letters(self) -> dict[tuple[str, int, int], dict[str, Any]]:
        """Dead letters by the place of what was refused."""
        found = {}
        for rec in self.topics[DEAD_LETTERS]:
            data = msgspec.json.decode(rec.value)
            found[data["topic"], data["partition"], data["offset"]] = data
        return found

    @property
    def last_at_s(self) -> float:
        """When the last record of the log was written."""
        return max((rec.at_s for rec in self.topics[WORK_ORDERS]), default=0.0)


def raw_of(letter: Mapping[str, Any]) -> bytes:
    """The bytes that a dead letter is about."""
    return base64.b64decode(letter["raw"])


async def read_topics(kafka: str, partitions: int, topics: Iterable[str] = READ) -> Recorded:
    """Everything that the topics hold now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, list[Rec]] = {topic: [] for topic in topics}
    try:
        places = [TopicPartition(topic, number) for topic in found for number in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        waiting = {place for place in places if ends[place] > 0}
        while waiting:
            for place, records in (await consumer.getmany(timeout_ms=500, max_records=10_000)).items():
                found[place.topic] += [
                    Rec(r.topic, r.partition, r.offset, r.timestamp / 1000, r.key, r.value, tuple(r.headers))
                    for r in records
                ]
            waiting = {place for place in waiting if await consumer.position(place) < ends[place]}
    finally:
        await consumer.stop()
    for recs in found.values():
        recs.sort(key=lambda rec: (rec.partition, rec.offset))
    return Recorded(found)
