"""What tests of recovery do and look at."""

import asyncio
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError

from dispatch.agents.rebuild import rebuild
from dispatch.stores.base import TerritoryKey
from dispatch.topics import WORK_ORDERS
from tests.support.client import request, token

NORTH = TerritoryKey("campus", "north")
SOUTH = TerritoryKey("campus", "south")


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
