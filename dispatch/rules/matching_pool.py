"""The technicians of one round, indexed by all that a place may ask for.

A technician is a number, a set of technicians is the bits of an integer: number n is bit n of every set, and
column n of every matrix.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import islice

import msgspec

from dispatch.rules.geometry import Point
from dispatch.rules.policy import AreaNode
from dispatch.rules.state import Data, Requirement, Technician

EXAMPLES = 3
"""How many technicians a sample names."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What one open place asks for.

    ``point`` is where the work is (degrees, WGS84), None if unknown; ``asked`` and ``crew`` hold the ids of
    the technicians that the order has asked before, and of those who are asked or at work on it now.
    """

    requirement: Requirement
    area_path: tuple[str, ...]
    point: Point | None
    asked: tuple[str, ...] = ()
    crew: tuple[str, ...] = ()


class Pool:
    """Technicians numbered by id, as they stand at ``now``. Each index is made when it is first read."""

    def __init__(self, technicians: Iterable[Technician], areas: Mapping[str, AreaNode], now: datetime) -> None:
        """Number the technicians; ``areas`` says where an area is."""
        self.technicians = sorted(technicians, key=lambda technician: technician.id)
        self.ids = [technician.id for technician in self.technicians]
        self.everyone = (1 << len(self.ids)) - 1
        self.areas = areas
        self.now = now
        self._skilled: dict[tuple[str, int], int] = {}
        self._samples: dict[int, Data] = {}

    @cached_property
    def active(self) -> int:
        """Who is on the roster, and not suspended or removed."""
        return _mask(each.status == "active" and not each.removed for each in self.technicians)

    @cached_property
    def on_shift(self) -> int:
        """Who is on duty."""
        return _mask(each.on_shift() is not None for each in self.technicians)

    @cached_property
    def free(self) -> list[int]:
        """How many more orders each may hold."""
        return [max(each.free_capacity, 0) for each in self.technicians]

    @cached_property
    def spare(self) -> int:
        """Who may hold one more."""
        return _mask(slots > 0 for slots in self.free)

    @cached_property
    def levels(self) -> dict[str, list[int]]:
        """By trade, the highest level of each, 1 to 5; 0 without it.

        A skill is valid from ``valid_from`` (included) to ``valid_to`` (excluded).
        """
        now, nobody = self.now, [0] * len(self.ids)
        found: dict[str, list[int]] = {}
        for number, technician in enumerate(self.technicians):
            for skill in technician.skills:
                if (skill.valid_from is None or skill.valid_from <= now) and (
                    skill.valid_to is None or skill.valid_to > now
                ):
                    levels = found.get(skill.trade)
                    if levels is None:
                        levels = found[skill.trade] = nobody.copy()
                    levels[number] = max(levels[number], skill.level)
        return found

    def skilled(self, trade: str, min_level: int) -> int:
        """Who has the trade at this level (at least 1) or above."""
        found = self._skilled.get((trade, min_level))
        if found is None:
            least = max(min_level, 1)
            found = _mask(level >= least for level in self.levels.get(trade, ()))
            self._skilled[trade, min_level] = found
        return found

    @cached_property
    def certified(self) -> dict[str, int]:
        """By type of certificate, who holds one that has not expired."""
        return _index(
            [each.type for each in technician.certificates if each.expires is None or each.expires > self.now]
            for technician in self.technicians
        )

    @cached_property
    def serving(self) -> dict[str, int]:
        """By area, who serves it by name."""
        return _index([each.area for each in technician.serves] for technician in self.technicians)

    @cached_property
    def everywhere(self) -> int:
        """Who names no area, and so serves the whole territory."""
        return _mask(not each.serves for each in self.technicians)

    @cached_property
    def points(self) -> list[Point | None]:
        """Where each is: last measured, else the area last seen in, else the home area; None if unknown."""
        return [
            (each.lat, each.lon)
            if each.lat is not None and each.lon is not None
            else self.point_of(each.area_id) or self.point_of(each.home_area)
            for each in self.technicians
        ]

    def point_of(self, area_id: str | None) -> Point | None:
        """The coordinates of an area, None if it or they are unknown."""
        node = self.areas.get(area_id) if area_id is not None else None
        return None if node is None or node.lat is None or node.lon is None else (node.lat, node.lon)

    def named(self, ids: Iterable[str]) -> int:
        """The technicians with these ids; others are passed over."""
        wanted = set(ids)
        return _mask(each in wanted for each in self.ids) if wanted else 0

    def sample(self, mask: int) -> Data:
        """How many technicians are in a set, and the first few of them."""
        found = self._samples.get(mask)
        if found is None:
            examples = [self.ids[number] for number in islice(bits(mask), EXAMPLES)]
            found = self._samples[mask] = {"count": mask.bit_count(), "examples": examples}
        return found


def bits(mask: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _mask(flags: Iterable[bool]) -> int:
    found, bit = 0, 1
    for flag in flags:
        if flag:
            found |= bit
        bit <<= 1
    return found


def _index(names: Iterable[list[str]]) -> dict[str, int]:
    """By name, who has it."""
    found: dict[str, int] = {}
    for number, each in enumerate(names):
        for name in each:
            found[name] = found.get(name, 0) | 1 << number
    return found
