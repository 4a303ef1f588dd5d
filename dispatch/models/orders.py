"""Outgoing: an order opens, changes what it is, and ends."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import (
    Access,
    AssetState,
    Attachments,
    Code,
    Codes,
    Count,
    ExternalRef,
    Id,
    Ids,
    Impact,
    Instant,
    Line,
    Link,
    Model,
    Money,
    Place,
    Position,
    Requirements,
    Seconds,
    Slug,
    Text,
    Urgency,
    Windows,
)
from dispatch.models.clocks import ClockFacts
from dispatch.models.order_base import FreeForm, OrderEvent, Rework
from dispatch.models.people import Owner, Subject

Links = Annotated[tuple[Link, ...], Field(max_length=200)]


class Classifier(Model):
    """Who or what classified the order, how sure it was (0 to 1), and which words led there."""

    source: Code | None = None
    model_version: Line | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    evidence: Annotated[tuple[Text, ...], Field(max_length=100)] = ()


class OrderOpened(OrderEvent):
    """A request, or a part of one, became a work order. `display_no` is short, for people.

    `parties` are whom a complaint is about, and who leads them: they may not handle it. `rework`: the fault was
    repaired not long ago, by the order that a link of type `rework_of` names too.
    """

    display_no: Line
    request_id: Id
    owner: Owner
    policy_version: Id
    kind: Code | None = None
    origin: Code | None = None
    channel: Code | None = None
    links: Links = ()
    department_id: Id | None = None
    reporter: Subject | None = None
    on_behalf_of: Subject | None = None
    requirements: Requirements = ()
    urgency: Urgency | None = None
    job_class: Code | None = None
    impact: Impact | None = None
    hazards: Codes = ()
    location: Place | None = None
    access: Access | None = None
    attachments: Attachments = ()
    asset_state: AssetState | None = None
    text: Text | None = None
    targets: ClockFacts = ()
    promised_at: Instant | None = None
    due_override: bool | None = None
    reported_at: Instant | None = None
    noticed_at: Instant | None = None
    entered_at: Instant | None = None
    classifier: Classifier | None = None
    needs_triage: bool | None = None
    billing_hint: Code | None = None
    about_ref: Id | None = None
    parties: Ids = ()
    rework: Rework | None = None
    external_refs: Annotated[tuple[ExternalRef, ...], Field(max_length=50)] = ()
    campaign_id: Id | None = None
    locale: Code | None = None
    position: Position | None = None


class OrderClassified(OrderEvent):
    """What the order needs was found out, by a rule, a model or a person.

    `hint_agreed`: whether the hint of `advised`, where there was one, had named the same trade.
    """

    kind: Code | None = None
    requirements: Requirements = ()
    urgency: Urgency | None = None
    hazards: Codes = ()
    impact: Impact | None = None
    job_class: Code | None = None
    classifier: Classifier | None = None
    hint_agreed: bool | None = None


class AdviceSource(Model):
    """Which model has said it: the name and the model of `advice.yaml`, and the version of what it was asked."""

    name: Code
    model: Line
    prompt_version: Code


class OrderAdvised(OrderEvent):
    """A larger model's hint to the front desk about an order that triage could not place; it decides nothing.

    `trade` is one of the site's, or `out_of_scope`; `confidence` (0 to 1) is the model's own; `took_ms` the answer's.
    """

    trade: Code
    urgency: Urgency | None = None
    kind: Code | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    source: AdviceSource
    asked_at: Instant
    took_ms: Count


class OrderReclassified(OrderClassified):
    """The order needs something else than was thought."""


class OrderAmended(OrderEvent):
    """The reporter said more about the same fault."""

    text: Text | None = None
    location: Place | None = None


class OrderRelocated(OrderEvent):
    """The fault is somewhere else, within the territory."""

    location: Place | None = None


class OrderRescheduled(OrderEvent):
    """Other times suit the reporter."""

    windows: Windows = ()


class OrderMerged(OrderEvent):
    """The order is a duplicate of `into`, and ends."""

    into: Id | None = None


class OrderUnmerged(OrderEvent):
    """The order was no duplicate of `into` after all."""

    into: Id | None = None


class OrderSplit(OrderEvent):
    """Parts of the order became orders of their own: `into`."""

    into: Ids = ()


class OrderRefused(OrderEvent):
    """The order is not ours; `where_instead` tells whose it is. `hint_agreed`: see `classified`."""

    where_instead: Text | None = None
    hint_agreed: bool | None = None


class OrderOwnerChanged(OrderEvent):
    """Somebody else answers for the order now."""

    previous_owner: Owner | None = None


class OrderUrged(OrderEvent):
    """The reporter asked to hurry (催单), for the `count`th time."""

    text: Text | None = None
    count: Count | None = None


class ExtensionRequested(OrderEvent):
    """More time is asked for, until then."""

    clock: Code | None = None
    until: Instant | None = None


class OrderExtended(OrderEvent):
    """More time was given: `extended_s` seconds on the clock, until then."""

    clock: Code | None = None
    until: Instant | None = None
    extended_s: Seconds | None = None


class ExtensionDenied(OrderEvent):
    """No more time was given."""

    clock: Code | None = None


class ApprovalRequested(OrderEvent):
    """Somebody must approve before work goes on."""

    approval_id: Id | None = None
    subject: Code | None = None
    amount: Money | None = None
    approver_role: Code | None = None


class ApprovalDecided(OrderEvent):
    """Approved or not."""

    approval_id: Id | None = None
    decision: Code | None = None
    amount: Money | None = None


class OrderCancelled(OrderEvent):
    """The order is no longer wanted."""


class OrderClosed(OrderEvent):
    """The loop is closed: nothing more will come. A like report until `rework_until` is rework of it."""

    rework_until: Instant | None = None


class OrderReopened(OrderEvent):
    """It is broken again: `cycle` counts the new pass, and the history stays."""

    previous_cycle: Count | None = None
    since_completion_s: Seconds | None = None
    rework: Rework | None = None


class OrderAppealed(OrderEvent):
    """Somebody says that a refusal, a merge or a verdict was wrong."""

    against: Id | None = None


class OrderTransferred(OrderEvent):
    """An order on its way between territories, with its whole state."""

    order: FreeForm = Field(default_factory=dict)
    from_territory: Slug | None = None
    to_territory: Slug | None = None


class OrderTransferredOut(OrderTransferred):
    """This territory let the order go; nobody owns it until the other adopts it."""


class OrderTransferredIn(OrderTransferred):
    """This territory adopted the order."""
