"""Outgoing: what was sent to whom, why, and with what answer."""

from dispatch.models.base import Code, Count, Id, Instant, Line, Model, Reason, Text


class Delivery(Model):
    """One message to one receiver through one hook; `status` is the answer, `latency_ms` how long it took."""

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


class DeliveryAttempted(Delivery):
    """It was tried, and will be tried again."""


class DeliverySucceeded(Delivery):
    """The receiver has it."""


class DeliveryFailed(Delivery):
    """It was tried for the last time."""


class DeliveryDropped(Delivery):
    """It was not sent: nobody to send it to, too late, or too many."""
