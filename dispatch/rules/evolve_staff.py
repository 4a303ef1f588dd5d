"""How events about technicians, shifts and positions change a technician, and what a leg adds to their load."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from dispatch.rules.events import Event
from dispatch.rules.state import Data, moment_of
from dispatch.rules.state_staff import Shift, Technician
from dispatch.rules.territory import SHIFT_MEMORY, View

TECHNICIAN_FIELDS = (
    *("id", "version", "org_id", "status", "subject_id", "employment", "contract_id", "supervisor_id"),
    *("home_area", "serves", "skills", "certificates", "speed_m_s"),
)
PROFILE_FIELDS = ("training", "clearances", "gender", "languages", "travel_mode", "tools", "on_call", "hooks")
LIVE_FIELDS = ("shifts", "load", "last_given_at", "area_id", "lat", "lon", "position_at")
"""What a roster entry says nothing of, so that it stays when a new one comes."""


def fold_technician(view: View, event: Event) -> None:
    """Apply an event about a technician, a shift or a position."""
    known = view.technician(event.subject)
    if event.type == "technician.updated":
        view.put_technician(_technician(known, event))
    elif known is not None:
        view.put_technician(TECHNICIAN_FOLDS[event.type](known, event))


def set_load(view: View, technician_id: str, assignment_id: str, *, busy: bool, at: str | None = None) -> None:
    """Count a leg as load of its technician, or no longer; ``at`` is when it was given."""
    technician = view.technician(technician_id)
    if technician is None or busy == (assignment_id in technician.load):
        return
    if busy:
        given_at = moment_of(at) if at else technician.last_given_at
        view.put_technician(replace(technician, load=(*technician.load, assignment_id), last_given_at=given_at))
    else:
        load = tuple([one for one in technician.load if one != assignment_id])
        view.put_technician(replace(technician, load=load))


def _technician(known: Technician | None, event: Event) -> Technician:
    data = event.data
    given: Data = {name: data[name] for name in TECHNICIAN_FIELDS if data.get(name) is not None}
    given["version_time"] = event.time
    given["profile"] = {name: data[name] for name in PROFILE_FIELDS if data.get(name) is not None}
    if (capacity_open := (data.get("capacity") or {}).get("open")) is not None:
        given["capacity_open"] = capacity_open
    typed = msgspec.convert(given, Technician)
    if known is None:
        return typed
    return replace(typed, **{name: getattr(known, name) for name in LIVE_FIELDS})


def _removed(technician: Technician, event: Event) -> Technician:
    version = max(technician.version, event.data.get("version") or 0)
    return replace(technician, removed=True, shifts=(), version=version, version_time=moment_of(event.time))


def _shift(state: str) -> Callable[[Technician, Event], Technician]:
    def change(technician: Technician, event: Event) -> Technician:
        data = event.data
        start, end = moment_of(data["start"]), moment_of(data["end"])
        shift = Shift(start=start, end=end, role=data.get("role") or "member", state=state)
        oldest = moment_of(event.time) - SHIFT_MEMORY
        others = (old for old in technician.shifts if old.start != start and old.end > oldest)
        return replace(technician, shifts=tuple(sorted((*others, shift), key=lambda one: one.start)))

    return change


def _position(technician: Technician, event: Event) -> Technician:
    data = event.data
    return replace(
        technician,
        lat=data.get("lat"),
        lon=data.get("lon"),
        area_id=data.get("area_id"),
        position_at=moment_of(data["measured_at"]),
    )


TECHNICIAN_FOLDS: dict[str, Callable[[Technician, Event], Technician]] = {
    "technician.removed": _removed,
    "shift.planned": _shift("planned"),
    "shift.started": _shift("started"),
    "shift.ended": _shift("ended"),
    "shift.absent": _shift("absent"),
    "position.reported": _position,
}
