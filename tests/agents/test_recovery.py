"""What breaks is survived, or refused with what to do: on servers of this module's own, emptied for every test."""

import asyncio
import itertools
import signal
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from dispatch.agents.policies import write_policy
from dispatch.agents.publisher import Publisher
from dispatch.agents.rebuild import rebuild
from dispatch.app import partition_of
from dispatch.config import load_config
from dispatch.embedded import embedded
from dispatch.models.commands import Command, encode_command
from dispatch.models.dead_letters import InputRefused
from dispatch.models.policy import PolicyDocument
from dispatch.rules.policy import compile_policy
from dispatch.stores.base import Save, TerritoryKey
from dispatch.stores.redis import connect
from dispatch.timing import ScaledClock
from dispatch.topics import COMMANDS, COMMANDS_URGENT, COMPLETIONS, DEAD_LETTERS, ESCALATIONS, TOPICS, WORK_ORDERS
from tests.support.engine import (
    CONFIG,
    PARTITIONS,
    Client,
    Engine,
    delete_topics,
    forget_everything,
    request,
    settings_for,
    store_of,
    text_of,
    token,
)
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

NORTH = TerritoryKey("campus", "north")
SOUTH = TerritoryKey("campus", "south")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Servers that a test may stop, kill and empty."""
    with embedded(tmp_path_factory.mktemp("own-servers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def settings(own, tmp_path):
    given = settings_for(own.kafka, own.redis, tmp_path)
    await forget_everything(given)
    return given


@pytest_asyncio.fixture(loop_scope="module")
async def engine(settings):
    async with Engine(settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(settings):
    async with Client(settings.kafka) as found:
        yield found
        found.assert_repeats_are_identical()
        found.assert_numbered_without_gaps()


async def staffed(client):
    """Somebody at work in both territories; who."""
    names = {}
    for territory in ("north", "south"):
        names[territory] = f"t-{territory}-{token()}"
        await client.technician(names[territory], territory)
    return names


async def some_work(client, orders=6):
    """Orders in every state that a lane knows, also some that are final, merged, moved, rated and reopened."""
    found = []
    for number in range(orders):
        request_id = await client.report(area="north.n3" if number % 2 == 0 else "south.s2")
        offer = await client.offered(request_id)
        found.append(
            (offer.subject, request_id, (offer.data["technician_id"], "technician"), offer.data["assignment_id"])
        )
    for how_far, (order_id, request_id, technician, assignment) in enumerate(found):
        done = {"assignment_id": assignment, "visit_no": 1, "disposition": "fixed"}
        steps = [("accept", technician, {}), ("start", technician, {}), ("complete", technician, done)]
        steps.append(("confirm", (f"p-{request_id}", "requester"), {}))
        for name, who, data in steps[: how_far % 5]:
            await client.act(name, order_id, who, **data)
    await client.quiet()
    return found


async def state_of(settings):
    """The hash of every territory in the store, after having compared it with that of the log (I8)."""
    results = await rebuild(settings, check=True)
    assert results
    assert all(one.same for one in results), results
    return {one.territory: one.hash_store for one in results}


def assert_each_opened_once(client, requests):
    opened = {}
    for one in client.seen:
        if one.topic == WORK_ORDERS and one.type == "work-order.opened":
            opened.setdefault(one.headers["ce_correlationid"], set()).add(one.id)
    for request_id in requests:
        assert len(opened.get(request_id, ())) == 1, request_id


async def assert_goes_on(client):
    """A new report is offered, and accepted."""
    request_id = await client.report()
    offer = await client.offered(request_id, within_s=30)
    await client.act("accept", offer.subject, (offer.data["technician_id"], "technician"))
    await client.event("work-order.accepted", of=offer.subject, within_s=30)


# a lost state -------------------------------------------------------------------------------------------------


async def test_i8_an_emptied_redis_is_refused_and_rebuilt_from_the_log_to_the_same_state(settings, client):
    engine = Engine(settings)
    await engine.start()
    await staffed(client)
    work = await some_work(client, 10)
    order_id = work[4][0]
    await client.act("rate", order_id, (f"p-{work[4][1]}", "requester"), dimensions={"quality": 4})
    await client.act("reopen", order_id, (f"p-{work[4][1]}", "requester"), reason="again")
    await client.event("work-order.reopened", of=order_id)
    await client.act("relocate", work[0][0], ("d1", "dispatcher"), location={"area_id": "south.s3", "room": token()})
    await client.wait(
        lambda one: one.type == "work-order.offered" and one.subject == work[0][0] and one.key == b"campus:south"
    )
    await client.act("cancel", work[5][0], (f"p-{work[5][1]}", "requester"))
    await client.event("work-order.cancelled", of=work[5][0])
    await client.quiet()
    await engine.stop()
    before = await state_of(settings)

    redis = connect(settings.redis)
    await redis.flushall()
    refused = await engine.refusal()
    assert "dispatch rebuild" in refused.todo
    assert "lane" in refused.what
    assert not [key async for key in redis.scan_iter("*:outbox")]

    results = await rebuild(settings)
    assert {one.territory: one.hash_log for one in results} == before
    assert all(one.written for one in results)
    assert await state_of(settings) == before
    await redis.aclose()

    numbers = len(client.seen)
    await engine.start()
    try:
        await assert_goes_on(client)
        await client.act("accept", work[1][0], work[1][2], id=token())
        await client.quiet()
        fresh = {one.id for one in client.seen[numbers:] if one.topic == WORK_ORDERS}
        assert not fresh & {one.id for one in client.seen[:numbers]}
        assert_each_opened_once(client, [request_id for _order, request_id, _who, _leg in work])
    finally:
        await engine.stop()
    assert await state_of(settings) != before


async def test_i8_a_store_that_lost_its_tail_folds_it_from_the_log(settings, client):
    engine = Engine(settings)
    await engine.start()
    await staffed(client)
    work = await some_work(client, 10)
    await engine.stop()
    redis = connect(settings.redis)
    old = await copy_of(redis)

    await engine.start()
    closed, reporter = work[4][0], (f"p-{work[4][1]}", "requester")
    await client.act("rate", closed, reporter, dimensions={"quality": 2})
    await client.act("reopen", closed, reporter, reason="again")
    await client.event("work-order.reopened", of=closed)
    later = [await client.report(area=area) for area in ("north.n4", "south.s3") * 10]
    for request_id in later:
        await client.offered(request_id)
    await client.act("cancel", work[5][0], (f"p-{work[5][1]}", "requester"))
    await client.event("work-order.cancelled", of=work[5][0])
    await client.act("relocate", work[0][0], ("d1", "dispatcher"), location={"area_id": "south.s3", "room": token()})
    await client.event("work-order.transferred-in", of=work[0][0])
    await client.quiet()
    await engine.stop()
    before = await state_of(settings)

    await restore(redis, old)
    await redis.aclose()
    await engine.start()
    try:
        await assert_goes_on(client)
        await client.quiet()
        assert_each_opened_once(client, [*later, *(request_id for _order, request_id, _who, _leg in work)])
        accepted = next(
            one
            for one in client.seen
            if one.type == "work-order.offered" and one.headers["ce_correlationid"] == later[0]
        )
        await client.act("accept", accepted.subject, (accepted.data["technician_id"], "technician"))
        await client.event("work-order.accepted", of=accepted.subject)
    finally:
        await engine.stop()
    assert (await state_of(settings)).keys() == before.keys()


async def test_i8_a_rolled_back_store_has_the_same_hash_as_soon_as_its_lanes_are_taken(settings, client):
    engine = Engine(settings)
    await engine.start()
    await staffed(client)
    await engine.stop()
    redis = connect(settings.redis)
    old = await copy_of(redis)
    await engine.start()
    await some_work(client, 10)
    await engine.stop()
    before = await state_of(settings)
    await restore(redis, old)
    await redis.aclose()

    desk = Engine(settings, roles=("desk",))
    await desk.start()
    async with asyncio.timeout(60):
        async with store_of(settings) as store:
            while (await store.fences([NORTH, SOUTH])) != fences_in_log(client):  # noqa: ASYNC110 -- Redis tells nobody
                await asyncio.sleep(0.1)
    await desk.stop()
    assert await state_of(settings) == before


def fences_in_log(client):
    last = {}
    for one in client.seen:
        if one.type == "lane.decided":
            end = int(one.headers["ce_sequence"]), one.data["batch_id"]
            last[one.key] = max(end, last.get(one.key, end))
    return [last[str(key).encode()] for key in (NORTH, SOUTH)]


async def copy_of(redis):
    """All keys of the territories as they are."""
    return {key: await redis.dump(key) async for key in redis.scan_iter("{campus:*")}


async def restore(redis, old):
    """Take the territories back to the copy; whatever came since is gone."""
    async for key in redis.scan_iter("{campus:*"):
        await redis.delete(key)
    for key, blob in old.items():
        await redis.restore(key, 0, blob)


# topics that do not fit ---------------------------------------------------------------------------------------


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
    from aiokafka import TopicPartition
    from aiokafka.admin import RecordsToDelete

    admin = AIOKafkaAdminClient(**settings.kafka_client())
    await admin.start()
    await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})
    await admin.close()


# servers that are away ----------------------------------------------------------------------------------------


@asynccontextmanager
async def a_steady_stream(client, pause_s=0.05):
    """Reports, one after another, as long as the block lasts; those that were published."""
    published, stop = [], asyncio.Event()

    async def stream():
        while not stop.is_set():
            request_id, area = f"r-{token()}", ("north.n3", "south.s2")[len(published) % 2]
            data = request(request_id, area=area)
            while True:  # a sender that is not told that it arrived sends the same again
                try:
                    await client.publish("request.submitted", data, id=request_id)
                except KafkaError:
                    await asyncio.sleep(0.5)
                else:
                    break
            published.append(request_id)
            await asyncio.sleep(pause_s)

    task = asyncio.create_task(stream())
    try:
        yield published
    finally:
        stop.set()
        await task


@pytest.mark.parametrize(
    ("how", "away_s"), [("killed", 5), ("frozen", 5), pytest.param("killed", 60, marks=pytest.mark.slow)]
)
async def test_redis_may_be_away_and_nothing_is_lost_or_doubled(own, settings, client, engine, away_s, how):
    await staffed(client)
    async with a_steady_stream(client) as published:
        await asyncio.sleep(1)
        if how == "killed":
            await asyncio.to_thread(own.stop_redis, kill=True)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(own.start_redis)
        else:
            _signal(own.redis_pid, signal.SIGSTOP)
            await asyncio.sleep(away_s)
            _signal(own.redis_pid, signal.SIGCONT)
        await asyncio.sleep(1)
    for request_id in published:
        await client.offered(request_id, within_s=30)
    assert not engine.app.crashed
    await client.quiet()
    assert_each_opened_once(client, published)
    await state_of(settings)


def _signal(pid, number):
    import os

    os.kill(pid, number)


@pytest.mark.parametrize("away_s", [5, pytest.param(60, marks=pytest.mark.slow)])
async def test_kafka_may_be_away_and_nothing_is_lost_or_doubled(own, settings, client, engine, away_s):
    await staffed(client)
    async with a_steady_stream(client) as published:
        await asyncio.sleep(1)
        await asyncio.to_thread(own.stop_kafka, kill=True)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(own.start_kafka)
        await asyncio.sleep(1)
    for request_id in published:
        await client.offered(request_id, within_s=60)
    assert not engine.app.crashed
    await client.quiet()
    assert_each_opened_once(client, published)
    await state_of(settings)


async def test_when_a_worker_is_killed_the_other_takes_its_lanes_and_nothing_is_lost_or_doubled(
    settings, client, tmp_path
):
    async with WorkerProcess(settings, tmp_path / "a.log") as one, WorkerProcess(settings, tmp_path / "b.log") as other:
        await one.until(1)
        await other.until(1)
        await staffed(client)
        async with a_steady_stream(client) as published:
            await asyncio.sleep(2)
            await one.end(signal.SIGKILL)
            await asyncio.sleep(9)
        for request_id in published:
            await client.offered(request_id, within_s=30)
        await client.quiet()
        assert await other.end(signal.SIGTERM) == 0
    assert_each_opened_once(client, published)
    assert "lane failed" not in (tmp_path / "b.log").read_text()
    await state_of(settings)


async def test_a_worker_that_is_told_to_stop_ends_with_0_within_ten_seconds(settings, client, tmp_path):
    async with WorkerProcess(settings, tmp_path / "w.log") as worker:
        await worker.until(PARTITIONS)
        await staffed(client)
        async with a_steady_stream(client, pause_s=0.01):
            await asyncio.sleep(0.5)
            began_s = asyncio.get_running_loop().time()
            assert await worker.end(signal.SIGTERM) == 0
            assert asyncio.get_running_loop().time() - began_s < 10
    told = (tmp_path / "w.log").read_text()
    assert "Crashed" not in told, "what is in flight is finished, not broken off"
    assert "store is away" not in told


async def test_a_worker_that_must_not_start_ends_with_1_and_says_why(settings, client, tmp_path):
    async with Engine(settings):
        await staffed(client)
    redis = connect(settings.redis)
    await redis.flushall()
    await redis.aclose()
    async with WorkerProcess(settings, tmp_path / "w.log") as worker:
        code = await worker.ended(within_s=90)
    assert code == 1
    assert "dispatch rebuild" in (tmp_path / "w.log").read_text()


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


# urgency, time, policy ----------------------------------------------------------------------------------------


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
