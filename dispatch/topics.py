"""The one table that names topics, and the one that says which events are copied where.

Pure data: nothing here talks to a broker. `dispatch.agents.admin` creates and checks what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

REQUESTS: Final = "dispatch.requests"
ACTIONS: Final = "dispatch.actions"
COMMANDS: Final = "dispatch.commands"
COMMANDS_URGENT: Final = "dispatch.commands-urgent"
WORK_ORDERS: Final = "dispatch.work-orders"
ASSIGNMENTS: Final = "dispatch.assignments"
ESCALATIONS: Final = "dispatch.escalations"
COMPLETIONS: Final = "dispatch.completions"
DELIVERIES: Final = "dispatch.deliveries"
POLICIES: Final = "dispatch.policies"
DEAD_LETTERS: Final = "dispatch.dead-letters"

DAY_MS: Final = 86_400_000
UNLIMITED: Final = -1
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
TERRITORY_KEY: Final = "tenant:territory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `retention_ms` -1 is unlimited; `key` says what a record's key holds."""

    name: str
    direction: Literal["in", "internal", "out"]
    key: str
    what: str
    retention_ms: int
    cleanup: Literal["delete", "compact"] = "delete"

    @property
    def keyed(self) -> bool:
        """Whether a territory's records share one partition number here with all other keyed topics."""
        return self.key == TERRITORY_KEY

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for this topic. Records keep the time of their producer."""
        config = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": "CreateTime",
        }
        if self.direction != "in":
            config["max.message.bytes"] = str(MAX_MESSAGE_BYTES)
        return config


_ROWS: Final = (
    Topic(
        name=REQUESTS, direction="in", key="any", retention_ms=7 * DAY_MS,
        what="service requests from channels",
    ),
    Topic(
        name=ACTIONS, direction="in", key="any", retention_ms=7 * DAY_MS,
        what="actions of people; technicians, shifts, positions",
    ),
    Topic(
        name=COMMANDS, direction="internal", key=TERRITORY_KEY, retention_ms=30 * DAY_MS,
        what="the lanes' ordered input: valid, located, classified; due deadlines; other lanes' asks; "
        "delivery outcomes; policy activations",
    ),
    Topic(
        name=COMMANDS_URGENT, direction="internal", key=TERRITORY_KEY, retention_ms=30 * DAY_MS,
        what="as dispatch.commands, drained first",
    ),
    Topic(
        name=WORK_ORDERS, direction="out", key=TERRITORY_KEY, retention_ms=UNLIMITED,
        what="every event; the audit log from which state is rebuilt",
    ),
    Topic(
        name=ASSIGNMENTS, direction="out", key=TERRITORY_KEY, retention_ms=30 * DAY_MS,
        what="copy: who is asked to do what, and who no longer is",
    ),
    Topic(
        name=ESCALATIONS, direction="out", key=TERRITORY_KEY, retention_ms=90 * DAY_MS,
        what="copy: clocks that warned or broke, and the rungs climbed because of it",
    ),
    Topic(
        name=COMPLETIONS, direction="out", key=TERRITORY_KEY, retention_ms=UNLIMITED,
        what="copy: all that a KPI needs as numerator or denominator",
    ),
    Topic(
        name=DELIVERIES, direction="out", key="receiver", retention_ms=90 * DAY_MS,
        what="what was sent to whom, why, and with what answer",
    ),
    Topic(
        name=POLICIES, direction="out", key="version", retention_ms=UNLIMITED, cleanup="compact",
        what="each policy, whole",
    ),
    Topic(
        name=DEAD_LETTERS, direction="out", key="as read", retention_ms=30 * DAY_MS,
        what="input that was refused: bytes, position, code, why",
    ),
)  # fmt: skip

TOPICS: Final[Mapping[str, Topic]] = {row.name: row for row in _ROWS}

_COPIED: Final[Mapping[str, tuple[str, ...]]] = {
    ASSIGNMENTS: (
        "work-order.offered", "work-order.assigned", "work-order.accepted", "work-order.updated",
        "work-order.withdrawn", "work-order.offer-expired",
    ),
    ESCALATIONS: (
        "clock.warned", "clock.breached",
        "escalation.raised", "escalation.held", "escalation.acknowledged", "escalation.resolved",
    ),
    COMPLETIONS: (
        "work-order.opened", "work-order.refused", "work-order.merged", "work-order.cancelled",
        "work-order.completed", "work-order.answered", "work-order.work-rejected", "work-order.confirmed",
        "work-order.auto-confirmed", "work-order.rated", "work-order.reopened", "work-order.followed-up",
        "work-order.closed", "work-order.corrected",
    ),
}  # fmt: skip

COPIES: Final[Mapping[str, tuple[str, ...]]] = {
    f"dispatch.{name}.v1": (topic,) for topic, names in _COPIED.items() for name in names
}
"""Event type → the topics beside `dispatch.work-orders` that get the same record."""


def topics_of(event_type: str) -> tuple[str, ...]:
    """Where a lane publishes an event of this type: the log first, then its copies."""
    return (WORK_ORDERS, *COPIES.get(event_type, ()))
