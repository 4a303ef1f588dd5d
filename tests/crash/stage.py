"""What a crash run plays on: territories two to a lane, a policy with short promises, a clock that runs fast."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from dispatch.app import partition_of

TENANT = "campus"
PARTITIONS = 4
PER_LANE = 2
TECHNICIANS = 6
CAPACITY = 5
SPEED = 60.0
SESSION_TIMEOUT_MS = 6000
SOURCE = "/tests/crash"
TRADES = ("plumbing", "carpentry", "general")
STARTS_AT = "2026-03-02T08:00:00+08:00"
ROOT = Path(__file__).parents[2]

FAILPOINTS = (
    *("intake.read", "intake.saved", "intake.published", "intake.committed"),
    *("desk.read", "desk.decided", "desk.saved", "desk.published", "desk.committed"),
    *("clock.read", "clock.published", "publish.group"),
)
"""Where workers are killed. All but the last are the engine's own; ``publish.group`` is passed after each topic
partition's part of a publication has been acknowledged, with the other parts still to be sent."""


def territories(partitions: int = PARTITIONS, per_lane: int = PER_LANE) -> list[str]:
    """Names of territories, so chosen that every lane has the same number of them."""
    found: dict[int, list[str]] = {lane: [] for lane in range(partitions)}
    number = 0
    while any(len(names) < per_lane for names in found.values()):
        number += 1
        name = f"site{number:02d}"
        lane = found[partition_of(f"{TENANT}:{name}", partitions)]
        if len(lane) < per_lane:
            lane.append(name)
    return sorted(name for names in found.values() for name in names)


def write_config(folder: Path, names: list[str]) -> Path:
    """The project's own config with other territories, and promises of minutes instead of hours."""
    shutil.copytree(ROOT / "config", folder)
    changes: dict[str, Any] = {
        "territories.yaml": [_territory(name) for name in names],
        "sla.yaml": SLA,
        "ladders.yaml": LADDERS,
    }
    for name, data in changes.items():
        (folder / name).write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
    for name, more in {
        "site.yaml": {"tenant": TENANT, "default_territory": names[0]},
        "matching.yaml": {"modes": MODES},
    }.items():
        data = yaml.safe_load((folder / name).read_text("utf-8"))
        (folder / name).write_text(yaml.safe_dump(data | more, allow_unicode=True, sort_keys=False), "utf-8")
    return folder


def _territory(name: str) -> dict[str, Any]:
    building = {"id": f"{name}.b1", "kind": "building", "name": {"zh": f"{name}楼", "en": f"{name} house"}}
    campus = {"id": name, "kind": "campus", "name": {"zh": f"{name}校区", "en": f"{name} campus"}}
    return {"id": name, "name": campus["name"], "areas": [campus | {"areas": [building]}]}


def _row(name: str, when: dict[str, Any], ladder: str, targets: str) -> dict[str, Any]:
    pairs = (each.split("=") for each in targets.split())
    return {
        "id": name,
        "when": when,
        "calendar": "always",
        "ladder": ladder,
        "warn_at_permille": [500, 800],
        "targets": {target: {"within": within} for target, within in pairs},
    }


SLA = [
    _row(
        "emergency", {"urgency": ["emergency"]}, "emergency",
        "triage=2m accept=2m arrive=5m make_safe=8m resolve=15m confirm=6m",
    ),
    _row("urgent", {"urgency": ["urgent"]}, "standard", "triage=3m accept=3m arrive=7m resolve=14m confirm=6m"),
    _row("other", {}, "standard", "triage=5m accept=5m arrive=10m resolve=20m confirm=8m"),
]  # fmt: skip
LADDERS = {
    "standard": {
        "rungs": [
            {"level": 1, "after": "0s", "to": ["supervisor"]},
            {"level": 2, "after": "2m", "to": ["shift_leader"]},
            {"level": 3, "after": "5m", "to": ["head_of_logistics"]},
        ]
    },
    "emergency": {"rungs": [{"level": 1, "after": "0s", "to": ["supervisor", "shift_leader"]}], "then": "campus"},
    "campus": {"rungs": [{"level": 4, "after": "3m", "to": ["campus_duty_officer"]}]},
}
MODES = [
    {"when": {"urgency": ["emergency"]}, "mode": "direct"},
    {"when": {"urgency": ["urgent"]}, "mode": "offer", "expires": "1m"},
    {"mode": "offer", "expires": "2m"},
]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a run takes place: its folder, its servers, its clock, its territories."""

    folder: Path
    kafka: str
    redis: str
    names: list[str]
    since: float
    group: str = "crash"
    speed: float = SPEED
    partitions: int = PARTITIONS

    def domain(self, wall_s: float) -> datetime:
        """The domain time at a wall time in seconds since the epoch."""
        start = datetime.fromisoformat(STARTS_AT).astimezone(UTC)
        return start + timedelta(seconds=(wall_s - self.since) * self.speed)

    def now_text(self, ahead_s: float = 0) -> str:
        """Domain time now, as events write it."""
        return (self.domain(time.time()) + timedelta(seconds=ahead_s)).isoformat(timespec="milliseconds")

    def environment(self, worker: str, **more: str) -> dict[str, str]:
        """What a worker process is told."""
        return {
            "DISPATCH_KAFKA": self.kafka,
            "DISPATCH_REDIS": self.redis,
            "DISPATCH_CONFIG": str(self.folder / "config"),
            "DISPATCH_DATA": str(self.folder / f"data-{worker}"),
            "DISPATCH_PARTITIONS": str(self.partitions),
            "DISPATCH_GROUP": self.group,
            "DISPATCH_CLOCK": f"{STARTS_AT}@{self.since}x{self.speed}",
            "DISPATCH_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "CRASH_FOLDER": str(self.folder),
            "CRASH_NAME": worker,
            **more,
        }


def event(kind: str, event_id: str, time_text: str, data: Mapping[str, Any]) -> bytes:
    """A structured CloudEvent, as a channel would send it."""
    said = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": f"dispatch.{kind}.v1"}
    return json.dumps(said | {"time": time_text, "data": data}, ensure_ascii=False).encode()


def open_stage(folder: Path, kafka: str, redis: str, names: list[str] | None = None) -> Stage:
    """The stage of a run in this folder; its clock starts now."""
    chosen = names if names is not None else territories()
    write_config(folder / "config", chosen)
    return Stage(folder=folder, kafka=kafka, redis=redis, names=chosen, since=round(time.time(), 3))
