"""A worker as a process of its own, for tests that kill it: `python -m tests.support.worker`, set up by DISPATCH_…."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

from dispatch.app import create_app
from dispatch.log import configure
from dispatch.settings import Settings, read_settings
from dispatch.worker import run_until_stopped
from tests.support.logs import logged

ROOT = Path(__file__).resolve().parents[2]


async def main() -> int:
    configure("info")
    return await run_until_stopped(create_app(read_settings()))


class WorkerProcess:
    """Starts one, reads its log, and ends it politely or not."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        names = ("kafka", "redis", "config", "data", "partitions", "group", "session_timeout_ms", "web_port")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
        values = {name: getattr(self.settings, name) for name in names}
        given = {f"DISPATCH_{name.upper()}": str(value) for name, value in values.items() if value is not None}
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.support.worker",
                cwd=ROOT,
                env={**clean, **given},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.end(signal.SIGKILL)

    def lanes(self, part: str = "lane taken") -> int:
        """How many lanes it has said to have taken."""
        return len(list(logged(self.log, part)))

    async def until(self, lanes: int, within_s: float = 90.0) -> None:
        async with asyncio.timeout(within_s):
            while self.lanes() < lanes:
                assert self._process is not None
                assert self._process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def ended(self, within_s: float) -> int:
        """Wait until it has ended by itself; the exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)

    async def end(self, how: signal.Signals) -> int:
        """The exit code."""
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.send_signal(how)
        return await asyncio.wait_for(process.wait(), 60)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
