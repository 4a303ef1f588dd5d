"""A worker as Prometheus and its supervisor see it, on a real broker and a real Redis."""

import asyncio
import json
import time
from urllib.error import URLError

import pytest
from msgspec.structs import replace

from dispatch import metrics
from dispatch.errors import ConfigError
from dispatch.settings import ROLES
from dispatch.stores.base import Save, TerritoryKey
from tests.support.client import token
from tests.support.engine import PARTITIONS, Engine, store_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_worker_that_has_its_lanes_is_live_and_ready(client, pages):
    assert await pages.get("/live") == (200, '{"live": true}')
    async with asyncio.timeout(60):  # right after the start it says which lanes it still takes
        while (await pages.get("/ready"))[0] != 200:  # noqa: ASYNC110 -- a page does not say when it changes
            await asyncio.sleep(0.2)
    assert json.loads((await pages.get("/ready"))[1]) == {"ready": True, "wrong": {}}
    assert await pages.value("dispatch_ready") == 1
    assert await pages.value("dispatch_lanes") == PARTITIONS
    for role in set(ROLES) - {"advise"}:  # no larger model in the config
        for lane in range(PARTITIONS):
            assert await pages.value("dispatch_lane_ready", role=role, lane=str(lane)) == 1


async def test_a_request_is_seen_on_its_whole_way(client, pages):
    before = await pages.samples()
    request_id = await client.report()
    await client.offered(request_id)
    await client.quiet()
    await asyncio.sleep(1.1)  # servers are asked once a second
    after = await pages.samples()

    def grown(name, **labels):
        key = name, frozenset(labels.items())
        return after.get(key, 0) - before.get(key, 0)

    assert grown("dispatch_events_total", type="work-order.opened") == 1
    assert grown("dispatch_events_total", type="work-order.offered") == 1
    assert grown("dispatch_events_total", type="lane.decided") >= 1
    assert grown("dispatch_batch_records_count", role="intake") == 1
    assert grown("dispatch_batch_records_sum", role="intake") == 1
    assert grown("dispatch_batch_seconds_count", role="desk") >= 1
    assert 0 < grown("dispatch_batch_seconds_sum", role="desk") < 60
    assert grown("dispatch_records_published_total", topic="dispatch.work-orders") >= 3
    assert grown("dispatch_records_published_total", topic="dispatch.commands") == 1
    for role in ("intake", "desk"):
        assert {after["dispatch_lag_records", frozenset({"role": role, "lane": str(n)}.items())] for n in range(4)} == {
            0
        }


async def test_who_was_told_is_counted_by_hook_and_outcome(client, pages):
    told = {"hook": "log", "outcome": "succeeded"}
    before = await pages.value("dispatch_deliveries_total", **told)
    offer = await client.offered(await client.report())
    await client.wait(lambda one: one.type == "delivery.succeeded" and one.data["event_id"] == offer.id)
    after = await pages.reached(before + 1, "dispatch_deliveries_total", **told)
    assert after > before
    assert await pages.value("dispatch_deliveries_total", hook="log", outcome="attempted") >= after
    assert await pages.value("dispatch_breakers", state="closed") > 0
    assert await pages.value("dispatch_breakers", state="open") == 0


async def test_an_input_that_is_refused_is_counted_by_its_code_and_as_a_dead_letter(client, pages):
    code = {"role": "intake", "code": "not-json"}
    refused = await pages.value("dispatch_refused_total", **code)
    letters = await pages.value("dispatch_records_published_total", topic="dispatch.dead-letters")
    await client.letter(await client.send("dispatch.requests", b"{"))
    assert await pages.reached(refused + 1, "dispatch_refused_total", **code) == refused + 1
    topic = {"topic": "dispatch.dead-letters"}
    assert await pages.reached(letters + 1, "dispatch_records_published_total", **topic) == letters + 1


async def test_an_action_that_the_desk_refuses_is_counted_too(client, pages):
    offer = await client.offered(await client.report())
    code = {"role": "desk", "code": "no-assignment"}
    before = await pages.value("dispatch_refused_total", **code)
    await client.act("accept", offer.subject, (f"t-{token()}", "technician"))
    await client.wait(lambda one: one.topic == "dispatch.dead-letters", after=offer.number)
    assert await pages.reached(before + 1, "dispatch_refused_total", **code) == before + 1


async def test_the_pages_listen_on_loopback_alone(client, pages):
    assert (await pages.get("/live", "127.0.0.1"))[0] == 200
    with pytest.raises(URLError, match="refused"):
        await pages.get("/live", "127.0.0.2")


async def test_every_series_shown_is_one_that_is_named_with_its_labels(client, pages):
    shown = {(name, frozenset(dict(labels))) for name, labels in await pages.samples()}
    named = {(name, frozenset(labels)) for name, labels in metrics.LABELS.items()}
    assert {one for one in shown if not one[0].endswith("_created")} <= named
    assert {name for name, labels in named if not labels} <= {name for name, _labels in shown}


async def test_a_port_that_is_taken_is_told_by_the_name_of_its_setting(engine):
    other = Engine(engine.settings.model_copy(update={"group": f"g{token()}"}))
    with pytest.raises(ConfigError, match=r"DISPATCH_WEB_PORT: 127\.0\.0\.1:\d+ cannot be had"):
        await other.start()


async def test_looking_costs_a_worker_little(client, pages):
    await pages.get("/metrics")
    began_s = time.process_time()
    for _ in range(10):
        await pages.get("/metrics")
    assert (time.process_time() - began_s) / 10 < 0.05


async def test_a_lane_that_another_writer_has_used_is_let_go_and_counted(client, engine, pages):
    await client.offered(await client.report())
    await client.quiet()
    before = await pages.value("dispatch_lanes_fenced_total", role="desk")
    key = TerritoryKey("campus", "north")
    async with store_of(engine.settings) as store:
        (meta,) = await store.metas([key])
        other = replace(meta, batch_id="another-writer")
        await store.save({key: Save(expected=(meta.sequence, meta.batch_id), meta=other)})
    assert await pages.reached(before + 1, "dispatch_lanes_fenced_total", role="desk") > before
    await client.offered(await client.report())  # and taken again
