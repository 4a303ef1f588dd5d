"""What the parts of the policy are made of: names, durations, days, both languages, owners, and which orders are meant.

Durations are written ``90s``, ``15m``, ``2h``, ``3d`` (or plain seconds) and are whole seconds here.
"""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Urgency = Literal["emergency", "urgent", "normal", "low"]
URGENCIES: tuple[Urgency, ...] = ("emergency", "urgent", "normal", "low")

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d+)\s*([smhd])$")
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_INTERVAL = re.compile(rf"^{_CLOCK}-(?:{_CLOCK}|(24):(00))$")


def parse_duration_s(value: object) -> object:
    """``"15m"`` -> 900. A number is taken as seconds, for the field's own check to judge."""
    if not isinstance(value, str):
        return value
    if found := _DURATION.match(value.strip()):
        return int(found[1]) * _UNIT_S[found[2]]
    msg = "a duration such as 90s, 15m, 2h or 3d"
    raise ValueError(msg)


def parse_interval(value: object) -> object:
    """``"08:00-12:00"`` -> ``(28800, 43200)``, seconds after midnight; ``24:00`` is the end of the day."""
    if not isinstance(value, str):
        return value
    if found := _INTERVAL.match(value.strip()):
        start_h, start_m, end_h, end_m = (int(part) for part in found.groups() if part is not None)
        return (start_h * 3600 + start_m * 60, end_h * 3600 + end_m * 60)
    msg = "an interval such as 08:00-12:00, at the latest 24:00"
    raise ValueError(msg)


DurationS = Annotated[int, BeforeValidator(parse_duration_s), Field(ge=0, le=400 * 86400)]
Interval = Annotated[tuple[int, int], BeforeValidator(parse_interval)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Part(BaseModel):
    """Base of every part of the policy: frozen, and an unknown key is an error, because it is a typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(Part):
    """One name in both languages."""

    zh: str
    en: str


class OwnerRef(Part):
    """Who is accountable: a person, a role, a team or an organisation."""

    kind: Literal["person", "role", "team", "org"]
    id: str


class When(Part):
    """Which orders a rule speaks of; an empty list of values means all."""

    urgency: tuple[Urgency, ...] = ()
    trade: tuple[Name, ...] = ()
    territory: tuple[Name, ...] = ()
    area: tuple[Name, ...] = ()
    kind: tuple[Name, ...] = ()
