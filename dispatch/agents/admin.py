"""Creates the topics that are missing, and refuses those that do not fit.

`client` is what aiokafka's clients take as arguments: bootstrap_servers, and what TLS or SASL need.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    LeaderNotAvailableError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from dispatch.agents.topic_ids import TopicFacts, describe_topics
from dispatch.errors import LaneError
from dispatch.topics import TOPICS, Topic

READY_WITHIN_S = 30.0
_POLL_S = 0.1
_ENOUGH_REPLICAS = 3

Client = Mapping[str, Any]
Table = Mapping[str, Topic]


async def create_topics(
    client: Client,
    partitions: int,
    replication: int = 1,
    *,
    recorded: int | None = None,
    table: Table = TOPICS,
) -> dict[str, int]:
    """Create what is missing, and return the number of partitions of every topic.

    Topics that are there stay as they are. Raises `LaneError` as `check_topics` does.
    """
    async with _connected(client) as kafka:
        there = await describe_topics(kafka, tuple(table))
        missing = [topic for name, topic in table.items() if name not in there]
        if missing:
            _check(table, there, recorded, wanted=partitions)
            await _create(client, missing, partitions, replication)
            there = await _wait_until_there(kafka, table)
    _check(table, there, recorded)
    return {name: facts.partitions for name, facts in there.items()}


async def check_topics(client: Client, recorded: int | None = None, *, table: Table = TOPICS) -> dict[str, int]:
    """The number of partitions of every topic, without creating any.

    `recorded` is the number written down when the lanes were first taken. Raises `LaneError`, which says what
    to do, when a topic is missing, keyed topics differ, or the number is not the recorded one.
    """
    async with _connected(client) as kafka:
        there = await describe_topics(kafka, tuple(table))
    if missing := sorted(table.keys() - there.keys()):
        raise LaneError(
            f"topics are missing: {', '.join(missing)}",
            "Start once with the right to create topics, or create them as docs/asyncapi.yaml says",
        )
    _check(table, there, recorded)
    return {name: facts.partitions for name, facts in there.items()}


async def topic_incarnations(client: Client, names: Sequence[str] = tuple(TOPICS)) -> dict[str, str]:
    """Kafka's id of each of these topics that exists; a re-created topic has another one."""
    async with _connected(client) as kafka:
        return {name: facts.incarnation for name, facts in (await describe_topics(kafka, names)).items()}


@asynccontextmanager
async def _connected(client: Client) -> AsyncIterator[AIOKafkaClient]:
    kafka = AIOKafkaClient(**client)
    try:
        await kafka.bootstrap()
        yield kafka
    finally:
        await kafka.close()


async def _create(client: Client, missing: Sequence[Topic], partitions: int, replication: int) -> None:
    admin = AIOKafkaAdminClient(**client)
    try:
        await admin.start()
        response = await admin.create_topics(
            [_new(topic, partitions, replication) for topic in missing],
            timeout_ms=int(READY_WITHIN_S * 1_000),
        )
    finally:
        await admin.close()
    for name, code, *message in response.topic_errors:
        if for_code(code) not in {NoError, TopicAlreadyExistsError}:
            why = message[0] if message and message[0] else for_code(code).__name__
            raise LaneError(
                f"{name} could not be created: {why}",
                "Give the worker the right to create topics, fewer replicas, or create it as docs/asyncapi.yaml says",
            )


def _new(topic: Topic, partitions: int, replication: int) -> NewTopic:
    config = topic.config
    if replication >= _ENOUGH_REPLICAS:
        config["min.insync.replicas"] = str(_ENOUGH_REPLICAS - 1)
    count = 1 if topic.key == "version" else partitions
    return NewTopic(topic.name, count, replication, topic_configs=config)


async def _wait_until_there(kafka: AIOKafkaClient, table: Table) -> dict[str, TopicFacts]:
    deadline_s = monotonic() + READY_WITHIN_S
    while True:
        try:
            there = await describe_topics(kafka, tuple(table))
        except (LeaderNotAvailableError, UnknownTopicOrPartitionError):
            there = {}
        if table.keys() <= there.keys():
            return there
        if monotonic() > deadline_s:
            missing = ", ".join(sorted(table.keys() - there.keys()))
            raise LaneError(f"{missing} did not appear within {READY_WITHIN_S:.0f} s", "Look at the controller's log")
        await asyncio.sleep(_POLL_S)


def _check(table: Table, there: Mapping[str, TopicFacts], recorded: int | None, wanted: int | None = None) -> None:
    keyed = {name: facts.partitions for name, facts in there.items() if table[name].keyed}
    if len(set(keyed.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in sorted(keyed.items()))
        raise LaneError(
            f"keyed topics differ in their number of partitions: {told}",
            "Give those that have fewer as many as the others, before any event is in them",
        )
    number = next(iter(keyed.values()), wanted)
    if recorded is not None and number is not None and number != recorded:
        raise LaneError(
            f"keyed topics have {number} partitions, and the lanes were recorded with {recorded}",
            "Partitions cannot be added to running lanes: go back to topics with the recorded number, "
            "or start new lanes from a rebuild",
        )
    if wanted is not None and number is not None and number != wanted:
        raise LaneError(
            f"keyed topics have {number} partitions, and {wanted} are asked for",
            f"Ask for {number}: topics that are missing must have as many as those that are there",
        )
