"""One engine worker in a process of its own, all roles, settings from the environment, as benchmarks start it."""

import argparse
import asyncio
import cProfile
import os
import sys
import time
from pathlib import Path

from benchmarks.common import READY, die_with_parent
from benchmarks.sampler import Sampler
from dispatch.app import create_app
from dispatch.log import configure
from dispatch.settings import ROLES, read_settings
from dispatch.worker import run_until_stopped


async def run() -> int:
    """The engine until it is told to stop."""
    settings = read_settings()
    configure(settings.log_level)
    chosen = os.environ.get("BENCH_ROLES", ",".join(ROLES)).split(",")
    app = create_app(settings, [role for role in ROLES if role in chosen])
    return await run_until_stopped(app, lambda: print(READY, flush=True))


def main() -> int:
    """Run the worker, under a profiler when asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("--profile", type=Path, help="NAME.txt: sampled, to read; any other name: cProfile, for pstats")
    given = parser.parse_args()
    die_with_parent()
    if given.profile is None:
        return asyncio.run(run())
    if given.profile.suffix == ".txt":
        sampler = Sampler()
        sampler.start()
        code = asyncio.run(run())
        sampler.stop()
        sampler.write(given.profile)
        return code
    profile = cProfile.Profile(time.process_time)  # not the wall, which neighbours stretch
    code = profile.runcall(asyncio.run, run())
    profile.dump_stats(given.profile)
    return code


if __name__ == "__main__":
    sys.exit(main())
