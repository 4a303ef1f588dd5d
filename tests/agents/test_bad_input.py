"""Whatever is wrong with an input becomes one dead letter, and what follows is handled."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.models.dead_letters import InputRefused
from dispatch.topics import ACTIONS, REQUESTS
from tests.support.client import request, text_of, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


def broken(change, **given):
    """A request whose data are changed before it is sent."""

    async def send(client, binary):
        data = request(f"r-{token()}")
        change(data)
        return await client.publish("request.submitted", data, binary=binary, **given)

    return send


def raw(value, *, topic=REQUESTS):
    """Bytes as they are: with the headers of a request in binary mode, or with none."""

    async def send(client, binary):
        if not binary:
            return await client.send(topic, value)
        return await client.publish("request.submitted", value, binary=True, topic=topic)

    return send


def latin1(client_time):
    async def send(client, binary):
        data = json.dumps(request(f"r-{token()}", text="café"), ensure_ascii=False)
        if binary:
            return await client.publish("request.submitted", data.encode("latin-1"), binary=True)
        head = f'"specversion":"1.0","id":"{token()}","source":"/x","type":"dispatch.request.submitted.v1"'
        return await client.send(REQUESTS, f'{{{head},"data":{data}}}'.encode("latin-1"))

    return send


def action(name, data=None, *, kind=None, **given):
    async def send(client, binary):
        body = {"work_order_id": f"wo{token()}", "actor": {"id": "d1", "role": "dispatcher"}} | (data or {})
        return await client.publish(kind or f"action.{name}", body, binary=binary, topic=ACTIONS, **given)

    return send


def staff(kind, data, **given):
    async def send(client, binary):
        return await client.publish(kind, data, binary=binary, **given)

    return send


def on_an_open_order(name, role, **fields):
    async def send(client, binary):
        request_id = await client.report()
        order_id = (await client.offered(request_id)).subject
        data = {"work_order_id": order_id, "actor": {"id": "somebody", "role": role}, **fields}
        return await client.publish(f"action.{name}", data, binary=binary)

    return send


def envelope(**given):
    async def send(client, binary):
        attributes = {name: value for name, value in given.items() if value is not None}
        return await client.publish("request.submitted", request(f"r-{token()}"), binary=binary, **attributes)

    return send


def soon():
    return text_of(datetime.now(UTC) + timedelta(hours=2))


SHIFT = {"technician_id": "nobody-knows", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T08:00:00Z"}
TECHNICIAN = {"id": f"t-bad-{token()}", "version": 1, "org_id": "in", "home_territory": "north"}

BAD = {
    "no JSON": (raw(b"{oops"), "not-json"),
    "an empty object": (raw(b"{}"), {"structured": "not-cloudevent", "binary": "missing-field"}),
    "a JSON array": (raw(b"[1]"), {"structured": "not-cloudevent", "binary": "wrong-type"}),
    "nothing at all": (raw(b""), "missing-data"),
    "nested without end": (raw(b"[" * 20_000), {"structured": None, "binary": None}),
    "latin-1 bytes": (latin1(None), "bad-encoding"),
    "a number for the channel": (broken(lambda data: data.update(channel=5)), "wrong-type"),
    "a number as text": (broken(lambda data: data.update(drill="yes")), "wrong-type"),
    "no reporter": (broken(lambda data: data.pop("reporter")), "missing-field"),
    "neither text nor category": (broken(lambda data: data.pop("text")), "invalid-value"),
    "a text of 4,001 characters": (broken(lambda data: data.update(text="x" * 4001)), "invalid-value"),
    "an unknown urgency": (broken(lambda data: data.update(urgency_hint="asap")), "invalid-value"),
    "over 64 KiB": (broken(lambda data: data.update(text="x" * 70_000)), "too-large"),
    "over a MiB": (broken(lambda data: data.update(text="x" * 1_100_000)), "too-large"),
    "7 MB": (broken(lambda data: data.update(text="x" * 7_000_000)), "too-large"),
    "an unknown type of request": (envelope(type="dispatch.request.invented.v1"), "unknown-type"),
    "an action among the requests": (envelope(type="dispatch.action.accept.v1"), "unknown-type"),
    "a request among the actions": (
        raw(json.dumps(request("r-x")).encode(), topic=ACTIONS),
        {"binary": "unknown-type", "structured": "not-cloudevent"},
    ),
    "an unknown action": (action("invent"), "unknown-type"),
    "an unknown kind of staff news": (staff("technician.promoted", {"id": "x"}), "unknown-type"),
    "another tenant": (envelope(tenantid="elsewhere"), "unknown-tenant"),
    "an id that is empty": (envelope(id=" " * 2000), "bad-attribute"),
    "no version of CloudEvents": (
        envelope(specversion=""),
        {"structured": "not-cloudevent", "binary": "missing-attribute"},
    ),
    "a naive time": (envelope(time="2026-03-02T08:00:00"), "naive-time"),
    "a time that is none": (envelope(time="yesterday"), "bad-attribute"),
    "a naive time in the data": (broken(lambda data: data.update(reported_at="2026-03-02T08:00:00")), "naive-time"),
    "a time far in the future": (envelope(time="2036-03-02T08:00:00Z"), "time-in-future"),
    "a report from the future": (broken(lambda data: data.update(reported_at=soon())), "time-in-future"),
    "an unknown territory": (
        broken(lambda data: data.update(location={"territory": "atlantis"})),
        "unknown-territory",
    ),
    "a technician of an unknown territory": (
        staff("technician.updated", TECHNICIAN | {"home_territory": "atlantis"}),
        "unknown-territory",
    ),
    "a technician of an unknown trade": (
        staff("technician.updated", TECHNICIAN | {"skills": [{"trade": "alchemy", "level": 1}]}),
        "unknown-trade",
    ),
    "an unknown technician": (staff("shift.started", SHIFT), "unknown-technician"),
    "a position of an unknown technician": (
        staff(
            "position.reported",
            {"technician_id": "nobody-knows", "measured_at": "2026-01-01T00:00:00Z", "area_id": "north.n1"},
        ),
        "unknown-technician",
    ),
    "an unknown order": (action("accept"), "unknown-order"),
    "an action without an order": (action("accept", {"work_order_id": None}), "wrong-type"),
    "an action not allowed in this state": (on_an_open_order("confirm", "requester"), "not-in-this-state"),
    "an action of nobody's leg": (on_an_open_order("accept", "technician"), "no-assignment"),
    "a role that may not": (on_an_open_order("merge", "technician", into="wo1"), "role-not-allowed"),
    "a role that does not exist": (on_an_open_order("accept", "emperor"), "role-not-allowed"),
    "to relocate to nowhere": (on_an_open_order("relocate", "dispatcher"), "missing-field"),
}


@pytest.mark.parametrize("binary", [False, True], ids=["structured", "binary"])
@pytest.mark.parametrize("name", BAD)
async def test_bad_input_becomes_one_dead_letter_and_what_follows_is_handled(client, name, binary):
    send, expected = BAD[name]
    place = await send(client, binary)
    good = await client.report(partition=place[1])

    letter = await client.letter(place)
    await client.offered(good)
    await client.quiet(0.3)

    assert client.letters(place) == [letter]
    InputRefused.model_validate_json(letter.value)
    data = letter.data
    if isinstance(expected, dict):
        expected = expected["binary" if binary else "structured"]
    assert expected is None or data["code"] == expected, data["errors"]
    assert data["errors"]
    assert all(one["message"] for one in data["errors"])
    assert letter.headers["ce_type"] == "dispatch.input.refused.v1"
    assert letter.headers["ce_tenantid"] == "campus"
    input_ = client.at(data["topic"], data["partition"], data["offset"])
    original = base64.b64decode(data["raw"])
    if "raw_bytes" in data:
        assert (len(input_.value), input_.value.startswith(original)) == (data["raw_bytes"], True)
    else:
        assert original == input_.value
    assert letter.key == input_.key
    if data["topic"] in {REQUESTS, ACTIONS}:
        assert (data["topic"], data["partition"], data["offset"]) == place
    else:
        origin = input_.data["origin"]
        assert (origin["topic"], origin["partition"], origin["offset"]) == place
