"""The roster as typed data: who works here, with which skills, and on which weekly shifts.

``roster.yaml`` stands beside the policy: people come and go without a new version of the rules.
"""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from dispatch.models.policy_base import DurationS, Name, Part, Weekday

_TIME = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")


def parse_time_of_day(value: object) -> object:
    """``"08:30"`` -> 30600, seconds after midnight."""
    if not isinstance(value, str):
        return value
    if found := _TIME.match(value):
        return int(found[1]) * 3600 + int(found[2]) * 60
    msg = "a time of day such as 08:30"
    raise ValueError(msg)


TimeOfDay = Annotated[int, BeforeValidator(parse_time_of_day), Field(ge=0, lt=86_400)]


class ShiftPattern(Part):
    """A shift that repeats weekly; one whose end is not after its start ends on the next day."""

    days: tuple[Weekday, ...] = Field(min_length=1)
    start: TimeOfDay
    end: TimeOfDay
    role: Literal["member", "leader"] = "member"


class RosterSkill(Part):
    """A trade, and how well: 1 (helper) to 5 (master)."""

    trade: Name
    level: int = Field(default=3, ge=1, le=5)
    valid_from: date | None = None
    valid_to: date | None = None


class RosterCertificate(Part):
    """A certificate and the days on which it was issued and last holds."""

    type: Name
    issued: date | None = None
    expires: date | None = None


class RosterServes(Part):
    """An area, with all below it; a lower rank is preferred, a higher one asked only after ``wait``."""

    area: Name
    rank: int = Field(default=1, ge=1, le=9)
    wait: DurationS = 0


class RosterCapacity(Part):
    """How many orders a person may hold open at a time."""

    open: int = Field(default=3, ge=1, le=50)


class RosterTechnician(Part):
    """One person of the roster. ``name`` is for the people store and never enters an event."""

    id: Name
    name: str | None = None
    version: int = Field(default=1, ge=1)
    status: Name = "active"
    subject_id: str | None = None
    org_id: Name
    employment: Literal["in_house", "vendor", "student"] = "in_house"
    contract_id: str | None = None
    supervisor_id: str | None = None
    home_territory: Name
    home_area: Name | None = None
    serves: tuple[RosterServes, ...] = Field(min_length=1)
    skills: tuple[RosterSkill, ...] = Field(min_length=1)
    certificates: tuple[RosterCertificate, ...] = ()
    languages: tuple[str, ...] = ()
    capacity: RosterCapacity = RosterCapacity()
    travel_mode: Name | None = None
    speed_m_s: float = Field(default=1.4, gt=0, le=40)
    hooks: tuple[Name, ...] = ()
    shifts: tuple[ShiftPattern, ...] = ()


class Roster(Part):
    """``roster.yaml``, whole."""

    technicians: tuple[RosterTechnician, ...] = ()
