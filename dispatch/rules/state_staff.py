"""What a lane knows of its technicians: skills, certificates, the areas they serve, shifts, and what they hold.

Records as in :mod:`~dispatch.rules.state`: frozen, stored as msgpack, fields only ever added, with a default.
"""

from datetime import datetime

from dispatch.rules.state import Data, Record


class Skill(Record, frozen=True, kw_only=True):
    """A trade at a level, 1 to 5, and when it is valid."""

    trade: str
    level: int
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Certificate(Record, frozen=True, kw_only=True):
    """A certificate, and when it ends."""

    type: str
    issued: datetime | None = None
    expires: datetime | None = None


class Serves(Record, frozen=True, kw_only=True):
    """An area (with all below it) that a technician serves; a lower rank is preferred."""

    area: str
    rank: int = 1
    wait_s: int = 0


class Shift(Record, frozen=True, kw_only=True):
    """A time on duty. ``state`` is planned, started, ended or absent."""

    start: datetime
    end: datetime
    role: str = "member"
    state: str = "planned"


class Technician(Record, frozen=True, kw_only=True):
    """Who does the work. ``load`` names the legs that occupy capacity, offers included."""

    id: str
    version: int
    version_time: datetime
    org_id: str
    status: str = "active"
    subject_id: str | None = None
    employment: str = "in_house"
    contract_id: str | None = None
    supervisor_id: str | None = None
    home_area: str | None = None
    serves: tuple[Serves, ...] = ()
    skills: tuple[Skill, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    capacity_open: int = 3
    speed_m_s: float = 1.4
    shifts: tuple[Shift, ...] = ()
    load: tuple[str, ...] = ()
    last_given_at: datetime | None = None
    area_id: str | None = None
    lat: float | None = None
    lon: float | None = None
    position_at: datetime | None = None
    removed: bool = False
    profile: Data = {}  # noqa: RUF012 - msgspec gives each record its own

    def on_shift(self) -> Shift | None:
        """The shift that has started and not ended; None when off duty."""
        return next((shift for shift in self.shifts if shift.state == "started"), None)

    @property
    def free_capacity(self) -> int:
        """How many more orders this person may hold."""
        return self.capacity_open - len(self.load)
