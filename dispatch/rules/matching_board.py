"""What a round knows of its open places: who may take each, at what cost, and who is excluded by which rule.

Places that need the same, at the same spot, in areas that the same people serve, form a group: everything
that does not depend on what else an order has been through is worked out once per group.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from dispatch.models.policy import Weights
from dispatch.rules.geometry import Point
from dispatch.rules.matching_constraints import Ask, Hard
from dispatch.rules.matching_pool import Need, Pool, Soft, bits
from dispatch.rules.matching_scores import Ranked, ranked
from dispatch.rules.matching_solver import Ints
from dispatch.rules.state import Data, Order, Requirement

Rules = Sequence[tuple[str, Hard]]


class Tables(NamedTuple):
    """What holds on every board: the hard rules by what they read, the soft scores with their weights.

    ``standing`` are the rules whose answers stay from round to round, ``lasting`` those of them that waiting does
    not cure, ``live`` the others that do not read the single order, ``of_order`` those that do. ``limit`` is how
    many candidates of a place are listed.
    """

    standing: Rules
    lasting: Rules
    live: Rules
    of_order: Rules
    soft: Sequence[tuple[str, Soft]]
    weights: Weights
    limit: int


def tables(hard: Mapping[str, Hard], soft: Mapping[str, Soft], weights: Weights, limit: int) -> Tables:
    """Sort the hard rules by what they read. In the table they stand in this order too: standing, live, of_order."""
    rules = list(hard.items())
    standing = [(name, rule) for name, rule in rules if not (rule.live or rule.of_order)]
    return Tables(
        standing=standing,
        lasting=[(name, rule) for name, rule in standing if not rule.temporary],
        live=[(name, rule) for name, rule in rules if rule.live],
        of_order=[(name, rule) for name, rule in rules if rule.of_order],
        soft=list(soft.items()),
        weights=weights,
        limit=limit,
    )


class Group:
    """Places of one need at one spot: they cost the same."""

    def __init__(self, number: int, ask: Ask, need: Need, pool: Pool, tables: Tables) -> None:
        """The group is row ``number`` of the board's matrix of totals."""
        self.number = number
        self.ask = ask
        self.need = need
        self.eligible, self.excluded = exclude(pool, need.standing, tables.live, ask)
        if need.excluded:
            self.excluded = need.excluded | self.excluded
        numbers = need.numbers if self.eligible == need.standing else list(bits(self.eligible))
        rows = [pool.costs(name, score, ask) for name, score in tables.soft]
        self.ranking = ranked(tables.weights, pool.ids, numbers, rows)
        self._numbers = pool.numbers
        self._limit = tables.limit

    def best(self, mask: int) -> Sequence[Ranked]:
        """The ranking of the technicians in ``mask``, all of them eligible."""
        if mask == self.eligible:
            return self.ranking
        numbers = self._numbers
        return [one for one in self.ranking if mask >> numbers[one[1]] & 1]

    def candidates(self, mask: int) -> Sequence[Ranked]:
        """The best of the technicians in ``mask``, all of them eligible, by (total, id)."""
        return self.best(mask)[: self._limit]


class Place(NamedTuple):
    """An open place. ``turn`` counts the open places of its order before it.

    ``order_number`` stands for the order. ``barred`` are those whom the order itself excludes, ``mask`` those
    who may take the place, ``excluded`` the others by rule.
    """

    order: Order
    order_number: int
    number: int
    turn: int
    requirement: Requirement
    group: Group
    barred: int
    mask: int
    excluded: dict[str, Data]


class Board:
    """All places of a round over one pool. Add every order first, then read the rest."""

    def __init__(self, pool: Pool, tables: Tables) -> None:
        """An empty board with the tables that hold on it."""
        self.pool = pool
        self.tables = tables
        self.groups: list[Group] = []
        self._groups: dict[Hashable, Group] = {}

    def places(self, order: Order, order_number: int) -> list[Place]:
        """The open places of an order, in order of place."""
        opened = open_places(order)
        if not opened:
            return []
        path, point = self._spot(order)
        asked = tuple(order.asked)
        crew = tuple([leg.technician_id for leg in order.active_legs()]) if order.legs else ()
        found: list[Place] = []
        for turn, (number, requirement) in enumerate(opened):
            group = self._group(requirement, path, point)
            mask, barred, excluded = group.eligible, 0, group.excluded
            if asked or crew:
                ask = replace(group.ask, asked=asked, crew=crew)
                mask, more = exclude(self.pool, mask, self.tables.of_order, ask)
                excluded = excluded | more
                barred = self.pool.everyone & ~allowed(self.pool, self.tables.of_order, ask)
            found.append(Place(order, order_number, number, turn, requirement, group, barred, mask, excluded))
        return found

    def _spot(self, order: Order) -> tuple[tuple[str, ...], Point | None]:
        """Where the work is: the areas around it that somebody serves by name, and its coordinates.

        These are the reported ones, else those of the smallest area that has some.
        """
        found = self.pool.spot(order.area_path)
        lat, lon = order.location.get("lat"), order.location.get("lon")
        return found if lat is None or lon is None else (found[0], (lat, lon))

    def _group(self, requirement: Requirement, path: tuple[str, ...], point: Point | None) -> Group:
        needed = (requirement.trade, requirement.min_level, requirement.certificates, path)
        found = self._groups.get((needed, point))
        if found is None:
            ask = Ask(requirement=requirement, area_path=path, point=point, now=self.pool.now)
            need = self.pool.needs.get(needed)
            if need is None:
                need = self.pool.needs[needed] = self._need(ask)
            found = self._groups[needed, point] = Group(len(self.groups), ask, need, self.pool, self.tables)
            self.groups.append(found)
        return found

    def _need(self, ask: Ask) -> Need:
        """Ask the rules whose answers stay from round to round."""
        standing, excluded = exclude(self.pool, self.pool.everyone, self.tables.standing, ask)
        return Need(standing, list(bits(standing)), excluded, allowed(self.pool, self.tables.lasting, ask))

    def totals(self) -> Ints:
        """The weighted sums of the soft scores, groups by technicians; nothing of those who are not eligible."""
        found = np.zeros((len(self.groups), len(self.pool.ids)), dtype=np.int64)
        for row, group in zip(found, self.groups, strict=True):
            if group.ranking:
                totals, ids, *_ = zip(*group.ranking, strict=True)
                row[[self.pool.numbers[each] for each in ids]] = totals
        return found


def allowed(pool: Pool, rules: Rules, ask: Ask) -> int:
    """Who meets all the rules."""
    found = pool.everyone
    for name, rule in rules:
        found &= pool.mask(name, rule, ask)
    return found


def exclude(pool: Pool, remaining: int, rules: Rules, ask: Ask) -> tuple[int, dict[str, Data]]:
    """Who is left of ``remaining``, and the others by the first rule that they fail."""
    excluded: dict[str, Data] = {}
    for name, rule in rules:
        failed = remaining & ~pool.mask(name, rule, ask)
        if failed:
            excluded[name] = pool.sample(failed)
            remaining ^= failed
    return remaining, excluded


def open_places(order: Order) -> Sequence[tuple[int, Requirement]]:
    """The open places of an order; most orders are new, and need one person."""
    needs = order.requirements
    if not order.legs and len(needs) == 1 and needs[0].count == 1:
        return ((0, needs[0]),)
    return order.open_places()
