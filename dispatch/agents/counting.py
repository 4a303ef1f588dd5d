"""What a desk's batch adds to the metrics: once a batch, from what is at hand."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from dispatch import metrics
from dispatch.agents.counting_triage import count_corrections
from dispatch.agents.desk_input import Parsed
from dispatch.models.commands import Command
from dispatch.rules.batch import Decided
from dispatch.stores.base import TerritoryKey

_JUDGED = frozenset({"work-order.classified", "work-order.refused"})


def count_batch(parsed: Parsed, decided: Mapping[TerritoryKey, Decided], now: datetime) -> None:
    """Events by type, refusals by code, repetitions, and how late deadlines were decided.

    What is no command at all has been counted where it was read.
    """
    events = Counter(event.type for one in decided.values() for event in one.events)
    for kind, count in events.items():
        metrics.EVENTS_BY_TYPE[kind].inc(count)
    if not events.keys().isdisjoint(_JUDGED):
        for agreed in _agreements(decided):
            metrics.ADVICE_AGREED.labels("yes" if agreed else "no").inc()
    for one in decided.values():
        count_corrections(one.events)
        for refusal in one.refused:
            metrics.REFUSED.labels("desk", refusal.code).inc()
    if repeated := sum(one.repeated for one in decided.values()):
        metrics.REPEATED.inc(repeated)
    now_ms = now.timestamp() * 1000
    for commands in parsed.commands.values():
        for command in commands:
            if command.type == "due" and (late_s := _late_s(command, now_ms)) is not None:
                metrics.LATE.observe(late_s)


def _agreements(decided: Mapping[TerritoryKey, Decided]) -> Iterator[bool]:
    """Whether a larger model's hint had named what a person has chosen, of each order that had one."""
    for one in decided.values():
        for event in one.events:
            if event.type in _JUDGED and (agreed := event.data.get("hint_agreed")) is not None:
                yield agreed


def _late_s(command: Command, now_ms: float) -> float | None:
    """How late the earliest timer of a ``due`` command is decided; None when it is not whole: poison is counted too."""
    try:
        due_ms = float(command.data["timers"][0]["due_ms"])
    except (LookupError, TypeError, ValueError):
        return None
    return max(0.0, now_ms - due_ms) / 1000
