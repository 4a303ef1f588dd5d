"""Running an app in this process until it is told to stop, or something breaks."""

import asyncio
import signal
from collections.abc import Callable

from dispatch.agents.hosting import HostApp

STOP_WITHIN_S = 10.0


async def run_until_stopped(app: HostApp, on_ready: Callable[[], None] | None = None) -> int:
    """Start the app and run it until SIGINT or SIGTERM (exit code 0) or until a service crashes (1)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await app.start()
    except BaseException:
        await app.stop()
        raise
    if on_ready is not None:
        on_ready()
    crashed = asyncio.create_task(_crash_of(app))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({crashed, stopping}, return_when=asyncio.FIRST_COMPLETED)
    failed = crashed.done()
    for task in (crashed, stopping):
        task.cancel()
    await asyncio.wait_for(app.stop(), timeout=STOP_WITHIN_S)
    return 1 if failed else 0


async def _crash_of(app: HostApp) -> None:
    while not app.crashed:  # noqa: ASYNC110 -- mode keeps this as a plain flag
        await asyncio.sleep(0.1)
