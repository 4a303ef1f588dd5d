"""The whole engine on a real broker and a real Redis: what is published, and what comes of it."""

import asyncio
from datetime import UTC, datetime

import pytest

from dispatch.topics import ASSIGNMENTS, COMPLETIONS, WORK_ORDERS
from tests.support.client import request, token
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


async def test_a_complaint_opens_where_the_order_is_that_it_is_about_whatever_place_it_names(client, uid):
    order_id, (technician_id, _role), _request = await walk(client, until="complete")
    said = {"text": "维修态度很差，敷衍了事，要求给个说法", "kind": "complaint", "about_ref": order_id}
    await client.report(request_id=f"c-{uid}", area="south.s2", **said)
    complaint = await client.event("work-order.opened", request=f"c-{uid}")
    assert complaint.key == b"campus:north"
    assert complaint.data["owner"] == {"kind": "role", "id": "quality_monitor"}
    assert technician_id in complaint.data["parties"]
    assert complaint.data["location"]["territory"] == "south"

    await client.act("investigate", complaint.subject, (technician_id, "dispatcher"))
    await client.act("investigate", complaint.subject, ("q1", "quality_monitor"))
    taken = await client.event("work-order.updated", of=complaint.subject)
    assert taken.data["owner"] == {"kind": "person", "id": "q1"}


async def test_a_complaint_about_an_order_that_nobody_knows_opens_at_the_place_it_names(client, uid):
    said = {"text": "保洁态度很差，投诉", "kind": "complaint", "about_ref": f"wo{uid}"}
    await client.report(request_id=f"c-{uid}", area="south.s2", **said)
    opened = await client.event("work-order.opened", request=f"c-{uid}")
    assert (opened.key, opened.data.get("parties")) == (b"campus:south", None)


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
