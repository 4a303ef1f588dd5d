"""What the topics say of a replay, beside what the city said: read from the log alone, after the fact."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from benchmarks.boston import Row
from benchmarks.client import Client, header, type_of
from dispatch.topics import COMPLETIONS, DEAD_LETTERS

SHOWN = 5
PREFIX = b"dispatch.work-order."


class ClockFacts(msgspec.Struct):
    """A clock as completions carry it."""

    name: str
    verdict: str | None = None


class Completed(msgspec.Struct):
    """The part of a ``completed`` event that is looked at."""

    clocks: list[ClockFacts]


class Corrected(msgspec.Struct):
    """The part of a ``corrected`` event that is looked at."""

    clock: str
    verdict_after: str | None = None


@dataclass(slots=True)
class Said:
    """What the engine said of each case, by the request's id."""

    opened: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str | None] = field(default_factory=dict)
    opened_twice: int = 0
    corrected: int = 0
    letters: int = 0


_completed = msgspec.json.Decoder(Completed).decode
_corrected = msgspec.json.Decoder(Corrected).decode


async def listen(client: Client) -> Said:
    """Read the completions and the dead letters from their beginning; a repeated event id counts once."""
    said = Said()
    seen: set[bytes] = set()
    async for record in client.read_all(COMPLETIONS):
        event_id = header(record, "ce_id")
        if event_id in seen:
            continue
        seen.add(event_id)
        case, subject = header(record, "ce_correlationid").decode(), header(record, "ce_subject").decode()
        kind = type_of(record)
        if kind == PREFIX + b"opened.v1":
            said.opened_twice += case in said.opened
            said.opened[case] = subject
        elif kind == PREFIX + b"completed.v1":
            said.verdicts[case] = next(
                (c.verdict for c in _completed(record.value).clocks if c.name == "resolve"), None
            )
        elif kind == PREFIX + b"corrected.v1":
            said.corrected += 1
            change = _corrected(record.value)
            if change.clock == "resolve" and case in said.verdicts:
                said.verdicts[case] = change.verdict_after
    said.letters = len({header(record, "ce_id") async for record in client.read_all(DEAD_LETTERS)})
    return said


async def compare(client: Client, rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, verdicts beside labels, the first mismatches, and whether all is as it should be."""
    said = await listen(client)
    closed = [row for row in rows if row.closed is not None]
    decidable = [row for row in rows if row.decidable]
    wrong = [row for row in decidable if said.verdicts.get(row.case) != row.label]
    sums = [row for row in closed if row.target and said.verdicts.get(row.case) != _by_hand(row)]
    completed = sum(row.case in said.verdicts for row in closed)
    whole = (
        len(said.opened) == len(rows) and completed == len(closed) == len(said.verdicts) and not wrong and not sums
        and not said.letters and not said.opened_twice
    )  # fmt: skip
    return {
        "opened": len(said.opened), "completed": completed, "closed": len(closed), "decidable": len(decidable),
        "equal": len(decidable) - len(wrong), "mismatches": [_told(row, said) for row in wrong[:SHOWN]],
        "unlike_arithmetic": len(sums), "corrected": said.corrected, "opened_twice": said.opened_twice,
        "dead_letters": said.letters, "whole": whole,
    }  # fmt: skip


def _by_hand(row: Row) -> str:
    """The verdict that target and close alone lead to: on time up to and including the target."""
    on_time = row.closed is not None and row.target is not None and row.closed <= row.target
    return "met" if on_time else "breached"


def _told(row: Row, said: Said) -> dict[str, Any]:
    return {
        "case": row.case, "order": said.opened.get(row.case),
        "label": row.label, "verdict": said.verdicts.get(row.case),
        "opened": str(row.opened), "target": str(row.target), "closed": str(row.closed),
    }  # fmt: skip
