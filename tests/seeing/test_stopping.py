"""A worker process that is told to stop while at work: gone within ten seconds, and the next one does what is left."""

import asyncio
import signal
import time
from urllib.error import URLError

import pytest

from dispatch.embedded.ports import free_port
from tests.seeing.conftest import Pages
from tests.support.client import token
from tests.support.engine import PARTITIONS
from tests.support.worker import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
REPORTS = 400


async def test_on_sigterm_it_is_ready_no_more_and_gone_within_ten_seconds(client, engine, settings, tmp_path):
    mine = settings.model_copy(update={"web_port": free_port()})
    pages = Pages(mine.web_port)
    await engine.stop()
    async with WorkerProcess(mine, tmp_path / "worker.log") as worker:
        await worker.until(lanes=PARTITIONS)
        await _until_ready(pages)
        sent = [await client.report(id=token()) for _ in range(REPORTS)]
        asked = asyncio.create_task(_answers_until_gone(pages))
        began_s = time.monotonic()
        assert await worker.end(signal.SIGTERM) == 0
        took_s = time.monotonic() - began_s
        assert took_s < 10
        assert set(await asked) <= {200, 503}
    with pytest.raises(URLError):
        await pages.get("/live")
    await engine.start()
    for request_id in sent:
        await client.offered(request_id)


async def _until_ready(pages):
    async with asyncio.timeout(60):
        while (await pages.get("/ready"))[0] != 200:  # noqa: ASYNC110 -- a process of its own
            await asyncio.sleep(0.1)


async def _answers_until_gone(pages):
    """What /ready says, as long as anybody answers."""
    said = []
    while True:
        try:
            said.append((await pages.get("/ready"))[0])
        except OSError:
            return said
        await asyncio.sleep(0.02)
