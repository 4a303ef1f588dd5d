"""The technicians of a territory, indexed by all that a place may ask for, from round to round.

A technician is a number, a set of technicians is the bits of an integer: number n is bit n of every set, and
entry n of every row.

Between two rounds most people stay who they are, and only what they hold changes. So a pool keeps its answers:
those about what somebody stands for (skills, certificates, areas, shifts) until this changes for anybody or its
time runs out, distances until anybody moves, and the rest until the next round. What it says depends on the
technicians, the areas and the time alone, never on what it was asked before.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.rules.geometry import Point
from dispatch.rules.matching_constraints import Ask, Hard, skill_level
from dispatch.rules.policy import AreaNode
from dispatch.rules.state import Data
from dispatch.rules.state_staff import Technician

EXAMPLES = 3
"""How many technicians a sample names."""

KEPT_ENTRIES = 65_536
"""How many costs are kept from round to round: rows times technicians. More than that, and all are forgotten."""

KEPT_ANSWERS = 10_000
"""How many needs, sets and spots are kept from round to round. More than that, and all are forgotten."""

Row = list[int]
"""A whole number for each technician."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_ALWAYS = datetime.max.replace(tzinfo=UTC)
_NEVER_US = -(1 << 62)

_standing = attrgetter("status", "removed", "skills", "certificates", "serves", "shifts")
_position = attrgetter("lat", "lon", "area_id", "home_area")


class Soft(NamedTuple):
    """A row of the table of soft scores: what giving a place to each technician costs, lower is better.

    ``reads`` gives what the costs depend on besides the technicians and where they are, so that equal questions
    are answered once. ``live`` marks costs that change with what technicians are given, or with time, and read
    nothing of the place: these are asked once in every round.
    """

    costs: Callable[["Pool", Ask], Row]
    reads: Callable[[Ask], Hashable]
    live: bool = False


class Need(NamedTuple):
    """What people must meet whatever else the order has been through, and who does.

    ``standing`` are those who meet all rules but the live ones, ``numbers`` the same as a list, ``excluded`` the
    others by the first rule that they fail, ``lasting`` those who meet what waiting cannot cure.
    """

    standing: int
    numbers: list[int]
    excluded: dict[str, Data]
    lasting: int


class Pool:
    """Technicians numbered by id. Bring it up to date with :meth:`look` before asking."""

    def __init__(self) -> None:
        """A pool of nobody."""
        self.needs: dict[Hashable, Need] = {}
        self._seen: list[Technician] = []
        self._begin([], {}, _EPOCH)

    def look(self, technicians: Mapping[str, Technician], areas: Mapping[str, AreaNode], now: datetime) -> None:
        """See who is there at ``now``; ``areas`` says where an area is."""
        before, present = self._seen, list(technicians.values())
        self._seen = []  # should this fail half way, the next look begins anew
        changed = [(old, new) for old, new in zip(before, present, strict=False) if old is not new]
        is_known = len(before) == len(present) and areas is self.areas and self._since <= now < self._until
        is_small = len(self.needs) + len(self._masks) + len(self._spots) <= KEPT_ANSWERS
        if is_known and is_small and all(old.id == new.id and _standing(old) == _standing(new) for old, new in changed):
            self._update(changed)
        else:
            self._begin(present, areas, now)
        self.now = now
        self._live_costs: dict[str, Row] = {}
        self._samples: dict[int, Data] = {}
        self._seen = present

    def _begin(self, present: Iterable[Technician], areas: Mapping[str, AreaNode], now: datetime) -> None:
        """Number everybody, and forget all answers."""
        self.technicians = sorted(present, key=lambda technician: technician.id)
        self.ids = [technician.id for technician in self.technicians]
        self.everyone = (1 << len(self.ids)) - 1
        self.areas = areas
        self.numbers = {technician_id: number for number, technician_id in enumerate(self.ids)}
        self._since, self._until = now, _valid_until(self.technicians, now)
        self.free = [max(each.free_capacity, 0) for each in self.technicians]
        self.loads = [len(each.load) for each in self.technicians]
        self.given_us = [_given_us(each) for each in self.technicians]
        self.needs.clear()
        self._masks: dict[tuple[str, Hashable], int] = {}
        self._live_masks: dict[str, tuple[Hard, Ask, int]] = {}
        self._levels: dict[str, Row] = {}
        self._spots: dict[tuple[str, ...], tuple[tuple[str, ...], Point | None]] = {}
        self.__dict__.pop("serving", None)
        self._move()

    def _update(self, changed: Sequence[tuple[Technician, Technician]]) -> None:
        """Take in what people hold now, and where they are."""
        for old, new in changed:
            number = self.numbers[new.id]
            self.technicians[number] = new
            self.free[number] = max(new.free_capacity, 0)
            self.loads[number] = len(new.load)
            if old.last_given_at is not new.last_given_at:
                self.given_us[number] = _given_us(new)
            bit = 1 << number
            for name, (rule, ask, mask) in self._live_masks.items():
                self._live_masks[name] = rule, ask, mask | bit if rule.allows(new, ask) else mask & ~bit
        if any(_position(old) != _position(new) for old, new in changed):
            self._move()

    def _move(self) -> None:
        """Forget what depends on where people are."""
        self._costs: dict[tuple[str, Hashable], Row] = {}
        for name in ("points", "radians"):
            self.__dict__.pop(name, None)

    def mask(self, name: str, rule: Hard, ask: Ask) -> int:
        """Whom the rule of this name allows; technicians are asked once about all that is the same to them."""
        if rule.live:
            if name not in self._live_masks:
                self._live_masks[name] = rule, ask, self._allowed(rule, ask)
            return self._live_masks[name][2]
        question = name, rule.reads(ask)
        found = self._masks.get(question)
        if found is None:
            found = self._masks[question] = self._allowed(rule, ask)
        return found

    def _allowed(self, rule: Hard, ask: Ask) -> int:
        allows = rule.allows
        return sum([1 << number for number, each in enumerate(self.technicians) if allows(each, ask)])

    def costs(self, name: str, score: Soft, ask: Ask) -> Row:
        """What the score of this name says of everybody."""
        if score.live:
            if name not in self._live_costs:
                self._live_costs[name] = score.costs(self, ask)
            return self._live_costs[name]
        question = name, score.reads(ask)
        found = self._costs.get(question)
        if found is None:
            if len(self._costs) * len(self.ids) > KEPT_ENTRIES:
                self._costs.clear()
            found = self._costs[question] = score.costs(self, ask)
        return found

    def levels(self, trade: str) -> Row:
        """Everybody's level in a trade, 0 without it."""
        found = self._levels.get(trade)
        if found is None:
            found = self._levels[trade] = [skill_level(each, trade, self.now) for each in self.technicians]
        return found

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

    @cached_property
    def radians(self) -> NDArray[np.float64]:
        """Where each is: latitudes and longitudes in radians, NaN if unknown."""
        rows = [point or (np.nan, np.nan) for point in self.points]
        found: NDArray[np.float64] = np.radians(np.array(rows, dtype=np.float64).reshape(-1, 2).T.copy())
        return found

    def point_of(self, area_id: str | None) -> Point | None:
        """The coordinates of an area, None if it or they are unknown."""
        node = self.areas.get(area_id) if area_id is not None else None
        return None if node is None or node.lat is None or node.lon is None else (node.lat, node.lon)

    def spot(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], Point | None]:
        """Of the areas around a place: those that somebody serves by name, and where the smallest known one is."""
        found = self._spots.get(path)
        if found is None:
            known = (self.point_of(each) for each in reversed(path))
            point = next((point for point in known if point is not None), None)
            found = self._spots[path] = tuple([each for each in path if each in self.serving]), point
        return found

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


def _given_us(technician: Technician) -> int:
    """When somebody was last given an order, in microseconds; long ago if never."""
    at = technician.last_given_at
    return us_of(at) if at is not None else _NEVER_US


def us_of(moment: datetime) -> int:
    """The moment in microseconds since 1970."""
    return (moment - _EPOCH) // _US


def _valid_until(technicians: Iterable[Technician], now: datetime) -> datetime:
    """The next moment at which a skill or a certificate begins or ends to be valid."""
    moments = [at for each in technicians for skill in each.skills for at in (skill.valid_from, skill.valid_to)]
    moments += [paper.expires for each in technicians for paper in each.certificates]
    return min([at for at in moments if at is not None and at > now], default=_ALWAYS)
