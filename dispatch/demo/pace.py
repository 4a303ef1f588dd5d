"""How fast a day this machine can play: an offer of three minutes must leave somebody time to answer it."""

import time

SPIN_S = 0.4
ENOUGH = 0.7
SLOWEST = 0.3


def fitting_speed(asked: float) -> float:
    """The speed asked for, or a lower one on a machine that is busy with other things, never below 0.3 of it."""
    share = cpu_share()
    return asked if share >= ENOUGH else float(round(asked * max(SLOWEST, share / ENOUGH)))


def cpu_share() -> float:
    """Which part of one processor this process gets when it wants all of it."""
    wall_s, used_s = time.monotonic(), time.process_time()
    while time.process_time() - used_s < SPIN_S:
        pass
    return (time.process_time() - used_s) / (time.monotonic() - wall_s)
