"""The soft scores of matching, in whole numbers.

A score says what giving a place to each technician of the pool costs: lower is better.
:mod:`dispatch.rules.matching` lists the scores, the policy gives their weights.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dispatch.models.policy import Weights
from dispatch.rules.geometry import EARTH_RADIUS_M
from dispatch.rules.matching_constraints import Ask
from dispatch.rules.matching_pool import Pool, Row, us_of

Floats = NDArray[np.float64]

Ranked = tuple[int, str, int, int, int, int]
"""A technician who may take a place, as an evaluation lists them; :data:`COLUMNS` says what stands where."""

COLUMNS = ("total", "technician", "travel", "load", "level", "idle")
"""``total`` is the sum of the terms after the technician's id with the policy's weights."""

IDLE_CAP_MIN = 480
"""Whoever has been given nothing for eight hours, or never, counts as idle for this long."""

UNKNOWN_TRAVEL_HM = 10
"""What an unknown distance counts as, in hundreds of metres: midway on a campus, so nobody gains by it."""

_MINUTE_US = 60_000_000
_IDLE_CAP_US = IDLE_CAP_MIN * _MINUTE_US


def travel(pool: Pool, ask: Ask) -> Row:
    """Hundreds of metres as the crow flies, rounded; ``UNKNOWN_TRAVEL_HM`` if an end is unknown."""
    if ask.point is None:
        return [UNKNOWN_TRAVEL_HM] * len(pool.ids)
    metres = haversine_m(np.radians(np.array(ask.point, dtype=np.float64)), pool.radians)
    unknown = np.isnan(metres)
    metres[unknown] = 0.0
    hundreds = (np.rint(metres).astype(np.int64) + 50) // 100
    hundreds[unknown] = UNKNOWN_TRAVEL_HM
    row: Row = hundreds.tolist()
    return row


def load(pool: Pool, _: Ask) -> Row:
    """How many orders the technician holds, offers included."""
    return pool.loads


def level(pool: Pool, ask: Ask) -> Row:
    """Levels above what is needed, so that the most skilled stay free for what only they can do."""
    least = ask.requirement.min_level
    return [held - least if held > least else 0 for held in pool.levels(ask.requirement.trade)]


def idle(pool: Pool, _: Ask) -> Row:
    """Minutes short of ``IDLE_CAP_MIN`` since the last order was given: 0 for the longest idle."""
    now_us = us_of(pool.now)
    latest = now_us - _IDLE_CAP_US
    return [
        0 if given <= latest else IDLE_CAP_MIN - (now_us - given) // _MINUTE_US if given < now_us else IDLE_CAP_MIN
        for given in pool.given_us
    ]


def ranked(weights: Weights, ids: Sequence[str], numbers: Iterable[int], rows: Sequence[Row]) -> list[Ranked]:
    """Technicians by (total, id), from their numbers and what the scores, in order of the table, say of everybody."""
    of_travel, of_load, of_level, of_idle = weights.travel, weights.load, weights.level, weights.idle
    travels, loads, levels, idles = rows
    found = [
        (
            of_travel * (travel := travels[number])
            + of_load * (load := loads[number])
            + of_level * (level := levels[number])
            + of_idle * (idle := idles[number]),
            ids[number],
            travel,
            load,
            level,
            idle,
        )
        for number in numbers
    ]
    found.sort()
    return found


def haversine_m(start: Floats, ends: Floats) -> Floats:
    """Great-circle distances in metres; both are (latitudes, longitudes) in radians, of one start and many ends.

    Haversine formula: d = 2R·asin(√(sin²(Δφ/2) + cos φ₁·cos φ₂·sin²(Δλ/2))), R. W. Sinnott, "Virtues of the
    Haversine", Sky and Telescope 68 (1984), with the mean radius of the Earth. NaN where an end is NaN.
    """
    squares = np.square(np.sin((start[:, None] - ends) * 0.5))
    share = squares[0] + np.cos(start[0]) * np.cos(ends[0]) * squares[1]
    distances: Floats = np.arcsin(np.sqrt(np.minimum(share, 1.0))) * (2.0 * EARTH_RADIUS_M)
    return distances
