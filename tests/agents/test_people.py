"""Names and numbers of people stay in the people store: no topic without an end, and no log line, ever has them."""

import logging

import msgspec
import pytest
from structlog.testing import capture_logs

from dispatch.topics import DEAD_LETTERS, REQUESTS
from tests.support.client import request, token
from tests.support.engine import store_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBERS = {
    "together": "1{0}",
    "with hyphens": "1{1}-{2}-{3}",
    "with spaces": "1{1} {2} {3}",
    "of China": "+86 1{0}",
    "of China with hyphens": "+86-1{1}-{2}-{3}",
    "a landline": "021-{2}{3}",
}


def number(form):
    digits = f"38{int(token()[:7], 16) % 10**8:08d}"
    return NUMBERS[form].format(digits, digits[:2], digits[2:6], digits[6:])


def plain(text):
    return "".join(char for char in text if char.isalnum())


def leaks(records, secrets):
    """Where one of the secrets can be read, with or without the signs between its digits."""
    for one in records:
        said = "".join([one.value.decode(errors="replace"), str(one.headers), str(one.key)])
        for secret in secrets:
            if secret in said or plain(secret) in plain(said):
                yield one.topic, one.type, secret


@pytest.mark.parametrize("form", NUMBERS)
async def test_names_and_numbers_of_people_are_in_no_topic_but_the_first_and_in_no_log_line(
    client, engine, caplog, form
):
    uid = token()
    name, phone, other = f"欧阳{uid}", number(form), number(form)
    email = f"{uid}@example.edu"
    secrets = [name, phone, other, email]
    caplog.set_level(logging.INFO)  # below that, the test's own producer would tell what it sends
    start = len(client.seen)
    with capture_logs() as lines:
        text = f"我是{name}，水龙头坏了 the tap is broken，电话{other}，或 {email}。"
        reporter = {"id": f"stu-{uid}", "name": name, "phone": phone, "email": email, "affiliation": "student"}
        location = {"area_id": "north.n3", "room": f"x{uid}", "note": f"call {name} at {other}"}
        await client.publish("request.submitted", request(f"r-{uid}", reporter=reporter, text=text, location=location))
        offer = await client.offered(f"r-{uid}")
        order_id, by = offer.subject, (reporter["id"], "requester")
        technician = (offer.data["technician_id"], "technician")
        await client.act("urge", order_id, by, text=f"please call {phone}", note=f"or {email}")
        await client.act("amend", order_id, by, text=f"now call {other}", location=location)
        await client.act("accept", order_id, technician, note=f"called {phone}")
        await client.act("hold", order_id, technician, reason="waiting_reporter", note=f"no answer at {other}")
        await client.act("cancel", order_id, by, reason=f"call {phone}")
        await client.event("work-order.cancelled", of=order_id)
        await client.publish("request.submitted", request(f"r-{uid}", reporter=reporter, text=text, channel=5))
        await client.wait(lambda one: one.topic == DEAD_LETTERS and one.number >= start)
        await client.quiet()

    fresh = client.seen[start:]
    allowed = {REQUESTS, DEAD_LETTERS, "dispatch.actions"}
    assert list(leaks([one for one in fresh if one.topic == REQUESTS], [name])), "the test sees what it looks for"
    assert sorted(set(leaks([one for one in fresh if one.topic not in allowed], secrets))) == []
    # below warnings a library may print whole requests; dispatch.log lets none of that through
    libraries = ("aiokafka", "faust", "mode", "redis")
    heard = (r for r in caplog.records if r.levelno >= logging.WARNING or not r.name.startswith(libraries))
    told = str(lines) + "\n".join(record.getMessage() for record in heard)
    assert [secret for secret in secrets if secret in told or plain(secret) in plain(told)] == []
    assert not any(secret in told for secret in ("水龙头", "stu-" + uid)), "nor what they wrote, nor who they are"


async def test_the_people_store_knows_the_reporter_and_goes_on_knowing_them_after_an_action(client, engine, uid):
    reporter = {"id": f"stu-{uid}", "name": "李雷", "phone": "13800138000"}
    await client.publish("request.submitted", request(f"r-{uid}", reporter=reporter))
    offer = await client.offered(f"r-{uid}")
    opened = await client.event("work-order.opened", of=offer.subject)
    subject_id = opened.data["reporter"]["subject_id"]
    await client.act("urge", offer.subject, (reporter["id"], "requester"), text="please")
    urged = await client.event("work-order.urged", of=offer.subject)
    assert urged.data["actor"]["id"] == subject_id

    async with store_of(engine.settings) as store:
        details = msgspec.json.decode(await store.person("campus", subject_id))
    assert details["name"] == "李雷"
    assert details["phone"] == "13800138000"


async def test_i11_an_erased_subject_is_unreadable_and_reports_again_as_somebody_else(client, engine, uid):
    reporter = {"id": f"stu-{uid}", "name": f"韩{uid}", "phone": "13800138000"}
    await client.publish("request.submitted", request(f"r1-{uid}", reporter=reporter))
    first = await client.event("work-order.opened", request=f"r1-{uid}")
    subject_id = first.data["reporter"]["subject_id"]
    async with store_of(engine.settings) as store:
        assert await store.erase("campus", subject_id)
        assert await store.person("campus", subject_id) is None
        redis = store._redis
        values = [await redis.hgetall(key) async for key in redis.scan_iter("person:campus:*")]
        assert not [value for value in values if reporter["name"] in str({k: v.decode() for k, v in value.items()})]

        await client.publish("request.submitted", request(f"r2-{uid}", reporter=reporter))
        second = await client.event("work-order.opened", request=f"r2-{uid}")
        assert second.data["reporter"]["subject_id"] != subject_id
        assert await store.person("campus", subject_id) is None


async def test_one_person_is_one_subject_in_every_report_and_channel(client, uid):
    for number_, source in enumerate(("/app", "/wechat")):
        await client.publish(
            "request.submitted", request(f"r{number_}-{uid}", reporter={"id": f"stu-{uid}"}), source=source
        )
    both = [await client.event("work-order.opened", request=f"r{n}-{uid}") for n in range(2)]
    assert len({one.data["reporter"]["subject_id"] for one in both}) == 1
    assert len({one.subject for one in both}) == 2
