"""A day on servers that run: the engine is told the time, people play, and all is reckoned up."""

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dispatch.config import load_config, load_roster
from dispatch.demo.day import BEGIN, END, TAIL, read_day
from dispatch.demo.ears import own_config
from dispatch.demo.engine import Engine, EngineError
from dispatch.demo.listening import records_held
from dispatch.demo.play import Play, play
from dispatch.demo.progress import Progress
from dispatch.demo.reckoning import Reckoning, read_topics
from dispatch.demo.webhooks import Receiver
from dispatch.errors import DispatchError
from dispatch.settings import Language, Settings
from dispatch.timing import make_clock
from dispatch.topics import TOPICS

TOLD = ("kafka", "redis", "config", "data", "clock")
"""The settings that the engine is told; all others it has from the environment, as any worker."""


class NotFresh(DispatchError):  # noqa: N818 -- said to people
    """The servers given hold another day's events."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a day begins with. ``secret`` signs webhooks; ``lead_s`` is how long the engine may take to begin."""

    settings: Settings
    run: Path
    engine: Engine
    secret: str
    asked_speed: float
    speed: float
    lead_s: float
    plain: bool
    lang: Language


async def refuse_used(settings: Settings) -> None:
    """Raise NotFresh when topics hold events already."""
    held = await records_held(settings.kafka_client(), tuple(TOPICS))
    used = sorted(topic for topic, count in held.items() if count)
    if used:
        raise NotFresh(
            f"the Kafka at {settings.kafka} holds events already ({', '.join(used)}). "
            "Give the demo an empty one, or unset DISPATCH_KAFKA and DISPATCH_REDIS: then it starts its own."
        )


async def whole_day(console: Console, given: Given) -> Reckoning:
    """Play the day, and read what the topics hold of it. Raises what :func:`play` raises, and EngineError."""
    policy = load_config(given.settings.config)
    roster = load_roster(given.settings.config, policy)
    reports = read_day()
    progress = Progress(console, policy, given.lang, plain=given.plain)
    clock = f"{BEGIN.isoformat()}@{time.time() + given.lead_s:.3f}x{given.speed:g}"
    _announce(progress, given, len(reports))
    logging.basicConfig(filename=given.run / "people.log", level=logging.WARNING)
    async with Receiver(given.secret, make_clock(clock)) as receiver:
        config = own_config(given.settings.config, given.run / "config", receiver.port)
        settings = given.settings.model_copy(update={"clock": clock, "config": config})
        try:
            took_s = await asyncio.to_thread(given.engine.start, {name: str(getattr(settings, name)) for name in TOLD})
            progress.say(f"引擎就绪 engine ready after {took_s:.1f} s; its log: {given.engine.log}")
            scene = Play(
                settings=settings, policy=policy, roster=roster, reports=reports, progress=progress,
                receiver=receiver, check_engine=given.engine.check,
            )  # fmt: skip
            played = await play(scene)
        finally:
            code = await asyncio.to_thread(given.engine.stop)
    receiver.check()
    if code != 0:
        raise EngineError(f"the worker ended with code {code}; see {given.engine.log}")
    topics = await read_topics(settings.kafka_client())
    return Reckoning(topics=topics, policy=policy, reports=reports, played=played, receiver=receiver)


def _announce(progress: Progress, given: Given, requests: int) -> None:
    speed, asked = given.speed, given.asked_speed
    if speed < asked:
        progress.say(f"这台机器很忙 this machine is busy: {speed:g} instead of {asked:g} times as fast as life")
    wall_s = given.lead_s + (END - BEGIN + TAIL).total_seconds() / speed
    progress.say(
        f"{BEGIN:%Y-%m-%d %H:%M} → {END + TAIL:%m-%d %H:%M}, {requests} 单报修 requests, "
        f"{speed:g} 倍速 times as fast as life: about {wall_s:.0f} s"
    )
