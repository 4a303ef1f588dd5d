"""Who gets which place, when many places want the same few people: pure combinatorics, no words of the trade.

A row is one open place; rows come in order of priority. A technician is a number, a set of technicians is the
bits of an integer. Two questions are answered one after the other:

1. *Which rows are served?* The sets of rows that can be served together are the independent sets of a matroid
   (Edmonds and Fulkerson, "Transversals and matroid partition", 1965; with crews, a gammoid: Perfect, 1968).
   So taking rows greedily in order of priority, each if it can be served beside all taken before, gives the
   lexicographically best set, and also the largest. Whether it can is Kuhn's search for an augmenting path
   ("The Hungarian method", 1955). A search that fails has found a region that no later path can leave, so
   what it saw is not searched again.
2. *By whom?* Among all ways of serving exactly these rows, the cheapest, by
   :func:`scipy.optimize.linear_sum_assignment` (Crouse, "On implementing 2D rectangular assignment
   algorithms", 2016) over technicians' slots; each further slot of a technician costs the slot price more.

A technician serves an order at most once. Between the rows of a crew and the slots of a technician with
several stands therefore a *gate*: a column that one row of the crew may take, and a row that must then take a
slot, or else closes its own gate for nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dispatch.rules.matching_pool import bits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GATE_LIMIT = 256
"""How many gates are solved at once. More crews than that are taken in waves, in order of priority."""


_FORBIDDEN = np.iinfo(np.int64).max


class Row(NamedTuple):
    """One open place. ``order`` numbers its order, ``costs`` is its row in the matrix of totals."""

    order: int
    allowed: int
    weight: int
    costs: int


class Gate(NamedTuple):
    """Where the crew of an order meets a technician who has several slots."""

    rows: tuple[int, ...]
    technician: int
    weight: int


def assign(
    rows: Sequence[Row],
    totals: Ints,
    free: Sequence[int],
    slot_price: int,
    *,
    gate_limit: int = GATE_LIMIT,
) -> list[int | None]:
    """The technician of each row, None for a row that is not served.

    Args:
        rows: open places, the most important first; rows of one order need not be neighbours.
        totals: cost of each kind of row (``Row.costs``) by technician, before slots are counted.
        free: how many rows each technician can take.
        slot_price: what each further row of the same technician costs more.
        gate_limit: see :data:`GATE_LIMIT`.
    """
    result: list[int | None] = [None] * len(rows)
    used = [0] * len(free)
    taken: dict[int, int] = {}
    for wave in _waves(rows, free, gate_limit):
        here = [rows[i] for i in wave]
        if taken:
            here = [row._replace(allowed=row.allowed & ~taken.get(row.order, 0)) for row in here]
        left = [total - spent for total, spent in zip(free, used, strict=True)]
        served = [i for i, technician in enumerate(serve(here, left)) if technician is not None]
        given = cheapest([here[i] for i in served], totals, left, used, slot_price)
        for i, technician in zip(served, given, strict=True):
            result[wave[i]] = technician
            used[technician] += 1
            taken[here[i].order] = taken.get(here[i].order, 0) | 1 << technician
    return result


def unpack(masks: Sequence[int], width: int) -> Bools:
    """Sets of bits as a matrix of booleans, one row each."""
    size = width // 8 + 1
    raw = np.frombuffer(b"".join([mask.to_bytes(size, "little") for mask in masks]), dtype=np.uint8)
    flags = np.unpackbits(raw.reshape(len(masks), size), axis=1, count=width, bitorder="little")
    return flags.view(np.bool_)


def _waves(rows: Sequence[Row], free: Sequence[int], gate_limit: int) -> Iterator[Sequence[int]]:
    """Cut the rows where the gates of their crews would be too many. Without crews there is one wave."""
    if len({row.order for row in rows}) == len(rows):
        yield range(len(rows))
        return
    several = sum(1 << number for number, slots in enumerate(free) if slots > 1)
    wave: list[int] = []
    gates: dict[int, int] = {}
    for number, row in enumerate(rows):
        if row.order in gates:
            gates[row.order] = (row.allowed & several).bit_count()
            if sum(gates.values()) > gate_limit:
                yield wave
                wave, gates = [], {}
        gates.setdefault(row.order, 0)
        wave.append(number)
    yield wave


def serve(rows: Sequence[Row], free: Sequence[int]) -> list[int | None]:
    """Serve the lexicographically best set of rows, somehow: a technician each, None for the other rows."""
    search = _Search(rows, free)
    for number in range(len(rows)):
        search.add(number)
    return search.at


class _Search:
    """Kuhn's search with capacities, where no technician serves two rows of one order.

    ``closed`` and ``lost`` are the technicians and rows from which failed searches found no way out.
    """

    def __init__(self, rows: Sequence[Row], free: Sequence[int]) -> None:
        self.rows = rows
        self.at: list[int | None] = [None] * len(rows)
        self._left = list(free)
        self._spare = sum(1 << number for number, slots in enumerate(free) if slots > 0)
        self._holds: list[list[int]] = [[] for _ in free]
        self._crews: dict[int, int] = {}
        self._closed = 0
        self._lost: set[int] = set()

    def add(self, number: int) -> None:
        """Serve the row too, moving others to other technicians where that helps; or leave all as it was."""
        row = self.rows[number]
        hit = row.allowed & self._spare & ~self._crews.get(row.order, 0)
        if hit:
            self._take(number, _lowest(hit))
            return
        came: dict[int, tuple[int, int] | None] = {number: None}
        queue = [number]
        seen = self._closed
        for current in queue:  # grows while it is walked
            row = self.rows[current]
            crew = self._crews.get(row.order, 0)
            hit = row.allowed & ~crew & self._spare
            if hit:
                self._shift(current, _lowest(hit), came)
                return
            fresh = row.allowed & ~crew & ~seen
            seen |= fresh
            for technician in bits(fresh | row.allowed & crew):
                swap = crew >> technician & 1
                for other in self._holds[technician]:
                    if other in came or other in self._lost or (swap and self.rows[other].order != row.order):
                        continue
                    came[other] = (current, technician)
                    queue.append(other)
        self._closed = seen
        self._lost.update(came)

    def _shift(self, number: int, technician: int, came: dict[int, tuple[int, int] | None]) -> None:
        """Walk the path back: each row takes what it found, and leaves its own to the one that wants it."""
        step: tuple[int, int] | None = (number, technician)
        while step is not None:
            mover, target = step
            self._leave(mover)
            self._take(mover, target)
            step = came[mover]

    def _take(self, number: int, technician: int) -> None:
        order = self.rows[number].order
        self.at[number] = technician
        self._holds[technician].append(number)
        self._crews[order] = self._crews.get(order, 0) | 1 << technician
        self._left[technician] -= 1
        if not self._left[technician]:
            self._spare ^= 1 << technician

    def _leave(self, number: int) -> None:
        technician = self.at[number]
        if technician is None:
            return
        self._holds[technician].remove(number)
        self._crews[self.rows[number].order] &= ~(1 << technician)
        self._left[technician] += 1
        self._spare |= 1 << technician


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def cheapest(rows: Sequence[Row], totals: Ints, free: Sequence[int], used: Sequence[int], slot_price: int) -> list[int]:
    """The technician of each row, at the least sum of (total + slot price · slots taken before) · weight.

    All rows must be servable together. Equal sums are settled by the order of rows and technicians alone.
    """
    if not rows:
        return []
    allowed = unpack([row.allowed for row in rows], len(free))
    plain = totals[[row.costs for row in rows]]
    first: list[int] = np.where(allowed, plain, _FORBIDDEN).argmin(axis=1).tolist()
    if len(set(first)) == len(first) and all(free[each] and not used[each] for each in first):
        return first  # everybody's best choice is free
    slots = np.minimum(np.array(free, dtype=np.int64), allowed.sum(axis=0))
    owner = np.repeat(np.arange(len(free)), slots)
    firsts = np.cumsum(slots) - slots - np.array(used, dtype=np.int64)
    nth = np.arange(len(owner)) - firsts[owner]
    weights = np.array([[row.weight] for row in rows], dtype=np.int64)
    costs = np.where(allowed[:, owner], (plain[:, owner] + slot_price * nth) * weights, np.inf)
    gates = _gates(rows, slots)
    if gates:
        costs = _with_gates(costs, gates, plain * weights, allowed, (owner, slot_price * nth))
    _, columns = linear_sum_assignment(costs)
    technicians: list[int] = [*owner.tolist(), *(gate.technician for gate in gates)]
    return [technicians[column] for column in columns[: len(rows)].tolist()]


def _gates(rows: Sequence[Row], slots: Ints) -> list[Gate]:
    crews: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        crews.setdefault(row.order, []).append(number)
    if len(crews) == len(rows):
        return []
    several = sum(1 << number for number in np.flatnonzero(slots > 1).tolist())
    gates: list[Gate] = []
    for members in crews.values():
        either = 0
        for number in members:
            either |= rows[number].allowed
        if len(members) > 1:
            weight = rows[members[0]].weight
            gates += [Gate(tuple(members), technician, weight) for technician in bits(either & several)]
    return gates


def _with_gates(costs: Floats, gates: Sequence[Gate], plain: Ints, allowed: Bools, slots: tuple[Ints, Ints]) -> Floats:
    """The costs with a column and a row for each gate; ``slots`` gives the owners and prices of slots."""
    owner, price = slots
    height, width = costs.shape
    wide = np.full((height + len(gates), width + len(gates)), np.inf)
    wide[:height, :width] = costs
    for number, gate in enumerate(gates):
        own = owner == gate.technician
        column, row = width + number, height + number
        for member in gate.rows:
            wide[member, :width][own] = np.inf
            if allowed[member, gate.technician]:
                wide[member, column] = plain[member, gate.technician]
        wide[row, :width][own] = price[own] * gate.weight
        wide[row, column] = 0.0
    return wide
