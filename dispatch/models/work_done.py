"""The report of done work: what a technician sends with *complete*, and KPI services read in *completed*."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import (
    AssetState,
    Code,
    Count,
    Decimal,
    Id,
    Ids,
    Instant,
    Line,
    LocationEvidence,
    Metres,
    Model,
    Money,
    Permille,
    Proofs,
    Reason,
    Seconds,
    Span,
    Windows,
)


class Labour(Model):
    """One person's part in the work. `share_permille` splits the credit."""

    technician_id: Id
    start: Instant | None = None
    end: Instant | None = None
    work_s: Seconds | None = None
    travel_s: Seconds | None = None
    distance_m: Metres | None = None
    intensity: Code | None = None
    share_permille: Permille | None = None


class Material(Model):
    """What was drawn, used and brought back, in `unit`; `source`: store, van, vendor, customer or salvage."""

    sku: Id
    source: Code | None = None
    issued: Decimal | None = None
    used: Decimal | None = None
    returned: Decimal | None = None
    reused: Decimal | None = None
    unit: Code | None = None
    unit_cost: Money | None = None
    warranty_until: Instant | None = None


class ChecklistItem(Model):
    """One point of a checklist: passed or not, and what was measured."""

    item_id: Id
    result: Code | None = None
    value: Line | None = None
    unit: Code | None = None


class FollowupRequired(Model):
    """Somebody must come again: why, and when it would suit."""

    reason: Reason | None = None
    windows: Windows = ()


class Billing(Model):
    """Who pays for what (`scope`), and how much."""

    scope: Code | None = None
    payer: Id | None = None
    amount: Money | None = None


Checklist = Annotated[tuple[ChecklistItem, ...], Field(max_length=500)]


class WorkDone(Model):
    """Everything said about one leg's finished work; codes come from the policy's catalogues."""

    assignment_id: Id
    visit_no: Count
    disposition: Code
    fault_code: Code | None = None
    cause_code: Code | None = None
    remedy_code: Code | None = None
    performed_by: Ids = ()
    labour: Annotated[tuple[Labour, ...], Field(max_length=100)] = ()
    materials: Annotated[tuple[Material, ...], Field(max_length=200)] = ()
    expected_life_days: Count | None = None
    downtime: Span | None = None
    asset_id_confirmed: Id | None = None
    asset_state_after: AssetState | None = None
    checklist: Checklist = ()
    standard_ref: Line | None = None
    permits: Ids = ()
    photos_before: Proofs = ()
    photos_after: Proofs = ()
    signature_ref: Line | None = None
    customer_present: bool | None = None
    location_evidence: LocationEvidence | None = None
    followup_required: FollowupRequired | None = None
    billing: Billing | None = None
    contract_id: Id | None = None
