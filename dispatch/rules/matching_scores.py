"""The soft scores of matching, in whole numbers, and the pool of technicians they are computed on.

A score is a matrix of costs, asks by technicians (or one row that holds for all asks): lower is better.
:mod:`dispatch.rules.matching` lists the scores, the policy gives their weights.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from dispatch.rules.geometry import EARTH_RADIUS_M, Point
from dispatch.rules.matching_constraints import Ask, Hard, skill_level
from dispatch.rules.policy import AreaNode
from dispatch.rules.state import Data, Technician

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EXAMPLES = 3
"""How many technicians a sample names."""

IDLE_CAP_MIN = 480
"""Whoever has been given nothing for eight hours, or never, counts as idle for this long."""

UNKNOWN_TRAVEL_HM = 10
"""What an unknown distance counts as, in hundreds of metres: midway on a campus, so nobody gains by it."""

_NOWHERE = (float("nan"), float("nan"))
_MINUTE = timedelta(minutes=1)


class Pool:
    """The technicians of one round by id: number n is bit n of every mask and column n of every matrix.

    What does not depend on the single order is worked out once.
    """

    def __init__(
        self, technicians: Iterable[Technician], areas: Mapping[str, AreaNode], now: datetime
    ) -> None:
        """Number the technicians; everything else is derived when asked for."""
        self.technicians = sorted(technicians, key=lambda technician: technician.id)
        self.ids = [technician.id for technician in self.technicians]
        self.areas = areas
        self.now = now
        self.served = {each.area for technician in self.technicians for each in technician.serves}
        self._masks: dict[tuple[str, Hashable], int] = {}
        self._samples: dict[int, Data] = {}
        self._levels: dict[str, list[int]] = {}

    def mask(self, name: str, rule: Hard, ask: Ask) -> int:
        """The technicians whom the rule allows, as a set of bits."""
        question = (name, rule.reads(ask))
        found = self._masks.get(question)
        if found is None:
            allows = rule.allows
            found, bit = 0, 1
            for technician in self.technicians:
                if allows(technician, ask):
                    found |= bit
                bit <<= 1
            self._masks[question] = found
        return found

    def sample(self, mask: int) -> Data:
        """How many technicians are in a set of bits, and the first few of them."""
        found = self._samples.get(mask)
        if found is None:
            examples = [self.ids[number] for number in islice(bits(mask), EXAMPLES)]
            found = self._samples[mask] = {"count": mask.bit_count(), "examples": examples}
        return found

    def levels(self, trade: str) -> list[int]:
        """Everybody's level in a trade, 0 without it."""
        found = self._levels.get(trade)
        if found is None:
            found = [skill_level(technician, trade, self.now) for technician in self.technicians]
            self._levels[trade] = found
        return found

    @cached_property
    def free(self) -> list[int]:
        """How many more orders each may hold."""
        return [max(technician.free_capacity, 0) for technician in self.technicians]

    @cached_property
    def points(self) -> list[Point | None]:
        """Where each is: last measured, else the area last seen in, else the home area; None if unknown."""
        return [self._point(technician) for technician in self.technicians]

    def _point(self, technician: Technician) -> Point | None:
        if technician.lat is not None and technician.lon is not None:
            return technician.lat, technician.lon
        return area_point(self.areas, technician.area_id) or area_point(self.areas, technician.home_area)


def bits(mask: int) -> Iterator[int]:
    """The numbers in a set of bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def area_point(areas: Mapping[str, AreaNode], area_id: str | None) -> Point | None:
    """The coordinates of an area, None if it or they are unknown."""
    node = areas.get(area_id) if area_id is not None else None
    if node is None or node.lat is None or node.lon is None:
        return None
    return node.lat, node.lon


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
    now = pool.now
    costs = [
        0
        if technician.last_given_at is None
        else min(max(IDLE_CAP_MIN - (now - technician.last_given_at) // _MINUTE, 0), IDLE_CAP_MIN)
        for technician in pool.technicians
    ]
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
