"""The hard constraints of matching: each says who of a pool may take a place, as a set of bits.

:mod:`dispatch.rules.matching` lists them in the order in which they are asked.
"""

from collections.abc import Callable
from typing import NamedTuple

from dispatch.rules.matching_pool import Ask, Pool


class Hard(NamedTuple):
    """A row of the table of hard constraints.

    ``of_order`` marks rules that read more of the order than what it needs and where. ``temporary`` marks
    what waiting can cure: whoever fails only there may still be asked later.
    """

    allows: Callable[[Pool, Ask], int]
    of_order: bool = False
    temporary: bool = False


def active(pool: Pool, _: Ask) -> int:
    """On the roster, and not suspended or removed."""
    return pool.active


def requirement(pool: Pool, ask: Ask) -> int:
    """Has the trade, at the level that is needed or above, valid now."""
    return pool.skilled(ask.requirement.trade, ask.requirement.min_level)


def certificates(pool: Pool, ask: Ask) -> int:
    """Holds every certificate that is needed, none of them expired."""
    allowed = pool.everyone
    for each in ask.requirement.certificates:
        allowed &= pool.certified.get(each, 0)
    return allowed


def area(pool: Pool, ask: Ask) -> int:
    """Serves the place or an area around it; one who names no area serves the whole territory."""
    allowed = pool.everywhere
    for each in ask.area_path:
        allowed |= pool.serving.get(each, 0)
    return allowed


def on_shift(pool: Pool, _: Ask) -> int:
    """Is on duty."""
    return pool.on_shift


def capacity(pool: Pool, _: Ask) -> int:
    """May hold one more order."""
    return pool.spare


def asked_before(pool: Pool, ask: Ask) -> int:
    """Has not declined this order, let its offer lapse, or handed it back."""
    return pool.everyone & ~pool.named(ask.asked)


def crew(pool: Pool, ask: Ask) -> int:
    """Is not asked or at work on this order already."""
    return pool.everyone & ~pool.named(ask.crew)
