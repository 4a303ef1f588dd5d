"""What a lane lives through: records that the broker refuses, a crowd before an emergency, a new policy."""

import asyncio
import itertools
from datetime import datetime

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from dispatch.agents.policies import write_policy
from dispatch.agents.publisher import Publisher
from dispatch.config import load_config
from dispatch.models.commands import Command, encode_command
from dispatch.models.dead_letters import InputRefused
from dispatch.models.policy import PolicyDocument
from dispatch.rules.policy import compile_policy
from dispatch.timing import ScaledClock
from dispatch.topics import COMMANDS, COMMANDS_URGENT, COMPLETIONS, DEAD_LETTERS, ESCALATIONS, TOPICS, WORK_ORDERS
from tests.recovery.support import NORTH, SOUTH, assert_each_opened_once, assert_goes_on, staffed, state_of
from tests.support.client import Client, text_of
from tests.support.engine import CONFIG, PARTITIONS, Engine

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_event_that_the_broker_refuses_becomes_a_dead_letter_and_its_lane_goes_on(settings, client, engine):
    await staffed(client)
    admin = AIOKafkaAdminClient(**settings.kafka_client())
    await admin.start()
    small = {**TOPICS[COMPLETIONS].config, "max.message.bytes": "900"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, COMPLETIONS, configs=small)])
    await admin.close()
    await asyncio.sleep(0.5)

    reports = [await client.report(area=area) for area in ("north.n3", "south.s2") * 3]
    for request_id in reports:
        offer = await client.offered(request_id)
        opened = await client.event("work-order.opened", of=offer.subject)
        letter = await client.wait(
            lambda one, opened=opened: one.topic == DEAD_LETTERS and one.data["headers"].get("ce_id") == opened.id
        )
        assert letter.data["code"] == "broker-refused"
        assert letter.data["topic"] == COMPLETIONS
        InputRefused.model_validate_json(letter.value)
    await assert_goes_on(client)
    assert not engine.app.crashed
    await client.quiet()
    assert_each_opened_once(client, reports)
    await state_of(settings)


async def test_an_emergency_is_decided_before_two_thousand_normal_orders_that_wait(settings, client):
    async with Engine(settings, roles=("intake",)):
        normal = await asyncio.gather(*(client.report() for _ in range(2000)))
        urgent = await client.report(text="配电箱冒火花 sparks from the fuse box, fire", hazards=["fire"])
        went = await client.wait(
            lambda one: (
                one.topic in {COMMANDS, COMMANDS_URGENT} and one.type == "open" and one.data["correlation"] == urgent
            ),
            60,
        )
        assert went.topic == COMMANDS_URGENT
        await client.several(len(normal), lambda one: one.topic == COMMANDS)
    async with Engine(settings, roles=("desk",)):
        emergency = await client.event("work-order.opened", request=urgent, within_s=60)
        await client.several(2001, lambda one: one.type == "work-order.opened" and one.topic == WORK_ORDERS)
    assert emergency.data["urgency"] == "emergency"
    assert int(emergency.headers["ce_sequence"]) == 1
    raised = await client.event("escalation.raised", of=emergency.subject, topic=ESCALATIONS)
    assert raised.data["cause"] == "emergency"


async def test_i4_a_deadline_becomes_a_command_and_escalates_once_and_never_early(settings):
    start = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
    import time

    clock = ScaledClock(start, time.time(), 300)
    async with Client(settings.kafka, now=clock.now) as client, Engine(settings, clock=clock):
        request_id = await client.report(text="fire, sparks from the fuse box", hazards=["fire"])
        opened = await client.event("work-order.opened", request=request_id)
        order_id = opened.subject
        breach = await client.event("clock.breached", of=order_id, topic=ESCALATIONS, within_s=30)
        raised = await client.wait(
            lambda one: (
                one.topic == ESCALATIONS
                and one.type == "escalation.raised"
                and one.subject == order_id
                and one.data["cause"] == "breached"
            )
        )
        await client.wait(
            lambda one: one.type == "escalation.raised" and one.subject == order_id and one.data["level"] == 2, 30
        )
        due = await client.wait(
            lambda one: one.id == "" and one.type == "due" and one.data["id"] == raised.headers["ce_causationid"]
        )
        assert due.topic == COMMANDS_URGENT
        assert any(timer["id"].startswith(f"{order_id}:1:") for timer in due.data["data"]["timers"])

    targets = {target["name"]: datetime.fromisoformat(target["due_at"]) for target in opened.data["targets"]}
    name = raised.data["clock"]
    assert datetime.fromisoformat(breach.headers["ce_time"]) == targets[name]
    assert datetime.fromisoformat(raised.data["due_at"]) == targets[name]
    assert targets[name] <= datetime.fromisoformat(raised.data["fired_at"])
    late_s = (datetime.fromisoformat(raised.data["fired_at"]) - targets[name]).total_seconds()
    assert late_s < 300 * 3, "three seconds of wall time"
    told = [
        (one.data["clock"], one.data["cause"], one.data["level"])
        for one in client.events(order_id)
        if one.type == "escalation.raised"
    ]
    assert len(told) == len(set(told))
    for one in client.events(order_id):
        if one.type == "escalation.raised" and one.data["due_at"]:
            assert one.data["due_at"] <= one.data["fired_at"]
    kafka_times = [one.timestamp / 1000 for one in client.seen if one.topic == WORK_ORDERS]
    assert all(abs(stamp - time.time()) < 120 for stamp in kafka_times), "Kafka's timestamps are wall time"


async def test_a_policy_reaches_all_lanes_and_open_orders_keep_theirs(settings, client, engine):
    await staffed(client)
    old = [await client.offered(await client.report(area=area)) for area in ("north.n3", "south.s2")]
    document = load_config(CONFIG).document.to_json()
    document["site"]["reopen_within"] = 86_400
    policy = compile_policy(PolicyDocument.model_validate(document))
    publisher = Publisher(settings.kafka_client())
    await publisher.start()
    await write_policy(publisher, policy)
    await publisher.stop()
    for lane in range(PARTITIONS):
        order = Command(
            id="policy:test",
            type="policy.activated",
            tenant="campus",
            territory="*",
            data={"version": policy.version},
            time=text_of(client.now()),
        )
        await client.send(COMMANDS, encode_command(order), key=b"campus:*", partition=lane)

    for key in (NORTH, SOUTH):
        await client.wait(
            lambda one, key=key: (
                one.type == "lane.decided"
                and one.key == str(key).encode()
                and one.data["policy_version"] == policy.version
            )
        )
    new = [await client.offered(await client.report(area=area)) for area in ("north.n3", "south.s2")]
    for offer in old + new:
        await client.act("accept", offer.subject, (offer.data["technician_id"], "technician"))
    for offer, version in zip(
        old + new, itertools.chain([load_config(CONFIG).version] * 2, [policy.version] * 2), strict=True
    ):
        accepted = await client.event("work-order.accepted", of=offer.subject)
        assert accepted.headers["ce_policyversion"] == version
        opened = await client.event("work-order.opened", of=offer.subject)
        assert opened.data["policy_version"] == version
    await engine.restart()
    await assert_goes_on(client)
    again = await client.offered(await client.report())
    assert again.headers["ce_policyversion"] == policy.version
    await state_of(settings)
