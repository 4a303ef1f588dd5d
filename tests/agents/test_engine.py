"""The whole engine on a real broker and a real Redis: what is published, and what comes of it."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.models.dead_letters import InputRefused
from dispatch.topics import (
    ACTIONS,
    ASSIGNMENTS,
    COMMANDS,
    COMMANDS_URGENT,
    COMPLETIONS,
    DEAD_LETTERS,
    REQUESTS,
    WORK_ORDERS,
)
from tests.support.client import request, text_of, token
from tests.support.engine import PARTITIONS

pytestmark = pytest.mark.asyncio(loop_scope="session")


# a report finds its technician --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"", b"any key", "北校区".encode(), b"\xff\xfe"], ids=str)
@pytest.mark.parametrize("binary", [False, True], ids=["structured", "binary"])
async def test_a_published_request_is_offered_to_a_technician(client, binary, key):
    request_id = await client.report(binary=binary, key=key)
    offer = await client.offered(request_id)
    assert offer.data["technician_id"].startswith("t-")
    assert offer.data["expires_at"]


async def test_a_request_reaches_the_same_order_from_whatever_partition_it_is_read(client, uid):
    data = request(f"r-{uid}")
    for partition in range(PARTITIONS):
        await client.publish("request.submitted", data, id=uid, partition=partition)
    order_id = (await client.offered(f"r-{uid}")).subject
    await client.quiet()
    opened = {one.id for one in client.seen if one.type == "work-order.opened" and one.subject == order_id}
    assert len(opened) == 1
    assert {one.subject for one in client.seen if one.headers.get("ce_correlationid") == f"r-{uid}"} == {order_id}


async def test_a_request_of_three_faults_opens_three_orders(client, uid):
    items = [{"text": "tap leaks", "trade": "plumbing"}, {"text": "灯不亮"}, {"text": "门锁坏了"}]
    await client.report(request_id=f"r-{uid}", items=items, text="several things")
    await client.wait(lambda one: len({e.subject for e in client.seen if of_request(e, uid, "work-order.opened")}) == 3)


async def test_a_text_that_tells_of_two_faults_opens_two_orders_each_for_its_craft(client, uid):
    await client.report(request_id=f"r-{uid}", text="马桶堵了，另外空调不制冷")
    await client.wait(lambda one: len({e.subject for e in client.seen if of_request(e, uid, "work-order.opened")}) == 2)
    opened = [one.data for one in client.seen if of_request(one, uid, "work-order.opened")]
    assert sorted(one["requirements"][0]["trade"] for one in opened) == ["hvac", "plumbing"]
    assert {one["text"] for one in opened} == {"马桶堵了", "空调不制冷"}


def of_request(one, uid, kind):
    return one.topic == WORK_ORDERS and one.type == kind and one.headers.get("ce_correlationid") == f"r-{uid}"


async def walk(client, *, request_id=None, until="confirm"):
    """Report a fault and do everything up to ``until``; the order's id and who did it."""
    request_id = await client.report(**({"request_id": request_id} if request_id else {}))
    offer = await client.offered(request_id)
    order_id, technician = offer.subject, (offer.data["technician_id"], "technician")
    done = {"assignment_id": offer.data["assignment_id"], "visit_no": 1, "disposition": "fixed"}
    steps = [(name, technician, {}) for name in ("accept", "depart", "arrive", "start")]
    steps += [("complete", technician, done), ("confirm", (f"p-{request_id}", "requester"), {})]
    told = {"accept": "accepted", "depart": "departed", "arrive": "arrived", "start": "started"}
    told |= {"complete": "completed", "confirm": "closed"}
    for name, who, data in steps:
        await client.act(name, order_id, who, **data)
        await client.event(f"work-order.{told[name]}", of=order_id)
        if name == until:
            break
    return order_id, technician, request_id


async def test_a_report_goes_all_the_way_to_closed(client):
    order_id, _technician, request_id = await walk(client)

    types = client.types(order_id)
    for kind in ("opened", "offered", "assigned", "accepted", "departed", "arrived", "started", "completed"):
        assert types.count(f"work-order.{kind}") == 1, types
    walked = [
        one
        for one in types
        if one.startswith("work-order.") and one not in {"work-order.updated", "work-order.owner-changed"}
    ]
    assert walked == [
        f"work-order.{kind}"
        for kind in (
            *("opened", "offered", "assigned", "accepted", "departed", "arrived", "started"),
            *("completed", "confirmed", "closed"),
        )
    ]
    completed = await client.event("work-order.completed", of=order_id, topic=COMPLETIONS)
    verdicts = {clock["name"]: clock["verdict"] for clock in completed.data["clocks"]}
    assert {name: verdicts[name] for name in ("accept", "arrive", "resolve")} == {
        "accept": "met",
        "arrive": "met",
        "resolve": "met",
    }
    assert completed.headers["ce_correlationid"] == request_id
    assert client.types(order_id, COMPLETIONS) == [
        f"work-order.{kind}" for kind in ("opened", "completed", "confirmed", "closed")
    ]
    assert set(client.types(order_id, ASSIGNMENTS)) >= {"work-order.offered", "work-order.assigned"}


async def test_copies_on_narrow_topics_are_the_same_events_byte_for_byte(client):
    order_id, _technician, _request = await walk(client)
    await client.event("work-order.closed", of=order_id, topic=COMPLETIONS)
    log = {one.id: one for one in client.events(order_id)}
    copies = [*client.events(order_id, ASSIGNMENTS), *client.events(order_id, COMPLETIONS)]
    assert len(copies) >= 6
    for copy in copies:
        original = log[copy.id]
        assert (copy.value, copy.headers, copy.key) == (original.value, original.headers, original.key)
        assert copy.partition == original.partition


async def test_headers_are_as_the_contract_says(client, uid):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    input_id = token()
    await client.publish("request.submitted", request(f"r-{uid}"), id=input_id, traceparent=trace)
    opened = await client.event("work-order.opened", request=f"r-{uid}")

    headers = opened.headers
    sequence = int(headers["ce_sequence"])
    assert opened.key == b"campus:north"
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_id"] == f"campus:north:{sequence}"
    assert headers["ce_sequence"] == f"{sequence:020d}"
    assert headers["ce_source"] == "/dispatch/campus/north"
    assert headers["ce_type"] == "dispatch.work-order.opened.v1"
    assert headers["ce_subject"] == opened.data["work_order_id"]
    assert headers["ce_partitionkey"] == "campus:north"
    assert headers["ce_tenantid"] == "campus"
    assert headers["ce_correlationid"] == f"r-{uid}"
    assert headers["ce_causationid"] == f"campus:{client.source}:{input_id}"
    assert headers["ce_policyversion"] == opened.data["policy_version"]
    assert headers["ce_traceparent"] == trace
    assert headers["content-type"] == "application/json"
    for name in ("ce_time", "ce_recordedtime"):
        assert headers[name].endswith("Z")
        assert datetime.fromisoformat(headers[name]).tzinfo == UTC
    assert abs(opened.timestamp / 1000 - datetime.now(UTC).timestamp()) < 30

    offered = await client.event("work-order.offered", of=opened.subject)
    end = await client.wait(lambda one: one.id == offered.headers["ce_causationid"])
    assert end.type == "lane.decided"
    assert end.partition == offered.partition


async def test_the_same_request_and_action_again_have_no_effect_not_even_after_a_restart(client, engine, uid):
    data = request(f"r-{uid}")
    await client.publish("request.submitted", data, id=uid)
    offer = await client.offered(f"r-{uid}")
    technician = (offer.data["technician_id"], "technician")
    action = await client.act("accept", offer.subject, technician)
    await client.event("work-order.accepted", of=offer.subject)
    await client.quiet()
    before = client.types(offer.subject)

    async def again():
        await client.publish("request.submitted", data, id=uid)
        await client.publish("request.submitted", data, id=uid, binary=True, key=b"k")
        await client.act("accept", offer.subject, technician, id=action)
        marker = await client.report()
        await client.offered(marker)
        await client.quiet()

    await again()
    assert client.types(offer.subject) == before
    await engine.restart()
    assert engine.stopped_in_s < 10
    await again()
    assert client.types(offer.subject) == before
    await client.act("depart", offer.subject, technician)
    await client.event("work-order.departed", of=offer.subject)


async def test_an_action_on_a_closed_order_is_repeated_without_effect_and_a_new_one_is_taken(client):
    order_id, _technician, request_id = await walk(client)
    reporter = (f"p-{request_id}", "requester")
    rating = {"dimensions": {"quality": 5}, "scale": "stars"}
    rated = await client.act("rate", order_id, reporter, **rating)
    await client.event("work-order.rated", of=order_id, topic=COMPLETIONS)
    await client.act("rate", order_id, reporter, id=rated, **rating)
    await client.act("reopen", order_id, reporter, reason="drips again")
    await client.event("work-order.reopened", of=order_id)
    await client.wait(
        lambda one: one.subject == order_id and one.type == "work-order.offered" and one.data["cycle"] == 2
    )
    await client.quiet()
    assert client.types(order_id).count("work-order.rated") == 1


# what is wrong becomes one dead letter ------------------------------------------------------------------------


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


# crafted commands: the lane goes on ---------------------------------------------------------------------------


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


# relocation ---------------------------------------------------------------------------------------------------


async def test_an_order_relocated_to_another_territory_moves_there_and_is_never_active_in_both(client, engine):
    from dispatch.stores.base import TerritoryKey
    from tests.support.engine import store_of

    order_id, _technician, request_id = await walk(client, until="accept")
    dispatcher = ("d1", "dispatcher")
    await client.act("relocate", order_id, dispatcher, location={"area_id": "south.s2", "room": token()})
    gone = await client.event("work-order.transferred-out", of=order_id)
    come = await client.event("work-order.transferred-in", of=order_id)

    assert (gone.key, come.key) == (b"campus:north", b"campus:south")
    assert gone.headers["ce_recordedtime"] <= come.headers["ce_recordedtime"]
    assert gone.timestamp <= come.timestamp
    assert come.headers["ce_causationid"].startswith(f"{gone.id.rsplit(':', 1)[0]}:")
    offer = await client.wait(
        lambda one: one.type == "work-order.offered" and one.subject == order_id and one.key == b"campus:south"
    )
    async with store_of(engine.settings) as store:
        north, south = [await store.orders(TerritoryKey("campus", name)) for name in ("north", "south")]
    assert order_id not in north
    assert order_id in south

    technician = (offer.data["technician_id"], "technician")
    await client.act("accept", order_id, technician)
    accepted = await client.wait(
        lambda one: one.type == "work-order.accepted" and one.subject == order_id and one.key == b"campus:south"
    )
    done = {"assignment_id": offer.data["assignment_id"], "visit_no": 1, "disposition": "fixed"}
    await client.act("start", order_id, technician)
    await client.act("complete", order_id, technician, **done)
    await client.act("confirm", order_id, (f"p-{request_id}", "requester"))
    closed = await client.event("work-order.closed", of=order_id)
    assert closed.key == accepted.key == b"campus:south"
    after = [
        one
        for one in client.events(order_id)
        if one.key == b"campus:north" and int(one.headers["ce_sequence"]) > int(gone.headers["ce_sequence"])
    ]
    assert {one.type for one in after} == {"work-order.updated"}
    assert {one.data["forwarded_to"] for one in after} == {"south"}


# stopping -----------------------------------------------------------------------------------------------------


async def test_a_worker_stops_within_ten_seconds_in_the_middle_of_work_and_nothing_is_lost(client, engine):
    reports = [asyncio.create_task(client.report()) for _ in range(300)]
    await asyncio.sleep(0.3)
    await engine.restart()
    assert engine.stopped_in_s < 10
    for one in await asyncio.gather(*reports):
        await client.offered(one)
    await client.quiet()
    for one in reports:
        opened = {
            e.id for e in client.seen if e.type == "work-order.opened" and e.headers["ce_correlationid"] == one.result()
        }
        assert len(opened) == 1
