"""The catalogue: every event type of the contract, its model, and the topics that carry it.

The full name of a type is `dispatch.NAME.v1`. Technicians, shifts and positions come in and go out alike.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dispatch import topics
from dispatch.models import assignments as legs
from dispatch.models import clocks, completions, deliveries, escalations, lanes, orders, technicians
from dispatch.models.actions import ACTIONS
from dispatch.models.base import Model
from dispatch.models.dead_letters import InputRefused
from dispatch.models.requests import RequestSubmitted


class EventType(NamedTuple):
    """What one event type means: the model of its data, which way it goes, and the topics that carry it."""

    model: type[Model]
    direction: Literal["in", "out", "both"]
    topics: tuple[str, ...]


_REQUESTS: Final[Mapping[str, type[Model]]] = {"request.submitted": RequestSubmitted}

_ACTIONS: Final[Mapping[str, type[Model]]] = {f"action.{name}": model for name, model in ACTIONS.items()}

_ROSTER: Final[Mapping[str, type[Model]]] = {
    "technician.updated": technicians.TechnicianUpdated,
    "technician.removed": technicians.TechnicianRemoved,
    "shift.planned": technicians.ShiftPlanned,
    "shift.started": technicians.ShiftStarted,
    "shift.ended": technicians.ShiftEnded,
    "shift.absent": technicians.ShiftAbsent,
    "position.reported": technicians.PositionReported,
}

_WORK_ORDERS: Final[Mapping[str, type[Model]]] = {
    "opened": orders.OrderOpened,
    "classified": orders.OrderClassified,
    "advised": orders.OrderAdvised,
    "amended": orders.OrderAmended,
    "relocated": orders.OrderRelocated,
    "merged": orders.OrderMerged,
    "unmerged": orders.OrderUnmerged,
    "split": orders.OrderSplit,
    "refused": orders.OrderRefused,
    "owner-changed": orders.OrderOwnerChanged,
    "offered": legs.OrderOffered,
    "declined": legs.OrderDeclined,
    "offer-expired": legs.OfferExpired,
    "assigned": legs.OrderAssigned,
    "updated": legs.OrderUpdated,
    "returned": legs.OrderReturned,
    "transferred": legs.LegTransferred,
    "withdrawn": legs.OrderWithdrawn,
    "accepted": legs.OrderAccepted,
    "departed": legs.Departed,
    "arrived": legs.Arrived,
    "no-access": legs.NoAccessMet,
    "started": legs.WorkStarted,
    "made-safe": legs.MadeSafe,
    "held": legs.WorkHeld,
    "resumed": legs.WorkResumed,
    "help-requested": legs.HelpRequested,
    "uplifted": legs.OrderUplifted,
    "handed-over": legs.HandedOver,
    "completed": completions.OrderCompleted,
    "answered": completions.OrderAnswered,
    "work-rejected": completions.OrderWorkRejected,
    "confirmed": completions.OrderConfirmed,
    "auto-confirmed": completions.OrderAutoConfirmed,
    "rated": completions.OrderRated,
    "reopened": orders.OrderReopened,
    "urged": orders.OrderUrged,
    "rescheduled": orders.OrderRescheduled,
    "reclassified": orders.OrderReclassified,
    "extension-requested": orders.ExtensionRequested,
    "extended": orders.OrderExtended,
    "extension-denied": orders.ExtensionDenied,
    "approval-requested": orders.ApprovalRequested,
    "approval-decided": orders.ApprovalDecided,
    "inspected": completions.OrderInspected,
    "followed-up": completions.OrderFollowedUp,
    "cancelled": orders.OrderCancelled,
    "closed": orders.OrderClosed,
    "appealed": orders.OrderAppealed,
    "corrected": completions.OrderCorrected,
    "transferred-out": orders.OrderTransferredOut,
    "transferred-in": orders.OrderTransferredIn,
}

_LOG: Final[Mapping[str, type[Model]]] = {
    **{f"work-order.{name}": model for name, model in _WORK_ORDERS.items()},
    "assignment.evaluated": legs.AssignmentEvaluated,
    "clock.started": clocks.ClockStarted,
    "clock.paused": clocks.ClockPaused,
    "clock.resumed": clocks.ClockResumed,
    "clock.warned": clocks.ClockWarned,
    "clock.breached": clocks.ClockBreached,
    "clock.cancelled": clocks.ClockCancelled,
    "escalation.raised": escalations.EscalationRaised,
    "escalation.held": escalations.EscalationHeld,
    "escalation.acknowledged": escalations.EscalationAcknowledged,
    "escalation.resolved": escalations.EscalationResolved,
    "loan.requested": legs.LoanRequested,
    "loan.granted": legs.LoanGranted,
    "loan.refused": legs.LoanRefused,
    "loan.returned": legs.LoanReturned,
    "lane.decided": lanes.LaneDecided,
}

_DELIVERIES: Final[Mapping[str, type[Model]]] = {
    "delivery.attempted": deliveries.DeliveryAttempted,
    "delivery.succeeded": deliveries.DeliverySucceeded,
    "delivery.failed": deliveries.DeliveryFailed,
    "delivery.dropped": deliveries.DeliveryDropped,
}


def full_name(name: str) -> str:
    """`work-order.opened` → `dispatch.work-order.opened.v1`."""
    return f"dispatch.{name}.v1"


def _catalogue() -> dict[str, EventType]:
    rows: dict[str, EventType] = {}
    for name, model in _REQUESTS.items():
        rows[full_name(name)] = EventType(model, "in", (topics.REQUESTS,))
    for name, model in _ACTIONS.items():
        rows[full_name(name)] = EventType(model, "in", (topics.ACTIONS,))
    for name, model in _ROSTER.items():
        rows[full_name(name)] = EventType(model, "both", (topics.ACTIONS, topics.WORK_ORDERS))
    for name, model in _LOG.items():
        rows[full_name(name)] = EventType(model, "out", topics.topics_of(full_name(name)))
    for name, model in _DELIVERIES.items():
        rows[full_name(name)] = EventType(model, "out", (topics.DELIVERIES,))
    rows[full_name("input.refused")] = EventType(InputRefused, "out", (topics.DEAD_LETTERS,))
    return rows


EVENT_TYPES: Final[Mapping[str, EventType]] = _catalogue()
"""Every event type by its full name."""

INPUT_TYPES: Final[Mapping[str, type[Model]]] = {
    name: row.model for name, row in EVENT_TYPES.items() if row.direction != "out"
}
"""The event types that the engine reads, and the model that each is read with."""
