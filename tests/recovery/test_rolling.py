"""A rolling restart under load: two workers, one after the other, and what the topics alone say of it."""

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from dispatch.topics import REQUESTS, WORK_ORDERS
from tests.support.client import PATIENCE_S, Client, request, token
from tests.support.engine import PARTITIONS, forget_everything, settings_for
from tests.support.logs import logged
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.slow

STOP_WITHIN_S = 10.0
BEYOND_SESSION_S = 5.0
PAUSE_S = 0.03


@asynccontextmanager
async def busy(client):
    """Reports one after another, and each offer accepted, as long as the block lasts; the ids of the reports."""
    published, enough, stop = [], asyncio.Event(), asyncio.Event()

    async def report():
        while not enough.is_set():
            request_id, area = f"r-{token()}", ("north.n3", "south.s2")[len(published) % 2]
            await client.publish("request.submitted", request(request_id, area=area), id=request_id)
            published.append(request_id)
            await asyncio.sleep(PAUSE_S)

    async def accept():
        at, answered = 0, set()
        while not stop.is_set():
            for one in client.seen[at:]:
                at += 1
                if one.topic == WORK_ORDERS and one.type == "work-order.offered" and one.id not in answered:
                    answered.add(one.id)
                    by = (one.data["technician_id"], "technician")
                    await client.act("accept", one.subject, by, id=f"{one.id}-yes")
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(report()), asyncio.create_task(accept())]
    try:
        yield published
        # Those reported last are offered and accepted too before the acceptor goes home.
        enough.set()
        await tasks[0]  # cancelled, it could have sent one that it has not noted
        async with asyncio.timeout(PATIENCE_S):
            while accepted(client) < set(published):  # noqa: ASYNC110 -- all that is seen counts
                await asyncio.sleep(0.3)
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def accepted(client):
    """The requests whose orders a technician has accepted."""
    return {
        one.headers["ce_correlationid"]
        for one in client.seen
        if one.topic == WORK_ORDERS and one.type == "work-order.accepted"
    }


def lanes_in(worker, start):
    """The lanes that a worker says to have taken, from a place of its log on."""
    return {line["lane"] for line in logged(worker.log, "lane taken", start=start)}


async def restarted(worker, other, lanes):
    """End a worker politely, wait until the other has its lanes, and start it again; seconds until it had ended."""
    mark = len(other.log.read_text())
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await worker.end(signal.SIGTERM) == 0
    took_s = loop.time() - began_s
    async with asyncio.timeout(60):
        while lanes_in(other, mark) != lanes:  # noqa: ASYNC110 -- a log file has no events
            await asyncio.sleep(0.05)
    await worker.__aenter__()
    await worker.until(1)
    return took_s


def waits(client, published):
    """Seconds from each request's record to the first record that says what became of it."""
    asked, told = {}, {}
    for one in client.seen:
        if one.topic == REQUESTS:
            asked.setdefault(one.data["id"], one.timestamp)
        elif one.topic == WORK_ORDERS and one.type in {"work-order.opened", "work-order.offered"}:
            told.setdefault((one.headers["ce_correlationid"], one.type), one.timestamp)
    return {
        kind: max(told[request_id, f"work-order.{kind}"] - asked[request_id] for request_id in published) / 1000
        for kind in ("opened", "offered")
    }


async def test_two_workers_restarted_in_turn_under_load_lose_nothing_and_keep_nobody_waiting(
    own, tmp_path, record_property
):
    settings = settings_for(own.kafka, own.redis, tmp_path)
    await forget_everything(settings)
    one, other = WorkerProcess(settings, tmp_path / "a.log"), WorkerProcess(settings, tmp_path / "b.log")
    lanes = set(range(PARTITIONS))
    async with Client(settings.kafka) as client, one, other:
        await one.until(1)
        await other.until(1)
        for territory in ("north", "south"):
            await client.technician(f"t-{token()}", territory)
        async with busy(client) as published:
            await asyncio.sleep(2)
            stops = [await restarted(one, other, lanes)]
            await asyncio.sleep(2)
            stops.append(await restarted(other, one, lanes))
            await asyncio.sleep(2)
        await client.quiet()
        assert await one.end(signal.SIGTERM) == 0
        assert await other.end(signal.SIGTERM) == 0
        client.assert_repeats_are_identical()
        client.assert_numbered_without_gaps()
        log = {seen.id: seen for seen in client.seen if seen.topic == WORK_ORDERS}.values()
        assert not [seen for seen in client.seen if seen.topic == "dispatch.dead-letters"]
    for kind in ("opened", "offered"):
        found = [seen.headers["ce_correlationid"] for seen in log if seen.type == f"work-order.{kind}"]
        assert sorted(found) == sorted(published), kind
    orders = [seen.subject for seen in log if seen.type == "work-order.accepted"]
    assert len(orders) == len(set(orders)) == len(published)
    longest = waits(client, published)
    record_property("orders", len(published))
    record_property("longest_wait_s", longest)
    record_property("stops_s", stops)
    print(f"{len(published)} requests, longest waits {longest}, stops {stops}")
    assert max(longest.values()) <= settings.session_timeout_ms / 1000 + BEYOND_SESSION_S
    assert max(stops) <= STOP_WITHIN_S
