"""The roster against the policy, and what it says as data of events. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from dispatch.models.policy_base import WEEKDAYS
from dispatch.models.roster import Roster, RosterTechnician, ShiftPattern
from dispatch.rules.findings import Finding, Path, unknown
from dispatch.rules.policy import Policy

_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
_BESIDE_THE_EVENT = {"name", "shifts", "serves", "skills", "certificates"}


def check_roster(roster: Roster, policy: Policy) -> list[Finding]:
    """What does not fit: ids given twice, unknown trades, areas and territories, shifts that overlap."""
    return list(_findings(roster, policy))


def plan_shifts(roster: Roster, day: date, tz: tzinfo) -> list[dict[str, Any]]:
    """The data of ``dispatch.shift.planned`` for every shift that starts on ``day``, times in zone ``tz``."""
    weekday = WEEKDAYS[day.weekday()]
    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)
    planned: list[dict[str, Any]] = []
    for technician in roster.technicians:
        for shift in technician.shifts:
            if weekday not in shift.days:
                continue
            start = midnight + timedelta(seconds=shift.start)  # wall-clock arithmetic: 08:00 stays 08:00
            end = midnight + timedelta(seconds=shift.start + _length_s(shift))
            planned.append(
                {
                    "technician_id": technician.id,
                    "start": start.isoformat(),
                    "end": end.isoformat(),
                    "role": shift.role,
                    "territory": technician.home_territory,
                }
            )
    return planned


def technician_data(technician: RosterTechnician, tz: tzinfo) -> dict[str, Any]:
    """The data of ``dispatch.technician.updated``: no name; a last day ends when that day ends in ``tz``."""
    data = technician.model_dump(mode="json", exclude=_BESIDE_THE_EVENT, exclude_none=True)
    data["serves"] = [{"area": s.area, "rank": s.rank, "wait_s": s.wait} for s in technician.serves]
    data["skills"] = [
        {"trade": s.trade, "level": s.level}
        | _when("valid_from", s.valid_from, tz)
        | _when("valid_to", s.valid_to, tz, last=True)
        for s in technician.skills
    ]
    data["certificates"] = [
        {"type": c.type} | _when("issued", c.issued, tz) | _when("expires", c.expires, tz, last=True)
        for c in technician.certificates
    ]
    return data


def _when(key: str, day: date | None, tz: tzinfo, *, last: bool = False) -> dict[str, str]:
    if day is None:
        return {}
    day += timedelta(days=1 if last else 0)
    return {key: datetime(day.year, day.month, day.day, tzinfo=tz).isoformat()}


def _length_s(shift: ShiftPattern) -> int:
    return (shift.end - shift.start - 1) % _DAY_S + 1


def _findings(roster: Roster, policy: Policy) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, technician in enumerate(roster.technicians):
        path: Path = ("technicians", number)
        if technician.id in seen:
            what = f"the technician '{technician.id}' occurs twice"
            yield Finding((*path, "id"), what, "an id of its own for each")
        seen.add(technician.id)
        for index, skill in enumerate(technician.skills):
            at = (*path, "skills", index, "trade")
            if missing := unknown(at, "trade", skill.trade, policy.trades):
                yield missing
        yield from _places(technician, policy, path)
        yield from _overlaps(technician, path)


def _places(technician: RosterTechnician, policy: Policy, path: Path) -> Iterator[Finding]:
    home = technician.home_territory
    if missing := unknown((*path, "home_territory"), "territory", home, policy.territories):
        yield missing
        return
    inside = [each.id for each in policy.areas.values() if each.territory == home]
    named = [((*path, "serves", n, "area"), each.area) for n, each in enumerate(technician.serves)]
    if technician.home_area is not None:
        named.append(((*path, "home_area"), technician.home_area))
    for at, area in named:
        if missing := unknown(at, f"area of the territory {home}", area, inside):
            yield missing


def _overlaps(technician: RosterTechnician, path: Path) -> Iterator[Finding]:
    spans = sorted(
        (WEEKDAYS.index(day) * _DAY_S + shift.start, _length_s(shift), number)
        for number, shift in enumerate(technician.shifts)
        for day in shift.days
    )
    spans += [(start + _WEEK_S, length, number) for start, length, number in spans[:1]]
    for (start, length, _), (following, _, number) in pairwise(spans):
        if following < start + length:
            what = f"shifts of '{technician.id}' overlap"
            yield Finding((*path, "shifts", number), what, "one shift at a time")
            return
