"""The service request: what a channel publishes when somebody reports something."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from dispatch.models.base import (
    Access,
    AssetState,
    Attachments,
    Code,
    Codes,
    ExternalRef,
    Id,
    Impact,
    Instant,
    Location,
    Model,
    Quantity,
    Text,
    Urgency,
)
from dispatch.models.people import Actor, PersonRef

_TEXT_OR_CATEGORY: JsonDict = {
    "anyOf": [
        {"required": ["text"], "properties": {"text": {"type": "string", "pattern": r"\S"}}},
        {"required": ["category"], "properties": {"category": {"type": "string"}}},
    ]
}


def given(flat: PersonRef | Location | Actor) -> dict[str, Any]:
    """The same as ``flat.model_dump(mode="json", exclude_none=True)``, for these hold only text, numbers and truth."""
    return {name: value for name, value in vars(flat).items() if value is not None}


class Item(Model):
    """One fault of several in a request; each may become an order of its own."""

    text: Text | None = None
    trade: Code | None = None
    quantity: Quantity | None = None


class RequestSubmitted(Model):
    """Somebody, somewhere, reports something. `text` or `category` must say what.

    `reported_at` is the event's time unless given; clocks start there. `due_at` is a promise made outside
    and overrides the policy's resolve target. A drill runs everything and counts in no KPI.
    """

    model_config = ConfigDict(json_schema_extra=_TEXT_OR_CATEGORY)

    request_id: Id | None = None
    channel: Code
    kind: Code = "repair"
    origin: Code | None = None
    drill: bool = False
    reported_at: Instant | None = None
    noticed_at: Instant | None = None
    entered_at: Instant | None = None
    entered_by: Id | None = None
    reporter: PersonRef
    on_behalf_of: PersonRef | None = None
    text: Text | None = None
    category: Code | None = None
    items: Annotated[tuple[Item, ...], Field(max_length=50)] = ()
    trade_hint: Code | None = None
    urgency_hint: Urgency | None = None
    impact: Impact | None = None
    hazards: Codes = ()
    location: Location | None = None
    access: Access | None = None
    attachments: Attachments = ()
    asset_state: AssetState | None = None
    due_at: Instant | None = None
    billing_hint: Code | None = None
    about_ref: Id | None = None
    external_refs: Annotated[tuple[ExternalRef, ...], Field(max_length=50)] = ()
    campaign_id: Id | None = None
    locale: Code | None = None

    @model_validator(mode="after")
    def _says_what_is_wrong(self) -> Self:
        if self.category is None and (self.text is None or not self.text.strip()):
            msg = "text or category, one of them, must say what is reported"
            raise ValueError(msg)
        return self
