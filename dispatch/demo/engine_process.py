"""The worker itself, as :mod:`dispatch.demo.engine` begins it.

``python -m dispatch.demo.engine_process`` says ``loaded`` on standard output, reads its settings from a line of JSON on
standard input, says ``ready``, and stops when its standard input ends, so that it never outlives the demo.
"""

import asyncio
import os
import signal
import sys
import threading

import msgspec

from dispatch.app import create_app
from dispatch.demo.engine import LOADED, READY
from dispatch.log import configure
from dispatch.settings import Settings, read_settings
from dispatch.worker import run_until_stopped


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(word: str) -> None:
    sys.stdout.write(word)
    sys.stdout.flush()


def main() -> int:
    """Run until told to stop; the exit code."""
    _say(LOADED)
    line = sys.stdin.readline()
    if not line:
        return 0
    settings = read_settings(**msgspec.json.decode(line))
    configure(settings.log_level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> int:
    return await run_until_stopped(create_app(settings), lambda: _say(READY))


if __name__ == "__main__":
    sys.exit(main())
