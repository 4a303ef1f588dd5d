"""The demo from first to last: servers, the engine, a day of people, and the reckoning.

What takes long to begin begins at once and side by side: the servers, and the engine's own process.
"""

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from dispatch.demo.ears import SECRET, new_secret
from dispatch.demo.engine import Engine, EngineError
from dispatch.demo.pace import fitting_speed
from dispatch.embedded import EmbeddedError, Servers
from dispatch.embedded.folder import FolderLock
from dispatch.errors import DispatchError
from dispatch.settings import Language, Settings, language, read_settings

SPEED = 900.0
FOLDER = Path(".dispatch/demo")
SHORTEST_LEAD_S = 5.0
LONGEST_LEAD_S = 40.0
LEAD_A_BOOT = 0.7
"""How long the engine takes to begin, as a part of what the servers took: both are slow on a slow machine."""
PIPE_COLUMNS = 120
STOPPED = 130


def run_demo(
    settings_overrides: dict[str, Any],
    speed: float,
    folder: Path,
    plain: bool,  # noqa: FBT001 -- the CLI's own flag
    lang: Language | None = None,
) -> int:
    """Play one day; 0 when every invariant holds, 1 when one is broken or something failed, 130 on Ctrl-C.

    ``folder`` is where the demo's own servers keep data: each run has a sub-folder of its own, and those of earlier
    runs are removed. With ``kafka`` and ``redis`` given (or in the environment) those are used, if they are empty.
    ``lang`` is the board's language, else the environment's.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    try:
        return _run(settings_overrides, speed, folder, console, plain=plain, lang=lang or language())
    except KeyboardInterrupt:
        sys.stderr.write("已停止 stopped\n")
        return STOPPED
    except _failures() as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1


def _failures() -> tuple[type[Exception], ...]:
    from aiokafka.errors import KafkaError  # noqa: PLC0415 -- takes long, and is seldom needed

    return DispatchError, EmbeddedError, EngineError, KafkaError, OSError, TimeoutError


def _run(
    given: dict[str, Any], asked_speed: float, folder: Path, console: Console, *, plain: bool, lang: Language
) -> int:
    asked = read_settings(**given)
    run, secret = _fresh(folder), new_secret()
    speed = fitting_speed(asked_speed)
    engine = Engine({SECRET: secret}, run / "worker.log")
    engine.load()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="servers") as aside:
            with _servers(asked, run, console, aside) as (settings, lead_s):
                from dispatch.demo.whole_day import Given, whole_day  # noqa: PLC0415 -- takes as long as the servers do

                engine.wait_loaded()
                given_day = Given(
                    settings=settings, run=run, engine=engine, secret=secret, asked_speed=asked_speed, speed=speed,
                    lead_s=lead_s, plain=plain, lang=lang,
                )  # fmt: skip
                day = asyncio.run(whole_day(console, given_day))
            return 0 if day.reckon(console) else 1
    finally:
        engine.stop()


@contextlib.contextmanager
def _servers(
    asked: Settings, run: Path, console: Console, aside: ThreadPoolExecutor
) -> Iterator[tuple[Settings, float]]:
    """Settings that name running servers, and how long the engine may take to begin.

    The servers start ``aside`` while the code is read, and stop there while the day is reckoned up.
    """
    settings = asked.model_copy(update={"config": _config(asked.config), "data": run / "engine"})
    if {"kafka", "redis"} <= asked.model_fields_set:
        from dispatch.demo.whole_day import refuse_used  # noqa: PLC0415

        asyncio.run(refuse_used(settings))
        yield settings, SHORTEST_LEAD_S
        return
    began_s = time.monotonic()
    servers = Servers(run / "servers", progress=lambda line: console.print(line, markup=False))
    starting = aside.submit(servers.start)
    try:
        import dispatch.demo.whole_day  # noqa: F401, PLC0415 -- while the servers start

        starting.result()
        lead_s = min(LONGEST_LEAD_S, max(SHORTEST_LEAD_S, LEAD_A_BOOT * (time.monotonic() - began_s)))
        yield settings.model_copy(update={"kafka": servers.kafka, "redis": servers.redis}), lead_s
    except BaseException:
        servers.stop()  # also one that is only starting
        raise
    aside.submit(servers.stop)


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
