"""``python -m dispatch.demo``: the demo without the ``dispatch`` command."""

import argparse
import sys
from pathlib import Path

from dispatch.demo.runner import FOLDER, SPEED, run_demo


def main() -> int:
    """Read the options and run the day; the return value is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dispatch.demo", description=__doc__)
    parser.add_argument("--speed", type=float, default=SPEED, help="how often faster than life (%(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where its servers keep data (%(default)s)")
    parser.add_argument("--plain", action="store_true", help="lines of text, even on a terminal")
    parser.add_argument("--lang", choices=("zh", "en"), help="the board's language (that of the environment)")
    options = parser.parse_args()
    return run_demo({}, options.speed, options.folder, options.plain, options.lang)


if __name__ == "__main__":
    sys.exit(main())
