"""Technicians, their shifts and their positions: sent in by rosters and devices, logged as accepted."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import (
    Code,
    Codes,
    CoordinateSystem,
    Count,
    Id,
    Instant,
    Latitude,
    Level,
    Line,
    Longitude,
    Metres,
    Model,
    Money,
    Reason,
    Seconds,
    Slug,
    Windows,
)


class Serves(Model):
    """An area with all below it; a lower `rank` is preferred, and only tried after `wait_s` seconds."""

    area: Id
    rank: Annotated[int, Field(ge=0, le=100)] = 1
    wait_s: Seconds = 0


class Skill(Model):
    """A trade, mastered at a level from 1 to 5, and when that holds."""

    trade: Code
    level: Level
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class Certificate(Model):
    """A certificate, and until when it holds."""

    type: Code
    issued: Instant | None = None
    expires: Instant | None = None


class Training(Model):
    """A course that was passed, and until when that counts."""

    course: Code
    passed_at: Instant | None = None
    expires: Instant | None = None


class Capacity(Model):
    """How much at once: orders held open, minutes of work a day, orders held by kind."""

    open: Count | None = None
    minutes_day: Annotated[int, Field(ge=0, le=1_440)] | None = None
    by_kind: Annotated[dict[Code, Count], Field(max_length=50)] = Field(default_factory=dict)


class OnCall(Model):
    """A time in which one can be called in from home, for an area and a trade or for all."""

    start: Instant
    end: Instant
    area: Id | None = None
    trade: Code | None = None
    rank: Count | None = None


class TechnicianUpdated(Model):
    """A technician as the roster knows them now; a whole replacement, the highest version wins.

    `gender` is used only where a place's rule asks for it; `speed_m_s` in metres per second; `cost_rate` per
    hour; `efficiency` 1.0 is average; `hooks` names the ways to reach them, and never an address.
    """

    id: Id
    version: Count
    effective_from: Instant | None = None
    status: Code | None = None
    subject_id: Id | None = None
    org_id: Id
    employment: Code | None = None
    contract_id: Id | None = None
    supervisor_id: Id | None = None
    home_territory: Slug
    home_area: Id | None = None
    serves: Annotated[tuple[Serves, ...], Field(max_length=500)] = ()
    skills: Annotated[tuple[Skill, ...], Field(max_length=100)] = ()
    certificates: Annotated[tuple[Certificate, ...], Field(max_length=100)] = ()
    training: Annotated[tuple[Training, ...], Field(max_length=200)] = ()
    clearances: Codes = ()
    gender: Code | None = None
    languages: Codes = ()
    capacity: Capacity | None = None
    travel_mode: Code | None = None
    speed_m_s: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    tools: Codes = ()
    vehicle_stock_id: Id | None = None
    cost_rate: Money | None = None
    efficiency: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    on_call: Annotated[tuple[OnCall, ...], Field(max_length=500)] = ()
    hooks: Codes = ()


class TechnicianRemoved(Model):
    """A technician who no longer works here."""

    id: Id
    version: Count | None = None
    effective_from: Instant | None = None
    org_id: Id | None = None
    home_territory: Slug | None = None
    reason: Reason | None = None


class Shift(Model):
    """A time on duty, told apart by technician and start; `role` is member or leader."""

    technician_id: Id
    start: Instant
    end: Instant
    role: Code | None = None
    breaks: Windows = ()
    overtime: bool | None = None
    reason: Reason | None = None
    territory: Slug | None = None


class ShiftPlanned(Shift):
    """A shift stands in the plan."""


class ShiftStarted(Shift):
    """A technician is on duty from now on."""


class ShiftEnded(Shift):
    """A technician is off duty from now on."""


class ShiftAbsent(Shift):
    """A technician will not come to a planned shift."""


class PositionReported(Model):
    """Where a technician's device was when it measured; the latest time wins."""

    technician_id: Id
    measured_at: Instant
    lat: Latitude | None = None
    lon: Longitude | None = None
    coordinate_system: CoordinateSystem | None = None
    accuracy_m: Metres | None = None
    area_id: Id | None = None
    source: Line | None = None
    territory: Slug | None = None
