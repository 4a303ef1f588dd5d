"""Outgoing: who is asked, who is given the order, who works on it, and why they were chosen."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import (
    Code,
    Count,
    Evidence,
    Id,
    Ids,
    Instant,
    Integer,
    Line,
    Link,
    Model,
    Place,
    Requirement,
    Slug,
    Text,
    Urgency,
)
from dispatch.models.order_base import LegEvent, OrderEvent, Rework

Terms = Annotated[dict[Code, Integer], Field(max_length=100)]
"""A score's terms by name; integers, lower is better."""


class Due(Model):
    """When the technician is expected to have accepted, arrived and resolved."""

    accept: Instant | None = None
    arrive: Instant | None = None
    resolve: Instant | None = None


class Why(Model):
    """Why this technician: the winning score's terms, and one sentence in Chinese and English."""

    terms: Terms = Field(default_factory=dict)
    total: Integer | None = None
    zh: Text | None = None
    en: Text | None = None


class LegGiven(LegEvent):
    """One place of the crew is offered or given to a technician; `mode` is direct, offer or pool."""

    assignment_id: Id
    technician_id: Id
    requirement: Requirement | None = None
    urgency: Urgency | None = None
    location: Place | None = None
    text: Text | None = None
    due: Due | None = None
    expires_at: Instant | None = None
    pinned_until: Instant | None = None
    why: Why | None = None


class OrderOffered(LegGiven):
    """A technician is asked, and may decline until `expires_at`."""


class OrderAssigned(LegGiven):
    """A technician is given the order; that alone stops no accept clock."""


class OrderDeclined(LegEvent):
    """A technician said no to an offer."""


class OfferExpired(LegEvent):
    """A technician stayed silent; that is not a decline."""

    expires_at: Instant | None = None


class OrderUpdated(LegEvent):
    """Something the technician should know changed: accepted, linked, contacted, reminded, found to be rework."""

    what: Code | None = None
    link: Link | None = None
    follower: Id | None = None
    hold_reminded: bool | None = None
    handover_to: Id | None = None
    method: Code | None = None
    outcome: Code | None = None
    impact: Code | None = None
    rework: Rework | None = None


class OrderReturned(LegEvent):
    """A technician gave the order back (退单)."""


class LegTransferred(LegEvent):
    """A technician passed the order on (转单)."""

    to: Id | None = None


class OrderWithdrawn(LegEvent):
    """An offer or an assignment was taken back; `ask_again`: the technician may be asked once more."""

    ask_again: bool | None = None


class OrderAccepted(LegEvent):
    """A person took the order on: this, and never an assignment alone, stops the accept clock.

    `late`: it was reported after later steps, as those of `departed`, `arrived` and `started` may be.
    """

    late: bool | None = None


class Departed(LegEvent):
    """A technician is on the way."""


class Arrived(LegEvent):
    """A technician is on site: a visit begins."""


class NoAccessMet(LegEvent):
    """A technician was on site and could not get in."""

    evidence: Evidence | None = None
    expected_resume_at: Instant | None = None


class WorkStarted(LegEvent):
    """Work began."""


class MadeSafe(LegEvent):
    """The danger is over."""


class WorkHeld(LegEvent):
    """Work waits for something."""

    expected_resume_at: Instant | None = None
    evidence: Evidence | None = None
    releases_assignee: bool | None = None


class WorkResumed(LegEvent):
    """Work goes on."""


class HelpRequested(LegEvent):
    """More hands are needed."""

    trade: Code | None = None
    count: Count | None = None


class OrderUplifted(LegEvent):
    """The job is bigger than ordered (大修)."""

    job_class: Code | None = None


class HandedOver(LegEvent):
    """The work passed from one technician to another between shifts."""

    to: Id | None = None
    handover_to: Id | None = None
    notes: Text | None = None


Candidate = Annotated[tuple[Id | Integer, ...], Field(min_length=1, max_length=20)]
"""One technician who could have been chosen: what each of the `columns` says of them."""


class Excluded(Model):
    """How many a rule excluded, and some of them."""

    count: Count
    examples: Ids = ()


class Chosen(Model):
    """Who was given which place of the crew in this round."""

    place: Count
    technician: Id


class AssignmentEvaluated(OrderEvent):
    """How a round of matching judged the technicians: the best 20, and how many each rule excluded.

    A candidate is a row of `columns`: the total, the technician, and the terms of the score that it sums; lower is
    better. `round` is the id of the dispatch.lane.decided that ran it.
    """

    policy_version: Id
    columns: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    candidates: Annotated[tuple[Candidate, ...], Field(max_length=20)] = ()
    excluded: Annotated[dict[Code, Excluded], Field(max_length=100)] = Field(default_factory=dict)
    round: Id | None = None
    place: Count | None = None
    requirement: Requirement | None = None
    chosen: Annotated[tuple[Chosen, ...], Field(max_length=50)] = ()
    considered: Count | None = None


class LoanEvent(OrderEvent):
    """A technician is lent by the home territory to another one, for one order."""

    loan_id: Id
    from_territory: Slug | None = None
    to_territory: Slug | None = None
    technician_id: Id | None = None
    assignment_id: Id | None = None
    requirement: Requirement | None = None
    urgency: Urgency | None = None
    location: Place | None = None
    until: Instant | None = None
    what: Line | None = None


class LoanRequested(LoanEvent):
    """A territory without anybody asks another one."""


class LoanGranted(LoanEvent):
    """The home territory reserved a technician for the other one."""


class LoanRefused(LoanEvent):
    """The home territory has nobody either."""


class LoanReturned(LoanEvent):
    """The technician is back home."""
