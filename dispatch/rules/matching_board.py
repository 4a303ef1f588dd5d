"""What a round knows of its open places: who may take each, at what cost, and who is excluded by which rule.

Places that need the same, at the same spot, in areas that the same people serve, form a group: everything
that does not depend on what else an order has been through is worked out once per group.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from dispatch.models.policy import Weights
from dispatch.rules.geometry import Point
from dispatch.rules.matching_constraints import Ask, Hard
from dispatch.rules.matching_pool import Pool
from dispatch.rules.matching_scores import Ints
from dispatch.rules.matching_solver import unpack
from dispatch.rules.state import Data, Order, Requirement

Soft = Callable[[Pool, Sequence[Ask]], Ints]
Rules = Sequence[tuple[str, Hard]]

_LAST = np.iinfo(np.int64).max


class Need:
    """What people must meet whatever else the order has been through, and who does.

    ``eligible`` are those who meet it all, ``excluded`` the others by rule, ``lasting`` those who meet what
    waiting cannot cure.
    """

    def __init__(self, board: "Board", ask: Ask) -> None:
        """Ask the rules that do not read the single order."""
        pool = board.pool
        self.eligible, self.excluded = exclude(pool, pool.everyone, board.shared_rules, ask)
        self.lasting = pool.everyone
        for name, rule in board.lasting_rules:
            self.lasting &= pool.mask(name, rule, ask)


class Group:
    """Places of one need at one spot: they cost the same."""

    def __init__(self, board: "Board", number: int, ask: Ask, need: Need) -> None:
        """The group is row ``number`` of the board's matrices."""
        self.board = board
        self.number = number
        self.ask = ask
        self.need = need
        self._candidates: dict[int, list[Data]] = {}

    def candidates(self, mask: int) -> list[Data]:
        """The best of the technicians in ``mask``, all of them eligible, by (total, id), as JSON values."""
        found = self._candidates.get(mask)
        if found is None:
            board, count = self.board, self.need.eligible.bit_count()
            best, terms, totals = (part[self.number][:count] for part in board.best)
            if mask != self.need.eligible:
                ranked = board.ranking[self.number, :count].tolist()
                best = [each for each in ranked if mask >> each & 1][: board.limit]
                terms = board.terms[:, self.number, best].T.tolist()
                totals = board.totals[self.number, best].tolist()
            ids = board.pool.ids
            named: Iterator[dict[str, int]] = map(dict, map(zip, repeat(board.names), terms))
            found = self._candidates[mask] = [
                {"technician": ids[each], "terms": values, "total": total}
                for each, values, total in zip(best, named, totals, strict=True)
            ]
        return found


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
    """All places of a round over one pool. Add every order first, then read the matrices."""

    def __init__(
        self,
        pool: Pool,
        hard: Mapping[str, Hard],
        soft: Mapping[str, Soft],
        weights: Weights,
        limit: int,
    ) -> None:
        """An empty board with the tables that hold on it; it lists ``limit`` candidates of each place."""
        self.pool = pool
        self.soft = soft
        self.names = tuple(soft)
        self.limit = limit
        self.weights = weights
        self.shared_rules: Rules = [(name, rule) for name, rule in hard.items() if not rule.of_order]
        self.lasting_rules: Rules = [(name, rule) for name, rule in self.shared_rules if not rule.temporary]
        self.order_rules: Rules = [(name, rule) for name, rule in hard.items() if rule.of_order]
        self.groups: list[Group] = []
        self._spots: dict[tuple[str, ...], tuple[tuple[str, ...], Point | None]] = {}
        self._needs: dict[Hashable, Need] = {}
        self._by_spot: dict[Hashable, Group] = {}

    def places(self, order: Order, order_number: int) -> list[Place]:
        """The open places of an order, in order of place."""
        opened = order.open_places()
        if not opened:
            return []
        path, point = self._spot(order)
        asked = tuple(order.asked)
        crew = tuple([leg.technician_id for leg in order.active_legs()]) if order.legs else ()
        found: list[Place] = []
        for turn, (number, requirement) in enumerate(opened):
            group = self._group(requirement, path, point)
            mask, barred, excluded = group.need.eligible, 0, group.need.excluded
            if asked or crew:
                ask = replace(group.ask, asked=asked, crew=crew)
                mask, more = exclude(self.pool, mask, self.order_rules, ask)
                excluded = excluded | more
                barred = self._barred(ask)
            found.append(Place(order, order_number, number, turn, requirement, group, barred, mask, excluded))
        return found

    def _barred(self, ask: Ask) -> int:
        """Whom the order itself excludes."""
        allowed = self.pool.everyone
        for name, rule in self.order_rules:
            allowed &= self.pool.mask(name, rule, ask)
        return self.pool.everyone & ~allowed

    def _spot(self, order: Order) -> tuple[tuple[str, ...], Point | None]:
        """Where the work is: the areas around it that somebody serves by name, and its coordinates.

        These are the reported ones, else those of the smallest area that has some.
        """
        path = order.area_path
        found = self._spots.get(path)
        if found is None:
            serving, point = self.pool.serving, None
            for each in reversed(path):
                point = self.pool.point_of(each)
                if point is not None:
                    break
            found = self._spots[path] = tuple([each for each in path if each in serving]), point
        lat, lon = order.location.get("lat"), order.location.get("lon")
        return found if lat is None or lon is None else (found[0], (lat, lon))

    def _group(self, requirement: Requirement, path: tuple[str, ...], point: Point | None) -> Group:
        needed = (requirement.trade, requirement.min_level, requirement.certificates, path)
        found = self._by_spot.get((needed, point))
        if found is None:
            ask = Ask(requirement=requirement, area_path=path, point=point, now=self.pool.now)
            need = self._needs.get(needed)
            if need is None:
                need = self._needs[needed] = Need(self, ask)
            found = self._by_spot[needed, point] = Group(self, len(self.groups), ask, need)
            self.groups.append(found)
        return found

    @cached_property
    def terms(self) -> Ints:
        """Every soft score: terms by groups by technicians."""
        asks = [group.ask for group in self.groups]
        values = np.empty((len(self.soft), len(asks), len(self.pool.ids)), dtype=np.int64)
        for number, score in enumerate(self.soft.values()):
            values[number] = score(self.pool, asks)
        return values

    @cached_property
    def totals(self) -> Ints:
        """The weighted sum of the terms: groups by technicians."""
        prices = np.array([getattr(self.weights, name) for name in self.names], dtype=np.int64)
        total: Ints = (prices[:, None, None] * self.terms).sum(axis=0)
        return total

    def terms_of(self, groups: Sequence[int], technicians: Sequence[int]) -> list[tuple[dict[str, int], int]]:
        """Terms by name, and their total, of each pair of a group and a technician."""
        terms = self.terms[:, groups, technicians].T.tolist()
        totals = self.totals[groups, technicians].tolist()
        return [(dict(zip(self.names, each, strict=True)), total) for each, total in zip(terms, totals, strict=True)]

    @cached_property
    def ranking(self) -> Ints:
        """The technicians of each group by (total, id), those who are not eligible last."""
        eligible = unpack([group.need.eligible for group in self.groups], len(self.pool.ids))
        return np.argsort(np.where(eligible, self.totals, _LAST), axis=1, kind="stable")

    @cached_property
    def best(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Of the first ``limit`` of each group's ranking: the technicians, their terms, and their totals."""
        first = self.ranking[:, : self.limit]
        rows = np.arange(len(self.groups))[:, None]
        terms = self.terms[:, rows, first].transpose(1, 2, 0)
        return first.tolist(), terms.tolist(), self.totals[rows, first].tolist()


def exclude(pool: Pool, remaining: int, rules: Rules, ask: Ask) -> tuple[int, dict[str, Data]]:
    """Who is left of ``remaining``, and the others by the first rule that they fail."""
    excluded: dict[str, Data] = {}
    for name, rule in rules:
        failed = remaining & ~pool.mask(name, rule, ask)
        if failed:
            excluded[name] = pool.sample(failed)
            remaining ^= failed
    return remaining, excluded
