"""A crafted command becomes a dead letter alone, and its lane goes on."""

import base64
import json
from datetime import UTC, datetime

import pytest

from dispatch.models.dead_letters import InputRefused
from dispatch.topics import COMMANDS, COMMANDS_URGENT, DEAD_LETTERS, WORK_ORDERS
from tests.support.client import text_of, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


def lane_of(client, territory):
    return next(
        one.partition for one in client.seen if one.topic == WORK_ORDERS and one.key == f"campus:{territory}".encode()
    )


def command(kind, data, **given):
    body = {
        "id": f"crafted:{token()}",
        "type": kind,
        "tenant": "campus",
        "territory": "north",
        "time": text_of(datetime.now(UTC)),
    }
    return json.dumps({**body, "data": data, **given}).encode()


CRAFTED = {
    "an order without its data": (lambda: command("open", {}, order_id=f"wo{token()}"), "decide-failed"),
    "an action without its data": (lambda: command("act", {}, order_id="wo1"), None),
    "timers that are no list": (lambda: command("due", {"timers": 5}), "decide-failed"),
    "a timer of an odd name": (lambda: command("due", {"timers": [{"id": "technician/", "due_ms": 1}]}), None),
    "an order of a wrong shape": (
        lambda: command(
            "adopt", {"order": {"id": 5}}, order_id=f"wo{token()}", sender=f"elsewhere-{token()}", sender_sequence=1
        ),
        "decide-failed",
    ),
    "an unknown kind of command": (lambda: command("explode", {}), "unknown-command"),
    "no command at all": (lambda: b"{oops", "bad-command"),
    "no bytes at all": (lambda: b"", "bad-command"),
    "a command that is no UTF-8": (lambda: b'{"id":"\xff"}', "bad-command"),
    "a policy without a version": (lambda: command("policy.activated", {}, territory="*"), None),
    "a policy of an odd version": (lambda: command("policy.activated", {"version": [1]}), None),
    "a policy that nobody wrote": (lambda: command("policy.activated", {"version": "deadbeef"}), "unknown-policy"),
    "a territory that no policy names": (lambda: command("open", {}, territory="ghost"), "unknown-territory"),
    "a tenant that is not served": (lambda: command("open", {}, tenant="elsewhere"), "unknown-territory"),
    "a command of 3 MB": (lambda: command("open", {"text": "x" * 3_000_000}), "too-large"),
}


@pytest.mark.parametrize("name", CRAFTED)
@pytest.mark.parametrize("topic", [COMMANDS, COMMANDS_URGENT])
async def test_a_poisonous_command_becomes_a_dead_letter_alone_and_its_lane_goes_on(client, name, topic):
    make, code = CRAFTED[name]
    first = await client.report()
    await client.offered(first)
    lane = lane_of(client, "north")
    place = await client.send(topic, make(), key=b"campus:north", partition=lane)
    good = await client.report()

    await client.offered(good)
    if name != "a timer of an odd name":
        letter = await client.letter(place)
        assert code is None or letter.data["code"] == code
        assert base64.b64decode(letter.data["raw"]) == client.at(*place).value
        InputRefused.model_validate_json(letter.value)
    await client.quiet(0.3)
    ours = {one.id for one in client.letters(place)}
    others = [one.id for one in client.seen if one.topic == DEAD_LETTERS and one.number > client.at(*place).number]
    assert set(others) <= ours
    assert len(ours) <= 1


async def test_a_poisonous_command_in_the_middle_of_others_takes_none_of_them_with_it(client):
    first = await client.report()
    await client.offered(first)
    lane = lane_of(client, "north")
    reports = [await client.report() for _ in range(20)]
    place = await client.send(COMMANDS, command("open", {}, order_id="wo1"), key=b"campus:north", partition=lane)
    reports += [await client.report() for _ in range(20)]
    for one in reports:
        await client.offered(one)
    assert (await client.letter(place)).data["code"] == "decide-failed"
