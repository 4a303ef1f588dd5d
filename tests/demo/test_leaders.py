"""The shift leader finds somebody for what nobody took: once for each order, and not the same person for all."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from dispatch.config import load_roster
from dispatch.demo.day import Report, Story
from dispatch.demo.desk import Leaders
from dispatch.demo.stage import Heard, Stage
from dispatch.demo.technicians import Crew
from dispatch.timing import ScaledClock
from dispatch.topics import ASSIGNMENTS, ESCALATIONS
from tests.demo.test_technicians import NOON, SHIFT, SPEED, Producer

ORDERS = [f"wo{number}" for number in range(12)]


def story_of(order):
    data = {"reporter": {"id": "stu-1"}}
    return Story(
        report=Report(at=NOON, request_id=order, channel="web", data=data, tags=frozenset(), expect={}), order_id=order
    )


class Office:
    def __init__(self, policy):
        roster = load_roster(Path(__file__).parents[2] / "config", policy)
        self.producer = Producer()
        clock = ScaledClock(NOON, time.time(), SPEED)
        self.stage = Stage(clock, self.producer, {order: story_of(order) for order in ORDERS})
        people = Crew(self.stage, {one.id: [SHIFT] for one in roster.technicians}).people
        self.leaders = Leaders(self.stage, policy, roster, people)
        self.capacity = {one.id: one.capacity.open for one in roster.technicians}

    async def hear(self, topic, kind, order, **data):
        event = Heard(
            topic=topic, type=kind, id=f"{order}:{kind}:{len(data)}", territory="north", subject=order,
            time=self.stage.now(), data=data,
        )  # fmt: skip
        await self.leaders.hear(event)

    async def opened(self, order):
        await self.hear(ASSIGNMENTS, "work-order.opened", order, requirements=[{"trade": "plumbing"}])

    async def nobody_left(self, order, number=1, **more):
        await self.hear(
            ESCALATIONS,
            "escalation.raised",
            order,
            escalation_id=f"{order}:{number}",
            reason="nobody_left_to_ask",
            **more,
        )

    def given(self):
        said = [one for one in self.producer.sent if one["type"] == "dispatch.action.assign.v1"]
        return [(one["data"]["work_order_id"], one["data"]["to"]) for one in said]


@pytest.fixture
async def office(policy):
    office = Office(policy)
    yield office
    await office.stage.clear()
    assert not office.stage.failures


async def until_given(office, count):
    async with asyncio.timeout(30):
        while len(office.given()) < count:  # noqa: ASYNC110 -- whoever does it
            await asyncio.sleep(0.005)


async def test_orders_that_nobody_took_at_once_are_spread_and_nobody_is_given_more_than_they_can_hold(office):
    for order in ORDERS:
        await office.opened(order)
        await office.nobody_left(order)
    await until_given(office, 8)
    first = {}
    for order, to in office.given():
        first.setdefault(order, to)
    held = Counter(first.values())
    assert len(held) > 1
    assert all(count <= office.capacity[one] for one, count in held.items())


async def test_several_alarms_about_one_order_are_one_search(office):
    await office.opened("wo1")
    for number in range(4):
        await office.nobody_left("wo1", number, clock="accept")
    await until_given(office, 1)
    _order, to = office.given()[0]
    leg = {"assignment_id": "wo1.1", "technician_id": to, "requirement": {"trade": "plumbing"}}
    await office.hear(ASSIGNMENTS, "work-order.assigned", "wo1", **leg)
    await office.stage.until(office.stage.now() + timedelta(hours=1))
    assert len(office.given()) == 1
