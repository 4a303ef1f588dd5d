"""The soft scores of matching, in whole numbers.

A score is a matrix of costs, asks by technicians (or one row that holds for all asks): lower is better.
:mod:`dispatch.rules.matching` lists the scores, the policy gives their weights.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dispatch.rules.geometry import EARTH_RADIUS_M, Point
from dispatch.rules.matching_constraints import Ask
from dispatch.rules.matching_pool import Pool

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

IDLE_CAP_MIN = 480
"""Whoever has been given nothing for eight hours, or never, counts as idle for this long."""

UNKNOWN_TRAVEL_HM = 10
"""What an unknown distance counts as, in hundreds of metres: midway on a campus, so nobody gains by it."""

_NOWHERE = (float("nan"), float("nan"))


def travel(pool: Pool, asks: Sequence[Ask]) -> Ints:
    """Hundreds of metres as the crow flies, rounded; ``UNKNOWN_TRAVEL_HM`` if an end is unknown."""
    numbers: dict[Point | None, int] = {}
    rows = [numbers.setdefault(ask.point, len(numbers)) for ask in asks]
    metres = haversine_m(_radians(numbers), _radians(pool.points))
    unknown = np.isnan(metres)
    metres[unknown] = 0.0
    hundreds = (np.rint(metres).astype(np.int64) + 50) // 100
    hundreds[unknown] = UNKNOWN_TRAVEL_HM
    return hundreds[rows]


def load(pool: Pool, _: Sequence[Ask]) -> Ints:
    """How many orders the technician holds, offers included."""
    return np.array([[len(technician.load) for technician in pool.technicians]], dtype=np.int64)


def level(pool: Pool, asks: Sequence[Ask]) -> Ints:
    """Levels above what is needed, so that the most skilled stay free for what only they can do."""
    needs = [(ask.requirement.trade, ask.requirement.min_level) for ask in asks]
    numbers = {need: number for number, need in enumerate(dict.fromkeys(needs))}
    least = np.array([[min_level] for _, min_level in numbers], dtype=np.int64)
    held = np.array([pool.levels(trade) for trade, _ in numbers], dtype=np.int64)
    spare = np.maximum(held - least, 0)
    rows: Ints = spare[[numbers[need] for need in needs]]
    return rows


def idle(pool: Pool, _: Sequence[Ask]) -> Ints:
    """Minutes short of ``IDLE_CAP_MIN`` since the last order was given: 0 for the longest idle."""
    now, costs = pool.now, []
    for technician in pool.technicians:
        spent = IDLE_CAP_MIN
        if technician.last_given_at is not None:
            since = now - technician.last_given_at
            spent = min(max(since.days * 1440 + since.seconds // 60, 0), IDLE_CAP_MIN)
        costs.append(IDLE_CAP_MIN - spent)
    return np.array([costs], dtype=np.int64)


def haversine_m(starts: Floats, ends: Floats) -> Floats:
    """Great-circle distances in metres, starts by ends; both are rows of (latitude, longitude) in radians.

    Haversine formula: d = 2R·asin(√(sin²(Δφ/2) + cos φ₁·cos φ₂·sin²(Δλ/2))), R. W. Sinnott, "Virtues of the
    Haversine", Sky and Telescope 68 (1984), with the mean radius of the Earth. NaN where an end is NaN.
    """
    half = (starts[:, None, :] - ends[None, :, :]) * 0.5
    squares = np.square(np.sin(half))
    cosines = np.cos(starts[:, 0])[:, None] * np.cos(ends[:, 0])[None, :]
    share = squares[:, :, 0] + cosines * squares[:, :, 1]
    distances: Floats = np.arcsin(np.sqrt(np.minimum(share, 1.0))) * (2.0 * EARTH_RADIUS_M)
    return distances


def _radians(points: Iterable[Point | None]) -> Floats:
    rows = [point or _NOWHERE for point in points]
    found: Floats = np.radians(np.array(rows, dtype=np.float64).reshape(-1, 2))
    return found
