"""Topics that are not what they were are refused, with what to do."""

import asyncio

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete

from dispatch.agents.rebuild import rebuild
from dispatch.app import partition_of
from dispatch.stores.base import Save
from dispatch.topics import COMMANDS, COMMANDS_URGENT, TOPICS, WORK_ORDERS
from tests.recovery.support import NORTH, assert_goes_on, some_work, staffed
from tests.support.client import Client
from tests.support.engine import PARTITIONS, Engine, delete_topics, store_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("topic", [COMMANDS, COMMANDS_URGENT, WORK_ORDERS])
async def test_a_topic_created_anew_is_refused_and_named(settings, topic):
    async with Client(settings.kafka) as client:
        engine = Engine(settings)
        await engine.start()
        await staffed(client)
        await engine.stop()
    await delete_topics(settings, [topic])

    refused = await engine.refusal()
    assert topic in refused.what
    assert "created anew" in refused.what
    assert "dispatch rebuild --accept-new-topics" in refused.todo


async def test_new_command_topics_can_be_accepted_and_the_engine_goes_on(settings):
    async with Client(settings.kafka) as client:
        engine = Engine(settings)
        await engine.start()
        await staffed(client)
        await some_work(client, 5)
        await engine.stop()
    await delete_topics(settings, [COMMANDS, COMMANDS_URGENT])
    await engine.refusal()

    results = await rebuild(settings, accept_new_topics=True)
    assert {one.territory for one in results} == {"campus:north", "campus:south"}
    await engine.start()
    try:
        async with Client(settings.kafka) as client:
            await assert_goes_on(client)
    finally:
        await engine.stop()


@pytest.mark.parametrize("all_of_them", [False, True], ids=["one topic", "all topics"])
async def test_partitions_that_were_added_are_refused(settings, client, all_of_them):
    engine = Engine(settings)
    await engine.start()
    await engine.stop()
    names = [name for name, topic in TOPICS.items() if topic.keyed and (all_of_them or name == COMMANDS)]
    admin = AIOKafkaAdminClient(**settings.kafka_client())
    await admin.start()
    await admin.create_partitions({name: NewPartitions(PARTITIONS + 2) for name in names})
    await admin.close()
    await asyncio.sleep(0.5)

    refused = await engine.refusal()
    assert str(PARTITIONS) in refused.what
    assert str(PARTITIONS + 2) in refused.what
    assert "recorded number" in refused.todo or "as many as the others" in refused.todo


async def test_a_position_past_the_end_of_its_topic_is_refused(settings, client):
    engine = Engine(settings)
    await engine.start()
    await staffed(client)
    await engine.stop()
    async with store_of(settings) as store:
        meta = (await store.load(NORTH)).meta
        ahead = {topic: {**place, "offset": 10**6} for topic, place in meta.positions.items()}
        further = msgspec.structs.replace(meta, positions=ahead)
        await store.save({NORTH: Save(expected=(meta.sequence, meta.batch_id), meta=further)})

    refused = await engine.refusal()
    assert "records are gone" in refused.what
    assert "1000000" in refused.what
    assert "dispatch rebuild --accept-new-topics" in refused.todo


async def test_undecided_commands_that_expired_are_refused(settings, client):
    engine = Engine(settings, roles=("intake",))
    whole = Engine(settings)
    await whole.start()
    await staffed(client)
    await whole.stop()
    await engine.start()
    for _ in range(3):
        await client.report()
    await client.wait(lambda one: one.topic == COMMANDS and one.type == "open" and one.offset >= 0)
    await client.quiet()
    await engine.stop()
    lane = partition_of(str(NORTH), PARTITIONS)
    await cut_off(
        settings,
        COMMANDS,
        lane,
        max(one.offset for one in client.seen if (one.topic, one.partition) == (COMMANDS, lane)) + 1,
    )

    refused = await whole.refusal()
    assert "undecided commands have expired" in refused.what
    assert "dispatch.requests" in refused.todo


async def cut_off(settings, topic, partition, offset):
    admin = AIOKafkaAdminClient(**settings.kafka_client())
    await admin.start()
    await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})
    await admin.close()
