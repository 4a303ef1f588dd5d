"""An event in one line, for people."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

_FACTS: Final = (
    ("display_no", ""),
    ("urgency", ""),
    ("technician_id", ""),
    ("mode", ""),
    ("disposition", ""),
    ("what", ""),
    ("cause", ""),
    ("level", "level "),
    ("reason", ""),
    ("into", "into "),
    ("to_territory", "to "),
    ("from_territory", "from "),
    ("to", "to "),
    ("until", "until "),
    ("expires_at", "until "),
    ("expected_resume_at", "until "),
    ("decision", ""),
    ("result", ""),
    ("outcome", ""),
    ("fault_code", "fault "),
)


def what_of(kind: str, data: Mapping[str, Any]) -> str:
    """What an event's data says, in a few words; nothing that names a person."""
    told = [f"{label}{_short(data[name])}" for name, label in _FACTS if data.get(name) not in (None, "", [], {})]
    if kind.startswith("dispatch.clock."):
        told[:0] = [_clock(kind, clock) for clock in data.get("clocks", ())]
    if kind == "dispatch.work-order.opened.v1":
        told += [str(each.get("trade")) for each in data.get("requirements", ())] or ["front desk"]
    if kind == "dispatch.assignment.evaluated.v1":
        told.insert(0, f"{len(data.get('candidates', ()))} candidates")
        told += [f"{rule} excludes {each.get('count')}" for rule, each in (data.get("excluded") or {}).items()]
    if kind == "dispatch.work-order.advised.v1":
        told[:0] = [f"hint {data.get('trade')}", f"by {(data.get('source') or {}).get('model')}"]
    owner = data.get("owner")
    if kind == "dispatch.work-order.owner-changed.v1" and isinstance(owner, dict):
        told.insert(0, f"{owner['kind']}/{owner['id']}")
    return ", ".join(told)


def who_of(data: Mapping[str, Any]) -> str | None:
    """``technician/n01``: the role and the id (never a name) of who acted; None when the engine did."""
    actor = data.get("actor")
    return f"{actor.get('role')}/{actor.get('id')}" if isinstance(actor, dict) else None


def _clock(kind: str, clock: Mapping[str, Any]) -> str:
    due = "" if kind.endswith(".cancelled.v1") else f" due {clock.get('due_at')}"
    return f"{clock.get('name')}{due}"


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return "/".join(str(each) for each in value.values())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return " ".join(map(str, value))
    return str(value)
