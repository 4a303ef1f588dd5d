"""Sending, with receivers and a ledger of the test's own: who waits for whom, and who does not."""

import asyncio
import contextlib
import time

from dispatch.agents.ledger import Scribe
from dispatch.agents.notify_lane import LaneBook
from dispatch.agents.outbound import Outbound
from dispatch.hooks.delivery import Outcome
from dispatch.hooks.senders import NOBODY
from dispatch.models.hooks import HooksDocument
from tests.hooks.test_delivery import made

FAST = {"retry": {"first": "1s", "most": "1s", "fall_back": 2}, "breaker": {"failures": 3, "rest": "1s", "most": "1s"}}


class Ledger:
    """Takes what is published."""

    def __init__(self):
        self.records = []

    async def publish(self, records):
        self.records.extend(records)
        return {}

    def kinds(self):
        return [dict(one.headers)["ce_type"].decode().split(".")[2] for one in self.records]


class Hook:
    """Answers as it is told, after a while."""

    needs_person = False

    def __init__(self, answer=None, *, takes_s=0.0, merges=1, per_minute=None, concurrency=2):
        self.answer = answer or (lambda _number: Outcome(kind="ok"))
        self.takes_s = takes_s
        self.merges, self.per_minute, self.concurrency = merges, per_minute, concurrency
        self.heard = []
        self.at_once = self.most_at_once = 0

    def endpoint(self, _delivery):
        return f"hook-{id(self)}"

    async def send(self, deliveries, _person):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.heard.append([one.id for one in deliveries])
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        return self.answer(len(self.heard))

    async def close(self):
        pass


@contextlib.asynccontextmanager
async def sending(**hooks):
    """Outbound at work; itself, a lane that is ours, and its ledger."""

    async def join(_delivery):
        return NOBODY

    ended = []
    document = HooksDocument.model_validate({"hooks": {name: {"kind": "log"} for name in hooks}, **FAST})
    ledger = Ledger()
    outbound = Outbound(
        document=document, senders=hooks, publisher=ledger, scribe=Scribe("campus"), join=join,
        finished=lambda _lane, one: ended.append(one) or [],
    )  # fmt: skip
    lane = LaneBook(0)
    lane.live, lane.lease_until_s = True, time.monotonic() + 60
    outbound.ended = ended
    await outbound.start()
    try:
        yield outbound, lane, ledger
    finally:
        await outbound.stop()


def put(outbound, lane, number, hooks=("app",), **more):
    now = time.time()
    one = made(
        event_id=f"campus:north:{number}", hooks=hooks, planned_at=now, next_at=now,
        **{"give_up_at": now + 60, "order_id": f"wo{number}", **more},
    )  # fmt: skip
    lane.put(one)
    outbound.schedule(lane, one)
    return one


async def until(met, within_s=10.0):
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110 -- whatever is waited for
            await asyncio.sleep(0.01)


async def test_an_endpoint_that_hangs_delays_nobody_else():
    dead, app = Hook(takes_s=30), Hook()
    async with sending(dead=dead, app=app) as (outbound, lane, _ledger):
        for number in range(200):
            put(outbound, lane, number, ("dead",) if number % 2 else ("app",))
        await until(lambda: len(app.heard) == 100, 3)
        assert dead.most_at_once == dead.concurrency == 2


async def test_messages_about_one_order_to_one_receiver_go_one_after_another():
    app = Hook(takes_s=0.02, concurrency=8)
    async with sending(app=app) as (outbound, lane, _ledger):
        wanted = [[put(outbound, lane, number, order_id="wo1").id] for number in range(10)]
        await until(lambda: not lane.open)
        assert app.heard == wanted
        assert app.most_at_once == 1


async def test_what_waits_for_a_robot_is_merged_and_never_more_than_it_takes_a_minute():
    robot = Hook(merges=4, per_minute=2, concurrency=1, takes_s=0.05)
    async with sending(robot=robot) as (outbound, lane, ledger):
        for number in range(6):
            put(outbound, lane, number, ("robot",))
        await until(lambda: len(robot.heard) == 2)
        await asyncio.sleep(0.3)
        assert [len(one) for one in robot.heard] == [1, 4]
        assert len(lane.open) == 1
        await outbound.flush()
        assert ledger.kinds() == ["succeeded"] * 5


async def test_an_emergency_is_sent_before_what_has_waited_longer():
    app = Hook(takes_s=0.05, concurrency=1)
    async with sending(app=app) as (outbound, lane, _ledger):
        ids = [put(outbound, lane, number).id for number in range(5)]
        urgent = put(outbound, lane, 9, urgency="emergency").id
        await until(lambda: not lane.open)
        assert [one for (one,) in app.heard] == [ids[0], urgent, *ids[1:]]


async def test_a_breaker_opens_and_who_has_another_hook_does_not_wait():
    dead, app = Hook(lambda _number: Outcome(kind="retry", status=503), concurrency=1), Hook()
    async with sending(dead=dead, app=app) as (outbound, lane, _ledger):
        for number in range(30):
            put(outbound, lane, number, ("dead", "app"))
        await until(lambda: len(app.heard) == 30, 5)
        assert len(dead.heard) < 10


async def test_a_dead_endpoint_is_probed_and_goes_on_when_it_is_back():
    app = Hook(lambda number: Outcome(kind="retry" if number <= 4 else "ok"))
    async with sending(app=app) as (outbound, lane, _ledger):
        for number in range(20):
            put(outbound, lane, number)
        await until(lambda: not lane.open, 15)
        assert [one.state for one in outbound.ended] == ["succeeded"] * 20


async def test_who_waits_too_long_for_an_endpoint_is_given_up_and_said_so():
    dead = Hook(lambda _number: Outcome(kind="retry", status=503))
    async with sending(dead=dead) as (outbound, lane, ledger):
        for number in range(6):
            put(outbound, lane, number, ("dead",), give_up_at=time.time() + 1.2)
        await until(lambda: not lane.open, 10)
        assert {(one.state, one.reason) for one in outbound.ended} == {("failed", "given_up")}
        await outbound.flush()
        assert ledger.kinds().count("failed") == 6


async def test_a_lane_that_may_be_another_workers_sends_nothing():
    app = Hook()
    async with sending(app=app) as (outbound, lane, _ledger):
        lane.lease_until_s = 0.0
        put(outbound, lane, 1)
        await asyncio.sleep(0.4)
        assert app.heard == []
        lane.lease_until_s = time.monotonic() + 5
        await until(lambda: app.heard)


async def test_a_sender_that_breaks_is_an_outcome_of_its_own_message():
    def broken(number):
        if number == 1:
            raise RuntimeError("a fault of ours")
        return Outcome(kind="ok")

    app = Hook(broken)
    async with sending(app=app) as (outbound, lane, _ledger):
        put(outbound, lane, 1)
        await until(lambda: not lane.open)
        assert len(app.heard) == 2


async def test_what_is_superseded_while_it_is_under_way_is_not_tried_again():
    app = Hook(lambda _number: Outcome(kind="retry"), takes_s=0.2)
    async with sending(app=app) as (outbound, lane, _ledger):
        one = put(outbound, lane, 1)
        await until(lambda: app.heard)
        lane.doomed[one.id] = "superseded"
        await until(lambda: not lane.open)
        assert (outbound.ended[0].state, outbound.ended[0].reason) == ("dropped", "superseded")
        assert len(app.heard) == 1


async def test_what_is_superseded_before_its_turn_comes_is_passed_over():
    app = Hook()
    async with sending(app=app) as (outbound, lane, _ledger):
        now = time.time()
        one = made(event_id="campus:north:1", planned_at=now, next_at=now, give_up_at=now + 60, order_id="wo1")
        lane.put(one)
        lane.end(one.id)
        outbound.schedule(lane, one)
        put(outbound, lane, 2)
        await until(lambda: not lane.open)
        assert len(app.heard) == 1
        assert one.id not in app.heard[0]
