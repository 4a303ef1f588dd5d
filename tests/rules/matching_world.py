"""Orders, technicians and as much of a policy as matching reads."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dispatch.models.policy import Weights
from dispatch.rules.matching import match
from dispatch.rules.state import Leg, Order, Owner, Requirement
from dispatch.rules.state_staff import Shift, Skill, Technician

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ON_DUTY = (Shift(start=NOW - HOUR, end=NOW + 7 * HOUR, state="started"),)
PLUMBER = (Skill(trade="plumbing", level=2),)


@dataclass(frozen=True)
class Node:
    path: tuple[str, ...]
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Matching:
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class Document:
    matching: Matching = field(default_factory=Matching)


@dataclass(frozen=True)
class FakePolicy:
    """As much of a policy as matching reads."""

    areas: dict[str, Node]
    document: Document = field(default_factory=Document)

    def compiled(self, build):
        return build(self)


AREAS = {
    "campus": Node(("campus",)),
    "north": Node(("campus", "north"), 39.910, 116.3),
    "south": Node(("campus", "south"), 39.900, 116.3),
    "library": Node(("campus", "north", "library"), 39.912, 116.3),
    "unmapped": Node(("campus", "unmapped")),
}
POLICY = FakePolicy(AREAS)


def technician(name, **changes):
    known = {"version": 1, "version_time": NOW, "org_id": "estates", "skills": PLUMBER, "shifts": ON_DUTY}
    return Technician(**{**known, "id": name, **changes})


def order(name, *, area="library", **changes):
    known = {
        "display_no": name,
        "request_id": f"request-{name}",
        "state": "open",
        "channel": "app",
        "owner": Owner(kind="role", id="dispatcher"),
        "owner_since": NOW,
        "requirements": (Requirement(trade="plumbing"),),
        "location": {"area_id": area, "area_path": list(AREAS[area].path)},
        "policy_version": "p",
        "reported_at": NOW - HOUR,
        "opened_at": NOW,
    }
    return Order(**{**known, "id": name, **changes})


def leg(technician_id, place=0, state="assigned"):
    return Leg(
        assignment_id=f"leg-{technician_id}",
        technician_id=technician_id,
        place=place,
        state=state,
        mode="direct",
        trade="plumbing",
        since=NOW,
    )


def play(orders, technicians, policy=POLICY, now=NOW):
    return match(orders, {each.id: each for each in technicians}, policy, now)


def winners(result):
    return {(each.order_id, each.place): each.technician_id for each in result.given}


def crew(count):
    return (Requirement(trade="plumbing", count=count),)
