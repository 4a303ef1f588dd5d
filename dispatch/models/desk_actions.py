"""Actions of the desk: dispatchers, shift leaders, supervisors, inspectors, approvers."""

from typing import Annotated

from pydantic import Field

from dispatch.models.action_base import Action, ReasonedAction
from dispatch.models.base import (
    Code,
    Codes,
    Count,
    Id,
    Impact,
    Instant,
    Location,
    Model,
    Money,
    Requirements,
    Text,
    Urgency,
)
from dispatch.models.work_done import Checklist


class Reclassify(ReasonedAction):
    """Another kind, trade, urgency or class of job than was thought; what is absent stays."""

    kind: Code | None = None
    trade: Code | None = None
    requirements: Requirements = ()
    urgency: Urgency | None = None
    hazards: Codes = ()
    impact: Impact | None = None
    job_class: Code | None = None


class Relocate(ReasonedAction):
    """It is somewhere else; into another territory it moves the order."""

    location: Location | None = None


class SplitPart(Model):
    """One of the orders that a split makes."""

    text: Text | None = None
    trade: Code | None = None
    requirements: Requirements = ()
    urgency: Urgency | None = None
    location: Location | None = None


class Split(ReasonedAction):
    """One order becomes several."""

    parts: Annotated[tuple[SplitPart, ...], Field(max_length=50)] = ()


class Merge(ReasonedAction):
    """A duplicate of `into`, which goes on for both."""

    into: Id


class Unmerge(ReasonedAction):
    """It was no duplicate after all."""


class Assign(ReasonedAction):
    """Give it to technician `to`; until `pinned_until` the engine leaves it there."""

    to: Id
    pinned_until: Instant | None = None


class Reassign(ReasonedAction):
    """Take it from whoever has it; without `to` the engine chooses."""

    to: Id | None = None
    assignment_id: Id | None = None
    pinned_until: Instant | None = None


class Preempt(ReasonedAction):
    """Interrupt what a technician does for this order's sake."""

    to: Id | None = None
    instead_of: Id | None = None


class Refuse(ReasonedAction):
    """Not ours to do; `where_instead` tells the reporter who does it."""

    where_instead: Text | None = None


class RequestExtension(ReasonedAction):
    """More time is needed, until then."""

    until: Instant | None = None
    clock: Code | None = None


class GrantExtension(ReasonedAction):
    """The time asked for, or another, is given."""

    until: Instant | None = None
    clock: Code | None = None


class DenyExtension(ReasonedAction):
    """No more time."""

    clock: Code | None = None


class RequestApproval(ReasonedAction):
    """Somebody must approve before work goes on: what (`subject`), and how much."""

    approval_id: Id | None = None
    subject: Code | None = None
    amount: Money | None = None
    approver_role: Code | None = None


class DecideApproval(ReasonedAction):
    """Approved or not (`decision`)."""

    decision: Code
    approval_id: Id | None = None
    amount: Money | None = None


class Acknowledge(Action):
    """I know and act; without `escalation_id` it answers all that ring for the order."""

    escalation_id: Id | None = None
    until: Instant | None = None


class Escalate(ReasonedAction):
    """Somebody higher should look at it; `to` is a person or a role."""

    to: Id | None = None
    level: Count | None = None


class Inspect(ReasonedAction):
    """A check by somebody who did not do the work."""

    result: Code | None = None
    checklist: Checklist = ()


class Investigate(Action):
    """Somebody looks into a complaint, a suggestion or an inquiry, and owns it."""


class Answer(Action):
    """The answer to a letter; `disposition` is what came of it (upheld, rejected, noted)."""

    text: Text | None = None
    disposition: Code | None = None


class FollowUp(Action):
    """The reporter was asked afterwards (回访): how, what came of it, after how many attempts."""

    method: Code | None = None
    outcome: Code | None = None
    attempts: Count | None = None


class Note(Action):
    """Something worth knowing, in `note`."""


class Close(ReasonedAction):
    """Nothing more will come."""
