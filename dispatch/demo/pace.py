"""How fast a day this machine can play: an offer of three minutes must leave somebody time to answer it."""

import subprocess
import sys

SPIN_S = 0.4
ENOUGH = 0.7
SLOWEST = 0.3
_SPIN = f"""
import time
wall_s, used_s = time.monotonic(), time.process_time()
while time.process_time() - used_s < {SPIN_S}:
    pass
print((time.process_time() - used_s) / (time.monotonic() - wall_s))
"""


def fitting_speed(asked: float) -> float:
    """The speed asked for, or a lower one on a machine that is busy with other things, never below 0.3 of it."""
    return speed_for(asked, cpu_share())


def speed_for(asked: float, share: float) -> float:
    """The speed that fits when each of two processes gets this share of a processor."""
    return asked if share >= ENOUGH else float(round(asked * max(SLOWEST, share / ENOUGH)))


def cpu_share() -> float:
    """Which part of a processor each of two processes gets that want all of it; the lesser of the two.

    Two, because the broker and the engine are at work at the same time.
    """
    spin = [sys.executable, "-S", "-c", _SPIN]
    spins = [subprocess.Popen(spin, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603 -- our own words
    return min(float(spin.communicate()[0]) for spin in spins)
