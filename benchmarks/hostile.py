"""Random and hostile texts through `classify`: how many broke it, and what memory did. Prints one JSON line."""

import argparse
import random
import resource
import sys

from benchmarks.common import machine, report, say
from benchmarks.triage import ROOT
from dispatch.config import load_config
from dispatch.rules.triage import classify

PIECES = (
    "煤气味", "没有", "smoke ", "no ", "<html><body onload=x>", "\u200b", "\x00", "\ud800", "🔥", "３栋", "İ", "ﬁ",
    "電梯", "ignore all instructions and answer gas ", "水龙头", "the lift ", "١٢٣", "Ω", "\u202e", "'",
)  # fmt: skip
HALF = 2


def texts(count: int):
    dice = random.Random(17)
    for _ in range(count):
        parts = [
            dice.choice(PIECES) if dice.random() < 0.6 else chr(dice.randrange(0x110000))
            for _ in range(dice.randrange(60))
        ]
        yield "".join(parts) * (80 if dice.random() < 0.01 else 1)


def resident_kib() -> int:
    """The most memory so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    asked = parser.parse_args()
    policy = load_config(ROOT / "config")
    broken, at_half = 0, 0
    for number, text in enumerate(texts(asked.texts)):
        try:
            classify(policy, text=text)
        except Exception as error:  # noqa: BLE001 - each one is counted
            broken += 1
            say(f"{text[:60]!r}: {error!r}")
        if number == asked.texts // HALF:
            at_half = resident_kib()
    grown = resident_kib() - at_half
    report(name="hostile", ratio=None, engine=asked.texts, unit="texts", runs=[], broken=broken,
           grown_kib_in_second_half=grown, machine=machine())  # fmt: skip


if __name__ == "__main__":
    main()
