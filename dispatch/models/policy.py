"""The policy as typed data: one model per file of ``config/``, and the whole as :class:`PolicyDocument`.

References between the parts (a rule that names a calendar, a ladder that names another) are checked where the
document is loaded, with file and line; here only the shape of each part is checked.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dispatch.models.policy_base import DurationS, Interval, Label, Name, OwnerRef, Part, Weekday, When
from dispatch.models.policy_words import EmergencyPlan, Lexicon, Raise

ClockName = Literal["triage", "accept", "arrive", "make_safe", "resolve", "confirm"]
KINDS = ("repair", "complaint", "suggestion", "inquiry", "booking", "inspection_finding", "preventive")


class Site(Part):
    """``site.yaml``: what holds for the whole tenant."""

    tenant: Name
    timezone: str
    default_territory: Name
    front_desk: OwnerRef = OwnerRef(kind="role", id="front_desk")
    queue_owner: OwnerRef = OwnerRef(kind="role", id="dispatcher")
    exhausted_owner: OwnerRef = OwnerRef(kind="role", id="shift_leader")
    acceptor: OwnerRef = OwnerRef(kind="role", id="requester")
    tombstone: Annotated[DurationS, Field(ge=86400)] = 400 * 86400
    reopen_within: DurationS = 15 * 86400
    letters: dict[Name, OwnerRef] = Field(default_factory=dict)
    confirm_silence: Literal["auto_confirm", "leave"] = "auto_confirm"
    kinds: tuple[Name, ...] = KINDS


class Area(Part):
    """A node of a territory's tree: campus, zone, building, floor or room."""

    id: Name
    kind: Literal["campus", "zone", "building", "floor", "room", "outdoor"]
    name: Label
    aliases: tuple[str, ...] = ()
    responsible: OwnerRef | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    areas: tuple["Area", ...] = ()


class Asset(Part):
    """An asset code, or a prefix of codes ending in ``*``, and the area where it stands."""

    code: str
    area: Name


class Territory(Part):
    """One pool of technicians and the places it serves. ``bounds`` is a polygon of (lat, lon) in WGS84."""

    id: Name
    name: Label
    bounds: tuple[tuple[float, float], ...] = ()
    areas: tuple[Area, ...] = ()
    assets: tuple[Asset, ...] = ()


class Trade(Part):
    """A craft, and what a task of it needs when nothing else is said."""

    name: Label
    min_level: int = Field(default=1, ge=1, le=5)
    certificates: tuple[str, ...] = ()
    count: int = Field(default=1, ge=1, le=20)


class Calendar(Part):
    """Working time: intervals a day by weekday, days off, and days worked instead (调休)."""

    timezone: str
    always: bool = False
    week: dict[Weekday, tuple[Interval, ...]] = Field(default_factory=dict)
    holidays: tuple[date, ...] = ()
    makeup: dict[date, Weekday] = Field(default_factory=dict)


class Target(Part):
    """One measured promise: how long, counted on which calendar, warned when, escalated how."""

    within: DurationS
    calendar: Name | None = None
    ladder: Name | None = None


class SlaRule(Part):
    """A row of the SLA table; the first row whose ``when`` fits decides."""

    id: Name
    when: When = When()
    calendar: Name
    ladder: Name
    warn_at_permille: tuple[Annotated[int, Field(gt=0, lt=1000)], ...] = (800,)
    targets: dict[ClockName, Target]


class Rung(Part):
    """One rung of a ladder: so long after the breach, these roles are told."""

    level: int = Field(ge=1, le=9)
    after: DurationS = 0
    to: tuple[Name, ...] = Field(min_length=1)


class Ladder(Part):
    """Rungs in order of time; ``then`` continues with another ladder, counted from the last rung."""

    rungs: tuple[Rung, ...] = Field(min_length=1)
    then: Name | None = None


class MatchMode(Part):
    """How an order is given: offered with an expiry, or assigned directly. The first fitting row decides."""

    when: When = When()
    mode: Literal["offer", "direct"]
    expires: DurationS | None = None

    @model_validator(mode="after")
    def _an_offer_expires(self) -> "MatchMode":
        if self.mode == "offer" and not self.expires:
            msg = "an offer needs `expires`, for example `expires: 5m`"
            raise ValueError(msg)
        return self


class Weights(Part):
    """The price of each soft term; integers, so that every machine computes the same sum."""

    travel: int = Field(default=10, ge=0, le=10_000)
    load: int = Field(default=50, ge=0, le=10_000)
    level: int = Field(default=5, ge=0, le=10_000)
    idle: int = Field(default=1, ge=0, le=10_000)


class Matching(Part):
    """``matching.yaml``: modes, weights, and how long the same person may not be asked again."""

    modes: tuple[MatchMode, ...] = Field(min_length=1)
    weights: Weights = Weights()


class Duplicates(Part):
    """Reports of one place and trade within the window attach to the open order."""

    enabled: bool = True
    window: DurationS = 2 * 3600
    by_trade: dict[Name, DurationS] = Field(default_factory=dict)


class Rework(Part):
    """A like report of one place and trade within the window after work was done there is rework (返修).

    ``after`` are the dispositions that call the work done. Reports of one room are alike if they share so many
    thousandths of their words (``alike_permille``); of one asset they always are.
    """

    enabled: bool = True
    window: DurationS = 30 * 86400
    by_trade: dict[Name, DurationS] = Field(default_factory=dict)
    alike_permille: int = Field(default=350, ge=0, le=1000)
    after: tuple[Name, ...] = ("fixed", "temporary_fix", "no_fault_found")


class Faults(Part):
    """Whether a report that tells of several faults becomes several orders.

    ``sure_permille`` is how sure a clause must be of its trade; of more than ``most`` faults people make the orders.
    """

    split: bool = True
    sure_permille: int = Field(default=750, ge=500, le=1000)
    most: int = Field(default=4, ge=2, le=20)


class Incidents(Part):
    """So many reports of one building and one of the trades within the time are one incident; 0 is never."""

    reports: int = Field(default=0, ge=0, le=1000)
    within: DurationS = 15 * 60
    trades: tuple[Name, ...] = ()
    tell: tuple[Name, ...] = ("shift_leader",)


class HoldReason(Part):
    """Why work may wait, which clocks stand still meanwhile, and whether the technician is set free."""

    name: Label
    pauses: tuple[ClockName, ...] = ()
    releases_assignee: bool = False


class Reasons(Part):
    """The catalogues of reasons that people may give."""

    hold: dict[Name, HoldReason]
    decline: dict[Name, Label] = Field(default_factory=dict)
    cancel: dict[Name, Label] = Field(default_factory=dict)


class PolicyDocument(Part):
    """The whole policy, as it is written to ``dispatch.policies``. Its content hash is its version."""

    site: Site
    territories: tuple[Territory, ...] = Field(min_length=1)
    trades: dict[Name, Trade]
    calendars: dict[Name, Calendar]
    sla: tuple[SlaRule, ...] = Field(min_length=1)
    ladders: dict[Name, Ladder]
    matching: Matching
    duplicates: Duplicates = Duplicates()
    incidents: Incidents = Incidents()
    rework: Rework = Rework()
    faults: Faults = Faults()
    reasons: Reasons
    lexicon: Lexicon
    urgency: tuple[Raise, ...] = ()
    plans: tuple[EmergencyPlan, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document as JSON values, keys sorted by the writer."""
        return self.model_dump(mode="json")
