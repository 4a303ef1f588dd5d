"""The day itself: the people, the clock they share, and how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from dispatch.agents.inputs import order_id_of
from dispatch.demo.day import BEGIN, END, TAIL, Report, Story
from dispatch.demo.desk import FrontDesk, Leaders
from dispatch.demo.listening import listen
from dispatch.demo.progress import Progress
from dispatch.demo.reporters import Reporters, publish_day
from dispatch.demo.staffing import publish_roster, shifts_of_the_day
from dispatch.demo.stage import Stage
from dispatch.demo.technicians import Crew, shift_spans
from dispatch.models.roster import Roster
from dispatch.rules.policy import Policy
from dispatch.settings import Settings
from dispatch.timing import make_clock

QUIET_S = 1.5
SETTLE_CHECKS = 120
CHECK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Play:
    """What a day is made of."""

    settings: Settings
    policy: Policy
    roster: Roster
    reports: list[Report]
    progress: Progress
    check_engine: Callable[[], None]


async def play(given: Play) -> set[str]:
    """Play the day to its end; the actions that were sent, as ``source:id``."""
    stories = stories_of(given.policy.tenant, given.reports)
    async with _producer(given.settings) as producer:
        stage = Stage(make_clock(given.settings.clock), producer, stories)
        try:
            await _perform(given, stage)
        finally:
            await stage.clear()
        given.progress.say(given.progress.latency(stage.clock.speed))
        return stage.actions_sent


async def _perform(given: Play, stage: Stage) -> None:
    count = await publish_roster(stage, given.settings.kafka_client(), given.roster)
    given.progress.say(f"班表 roster: {len(given.roster.technicians)} technicians, {count} events")
    if stage.now() > BEGIN:
        given.progress.say("这台机器太忙 this machine is too busy: the day has begun before everything was ready")
    spans = shift_spans(shifts_of_the_day(given.roster))
    crew = Crew(stage, {one.id: spans.get(one.id, []) for one in given.roster.technicians})
    reporters = Reporters(stage)
    leaders = Leaders(stage, given.policy, given.roster, crew.people)
    listeners = (crew.hear, FrontDesk(stage).hear, reporters.hear, leaders.hear, given.progress.hear)
    crew.begin()
    stage.go(listen(given.settings.kafka_client(), listeners))
    with given.progress.shown():
        stage.go(given.progress.keep_saying(stage))
        await _until_the_end(given, stage, reporters)


async def _until_the_end(given: Play, stage: Stage, reporters: Reporters) -> None:
    stage.go(publish_day(stage, given.reports, given.progress.published))
    while stage.now() < END + TAIL:
        given.check_engine()
        if stage.failures:
            raise stage.failures[0]
        if not stage.tail and stage.now() >= END:
            stage.tail = True
            await reporters.ask_the_silent()
        if stage.tail and all(story.over for story in stage.stories.values()):
            break
        await asyncio.sleep(CHECK_S)
    given.progress.say(given.progress.line(stage))
    stage.closing = True
    for _ in range(SETTLE_CHECKS):
        await asyncio.sleep(CHECK_S)
        if given.progress.quiet_s() > QUIET_S:
            break


def stories_of(tenant: str, reports: list[Report]) -> dict[str, Story]:
    """The story of each order: its id follows from the request's."""
    ids = {order_id_of(tenant, one.source, one.request_id, 0): one for one in reports}
    return {order_id: Story(report=report, order_id=order_id) for order_id, report in ids.items()}


@contextlib.asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**settings.kafka_client(), enable_idempotence=True, linger_ms=1)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
