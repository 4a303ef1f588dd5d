"""Outgoing: the rungs of a ladder that are climbed, held, answered and left behind."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import Code, Count, Id, Instant, Line, Model, SignedSeconds, Text
from dispatch.models.order_base import OrderEvent
from dispatch.models.people import OwnerTime


class Recipient(Model):
    """Who is told, in what role, and why they."""

    id: Id
    role: Code | None = None
    why: Text | None = None


class NextRung(Model):
    """What comes next if nobody answers, and when."""

    level: Count
    at: Instant | None = None


class InWords(Model):
    """A text in both languages."""

    zh: Text
    en: Text


class PlanCall(Model):
    """A service to call, and its number."""

    name: InWords
    number: Line


class Plan(Model):
    """The emergency plan that opens: for whoever reported it, and for those in charge."""

    id: Code
    version: Line
    advice: InWords
    steps: Annotated[tuple[InWords, ...], Field(max_length=50)] = ()
    calls: Annotated[tuple[PlanCall, ...], Field(max_length=50)] = ()


class EscalationEvent(OrderEvent):
    """Which escalation of which order, and of which clock."""

    escalation_id: Id
    clock: Code | None = None
    ladder: Code | None = None
    rung: Count | None = None
    level: Count | None = None


class EscalationRaised(EscalationEvent):
    """A rung is climbed. `cause`: warned, breached, person, silence, urging, no_report or emergency.

    `time_left_s` is negative once the clock is broken; `plan` is what an emergency calls for.
    """

    cause: Code | None = None
    due_at: Instant | None = None
    fired_at: Instant | None = None
    order_state: Code | None = None
    time_left_s: SignedSeconds | None = None
    held_by: Annotated[tuple[OwnerTime, ...], Field(max_length=200)] = ()
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=200)] = ()
    held_until: Instant | None = None
    next_rung: NextRung | None = None
    inhibited_by: Id | None = None
    plan: Plan | None = None


class EscalationHeld(EscalationEvent):
    """A rung is due but waits: for working hours, or because another one speaks for it."""

    cause: Code | None = None
    held_until: Instant | None = None
    inhibited_by: Id | None = None


class EscalationAcknowledged(EscalationEvent):
    """Somebody (`by`) knows and acts; the ladder rests until then."""

    by: Id | None = None
    until: Instant | None = None


class EscalationResolved(EscalationEvent):
    """The cause is gone; nobody needs to act any more."""

    cause: Code | None = None
