"""The demo from first to last: servers, the engine, a day of people, and the reckoning."""

import asyncio
import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from rich.console import Console

from dispatch.config import load_config, load_roster
from dispatch.demo.day import BEGIN, END, TAIL, read_day
from dispatch.demo.engine import Engine, EngineError
from dispatch.demo.listening import records_held
from dispatch.demo.pace import fitting_speed
from dispatch.demo.play import Play, play
from dispatch.demo.progress import Progress
from dispatch.demo.reckoning import reckon
from dispatch.embedded import EmbeddedError, Servers
from dispatch.embedded.folder import FolderLock
from dispatch.errors import DispatchError
from dispatch.settings import Settings, read_settings
from dispatch.topics import TOPICS

SPEED = 900.0
FOLDER = Path(".dispatch/demo")
SHORTEST_LEAD_S = 8.0
LONGEST_LEAD_S = 40.0
PIPE_COLUMNS = 120
STOPPED = 130
FAILURES = (DispatchError, EmbeddedError, EngineError, KafkaError, OSError, TimeoutError)


class NotFresh(DispatchError):  # noqa: N818 -- said to people
    """The servers given hold another day's events."""


def run_demo(settings_overrides: dict[str, object], speed: float, folder: Path, plain: bool) -> int:  # noqa: FBT001 -- the CLI's own flag
    """Play one day; 0 when every invariant holds, 1 when one is broken or something failed, 130 on Ctrl-C.

    ``folder`` is where the demo's own servers keep data: each run has a sub-folder of its own, and those of earlier
    runs are removed. With ``kafka`` and ``redis`` given (or in the environment) those are used, if they are empty.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    try:
        with _servers(settings_overrides, folder, console) as (settings, run, lead_s):
            return asyncio.run(_whole_day(console, settings, run, speed, lead_s, plain=plain))
    except KeyboardInterrupt:
        sys.stderr.write("已停止 stopped\n")
        return STOPPED
    except FAILURES as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1


@contextlib.contextmanager
def _servers(given: Mapping[str, Any], folder: Path, console: Console) -> Iterator[tuple[Settings, Path, float]]:
    """Settings that name running servers, this run's own folder, and how long the engine may take to begin."""
    asked = read_settings(**given)
    run = _fresh(folder)
    settings = read_settings(**{**given, "config": _config(asked.config), "data": run / "engine"})
    if {"kafka", "redis"} <= asked.model_fields_set:
        asyncio.run(_refuse_used(settings))
        yield settings, run, SHORTEST_LEAD_S
        return
    began_s = time.monotonic()
    say = lambda line: console.print(line, markup=False)  # noqa: E731
    with Servers(run / "servers", progress=say) as servers:
        boot_s = time.monotonic() - began_s
        yield (
            settings.model_copy(update={"kafka": servers.kafka, "redis": servers.redis}),
            run,
            min(LONGEST_LEAD_S, max(SHORTEST_LEAD_S, 1.5 * boot_s)),
        )


def _fresh(folder: Path) -> Path:
    """A folder for this run alone; those of runs that are over are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("run-*"):
        lock = FolderLock(old / "servers") if (old / "servers").is_dir() else None
        try:
            if lock is not None:
                lock.acquire()
        except EmbeddedError:
            continue
        shutil.rmtree(old, ignore_errors=True)
        if lock is not None:
            lock.release()
    run = folder / f"run-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    run.mkdir()
    return run.resolve()


def _config(asked: Path) -> Path:
    """The config folder: as asked for, else the one of the source tree that this package lies in."""
    for folder in (asked, Path(__file__).resolve().parents[2] / asked):
        if (folder / "site.yaml").is_file():
            return folder.resolve()
    return asked


async def _refuse_used(settings: Settings) -> None:
    held = await records_held(settings.kafka_client(), tuple(TOPICS))
    used = sorted(topic for topic, count in held.items() if count)
    if used:
        raise NotFresh(
            f"the Kafka at {settings.kafka} holds events already ({', '.join(used)}). "
            "Give the demo an empty one, or unset DISPATCH_KAFKA and DISPATCH_REDIS: then it starts its own."
        )


async def _whole_day(
    console: Console, settings: Settings, run: Path, speed: float, lead_s: float, *, plain: bool
) -> int:
    policy = load_config(settings.config)
    roster = load_roster(settings.config, policy)
    reports = read_day()
    asked, speed = speed, fitting_speed(speed)
    clock = f"{BEGIN.isoformat()}@{time.time() + lead_s:.3f}x{speed:g}"
    settings = settings.model_copy(update={"clock": clock})
    progress = Progress(console, policy, plain=plain)
    if speed < asked:
        progress.say(f"这台机器很忙 this machine is busy: {speed:g} instead of {asked:g} times as fast as life")
    wall_s = lead_s + (END - BEGIN + TAIL).total_seconds() / speed
    progress.say(
        f"{BEGIN:%Y-%m-%d %H:%M} → {END + TAIL:%m-%d %H:%M}, {len(reports)} 单报修 requests, "
        f"{speed:g} 倍速 times as fast as life: about {wall_s:.0f} s"
    )
    logging.basicConfig(filename=run / "people.log", level=logging.WARNING)
    engine = Engine(_environ(settings), run / "worker.log")
    began_s = time.monotonic()
    try:
        await asyncio.to_thread(engine.start)
        progress.say(f"引擎就绪 engine ready after {time.monotonic() - began_s:.1f} s; its log: {run / 'worker.log'}")
        given = Play(
            settings=settings, policy=policy, roster=roster, reports=reports, progress=progress,
            check_engine=engine.check,
        )  # fmt: skip
        actions = await play(given)
    finally:
        code = await asyncio.to_thread(engine.stop)
    if code != 0:
        raise EngineError(f"the worker ended with code {code}; see {run / 'worker.log'}")
    holds = await reckon(console, settings.kafka_client(), policy, reports, actions)
    return 0 if holds else 1


def _environ(settings: Settings) -> dict[str, str]:
    """The settings as the worker's environment: the scaled clock is handed over here, and nowhere else."""
    names = ("kafka", "redis", "config", "data", "clock")
    return {f"DISPATCH_{name.upper()}": str(getattr(settings, name)) for name in names}
