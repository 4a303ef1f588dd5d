"""The crash run in small: the whole of it is ``make crash``."""

import asyncio
from pathlib import Path

import pytest

from dispatch.embedded import embedded
from tests.crash.run import Pace, Run
from tests.crash.stage import open_stage
from tests.crash.verdict import Verdict

FAULTS = [("failpoint", "desk.saved"), ("stop", "desk.decided")]
PACE = Pace(before_s=1.5, react_s=1, accounted_s=60, quiet_s=4.5, most_between_s=0.3)


@pytest.mark.slow
def test_a_worker_killed_after_its_save_loses_nothing_and_a_paused_one_is_refused(tmp_path: Path) -> None:
    with embedded(tmp_path / "servers", appendfsync="everysec") as servers:
        run = Run(open_stage(tmp_path, servers.kafka, servers.redis), servers, 1, print, 8, PACE)

        async def play() -> Verdict:
            return await run.judge(await run.play(FAULTS))

        verdict = asyncio.run(play())

    assert verdict.clean, verdict.first
    assert run.tally.failpoints == ["desk.saved"]
    assert run.tally.stops_at == ["desk.decided"]
    assert verdict.figures["fenced"] > 0
    assert verdict.figures["events"] > verdict.figures["requests"] > 0
