"""Topics on a real broker: created once, told apart when re-created, refused when they do not fit."""

import asyncio
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from dispatch import topics
from dispatch.agents import admin
from dispatch.agents.topic_ids import MetadataRequest12, MetadataResponse12
from dispatch.errors import LaneError


@pytest.fixture
def table():
    """Our topics under other names, so that no test touches those of another one."""
    prefix = f"t{secrets.token_hex(4)}."
    renamed = (replace(topic, name=prefix + topic.name) for topic in topics.TOPICS.values())
    return {topic.name: topic for topic in renamed}


@pytest.fixture
async def client(servers, table):
    arguments = {"bootstrap_servers": servers.kafka}
    yield arguments
    await forget_topics(arguments, table)


def named(table, name):
    return next(one for one in table if one.endswith(name))


@asynccontextmanager
async def administrator(client):
    kafka = AIOKafkaAdminClient(**client)
    await kafka.start()
    try:
        yield kafka
    finally:
        await kafka.close()


async def forget_topics(client, names):
    names = tuple(names)
    async with administrator(client) as kafka:
        if there := await admin.topic_incarnations(client, names):
            await kafka.delete_topics(sorted(there))
        for _ in range(200):
            if not await admin.topic_incarnations(client, names):
                return
            await asyncio.sleep(0.05)
    pytest.fail("the broker did not delete the topics")


async def until_it_has(client, name, partitions):
    async with administrator(client) as kafka:
        for _ in range(200):
            (found,) = await kafka.describe_topics([name])
            if len(found["partitions"]) == partitions:
                return
            await asyncio.sleep(0.05)
    pytest.fail("the broker did not do as it was told")


async def settings_of(client, name):
    async with administrator(client) as kafka:
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        (answer,) = await kafka.describe_configs([resource])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def test_topics_are_created_once_with_their_settings(client, table):
    counts = await admin.create_topics(client, partitions=3, table=table)

    assert counts.keys() == table.keys()
    assert {counts[name] for name in table if table[name].keyed} == {3}
    assert counts[named(table, topics.POLICIES)] == 1
    log = await settings_of(client, named(table, topics.WORK_ORDERS))
    assert log["retention.ms"] == "-1"
    assert log["max.message.bytes"] == str(8 * 1024 * 1024)
    assert log["message.timestamp.type"] == "CreateTime"
    assert (await settings_of(client, named(table, topics.POLICIES)))["cleanup.policy"] == "compact"
    assert await admin.create_topics(client, partitions=5, table=table) == counts
    assert await admin.check_topics(client, recorded=3, table=table) == counts


async def test_only_what_is_missing_is_created(client, table):
    async with administrator(client) as kafka:
        await kafka.create_topics([NewTopic(named(table, topics.COMMANDS), 2, 1)])
    await until_it_has(client, named(table, topics.COMMANDS), 2)

    with pytest.raises(LaneError, match="have 2 partitions, and 4 are asked for"):
        await admin.create_topics(client, partitions=4, table=table)
    counts = await admin.create_topics(client, partitions=2, table=table)

    assert {counts[name] for name in table if table[name].keyed} == {2}


async def test_missing_topics_are_named_when_nothing_may_be_created(client, table):
    with pytest.raises(LaneError, match=r"missing: .*dispatch\.work-orders") as refused:
        await admin.check_topics(client, table=table)
    assert "docs/asyncapi.yaml" in refused.value.todo


async def test_another_number_than_recorded_is_refused_and_says_what_to_do(client, table):
    await admin.create_topics(client, partitions=2, table=table)

    with pytest.raises(LaneError, match="have 2 partitions, and the lanes were recorded with 6") as refused:
        await admin.check_topics(client, recorded=6, table=table)

    assert "recorded number" in refused.value.todo


async def test_keyed_topics_that_differ_are_refused(client, table):
    await admin.create_topics(client, partitions=2, table=table)
    async with administrator(client) as kafka:
        await kafka.create_partitions({named(table, topics.COMMANDS): NewPartitions(4)})
    await until_it_has(client, named(table, topics.COMMANDS), 4)

    with pytest.raises(LaneError, match=r"differ .*dispatch\.commands 4, .*dispatch\.work-orders 2"):
        await admin.check_topics(client, table=table)


async def test_a_recreated_topic_has_another_incarnation(client, table):
    await admin.create_topics(client, partitions=1, table=table)
    before = await admin.topic_incarnations(client, tuple(table))
    assert before.keys() == table.keys()
    assert len(set(before.values())) == len(table)
    assert await admin.topic_incarnations(client, tuple(table)) == before

    await forget_topics(client, [named(table, topics.REQUESTS)])
    await admin.create_topics(client, partitions=1, table=table)
    after = await admin.topic_incarnations(client, tuple(table))

    assert after[named(table, topics.REQUESTS)] != before[named(table, topics.REQUESTS)]
    assert after | {named(table, topics.REQUESTS): ""} == before | {named(table, topics.REQUESTS): ""}


async def test_asking_for_an_incarnation_creates_nothing(client, table):
    assert await admin.topic_incarnations(client, ["dispatch.nowhere"]) == {}
    async with administrator(client) as kafka:
        assert "dispatch.nowhere" not in await kafka.list_topics()


def test_the_request_on_the_wire_is_what_the_protocol_says():
    request = MetadataRequest12([(bytes(16), "t", {})], False, False, {})
    # one topic: no id, the name of one letter, no tags; both flags false, no tags
    assert request.encode() == b"\x02" + bytes(16) + b"\x02t" + b"\x00" + b"\x00\x00" + b"\x00"


def test_a_response_that_ends_early_is_an_error():
    with pytest.raises(ValueError, match="ends within"):
        MetadataResponse12.decode(bytes(4) + b"\x01\x00" + bytes(4) + b"\x02" + b"\x00\x00" + b"\x02t" + b"1")
