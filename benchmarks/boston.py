"""The Boston 311 data as a campus: rows, territories cut from the coordinates, a config folder, CloudEvents.

Nothing of the data is kept: all is derived when the benchmark runs. Times in the file are local to
America/New_York and have no zone. They are read with PEP 495's ``fold=0``: an hour that occurs twice in autumn is
the first of the two (daylight time), and one that spring skips is read with the offset from before the change.
"""

import csv
import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from benchmarks.campus import CONFIG
from dispatch.rules.policy import Policy
from dispatch.rules.triage import classify

ZONE = ZoneInfo("America/New_York")
SOURCE = "/boston311"
TERRITORIES = 16
TECHNICIANS = 10
CAPACITY = 20_000
MARGIN_DEG = 0.01
LABELS = {"ONTIME": "met", "OVERDUE": "breached"}
TRADES = {
    "Highway Maintenance": "grounds", "Signs & Signals": "general", "Street Lights": "electrical",
    "Housing": "general", "Building": "masonry", "Graffiti": "cleaning", "Park Maintenance & Safety": "grounds",
    "Trees": "grounds", "Environmental Services": "pest_control", "Catchbasin": "plumbing",
    "Fire Hydrant": "fire_safety", "Programs": "general",
}  # fmt: skip
"""Whom to send, by the column REASON; the city's queues are not in the lexicon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request of the file. ``label`` is ``met``, ``breached`` or empty."""

    case: str
    opened: datetime
    target: datetime | None
    closed: datetime | None
    label: str
    what: str
    reason: str
    source: str
    place: str
    lat: float
    lon: float

    @property
    def decidable(self) -> bool:
        """Whether the label follows from target and close."""
        return bool(self.label and self.target and self.closed)


def read_rows(path: Path) -> list[Row]:
    """All rows in order of their opening."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return sorted((_row(line) for line in csv.DictReader(file)), key=lambda row: (row.opened, row.case))


def _row(line: dict[str, str]) -> Row:
    opened = _moment(line["OPEN_DT"])
    if opened is None:
        raise ValueError(f"{line['CASE_ENQUIRY_ID']} has no OPEN_DT")
    return Row(
        case=line["CASE_ENQUIRY_ID"], opened=opened, target=_moment(line["TARGET_DT"]),
        closed=_moment(line["CLOSED_DT"]), label=LABELS.get(line["OnTime_Status"], ""), what=line["TYPE"],
        reason=line["REASON"], source=line["Source"], place=line["neighborhood"] or "Boston",
        lat=float(line["LATITUDE"]), lon=float(line["LONGITUDE"]),
    )  # fmt: skip


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of degrees, and the rows in it. No row lies on an edge that two boxes share."""

    south: float
    north: float
    west: float
    east: float
    rows: Sequence[Row]

    @property
    def corners(self) -> list[list[float]]:
        """(lat, lon) around the box."""
        south, north, west, east = self.south, self.north, self.west, self.east
        return [[south, west], [south, east], [north, east], [north, west]]


def boxes(rows: Sequence[Row], count: int = TERRITORIES) -> list[Box]:
    """The city cut in two along its longer side, again and again, each time with half of the rows on either side."""
    whole = Box(
        south=min(row.lat for row in rows) - MARGIN_DEG, north=max(row.lat for row in rows) + MARGIN_DEG,
        west=min(row.lon for row in rows) - MARGIN_DEG, east=max(row.lon for row in rows) + MARGIN_DEG, rows=rows,
    )  # fmt: skip
    found = [whole]
    while len(found) < count:
        largest = max(found, key=lambda box: len(box.rows))
        found.remove(largest)
        found.extend(_halves(largest))
    return found


def _halves(box: Box) -> tuple[Box, Box]:
    lats, lons = [row.lat for row in box.rows], [row.lon for row in box.rows]
    by_lat = max(lats) - min(lats) >= max(lons) - min(lons)
    cut = _between(lats if by_lat else lons)
    low = [row for row in box.rows if (row.lat if by_lat else row.lon) < cut]
    high = [row for row in box.rows if (row.lat if by_lat else row.lon) >= cut]
    edges = {"south": box.south, "north": box.north, "west": box.west, "east": box.east}
    upper, lower = ("north", "south") if by_lat else ("east", "west")
    return Box(**(edges | {upper: cut}), rows=low), Box(**(edges | {lower: cut}), rows=high)


def _between(values: Sequence[float]) -> float:
    """A number between two different values, with about half of the values below it."""
    different = sorted(set(values))
    middle = sorted(values)[len(values) // 2]
    at = max(1, different.index(middle))
    return (different[at - 1] + different[at]) / 2


def write_config(folder: Path, cut: Sequence[Box]) -> Path:
    """Direct assignment, no duplicates, promises so long that only TARGET_DT counts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("trades.yaml", "lexicon.yaml", "reasons.yaml"):
        shutil.copy(CONFIG / name, folder / name)
    always = {"within": "400d"}
    parts: dict[str, Any] = {
        "site": {
            "tenant": "boston", "timezone": ZONE.key, "default_territory": territory_id(0), "confirm_silence": "leave",
        },
        "territories": [_territory(number, box) for number, box in enumerate(cut)],
        "calendars": {"always": {"timezone": ZONE.key, "always": True}},
        "ladders": {"city": {"rungs": [{"level": 1, "to": ["supervisor"]}]}},
        "sla": [{
            "id": "all", "calendar": "always", "ladder": "city",
            "targets": dict.fromkeys(("triage", "accept", "arrive", "resolve", "confirm"), always),
        }],
        "matching": {"modes": [{"mode": "direct"}], "duplicates": {"enabled": False}},
    }  # fmt: skip
    for name, part in parts.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(part, allow_unicode=True, sort_keys=False), "utf-8")
    return folder


def territory_id(number: int) -> str:
    """``area-00`` and so on."""
    return f"area-{number:02d}"


def _territory(number: int, box: Box) -> dict[str, Any]:
    place = Counter(row.place for row in box.rows).most_common(1)[0][0]
    label = {"zh": f"{place} {number}", "en": f"{place} {number}"}
    root = {"id": territory_id(number), "kind": "campus", "name": label}
    return {"id": territory_id(number), "name": label, "bounds": box.corners, "areas": [root]}


def check_trades(policy: Policy, rows: Sequence[Row]) -> None:
    """RuntimeError when a kind of report would wait for the front desk instead of being dispatched."""
    for what, reason in sorted({(row.what, row.reason) for row in rows}):
        if classify(policy, text=what, trade_hint=TRADES[reason]).needs_front_desk:
            raise RuntimeError(f"benchmarks/boston.py: no trade is found for {what!r}")


def staff(policy: Policy, now: datetime, until: datetime) -> Iterator[tuple[int, bytes]]:
    """Technicians of every trade on duty all the time, with the number of their territory."""
    trades = policy.document.trades
    papers = sorted({paper for trade in trades.values() for paper in trade.certificates})
    for territory, number in (
        (each, one) for each in range(len(policy.document.territories)) for one in range(TECHNICIANS)
    ):
        who = f"{territory_id(territory)}-w{number}"
        yield territory, _event("technician.updated", f"u-{who}", now, {
            "id": who, "version": 1, "org_id": "city", "home_territory": territory_id(territory),
            "skills": [{"trade": trade, "level": 5} for trade in trades],
            "certificates": [{"type": paper} for paper in papers], "capacity": {"open": CAPACITY},
        })  # fmt: skip
        shift = {"technician_id": who, "start": text_of(now - timedelta(hours=1)), "end": text_of(until)}
        yield territory, _event("shift.started", f"s-{who}", now, shift)


def request(row: Row) -> bytes:
    """A row as a channel would have published it."""
    data: dict[str, Any] = {
        "request_id": row.case, "channel": row.source.lower().replace(" ", "_"), "reporter": {"id": f"p-{row.case}"},
        "text": row.what, "trade_hint": TRADES[row.reason], "location": {"lat": row.lat, "lon": row.lon},
    }  # fmt: skip
    if row.target is not None:
        data["due_at"] = text_of(row.target)
    return _event("request.submitted", row.case, row.opened, data)


def _event(kind: str, event_id: str, time: datetime, data: dict[str, Any]) -> bytes:
    head = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"dispatch.{kind}.v1",
        "time": text_of(time),
    }
    return json.dumps({**head, "data": data}).encode()


def text_of(moment: datetime) -> str:
    """RFC 3339, to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
