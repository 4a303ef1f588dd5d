"""The hard constraints of matching: each one is a question about one technician and one place on an order.

:mod:`dispatch.rules.matching` lists them in the order in which they are asked.
"""

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import NamedTuple

import msgspec

from dispatch.rules.geometry import Point
from dispatch.rules.state import Requirement
from dispatch.rules.state_staff import Technician


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What one open place asks for.

    ``point`` is where the work is (degrees, WGS84), None if unknown; ``asked`` and ``crew`` hold the ids of
    the technicians that the order has asked before, and of those who are asked or at work on it now.
    """

    requirement: Requirement
    area_path: tuple[str, ...]
    point: Point | None
    now: datetime
    asked: tuple[str, ...] = ()
    crew: tuple[str, ...] = ()


class Hard(NamedTuple):
    """A row of the table of hard constraints.

    ``reads`` gives what the answer depends on besides the technician, so that equal questions are answered
    once. ``of_order`` marks rules that read more of the order than what it needs and where. ``temporary``
    marks what waiting can cure: whoever fails only there may still be asked later. ``live`` marks rules that
    read what the technician holds, and nothing of the place.
    """

    allows: Callable[[Technician, Ask], bool]
    reads: Callable[[Ask], Hashable]
    of_order: bool = False
    temporary: bool = False
    live: bool = False


def active(technician: Technician, _: Ask) -> bool:
    """On the roster, and not suspended or removed."""
    return technician.status == "active" and not technician.removed


def requirement(technician: Technician, ask: Ask) -> bool:
    """Has the trade, at the level that is needed or above, valid now."""
    return skill_level(technician, ask.requirement.trade, ask.now) >= max(ask.requirement.min_level, 1)


def certificates(technician: Technician, ask: Ask) -> bool:
    """Holds every certificate that is needed, none of them expired."""
    if not ask.requirement.certificates:
        return True
    held = {each.type for each in technician.certificates if each.expires is None or each.expires > ask.now}
    return held.issuperset(ask.requirement.certificates)


def area(technician: Technician, ask: Ask) -> bool:
    """Serves the place or an area around it; one who names no area serves the whole territory."""
    for each in technician.serves:  # a plain loop: it is asked of everybody, and any() takes twice as long
        if each.area in ask.area_path:
            return True
    return not technician.serves


def on_shift(technician: Technician, _: Ask) -> bool:
    """Is on duty."""
    return technician.on_shift() is not None


def capacity(technician: Technician, _: Ask) -> bool:
    """May hold one more order."""
    return technician.free_capacity > 0


def asked_before(technician: Technician, ask: Ask) -> bool:
    """Has not declined this order, let its offer lapse, or handed it back."""
    return technician.id not in ask.asked


def crew(technician: Technician, ask: Ask) -> bool:
    """Is not asked or at work on this order already."""
    return technician.id not in ask.crew


def skill_level(technician: Technician, trade: str, now: datetime) -> int:
    """The highest level, 1 to 5, at which the technician has the trade at ``now``; 0 without it.

    A skill is valid from ``valid_from`` (included) to ``valid_to`` (excluded).
    """
    best = 0
    for skill in technician.skills:
        if (
            skill.trade == trade
            and skill.level > best
            and (skill.valid_from is None or skill.valid_from <= now)
            and (skill.valid_to is None or skill.valid_to > now)
        ):
            best = skill.level
    return best
