"""What is said: the event contract as frozen, strict pydantic models.

`EVENT_TYPES` finds the model of any event by its full type name, `INPUT_TYPES` of those that are read,
`ACTIONS` of an action by its NAME; `parse` reads a Kafka record, `outgoing_headers` writes one.
The models of outgoing events live in the modules by family.
"""

from dispatch.models.action_base import Action, AfterTheFact
from dispatch.models.actions import ACTIONS
from dispatch.models.base import (
    Access,
    Attachment,
    ExternalRef,
    Instant,
    Link,
    Location,
    LocationEvidence,
    Model,
    Money,
    Place,
    Position,
    Quantity,
    Requirement,
    Span,
    Urgency,
    Window,
)
from dispatch.models.catalog import EVENT_TYPES, INPUT_TYPES, EventType, full_name
from dispatch.models.cloudevents import Incoming, outgoing_headers, parse
from dispatch.models.dead_letters import InputRefused
from dispatch.models.lanes import LaneDecided
from dispatch.models.people import Actor, Owner, PersonRef, Subject
from dispatch.models.requests import Item, RequestSubmitted
from dispatch.models.technicians import (
    PositionReported,
    ShiftAbsent,
    ShiftEnded,
    ShiftPlanned,
    ShiftStarted,
    TechnicianRemoved,
    TechnicianUpdated,
)
from dispatch.models.work_actions import Complete
from dispatch.models.work_done import WorkDone

__all__ = [
    "ACTIONS",
    "EVENT_TYPES",
    "INPUT_TYPES",
    "Access",
    "Action",
    "Actor",
    "AfterTheFact",
    "Attachment",
    "Complete",
    "EventType",
    "ExternalRef",
    "Incoming",
    "InputRefused",
    "Instant",
    "Item",
    "LaneDecided",
    "Link",
    "Location",
    "LocationEvidence",
    "Model",
    "Money",
    "Owner",
    "PersonRef",
    "Place",
    "Position",
    "PositionReported",
    "Quantity",
    "RequestSubmitted",
    "Requirement",
    "ShiftAbsent",
    "ShiftEnded",
    "ShiftPlanned",
    "ShiftStarted",
    "Span",
    "Subject",
    "TechnicianRemoved",
    "TechnicianUpdated",
    "Urgency",
    "Window",
    "WorkDone",
    "full_name",
    "outgoing_headers",
    "parse",
]
