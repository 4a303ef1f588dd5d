"""Outgoing: the work is done, accepted, rated, checked; everything that a KPI needs in one event each."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import (
    Code,
    Count,
    Evidence,
    Id,
    Ids,
    Instant,
    Model,
    Reason,
    Seconds,
    SignedSeconds,
    Text,
    Urgency,
    Verdict,
)
from dispatch.models.clocks import PausedSeconds
from dispatch.models.order_base import LegEvent, OrderEvent, Rework
from dispatch.models.people import Actor, OwnerTime
from dispatch.models.reporter_actions import Dimensions
from dispatch.models.work_done import Checklist, WorkDone


class Times(Model):
    """When the cycle reached each step; a step that was skipped is absent."""

    reported: Instant | None = None
    opened: Instant | None = None
    classified: Instant | None = None
    first_offered: Instant | None = None
    first_assigned: Instant | None = None
    accepted: Instant | None = None
    departed: Instant | None = None
    arrived: Instant | None = None
    started: Instant | None = None
    made_safe: Instant | None = None
    first_completed: Instant | None = None
    completed: Instant | None = None


class Counters(Model):
    """How often each thing happened in the order's life."""

    visits: Count | None = None
    offers: Count | None = None
    declines: Count | None = None
    offer_expiries: Count | None = None
    returns: Count | None = None
    transfers: Count | None = None
    wrong_trade_arrivals: Count | None = None
    reopens: Count | None = None
    work_rejections: Count | None = None
    urges: Count | None = None
    holds: Count | None = None
    extensions: Count | None = None
    completions: Count | None = None


class ClockResult(Model):
    """How one clock ran: seconds by the wall, of its calendar's time, paused by reason, and extended."""

    name: Code
    target_s: Seconds | None = None
    due_at_original: Instant | None = None
    due_at_current: Instant | None = None
    wall_s: Seconds | None = None
    working_s: Seconds | None = None
    paused_s: PausedSeconds = Field(default_factory=dict)
    extended_s: SignedSeconds | None = None
    verdict: Verdict | None = None
    verdict_revision: Count | None = None


ClockResults = Annotated[tuple[ClockResult, ...], Field(max_length=50)]


class Exclusion(Model):
    """The order does not count in a KPI: which, why, and who decided."""

    kpi: Code
    reason: Reason | None = None
    actor: Actor | None = None


class Outcome(OrderEvent):
    """What every KPI may ask of an order whose work, or answer, is there."""

    kind: Code | None = None
    origin: Code | None = None
    job_class: Code | None = None
    times: Times | None = None
    trade_reported: Code | None = None
    trade_final: Code | None = None
    urgency_initial: Urgency | None = None
    urgency_final: Urgency | None = None
    area_path: Ids = ()
    department_id: Id | None = None
    counters: Counters | None = None
    clocks: ClockResults = ()
    time_by_owner: Annotated[tuple[OwnerTime, ...], Field(max_length=200)] = ()
    exclusions: Annotated[tuple[Exclusion, ...], Field(max_length=50)] = ()


class OrderCompleted(LegEvent, WorkDone, Outcome):
    """A leg's work is done; with `state` completed the whole order is. Everything a KPI needs.

    `incident_id` names the order whose work this was too.
    """

    assignment_id: Id
    visit_no: Count
    org_id: Id | None = None
    rework: Rework | None = None
    incident_id: Id | None = None


class OrderAnswered(Outcome):
    """A complaint, a suggestion or an inquiry is answered, by the `actor`; its writer is asked to accept that."""

    answer: Text
    disposition: Code | None = None


class Acceptance(Model):
    """Who accepted the work, and how: explicit, auto or inspector."""

    by_role: Code | None = None
    mode: Code | None = None


class AcceptanceEvent(OrderEvent):
    """The work of a completion is accepted."""

    assignment_id: Id | None = None
    acceptance: Acceptance | None = None
    wait_s: Seconds | None = None


class OrderConfirmed(AcceptanceEvent):
    """Somebody accepted the work."""


class OrderAutoConfirmed(AcceptanceEvent):
    """Nobody objected in time."""


class OrderWorkRejected(OrderEvent):
    """The work is not accepted (验收不合格); a verdict that was met is void."""

    assignment_id: Id | None = None
    evidence: Evidence | None = None
    clocks: ClockResults = ()


class Scale(Model):
    """The scale that points are on."""

    id: Code
    min: int
    max: int


class OrderRated(OrderEvent):
    """How good it was; `eligible`: whether the rating may count in a KPI."""

    assignment_id: Id | None = None
    dimensions: Dimensions = Field(default_factory=dict)
    scale: Scale | None = None
    comment: Text | None = None
    rater_role: Code | None = None
    mode: Code | None = None
    eligible: bool | None = None


class OrderInspected(OrderEvent):
    """Somebody who did not do the work looked at it."""

    result: Code | None = None
    checklist: Checklist = ()


class OrderFollowedUp(OrderEvent):
    """The reporter was asked afterwards (回访)."""

    method: Code | None = None
    outcome: Code | None = None
    attempts: Count | None = None


class OrderCorrected(OrderEvent):
    """A late fact changed a verdict: `supersedes` is the id of the event that no longer holds."""

    supersedes: Id
    clocks: ClockResults = ()
    times: Times | None = None
