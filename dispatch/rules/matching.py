"""Who gets which order: all open places of a round together, over all technicians of the territory.

What must hold and what is preferred are the two tables below, one function each. The solver
(:mod:`dispatch.rules.matching_solver`) first finds which places can be served, the most important first, then
the cheapest way to serve exactly these.

Places come in order of urgency; within one urgency the first open place of every order, then the second of
every crew, and so on; among these the oldest report, then the order's id. So an emergency with all its crew
never loses to a normal order, and when there are too few people the oldest wins. The cost of a place counts
by the urgency of its order (``URGENCY_WEIGHTS``), so that among all ways of serving the same places the
emergency gets the best.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from dispatch.models.policy_base import URGENCIES
from dispatch.rules import matching_constraints as hard
from dispatch.rules import matching_scores as soft
from dispatch.rules.matching_board import Board, Place, Tables, tables
from dispatch.rules.matching_constraints import Hard
from dispatch.rules.matching_pool import Pool, Soft
from dispatch.rules.matching_solver import Row, assign
from dispatch.rules.matching_words import why
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, Order, Requirement
from dispatch.rules.state_staff import Technician

HARD: dict[str, Hard] = {
    "active": Hard(hard.active, lambda _: None),
    "requirement": Hard(hard.requirement, lambda ask: (ask.requirement.trade, ask.requirement.min_level)),
    "certificates": Hard(hard.certificates, lambda ask: ask.requirement.certificates),
    "area": Hard(hard.area, lambda ask: ask.area_path),
    "on_shift": Hard(hard.on_shift, lambda _: None, temporary=True),
    "capacity": Hard(hard.capacity, lambda _: None, temporary=True, live=True),
    "asked_before": Hard(hard.asked_before, lambda ask: ask.asked, of_order=True),
    "crew": Hard(hard.crew, lambda ask: ask.crew, of_order=True),
}
"""What must hold, in the order in which it is asked: the first rule that fails names the exclusion."""

SOFT: dict[str, Soft] = {
    "travel": Soft(soft.travel, lambda ask: ask.point),
    "load": Soft(soft.load, lambda _: None, live=True),
    "level": Soft(soft.level, lambda ask: (ask.requirement.trade, ask.requirement.min_level)),
    "idle": Soft(soft.idle, lambda _: None, live=True),
}
"""What is preferred: whole numbers, lower is better, summed with the policy's weights of the same names."""

URGENCY_WEIGHTS = {"emergency": 64, "urgent": 16, "normal": 4, "low": 1}
"""How much the cost of a place counts beside that of others."""

CANDIDATES = 20
"""How many candidates an evaluation lists."""

_RANKS: dict[str, int] = {urgency: rank for rank, urgency in enumerate(URGENCIES)}


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A place and the technician who gets it. ``total`` is the sum of ``terms`` with the policy's weights.

    The term ``load`` counts what the same round gives this technician before. ``why`` has one sentence in
    ``zh`` and one in ``en``.
    """

    order_id: str
    place: int
    requirement: Requirement
    technician_id: str
    terms: dict[str, int]
    total: int
    why: dict[str, str]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Who could have one place of an order, and who not, as all stood when the round began.

    It speaks of the order's first place that stays open, else of its first place. ``candidates`` are the best
    20 of ``eligible``, ``excluded`` counts the others by the first rule that they fail, with examples.
    ``anyone_left`` is False when an open place is left that nobody can ever take: everyone who meets what
    waiting cannot cure has been asked, or is on the crew. Evaluations share their parts: do not change them.
    """

    order_id: str
    place: int
    candidates: Sequence[soft.Ranked]
    eligible: int
    excluded: dict[str, Data]
    anyone_left: bool


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round decides: the places given and an evaluation of each order, the most important first."""

    given: tuple[Given, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()


def match(
    orders: Sequence[Order],
    technicians: Mapping[str, Technician],
    policy: Policy,
    now: datetime,
    pool: Pool | None = None,
) -> Round:
    """Give the open places of ``orders`` to ``technicians``; an order without an open place is passed over.

    The result depends on the values alone, not on the order in which they are passed, nor on what ``pool``, which
    is kept from round to round to save work, has seen before.
    """
    pool = Pool() if pool is None else pool
    pool.look(technicians, policy.areas, now)
    board = Board(pool, policy.compiled(_tables))
    places = [place for number, order in enumerate(orders) for place in board.places(order, number)]
    if not places:
        return Round()
    places.sort(key=_priority)
    winners = _winners(board, places)
    return Round(given=_given(board, places, winners), evaluations=_evaluations(places, winners))


def _tables(policy: Policy) -> Tables:
    return tables(HARD, SOFT, policy.document.matching.weights, CANDIDATES)


def _winners(board: Board, places: Sequence[Place]) -> Sequence[int | None]:
    """The technician of each place, None for a place that nobody gets."""
    ranked = [place.group.best(place.mask) for place in places]
    numbers = board.pool.numbers
    first = [numbers[best[0][1]] if best else None for best in ranked]
    wanted = [winner for winner in first if winner is not None]
    if len(set(wanted)) == len(wanted):
        return first  # no two want the same: all who can be served are, each by the cheapest
    rows = [Row(each.order_number, each.mask, _weight(each.order), each.group.number) for each in places]
    return assign(rows, board.totals(), board.pool.free, board.tables.weights.load)


def _priority(place: Place) -> tuple[int, int, datetime, str]:
    order = place.order
    return _RANKS.get(order.urgency, len(_RANKS)), place.turn, order.reported_at, order.id


def _weight(order: Order) -> int:
    return URGENCY_WEIGHTS.get(order.urgency, 1)


def _given(board: Board, places: Sequence[Place], winners: Sequence[int | None]) -> tuple[Given, ...]:
    pool, price = board.pool, board.tables.weights.load
    before: dict[int, int] = {}
    given: list[Given] = []
    for place, winner in zip(places, winners, strict=True):
        if winner is None:
            continue
        group, more = place.group, before.get(winner, 0)
        before[winner] = more + 1
        technician_id = pool.ids[winner]
        alone, _, travel, load, level, idle = _of(group.ranking, technician_id)
        total, terms = alone + price * more, {"travel": travel, "load": load + more, "level": level, "idle": idle}
        is_placed = group.ask.point is not None and pool.points[winner] is not None
        given.append(
            Given(
                order_id=place.order.id,
                place=place.number,
                requirement=place.requirement,
                technician_id=technician_id,
                terms=terms,
                total=total,
                why=why(terms, total, is_placed=is_placed),
            )
        )
    return tuple(given)


def _of(ranking: Sequence[soft.Ranked], technician_id: str) -> soft.Ranked:
    for one in ranking:
        if one[1] == technician_id:
            return one
    raise LookupError(technician_id)


def _evaluations(places: Sequence[Place], winners: Sequence[int | None]) -> tuple[Evaluation, ...]:
    """One for each order, in order of priority."""
    spoken: dict[str, Place] = {}
    crews: dict[str, int] = {}
    waiting: list[Place] = []
    for place, winner in zip(places, winners, strict=True):
        spoken.setdefault(place.order.id, place)
        if winner is None:
            waiting.append(place)
        else:
            crews[place.order.id] = crews.get(place.order.id, 0) | 1 << winner
    nobody: set[str] = set()
    for place in reversed(waiting):
        order_id = place.order.id
        spoken[order_id] = place
        if not place.group.need.lasting & ~place.barred & ~crews.get(order_id, 0):
            nobody.add(order_id)
    return tuple(
        Evaluation(
            order_id=order_id,
            place=place.number,
            candidates=place.group.candidates(place.mask),
            eligible=place.mask.bit_count(),
            excluded=place.excluded,
            anyone_left=order_id not in nobody,
        )
        for order_id, place in spoken.items()
    )
