"""The day that is played: its date, its 312 requests, and what is known beforehand of how each will go."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
DATE = date(2026, 3, 3)
BEGIN = datetime.combine(DATE, time(6), ZONE)
END = BEGIN + timedelta(days=1)
TAIL = timedelta(hours=3, minutes=30)
CORPUS = Path(__file__).with_name("day.jsonl")
SOURCE = "/demo/channels"
SEED = 20260303

Data = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One request of the day: when it comes, what is published, and how its story goes (``tags``)."""

    at: datetime
    request_id: str
    channel: str
    data: Mapping[str, Any]
    tags: frozenset[str]
    expect: Mapping[str, str]
    duplicate_of: str | None = None

    @property
    def source(self) -> str:
        """The CloudEvents source: the channel."""
        return f"{SOURCE}/{self.channel}"

    @property
    def reporter(self) -> str:
        """The reporter's id, as the channel knows it."""
        return str(self.data["reporter"]["id"])


@dataclass(kw_only=True)
class Story:
    """What the people of one order remember while it goes its way."""

    report: Report
    order_id: str
    asked: int = 0
    visits: int = 0
    repairs: int = 0
    held: bool = False
    shut_out: bool = False
    reopened: bool = False
    over: bool = False
    gone: set[str] = field(default_factory=set)

    def has(self, tag: str) -> bool:
        """Whether the corpus says that this happens."""
        return tag in self.report.tags


def read_day(path: Path = CORPUS) -> list[Report]:
    """The requests in order of time. Hours beyond 23 are those after midnight."""
    with path.open(encoding="utf-8") as file:
        reports = [_report(json.loads(line)) for line in file if line.strip()]
    return sorted(reports, key=lambda report: (report.at, report.request_id))


def _report(line: Data) -> Report:
    hours, minutes, seconds = map(int, line["at"].split(":"))
    midnight = datetime.combine(DATE, time(), ZONE)
    marks = [tag.partition(":") for tag in line["tags"]]
    data = {name: line[name] for name in ("request_id", "channel", "reporter", "text", "location")}
    return Report(
        at=midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds),
        request_id=line["request_id"],
        channel=line["channel"],
        data=data,
        tags=frozenset(name for name, _colon, _value in marks),
        expect=line["expect"],
        duplicate_of=next((value for name, _colon, value in marks if name == "duplicate_of"), None),
    )


def chance(*key: object) -> random.Random:
    """A source of chance of its own for each thing that may go one way or another: the same in every run."""
    return random.Random(f"{SEED}/{'/'.join(map(str, key))}")  # noqa: S311 -- play, not secrets
