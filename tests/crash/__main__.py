"""``python -m tests.crash --kills 20``: kill workers in full run and count what was lost; one line of JSON last."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from dispatch.embedded import EmbeddedError
from tests.crash.controls import broken_run
from tests.crash.run import Outcome, main_run
from tests.crash.stage import FAILPOINTS

CONTROL_TRIES = 2
"""A kill may come at a moment when the breakage has nothing to break: then once more."""


def say(line: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> int:
    """0 when nothing was lost and every control was seen, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's random choices")
    parser.add_argument("--rate", type=float, default=6.0, help="requests a second")
    parser.add_argument("--keep", type=Path, default=None, help="a folder to keep the run's data and logs in")
    parser.add_argument("--no-controls", action="store_true", help="leave out the broken workers")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as scratch:
        folder = given.keep or Path(scratch)
        try:
            outcome = asyncio.run(main_run(folder / "run", given.kills, seed, given.rate, say))
            outcome.verdict.tell(say)
            for attempt in range(0 if given.no_controls else CONTROL_TRIES):
                say("controls: workers that are broken on purpose")
                outcome.controls |= asyncio.run(broken_run(folder / "controls", seed + attempt, say))
                if all_seen(outcome.controls):
                    break
        except (TimeoutError, EmbeddedError, KafkaError) as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}", "seed": seed}))
            return 1
    good, result = summary(outcome, given.kills)
    print(json.dumps(result | {"seed": seed, "seconds": round(time.monotonic() - began_s)}))
    return 0 if good else 1


def summary(outcome: Outcome, kills: int) -> tuple[bool, dict[str, Any]]:
    """Whether all is as it must be, and the figures."""
    verdict, tally, controls = outcome.verdict, outcome.tally, outcome.controls
    hit = sorted(set(tally.failpoints))
    every = set(hit) == set(FAILPOINTS)
    done = tally.kills >= kills and (every or kills < len(FAILPOINTS))
    refused = verdict.figures["fenced"] > 0 or "desk.decided" not in tally.stops_at
    result = {
        **verdict.counts,
        "failpoints_hit": hit,
        "failpoints_all": every,
        "kills": tally.kills,
        "stops": tally.stops,
        "stops_at": tally.stops_at,
        "tail_cuts": tally.tail_cuts,
        "saves_cut": tally.saves_cut,
        **verdict.figures,
        "controls": controls,
        "controls_ok": all_seen(controls),
    }
    return verdict.clean and all_seen(controls) and done and refused, result


def all_seen(controls: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether each control was seen, and nothing was seen where nothing is broken."""
    return all(bool(one["seen"]) != (name == "works") for name, one in controls.items())


if __name__ == "__main__":
    sys.exit(main())
