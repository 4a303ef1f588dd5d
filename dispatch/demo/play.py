"""The day itself: the people, the clock they share, and how it ends."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaProducer

from dispatch.agents.inputs import order_id_of
from dispatch.demo.day import BEGIN, END, TAIL, Report, Story
from dispatch.demo.desk import FrontDesk, Leaders, Office
from dispatch.demo.listening import HEARD, listen
from dispatch.demo.progress import Progress
from dispatch.demo.reporters import Reporters, publish_day
from dispatch.demo.settling import Register
from dispatch.demo.staffing import publish_roster, shifts_of_the_day
from dispatch.demo.stage import Stage
from dispatch.demo.technicians import Crew, shift_spans
from dispatch.demo.webhooks import Receiver
from dispatch.models.roster import Roster
from dispatch.rules.policy import Policy
from dispatch.settings import Settings
from dispatch.timing import make_clock

SETTLE_WITHIN_S = 30.0
SETTLE_CHECK_S = 0.05
CHECK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Play:
    """What a day is made of."""

    settings: Settings
    policy: Policy
    roster: Roster
    reports: list[Report]
    progress: Progress
    receiver: Receiver
    check_engine: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Played:
    """What was done: the actions that were sent, as ``source:id``, how fast the day was, and when the curtain fell."""

    actions: frozenset[str]
    speed: float
    until: datetime


async def play(given: Play) -> Played:
    """Play the day to its end. Raises EngineError, Unverified, and whatever befell somebody on the stage."""
    stories = stories_of(given.policy.tenant, given.reports)
    async with _producer(given.settings) as producer:
        stage = Stage(make_clock(given.settings.clock), producer, stories)
        try:
            until = await _perform(given, stage)
        finally:
            await stage.clear()
        given.progress.say(given.progress.latency(stage.clock.speed))
        return Played(actions=frozenset(stage.actions_sent), speed=stage.clock.speed, until=until)


async def _perform(given: Play, stage: Stage) -> datetime:
    client = given.settings.kafka_client()
    count = await publish_roster(stage, client, given.roster)
    given.progress.say(f"班表 roster: {len(given.roster.technicians)} technicians, {count} events")
    if stage.now() > BEGIN:
        given.progress.say("这台机器太忙 this machine is too busy: the day has begun before everything was ready")
    spans = shift_spans(shifts_of_the_day(given.roster))
    crew = Crew(stage, {one.id: spans.get(one.id, []) for one in given.roster.technicians})
    reporters, register = Reporters(stage), Register(given.policy.tenant)
    leaders = Leaders(stage, given.policy, given.roster, crew.people)
    listeners = (Office(stage).hear, FrontDesk(stage).hear, reporters.hear, leaders.hear, given.progress.hear)
    crew.begin()
    given.receiver.listener = crew.hear
    stage.go(listen(client, HEARD, listeners))
    stage.go(listen(client, given.progress.topics, (register.hear, given.progress.log)))
    with given.progress.shown(stage):
        stage.go(given.progress.keep_saying(stage))
        await _until_the_end(given, stage, reporters)
        return await _settled(given, stage, register)


async def _until_the_end(given: Play, stage: Stage, reporters: Reporters) -> None:
    stage.go(publish_day(stage, given.reports, given.progress.published))
    while stage.now() < END + TAIL:
        _check(given, stage)
        if not stage.tail and stage.now() >= END:
            stage.tail = True
            await reporters.ask_the_silent()
        if stage.tail and all(story.over for story in stage.stories.values()):
            break
        await asyncio.sleep(CHECK_S)
    given.progress.say(given.progress.line(stage))
    stage.closing = True


def _check(given: Play, stage: Stage) -> None:
    given.check_engine()
    given.receiver.check()
    if stage.failures:
        raise stage.failures[0]


async def _settled(given: Play, stage: Stage, register: Register) -> datetime:
    """Wait until every input is answered and every ask heard, and no longer; the moment at which it was so."""
    requests = {report.request_id for report in given.reports}
    deadline_s = time.monotonic() + SETTLE_WITHIN_S
    while True:
        until = stage.now()
        waits_for = register.waits_for(stage.actions_sent, requests, given.receiver.heard_of)
        if not waits_for or time.monotonic() > deadline_s:
            return until
        _check(given, stage)
        await asyncio.sleep(SETTLE_CHECK_S)


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
