"""One engine worker in a process of its own, all roles, settings from the environment, as benchmarks start it."""

import argparse
import asyncio
import cProfile
import pstats
import sys
from pathlib import Path

from benchmarks.common import READY, die_with_parent
from dispatch.app import create_app
from dispatch.log import configure
from dispatch.settings import read_settings
from dispatch.worker import run_until_stopped


async def run() -> int:
    """The engine until it is told to stop."""
    settings = read_settings()
    configure(settings.log_level)
    return await run_until_stopped(create_app(settings), lambda: print(READY, flush=True))


def main() -> int:
    """Run the worker, under cProfile when asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument(
        "--profile", type=Path, help="write a profile: text when the name ends in .txt, else for pstats"
    )
    given = parser.parse_args()
    die_with_parent()
    if given.profile is None:
        return asyncio.run(run())
    profile = cProfile.Profile()
    code = profile.runcall(asyncio.run, run())
    if given.profile.suffix != ".txt":
        profile.dump_stats(given.profile)
        return int(code)
    with given.profile.open("w") as file:
        stats = pstats.Stats(profile, stream=file)
        stats.sort_stats("tottime").print_stats(60)
        stats.sort_stats("cumtime").print_stats(80)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
