"""The policy as typed data: one model per file of ``config/``, and the whole as :class:`PolicyDocument`.

Durations are written ``90s``, ``15m``, ``2h``, ``3d`` (or plain seconds) and are whole seconds here.
References between the parts (a rule that names a calendar, a ladder that names another) are checked where the
document is loaded, with file and line; here only the shape of each part is checked.
"""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Urgency = Literal["emergency", "urgent", "normal", "low"]
URGENCIES: tuple[Urgency, ...] = ("emergency", "urgent", "normal", "low")
ClockName = Literal["triage", "accept", "arrive", "make_safe", "resolve", "confirm"]
KINDS = ("repair", "complaint", "suggestion", "inquiry", "booking", "inspection_finding", "preventive")

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


class When(Part):
    """Which orders a rule speaks of; an empty list of values means all."""

    urgency: tuple[Urgency, ...] = ()
    trade: tuple[Name, ...] = ()
    territory: tuple[Name, ...] = ()
    area: tuple[Name, ...] = ()
    kind: tuple[Name, ...] = ()


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


class Words(Part):
    """Words of both languages that point to one thing. English ones match whole, inflections included."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class EmergencyWords(Words):
    """Words of an emergency: which trade goes, and which hazard is named."""

    trade: Name
    hazard: Name


class TaskWords(Words):
    """Words of work that takes more than its trade; its name is a hazard, which a channel may name too."""

    certificates: tuple[str, ...] = Field(min_length=1)


class Lexicon(Part):
    """``lexicon.yaml``: what words mean here.

    ``trades`` are the things a trade looks after; ``symptoms`` are what may be wrong with many a thing, and
    weigh half: in "the dishwasher leaks" the leak is a symptom, and the dishwasher decides. ``neutral`` words
    point nowhere, and hide the shorter words inside them: 门口 is no 门. ``site`` are the site's own words: what
    they say of a trade is final, whatever the model of triage thinks. ``tasks`` are kinds of work that only people
    with certificates of their own may do, by the hazard: height, hot work, confined space.
    """

    trades: dict[Name, Words]
    site: dict[Name, Words] = Field(default_factory=dict)
    symptoms: dict[Name, Words] = Field(default_factory=dict)
    neutral: Words = Words()
    urgency: dict[Urgency, Words] = Field(default_factory=dict)
    emergencies: dict[Name, EmergencyWords] = Field(default_factory=dict)
    tasks: dict[Name, TaskWords] = Field(default_factory=dict)
    negations: Words = Words()
    min_confidence_permille: int = Field(default=300, ge=0, le=1000)


class Raise(Part):
    """A row of ``urgency.yaml``: what is more urgent here, now, or for this person. All that it gives must hold.

    ``since`` and ``until`` are days, both included; ``hours`` are times of the site's wall clock; ``words`` are such
    that one of them is said; ``vulnerable`` asks that the reporter is.
    """

    id: Name
    reason: Label
    to: Urgency
    when: When = When()
    words: Words = Words()
    since: date | None = None
    until: date | None = None
    hours: tuple[Interval, ...] = ()
    vulnerable: bool = False


class EmergencyCall(Part):
    """A number to call that is not ours: the fire brigade, the gas company."""

    name: Label
    number: str = Field(min_length=2, max_length=40)


class EmergencyPlan(Part):
    """``plans.yaml``: what is done at once. Without ``hazards`` it is for all that no other plan names."""

    id: Name
    version: str = Field(min_length=1, max_length=40)
    hazards: tuple[Name, ...] = ()
    tell: tuple[Name, ...] = ("shift_leader",)
    advice: Label
    steps: tuple[Label, ...] = ()
    calls: tuple[EmergencyCall, ...] = ()


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
