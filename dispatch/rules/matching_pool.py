"""The technicians of one round, indexed by all that a place may ask for.

A technician is a number, a set of technicians is the bits of an integer: number n is bit n of every set, and
column n of every matrix.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import islice

from dispatch.rules.geometry import Point
from dispatch.rules.matching_constraints import Ask, Hard, skill_level
from dispatch.rules.policy import AreaNode
from dispatch.rules.state import Data, Technician

EXAMPLES = 3
"""How many technicians a sample names."""


class Pool:
    """Technicians numbered by id, as they stand at ``now``. What is derived is made when first read, once."""

    def __init__(self, technicians: Iterable[Technician], areas: Mapping[str, AreaNode], now: datetime) -> None:
        """Number the technicians; ``areas`` says where an area is."""
        self.technicians = sorted(technicians, key=lambda technician: technician.id)
        self.ids = [technician.id for technician in self.technicians]
        self.everyone = (1 << len(self.ids)) - 1
        self.areas = areas
        self.now = now
        self._masks: dict[tuple[str, Hashable], int] = {}
        self._levels: dict[str, list[int]] = {}
        self._samples: dict[int, Data] = {}

    def mask(self, name: str, rule: Hard, ask: Ask) -> int:
        """Whom the rule of this name allows; technicians are asked once about all that is the same to them."""
        question = name, rule.reads(ask)
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

    def levels(self, trade: str) -> list[int]:
        """Everybody's level in a trade, 0 without it."""
        found = self._levels.get(trade)
        if found is None:
            found = self._levels[trade] = [skill_level(each, trade, self.now) for each in self.technicians]
        return found

    @cached_property
    def free(self) -> list[int]:
        """How many more orders each may hold."""
        return [max(each.free_capacity, 0) for each in self.technicians]

    @cached_property
    def serving(self) -> set[str]:
        """The areas that somebody serves by name."""
        return {each.area for technician in self.technicians for each in technician.serves}

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
