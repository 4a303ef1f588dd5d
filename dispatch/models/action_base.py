"""What every action says: which order, who, when, and whether it is keyed in late."""

from dispatch.models.base import Count, Id, Instant, LocationEvidence, Model, Reason, Text
from dispatch.models.people import Actor


class AfterTheFact(Model):
    """Done first and keyed in later (先修后补单), and why."""

    reason: Reason


class Action(Model):
    """What a person does to a work order. `performed_at` is the event's time unless given.

    `device_seq` counts a device's actions, so that those keyed in without a network keep their order.
    """

    work_order_id: Id
    actor: Actor
    performed_at: Instant | None = None
    after_the_fact: AfterTheFact | None = None
    device_seq: Count | None = None
    note: Text | None = None


class ReasonedAction(Action):
    """An action that gives its reason."""

    reason: Reason | None = None


class LegAction(Action):
    """An action on one leg of an order; without `assignment_id` it is the actor's own active leg."""

    assignment_id: Id | None = None
    visit_no: Count | None = None
    location_evidence: LocationEvidence | None = None


class ReasonedLegAction(LegAction):
    """An action on one leg that gives its reason."""

    reason: Reason | None = None
