"""Each example, run as a program beside the engine on the real broker."""

import json
import re

import pytest

from tests.examples.conftest import run, start
from tests.support.client import token

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_a_channel_hears_the_number_and_the_promise_in_both_languages(engine, client):
    done = await run("channel", "--kafka", engine.settings.kafka, "--for", 60, "--room", token())
    assert done.code == 0, done
    assert re.search(r"^已受理，单号 NORTH-\d+，承诺 20\S+ 前修好。$", done.out, re.MULTILINE), done.out
    assert re.search(r"^Accepted as NORTH-\d+, to be repaired by 20\S+\.$", done.out, re.MULTILINE), done.out
    for request_id in re.findall(r"published (\S+)", done.out):
        await client.event("work-order.opened", request=request_id)


async def test_a_channel_is_told_that_a_fault_is_known_already(engine):
    words = ("--kafka", engine.settings.kafka, "--for", 60, "--lang", "en", "--room", token())
    first, second = await run("channel", *words), await run("channel", *words)
    assert (first.code, second.code) == (0, 0)
    assert "to be repaired by" in first.out
    assert re.search(r"^Accepted as NORTH-\d+\. It is known already", second.out, re.MULTILINE), second.out


async def test_a_channel_that_only_publishes_does_not_wait(engine, client):
    done = await run("channel", "--kafka", engine.settings.kafka, "--once", "--lang", "zh", "--room", token())
    assert (done.code, done.err) == (0, "")
    (request_id,) = re.fullmatch(r"published (\S+)\n", done.out).groups()
    await client.event("work-order.opened", request=request_id)


async def test_a_channel_hears_why_a_request_is_refused_and_ends_with_1(engine):
    words = ("--kafka", engine.settings.kafka, "--for", 60, "--lang", "en", "--text", "x" * 5000)
    done = await run("channel", *words)
    assert done.code == 1, done
    assert re.search(r"^Not accepted \([a-z-]+\): .+$", done.out, re.MULTILINE), done.out


async def test_a_technician_is_offered_an_order_and_completes_it(engine, client):
    me = f"t-{token()}"
    await client.technician(me)
    await client.report()
    words = ("--kafka", engine.settings.kafka, "--id", me, "--once", "--for", 60, "--from-beginning")
    done = await run("technician", *words)
    assert done.code == 0, done
    # Whichever order it was: earlier reports may have waited for somebody.
    order_id = re.search(r"^  complete (\S+)$", done.out, re.MULTILINE).group(1)
    completed = await client.event("work-order.completed", of=order_id)
    assert completed.data["technician_id"] == me
    assert completed.data["state"] == "completed"
    told = [line.strip() for line in done.out.splitlines()]
    assert [f"{name} {order_id}" in told for name in ("accept", "arrive", "start", "complete")] == [True] * 4
    # It left before it noted how far it was: run again it may hear the same, and its answers have the same ids.
    again = await run("technician", "--kafka", engine.settings.kafka, "--id", me, "--for", 4)
    assert again.err == ""
    await client.quiet()
    assert client.types(order_id).count("work-order.completed") == 1


async def test_a_supervisor_acknowledges_what_climbed_to_them(engine, client):
    request_id = await client.report()
    order_id = (await client.event("work-order.opened", request=request_id)).subject
    await client.act("escalate", order_id, ("dispatcher-1", "dispatcher"), to="supervisor", reason="it takes too long")
    raised = await client.event("escalation.raised", of=order_id)
    me = f"s-{token()}"
    words = ("--kafka", engine.settings.kafka, "--as", "supervisor", "--id", me, "--for", 60, "--once")
    done = await run("supervisor", *words, "--from-beginning")
    assert done.code == 0, done
    assert f"acknowledged {raised.data['escalation_id']} of {order_id}" in done.out
    known = await client.event("escalation.acknowledged", of=order_id)
    assert known.data["escalation_id"] == raised.data["escalation_id"]
    assert known.data["actor"]["id"] == me


async def test_a_kpi_service_computes_on_time_shares_of_what_was_completed(engine, client):
    me = f"t-{token()}"
    await client.technician(me)
    drill = await client.report(drill=True)
    await client.event("work-order.opened", request=drill)
    order_id = (await client.offered(await client.report())).subject
    offered = (await client.event("work-order.offered", of=order_id)).data
    by = (offered["technician_id"], "technician")
    leg = {"assignment_id": offered["assignment_id"]}
    for name in ("accept", "arrive"):
        await client.act(name, order_id, by, **leg)
    await client.act("complete", order_id, by, **leg, visit_no=1, disposition="fixed")
    await client.event("work-order.completed", of=order_id)
    done = await run("kpi", "--kafka", engine.settings.kafka, "--once", "--json")
    assert done.code == 0, done
    *rows, last = [json.loads(line) for line in done.out.splitlines()]
    resolve = next(row for row in rows if row["clock"] == "resolve")
    opened = {one.id: one.data for one in client.seen if one.topic == "dispatch.completions" and "opened" in one.type}
    counted = [one for one in opened.values() if not one["drill"] and one["targets"]]
    completed = {one.subject for one in client.seen if one.topic == "dispatch.completions" and "completed" in one.type}
    assert resolve["promised"] == len(counted)
    assert resolve["met"] == len(completed)
    assert (resolve["breached"], resolve["on_time"]) == (0, 1.0)
    assert resolve["open"] == len(counted) - len(completed)
    assert last["left_out"]["drill"] == 1
    table = await run("kpi", "--kafka", engine.settings.kafka, "--for", 1)
    assert table.code == 0
    assert re.search(r"^resolve +100\.0% ", table.out, re.MULTILINE), table.out


@pytest.mark.parametrize("name", ["channel", "technician", "supervisor", "kpi"])
async def test_without_kafka_they_say_so_and_end_with_3(name):
    extra = ("--id", "x") if name in {"technician", "supervisor"} else ()
    done = await run(name, "--kafka", "127.0.0.1:1", "--once", *extra)
    assert done.code == 3, done
    assert "Kafka does not answer" in done.err
    assert "--kafka" in done.err


async def test_a_webhook_is_heard_once_and_a_forged_one_never(engine, client, tmp_path):
    import base64
    from datetime import UTC, datetime, timedelta

    import aiohttp
    from standardwebhooks import Webhook

    me = f"t-{token()}"
    await client.technician(me)
    order_id = (await client.offered(await client.report())).subject
    offered = (await client.event("work-order.offered", of=order_id)).data
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    body = json.dumps({"type": "dispatch.work-order.offered.v1", "timestamp": "now", "data": offered})

    later = json.dumps({"type": "dispatch.work-order.updated.v1", "timestamp": "now", "data": {"work_order_id": "wo"}})

    def headers(message_id, by=secret, at=None, said=body):
        at = at or datetime.now(UTC)
        signature = Webhook(by).sign(message_id, at, said)
        stamp = str(int(at.timestamp()))
        return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}

    forged = "whsec_" + base64.b64encode(b"f" * 32).decode()
    rotated = headers("m-2", said=later)
    of_the_other = headers("m-2", by=forged, said=later)["webhook-signature"]
    rotated["webhook-signature"] = f"{of_the_other} {rotated['webhook-signature']}"
    tries = [
        (headers("m-1", by=forged), body, 401),
        (headers("m-1", at=datetime.now(UTC) - timedelta(hours=1)), body, 401),
        ({}, body, 401),
        (headers("m-1"), later, 401),
        (headers("m-1"), body, 204),
        (headers("m-1"), body, 204),
        (rotated, later, 204),
    ]
    words = ("--port", 0, "--seen", tmp_path / "seen.db", "--kafka", engine.settings.kafka)
    receiver = await start("webhook_receiver", *words, "--for", 15, WEBHOOK_SECRET=secret)
    url = re.search(r"http://\S+", (await receiver.stdout.readline()).decode()).group()
    async with aiohttp.ClientSession() as session:
        for sent, said, answer in tries:
            async with session.post(f"{url}{me}", data=said, headers=sent) as response:
                assert response.status == answer, sent
    out, err = await receiver.communicate()
    assert receiver.returncode == 0, err
    told = out.decode().splitlines()
    assert [line.split(":")[0] for line in told if line.startswith("refused")] == ["refused"] * 4
    assert told.count("repeated m-1") == 1
    assert [line.split()[0] for line in told if line.startswith("dispatch.")] == [
        "dispatch.work-order.offered.v1",
        "dispatch.work-order.updated.v1",
    ]
    await client.event("work-order.accepted", of=order_id)
    await client.quiet()
    assert client.types(order_id).count("work-order.accepted") == 1


async def test_a_webhook_receiver_remembers_across_a_restart_and_needs_its_secret(tmp_path):
    import base64
    from datetime import UTC, datetime

    import aiohttp
    from standardwebhooks import Webhook

    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    body = json.dumps({"type": "dispatch.work-order.withdrawn.v1", "data": {"work_order_id": "wo1"}})
    codes = []
    for _ in range(2):
        words = ("--port", 0, "--seen", tmp_path / "seen.db", "--once", "--for", 4)
        receiver = await start("webhook_receiver", *words, WEBHOOK_SECRET=secret)
        url = re.search(r"http://\S+", (await receiver.stdout.readline()).decode()).group()
        now = datetime.now(UTC)
        signed = {
            "webhook-id": "m-1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("m-1", now, body),
        }
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=signed) as response:
            assert response.status == 204
        await receiver.communicate()
        codes.append(receiver.returncode)
    assert codes == [0, 1]  # the second heard nothing new until its time was over
    done = await run("webhook_receiver", "--once", WEBHOOK_SECRET="")
    assert done.code == 2
    assert "WEBHOOK_SECRET" in done.err
