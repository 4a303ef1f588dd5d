"""What intake's and the desk's batches add to the metrics of triage: once a batch, from what is at hand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Counter as Series

from dispatch import metrics
from dispatch.rules.events import Event
from dispatch.rules.state import Data
from dispatch.rules.triage import LETTER_KINDS, Classification

NOBODY: Final = "none"
OTHER: Final = "other"
MOST_TRADES: Final = 40
"""Trades with series of their own; a catalogue of more has the rest under ``other``."""

_named: set[str] = set()


def outcome_of(verdict: Classification) -> str:
    """Decided, or why nobody is sent: ``letter`` (answered, not repaired), ``out_of_scope``, ``abstained``."""
    if verdict.trade is not None:
        return "decided"
    if verdict.kind in LETTER_KINDS:
        return "letter"
    return "out_of_scope" if verdict.out_of_scope else "abstained"


def count_verdicts(verdicts: Sequence[Classification]) -> None:
    """What intake has made of the reports of a batch."""
    for outcome, count in Counter(map(outcome_of, verdicts)).items():
        metrics.TRIAGE.labels(outcome).inc(count)
    sure = sum(each.confidence_permille for each in verdicts if each.trade is not None)
    if sure:
        metrics.CERTAINTY.inc(sure / 1000)
    for source, count in Counter(each.alarmed_by for each in verdicts if each.urgency == "emergency").items():
        metrics.EMERGENCIES.labels(source).inc(count)


def count_corrections(events: Iterable[Event]) -> None:
    """What people have made of orders that were classified otherwise, or not at all."""
    for event in events:
        if event.type == "work-order.reclassified":
            before = event.data.get("before") or {}
            _count(metrics.CORRECTIONS, before.get("trade"), _trade(event.data))
            _count(metrics.URGENCY_CORRECTIONS, before.get("urgency"), event.data.get("urgency"))
        elif event.type == "work-order.classified":
            _count(metrics.CORRECTIONS, None, _trade(event.data))


def _trade(data: Data) -> str | None:
    needs = data.get("requirements")
    return str(needs[0]["trade"]) if needs else None


def _count(counter: Series, was: str | None, now: str | None) -> None:
    if now is not None and now != was:
        counter.labels(_bounded(was), _bounded(now)).inc()


def _bounded(name: str | None) -> str:
    """A label of which there are never many, however often the policy changes."""
    if name is None:
        return NOBODY
    if name not in _named and len(_named) < MOST_TRADES:
        _named.add(name)
    return name if name in _named else OTHER
