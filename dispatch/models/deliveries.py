"""Outgoing: what was sent to whom, why, and with what answer. No names, numbers or addresses stand here."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import Code, Codes, Count, Id, Instant, Line, Model, Reason, Text
from dispatch.models.order_base import FreeForm


class Delivery(Model):
    """One event for one receiver, through one hook at a time; `delivery_id` is the idempotency key.

    `status` is the answer, `latency_ms` how long it took, `why` the route that named the receiver.
    """

    delivery_id: Id
    event_id: Id
    receiver: Id | None = None
    hook: Code | None = None
    attempt: Count | None = None
    why: Text | None = None
    status: Count | Line | None = None
    latency_ms: Count | None = None
    next_attempt_at: Instant | None = None
    work_order_id: Id | None = None
    event_type: Line | None = None
    reason: Reason | None = None
    hooks: Codes = ()
    planned_at: Instant | None = None
    give_up_at: Instant | None = None
    event_at: Instant | None = None
    assignment_id: Id | None = None
    escalation_id: Id | None = None
    urgency: Code | None = None
    locale: Code | None = None
    title: Text | None = None
    text: Annotated[str, Field(max_length=20_000)] | None = None
    facts: FreeForm = Field(default_factory=dict)


class DeliveryAttempted(Delivery):
    """It will be tried at `next_attempt_at`: planned (`attempt` 0, with all that it says), or tried before in vain."""


class DeliverySucceeded(Delivery):
    """The receiver has it."""


class DeliveryFailed(Delivery):
    """It was tried for the last time."""


class DeliveryDropped(Delivery):
    """It is not sent, or not again: superseded, too late, nobody to send it to."""
