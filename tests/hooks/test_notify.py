"""The whole way on a real broker: an event, its delivery in the ledger, and somebody who hears of it."""

import asyncio

import pytest
import pytest_asyncio
from aiohttp import web

from dispatch.errors import ConfigError
from dispatch.stores.redis import RedisStore
from dispatch.topics import COMMANDS_URGENT, DEAD_LETTERS, DELIVERIES, WORK_ORDERS
from tests.support.client import token
from tests.support.engine import CONFIG, Engine, forget_everything, settings_for, store_of
from tests.support.receiver import Receiver, hooks_config, local_hook, new_secret

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAST = {"first": "1s", "most": "2s", "give_up": "1h", "fall_back": 2}


@pytest_asyncio.fixture(loop_scope="module")
async def receiver():
    async with Receiver() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def settings(own, tmp_path, receiver, monkeypatch):
    monkeypatch.setenv("APP_SECRET", receiver.secret)
    monkeypatch.setenv("APP_SECRET_OLD", new_secret())
    hooks = {
        "app": local_hook(receiver.port, "APP_SECRET_OLD", "APP_SECRET"),
        "dead": local_hook(1, "APP_SECRET", path="nowhere"),
        "log": {"kind": "log"},
    }
    defaults = {"technician": ["app"], "reporter": ["app"], "role": ["app"]}
    config = hooks_config(CONFIG, tmp_path / "config", hooks=hooks, defaults=defaults, retry=FAST, quiet=None)
    given = settings_for(own.kafka, own.redis, tmp_path, config=config)
    await forget_everything(given)
    return given


def ledger(client, delivery_id):
    return [one for one in client.seen if one.topic == DELIVERIES and one.data.get("delivery_id") == delivery_id]


async def test_an_offer_reaches_its_technician_signed_and_in_words(engine, client, receiver):
    who = f"t-{token()}"
    await client.technician(who)
    request_id = await client.report(reporter={"id": f"p-{token()}", "name": "王小明", "phone": "13812345678"})
    offer = await client.offered(request_id)
    heard = await receiver.heard("work-order.offered", assignment_id=offer.data["assignment_id"])

    assert heard["data"]["technician_id"] == who
    assert heard["data"]["receiver"] == f"technician/{who}"
    assert "水龙头" in heard["data"]["message"]["text"]
    assert "接单" in heard["data"]["message"]["text"]
    delivery_id = heard["data"]["delivery_id"]
    await client.wait(lambda one: one.type == "delivery.succeeded" and one.data["delivery_id"] == delivery_id)
    plan, done = ledger(client, delivery_id)
    assert (plan.type, plan.data["attempt"], plan.key) == ("delivery.attempted", 0, f"technician/{who}".encode())
    assert (done.type, done.data["status"]) == ("delivery.succeeded", 204)
    assert plan.partition == offer.partition

    told = await receiver.heard("work-order.opened")
    assert "王小明" not in str(told)  # the hook does not ask for names
    assert "13812345678" not in "".join(
        one.value.decode(errors="replace") for one in client.seen if one.topic != "dispatch.requests"
    )


async def test_names_are_joined_where_the_hook_asks_for_them_and_stand_in_no_topic(
    settings, client, receiver, tmp_path
):
    hooks = {"app": local_hook(receiver.port, "APP_SECRET", contact=True)}
    config = hooks_config(
        settings.config, tmp_path / "named", hooks=hooks, defaults={"reporter": ["app"]}, receivers={}
    )
    async with Engine(settings.model_copy(update={"config": config})):
        await client.report(reporter={"id": f"p-{token()}", "name": "欧阳修竹", "phone": "13912345678"})
        told = await receiver.heard("work-order.opened")
        assert "欧阳修竹 您好" in told["data"]["message"]["text"]
        assert told["data"]["contact"] == {"name": "欧阳修竹", "phone": "13912345678"}
    public = [one for one in client.seen if one.topic != "dispatch.requests"]
    assert not [one.topic for one in public if "欧阳修竹" in one.value.decode(errors="replace")]


async def test_who_cannot_be_told_of_an_offer_is_passed_over_and_the_desk_says_why(engine, client, receiver):
    gone, there = f"gone-{token()}", f"there-{token()}"

    async def behave(request, said):
        return web.Response(status=410) if "gone-" in request.path else None

    receiver.behave = behave
    await client.technician(gone)
    request_id = await client.report()
    offer = await client.offered(request_id)
    assert offer.data["technician_id"] == gone
    expired = await client.event("work-order.offer-expired", request=request_id)
    assert expired.data["reason"] == "unreachable"
    assert "410" in expired.data["note"]
    await client.technician(there)
    heard = await receiver.heard("work-order.offered", technician_id=there)
    assert heard["data"]["work_order_id"] == offer.subject


async def test_an_offer_withdrawn_before_it_was_sent_is_never_sent(engine, client, receiver):
    who, busy = f"t-{token()}", asyncio.Event()

    async def behave(request, said):
        return web.Response(status=503) if said["type"].startswith("dispatch.work-order.offered") else None

    receiver.behave = behave
    await client.technician(who)
    request_id = await client.report()
    offer = await client.offered(request_id)
    mine = offer.data["assignment_id"]
    await client.wait(lambda one: one.type == "delivery.attempted" and one.data["attempt"] >= 1)
    await client.act("cancel", offer.subject, (f"p-{request_id}", "requester"), reason="mistake")
    dropped = await client.wait(
        lambda one: one.type == "delivery.dropped" and one.data["event_type"] == "dispatch.work-order.offered.v1"
    )
    assert dropped.data["reason"] == "superseded"
    receiver.behave = None
    await receiver.heard("work-order.withdrawn", assignment_id=mine)
    await asyncio.sleep(3)
    assert not [one for one in receiver.effects.values() if one["type"] == "dispatch.work-order.offered.v1"]
    assert not busy.is_set()


async def test_what_waits_for_its_next_try_outlives_the_worker(settings, client, receiver):
    async def behave(request, said):
        return web.Response(status=500)

    receiver.behave = behave
    async with Engine(settings):
        request_id = await client.report()
        await client.wait(lambda one: one.type == "delivery.attempted" and one.data["attempt"] >= 1)
    receiver.behave = None
    async with store_of(settings) as store:
        await forget_notes(store)
    async with Engine(settings):
        heard = await receiver.heard("work-order.opened")
        opened = await client.event("work-order.opened", request=request_id)
        assert heard["data"]["event_id"] == opened.id
        await client.wait(lambda one: one.type == "delivery.succeeded" and one.data["event_id"] == opened.id)
    assert len([one for one in receiver.effects.values() if one["data"]["event_id"] == opened.id]) == 1


async def forget_notes(store: RedisStore):
    """As a Redis does that lost its last minutes: the ledger must do without it."""
    async for name in store._redis.scan_iter(match="note:*"):
        await store._redis.delete(name)


async def test_a_reporter_whom_nobody_knows_is_a_dead_letter_and_the_desk_hears_of_it(settings, client, receiver):
    only_notify = Engine(settings, roles=["notify"])
    async with Engine(settings, roles=["intake", "desk", "clock"]):
        await client.technician(f"t-{token()}")
        request_id = await client.report()
        opened = await client.event("work-order.opened", request=request_id)
        async with store_of(settings) as store:
            assert await store.erase("campus", opened.data["reporter"]["subject_id"])
        async with only_notify:
            letter = await client.wait(lambda one: one.topic == DEAD_LETTERS)
            assert letter.data["code"] == "unknown-receiver"
            raised = await client.event("escalation.raised", of=opened.subject)
            assert raised.data["reason"] == "unreachable"
            commands = [one for one in client.seen if one.topic == COMMANDS_URGENT and one.type == "delivery.failed"]
            assert commands[0].data["data"]["reason"] == "unknown-receiver"


async def test_a_second_hook_is_used_when_the_first_one_is_dead(engine, client, receiver):
    who = f"t-{token()}"
    await client.technician(who, hooks=["dead", "app"])
    await client.offered(await client.report())
    heard = await receiver.heard("work-order.offered", technician_id=who)
    await client.wait(
        lambda one: one.type == "delivery.succeeded" and one.data["delivery_id"] == heard["data"]["delivery_id"]
    )
    hooks = [one.data["hook"] for one in ledger(client, heard["data"]["delivery_id"])]
    assert hooks == ["dead", "dead", "app", "app"]


async def test_events_republished_after_a_crash_are_told_once(engine, client, receiver):
    request_id = await client.report()
    opened = await client.event("work-order.opened", request=request_id)
    await receiver.heard("work-order.opened", event_id=opened.id)
    headers = [(name, value.encode()) for name, value in opened.headers.items()]
    await client.send(WORK_ORDERS, opened.value, key=opened.key, headers=headers, partition=opened.partition)
    other = await client.report()
    await receiver.heard("work-order.opened", event_id=(await client.event("work-order.opened", request=other)).id)
    assert receiver.repeated == 0
    assert (
        len([one for one in client.seen if one.type == "delivery.attempted" and one.data["event_id"] == opened.id]) == 1
    )


async def test_a_missing_secret_is_refused_by_name(settings, monkeypatch):
    monkeypatch.delenv("APP_SECRET_OLD")
    engine = Engine(settings, roles=["notify"])
    with pytest.raises(ConfigError, match="APP_SECRET_OLD is not set"):
        await engine.start()


async def test_a_bad_secret_is_refused_by_name_and_not_shown(settings, monkeypatch):
    monkeypatch.setenv("APP_SECRET_OLD", "whsec_c2hvcnQ=")
    with pytest.raises(ConfigError, match="APP_SECRET_OLD: 5 bytes") as error:
        await Engine(settings, roles=["notify"]).start()
    assert "c2hvcnQ" not in str(error.value)


async def test_a_template_with_an_unknown_field_is_refused(settings, tmp_path):
    words = {"title": "x {dispaly_no}", "text": "y"}
    config = hooks_config(settings.config, tmp_path / "bad", templates={"offered": {"zh": words, "en": words}})
    with pytest.raises(ConfigError, match="unknown field 'dispaly_no'"):
        await Engine(settings.model_copy(update={"config": config}), roles=["notify"]).start()
