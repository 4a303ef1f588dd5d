"""Technicians, shifts and positions: the latest version or time wins; an older one has no effect."""

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules.draft import Draft
from dispatch.rules.legs import move_leg
from dispatch.rules.state import Data, moment_of, text_of
from dispatch.rules.state_staff import Technician


def update_technician(draft: Draft, command: Command) -> None:
    """A roster entry, accepted when its version (then its time) is newer than the one known."""
    data = command.data
    known = draft.technician(data["id"])
    time = moment_of(command.time)
    if known is not None and (data["version"], time) <= (known.version, known.version_time):
        draft.repeated = True
        return
    draft.emit("technician.updated", data["id"], data, at=time)


def remove_technician(draft: Draft, command: Command) -> None:
    """Somebody leaves: what they hold goes back to the queue first."""
    technician = _known(draft, command.data["id"])
    version = command.data.get("version")
    if technician.removed or (version is not None and version < technician.version):
        draft.repeated = True
        return
    for assignment_id in technician.load:
        order = draft.order(assignment_id.rsplit(".", 2)[0])
        leg = next((leg for leg in order.legs if leg.assignment_id == assignment_id), None) if order else None
        if order is not None and leg is not None and leg.is_active:
            move_leg(draft, order, leg, "withdrawn", "work-order.withdrawn", {"reason": "technician_removed"})
    draft.emit("technician.removed", technician.id, command.data, at=moment_of(command.time))


def _known(draft: Draft, technician_id: str) -> Technician:
    technician = draft.technician(technician_id)
    if technician is None:
        raise Rejected("unknown-technician", f"no technician {technician_id} in this territory", "technician_id")
    return technician


def change_shift(draft: Draft, command: Command) -> None:
    """A shift planned, started, ended or missed. A plan that is known already has no effect."""
    data = command.data
    technician = _known(draft, data["technician_id"])
    short = command.type
    state = short.removeprefix("shift.")
    facts = data | _times(draft, technician, data, state)
    start = moment_of(facts["start"])
    same = next((shift for shift in technician.shifts if shift.start == start), None)
    end = moment_of(facts["end"])
    if end <= start:
        raise Rejected("invalid-value", "a shift ends after its start", "end")
    if same is not None and ((same.state, same.end) == (state, end) or (state == "planned" != same.state)):
        draft.repeated = True
        return
    draft.emit(short, technician.id, facts, at=moment_of(command.time))


def _times(draft: Draft, technician: Technician, data: Data, state: str) -> Data:
    """Start and end of the shift meant: those given, else of the shift that is on or next."""
    if data.get("start") and data.get("end"):
        return {"start": text_of(moment_of(data["start"])), "end": text_of(moment_of(data["end"]))}
    meant = technician.on_shift() if state == "ended" else None
    if meant is None:
        meant = next((shift for shift in technician.shifts if shift.end > draft.now), None)
    if meant is None:
        raise Rejected("unknown-shift", f"{technician.id} has no shift now or next: give start and end", "start")
    return {"start": text_of(meant.start), "end": text_of(meant.end), "role": meant.role}


def report_position(draft: Draft, command: Command) -> None:
    """Where somebody is; the latest measurement wins."""
    data = command.data
    technician = _known(draft, data["technician_id"])
    measured_at = moment_of(data["measured_at"])
    if technician.position_at is not None and measured_at <= technician.position_at:
        draft.repeated = True
        return
    draft.emit("position.reported", technician.id, data, at=measured_at)
