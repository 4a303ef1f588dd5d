"""Technicians know what their webhooks tell them, and nothing else."""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.demo.day import Report, Story
from dispatch.demo.desk import Office
from dispatch.demo.engine import Engine, EngineError
from dispatch.demo.stage import Heard, Stage
from dispatch.demo.technicians import Crew
from dispatch.demo.webhooks import Message
from dispatch.timing import ScaledClock
from dispatch.topics import ASSIGNMENTS

NOON = datetime(2026, 3, 3, 4, tzinfo=UTC)
SPEED = 36_000
SHIFT = (NOON - timedelta(hours=4), NOON + timedelta(hours=40))


class Producer:
    def __init__(self):
        self.sent = []

    async def send(self, _topic, value, **_more):
        self.sent.append(json.loads(value))


class Scene:
    """A crew of one, at work on one order."""

    def __init__(self, *tags):
        report = Report(
            at=NOON,
            request_id="D-1",
            channel="web",
            data={"reporter": {"id": "stu-1"}},
            tags=frozenset(tags),
            expect={},
        )
        self.story = Story(report=report, order_id="wo1")
        self.producer = Producer()
        self.stage = Stage(ScaledClock(NOON, time.time(), SPEED), self.producer, {"wo1": self.story})
        self.crew = Crew(self.stage, {"n01": [SHIFT]})

    def tell(self, kind, receiver="technician/n01", expires_in=timedelta(hours=1), **data):
        now = self.stage.now()
        said = {"assignment_id": "wo1.1", "urgency": "normal", "requirement": {"trade": "plumbing"}, **data}
        if kind == "offered":
            said["expires_at"] = (now + expires_in).isoformat()
        message = Message(
            id="dl1", type=f"work-order.{kind}", event_id="campus:north:1", receiver=receiver, order_id="wo1",
            data=said, at=now,
        )  # fmt: skip
        self.crew.hear(message)

    def actions(self):
        return [one["type"].split(".")[2] for one in self.producer.sent]

    async def does(self, *wanted):
        """Waits until these have been done, in this order, and nothing else."""
        async with asyncio.timeout(30):
            while self.actions()[: len(wanted)] != list(wanted):  # noqa: ASYNC110 -- whoever does it
                await asyncio.sleep(0.005)

    async def does_nothing(self, *, minutes=120):
        await self.stage.wait(minutes)
        return not self.producer.sent


@contextlib.asynccontextmanager
async def day(*tags):
    scene = Scene(*tags)
    scene.crew.begin()
    try:
        yield scene
    finally:
        await scene.stage.clear()
    assert not scene.stage.failures


async def test_who_is_offered_a_job_accepts_it_and_does_it():
    async with day() as scene:
        scene.tell("offered")
        await scene.does("accept", "depart", "arrive", "start", "complete")
        (last,) = [one["data"] for one in scene.producer.sent if one["type"] == "dispatch.action.complete.v1"]
        assert (last["assignment_id"], last["actor"]) == ("wo1.1", {"id": "n01", "role": "technician"})


async def test_a_job_that_is_given_is_done_at_once_and_the_second_webhook_of_a_leg_is_no_second_job():
    async with day() as scene:
        scene.tell("assigned", urgency="emergency")
        scene.tell("assigned", urgency="emergency")
        await scene.does("accept", "depart", "arrive", "start", "make_safe", "complete")
        assert scene.actions().count("accept") == 1


@pytest.mark.parametrize("kind", ["withdrawn", "offer-expired"])
async def test_what_was_taken_back_is_not_answered(kind):
    async with day() as scene:
        scene.tell("offered")
        scene.tell(kind)
        assert await scene.does_nothing()


async def test_an_offer_whose_time_is_over_is_put_aside():
    async with day() as scene:
        scene.tell("offered", expires_in=-timedelta(minutes=1))
        assert await scene.does_nothing()


@pytest.mark.parametrize("receiver", ["reporter/s1", "technician/n02", "role/supervisor"])
async def test_what_others_are_told_is_none_of_their_business(receiver):
    async with day() as scene:
        scene.tell("offered", receiver)
        assert await scene.does_nothing()


async def test_what_topics_say_does_not_reach_them():
    async with day() as scene:
        offered = Heard(
            topic=ASSIGNMENTS, type="work-order.withdrawn", id="campus:north:2", territory="north", subject="wo1",
            time=NOON, data={"assignment_id": "wo1.1"},
        )  # fmt: skip
        scene.tell("offered")
        await Office(scene.stage).hear(offered)
        assert scene.story.gone == {"wo1.1"}
        await scene.does("accept")


async def test_who_is_silent_or_declines_does_not_go():
    async with day("silent") as scene:
        scene.tell("offered")
        assert await scene.does_nothing()
    async with day("decline") as scene:
        scene.tell("offered")
        await scene.does("decline")
        await scene.stage.wait(120)
        assert scene.actions() == ["decline"]


def test_an_engine_that_was_never_begun_cannot_be_started(tmp_path):
    with pytest.raises(EngineError, match="never begun"):
        Engine({}, tmp_path / "worker.log").start({})
    assert Engine({}, tmp_path / "worker.log").stop() == 0
