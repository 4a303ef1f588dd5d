"""What every outgoing event about a work order may say."""

from typing import Annotated

from pydantic import Field, JsonValue

from dispatch.models.action_base import AfterTheFact
from dispatch.models.base import Code, Count, Id, Ids, Instant, LocationEvidence, Model, Permille, Reason, Text
from dispatch.models.clocks import ClockFacts
from dispatch.models.people import Actor, Owner

FreeForm = Annotated[dict[str, JsonValue], Field(max_length=1_000)]
"""An object whose fields are the engine's own business."""


class InWords(Model):
    """One sentence in Chinese and one in English."""

    zh: Text | None = None
    en: Text | None = None


class Rework(Model):
    """This is the repair of a repair: of which order, who says so, and within how many days it counts.

    Found by the machine it also says when that work was done and its order closed (absent: still to be accepted),
    how many whole days before this report, by whom, what is the same (asset, room), and how alike the reports are.
    """

    of_id: Id
    basis: Code | None = None
    window_days: Count | None = None
    completed_at: Instant | None = None
    closed_at: Instant | None = None
    days: Count | None = None
    technician_ids: Ids = ()
    same: Code | None = None
    alike_permille: Permille | None = None
    why: InWords | None = None


class OrderEvent(Model):
    """Which order, in which pass through the loop; who acted, why and when; and the state that follows.

    `clock_changes` are the clocks that this stopped or moved; `changes` the order's fields that it changed.
    """

    work_order_id: Id
    cycle: Count | None = None
    state: Code | None = None
    owner: Owner | None = None
    actor: Actor | None = None
    reason: Reason | None = None
    performed_at: Instant | None = None
    after_the_fact: AfterTheFact | None = None
    decided_at: Instant | None = None
    note: Text | None = None
    drill: bool | None = None
    clock_changes: ClockFacts = ()
    changes: FreeForm = Field(default_factory=dict)


class LegEvent(OrderEvent):
    """An event about one leg of an order: whose, for which place of the crew, and the state it leads to."""

    assignment_id: Id | None = None
    technician_id: Id | None = None
    leg_state: Code | None = None
    place: Count | None = None
    mode: Code | None = None
    visit_no: Count | None = None
    location_evidence: LocationEvidence | None = None
