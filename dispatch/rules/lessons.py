"""What people have taught: the log's orders, each with what the machine said of its text and what people made of it.

| an order that | teaches |
|---|---|
| the desk has classified or reclassified | all of what it was left as, at full weight |
| came out of a split with a text of its own | the same |
| the machine classified by its text, nobody changed and the trade completed | its trade, at a small weight; and calm |
| was an emergency that nobody changed | nothing: whoever mends it does not say that it was one |
| was split, refused, merged, cancelled, returned for the wrong trade; a drill; planned work | nothing |

One text is one lesson: what most orders of that text say, by weight; of two alike what was said last. A lesson has no
id of an order or of a person, and its text is as the log has it, without ways to reach somebody.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from dispatch.rules.events import Event
from dispatch.rules.state import Data, moment_of
from dispatch.rules.words import fold

FULL: Final = 1.0
SMALL: Final = 0.2
"""A confirmation: five of one text outweigh a correction of it."""
MENDED: Final = frozenset({"fixed", "temporary_fix", "made_safe"})
PLANNED: Final = frozenset({"preventive", "campaign"})
WRONG: Final = "wrong_trade"

Basis = Literal["corrected", "triaged", "split", "confirmed"]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a text asks for. ``trade`` is None where nobody said, ``hazard`` "" where nothing is dangerous."""

    trade: str | None
    urgency: str
    kind: str
    hazard: str = ""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """A text, what the machine said of it (None: it was not asked), and what people made of it."""

    text: str
    label: Label
    weight: float
    basis: Basis
    said: Label | None = None
    model_version: str | None = None


class Told(msgspec.Struct, frozen=True):
    """One event that a lesson may come from, and when it was learnt."""

    type: str
    order: str
    at: datetime
    sequence: int
    data: Data


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """The lessons in order of their texts, and how many orders led to them or why they did not, by name."""

    lessons: tuple[Lesson, ...]
    counts: dict[str, int]


class _Order(msgspec.Struct, kw_only=True):
    """An order as lessons see it."""

    text: str
    label: Label
    said: Label | None
    version: str | None
    basis: Basis | None
    skipped: str = ""
    completed: bool = False
    by_text: bool = True
    doubted: bool = False
    at: datetime
    parent_text: str = ""


def told(event: Event, recorded: str | None = None) -> Told | None:
    """The part of an event that a lesson needs; None of one that teaches nothing."""
    if event.type not in READ:
        return None
    return Told(event.type, event.subject, moment_of(recorded or event.time), event.sequence, event.data)


def learn(events: Iterable[Told], since: datetime | None = None) -> Learnt:
    """The lessons of a log, whatever order its partitions were read in; ``since``: of what was decided from then on."""
    by_order: dict[str, list[Told]] = defaultdict(list)
    for one in events:
        by_order[one.order].append(one)
    counts: dict[str, int] = defaultdict(int)
    found: list[_Order] = []
    texts = {name: _text(each) for name, each in by_order.items()}
    for name in sorted(by_order):
        order = _fold(by_order[name], texts)
        basis = _basis(order) if order is not None else "unknown"
        if order is not None and basis in _WEIGHTS and since is not None and order.at < since:
            basis = "earlier"
        counts[basis] += 1
        if order is not None and basis in _WEIGHTS:
            found.append(order)
    return Learnt(lessons=tuple(_by_text(found)), counts=dict(sorted(counts.items())))


_WEIGHTS: Final[Mapping[str, float]] = {"corrected": FULL, "triaged": FULL, "split": FULL, "confirmed": SMALL}
_READ_OUT_OF_THE_TEXT: Final = frozenset({"lexicon", "model"})


def _text(events: Iterable[Told]) -> str:
    return next((str(one.data.get("text") or "") for one in events if one.type == "work-order.opened"), "")


def _fold(events: list[Told], texts: Mapping[str, str]) -> _Order | None:
    """An order from its events; None when the log does not have its opening."""
    order: _Order | None = None
    for one in sorted(events, key=lambda each: (each.at, each.sequence, each.type)):
        if one.type == "work-order.opened":
            order = order or _opened(one, texts)
        elif order is not None:
            _take(order, one)
    return order


def _opened(one: Told, texts: Mapping[str, str]) -> _Order:
    data = one.data
    classifier = data.get("classifier") or {}
    label = _label(data, Label(trade=None, urgency="normal", kind="repair"))
    parent = next((each["id"] for each in data.get("links") or () if each.get("type") == "split_from"), None)
    skipped = "drills" if data.get("drill") else "planned" if data.get("origin") in PLANNED else ""
    return _Order(
        text=str(data.get("text") or ""),
        label=label,
        said=None if parent else label,
        version=None if parent else classifier.get("model_version"),
        basis="split" if parent and label.trade else None,
        skipped=skipped,
        by_text=classifier.get("source") in _READ_OUT_OF_THE_TEXT,
        at=one.at,
        parent_text=texts.get(parent, "") if parent else "",
    )


def _take(order: _Order, one: Told) -> None:
    kind, data = one.type, one.data
    if kind == "work-order.amended":
        order.text = str(data.get("text") or order.text)
    elif kind in _CORRECTIONS:
        if any(data.get(name) for name in ("requirements", "urgency", "kind", "hazards")):
            order.label, order.basis, order.at = _label(data, order.label), _CORRECTIONS[kind], one.at
    elif kind == "work-order.completed":
        order.completed, order.at = data.get("disposition") in MENDED, _later(order, one)
    elif kind in {"work-order.work-rejected", "work-order.reopened"}:
        order.completed = False
    elif kind == "work-order.unmerged":
        order.skipped = "" if order.skipped == "merged" else order.skipped
    elif kind in {"work-order.declined", "work-order.returned"}:
        order.doubted |= data.get("reason") == WRONG
    else:
        order.skipped = order.skipped or _ENDS[kind]


def _later(order: _Order, one: Told) -> datetime:
    """A correction counts from when it was made, a confirmation from when the work was done."""
    return order.at if order.basis else one.at


def _label(data: Data, before: Label) -> Label:
    needs, hazards = data.get("requirements"), data.get("hazards")
    urgency = str(data.get("urgency") or before.urgency)
    hazard = str(hazards[0]) if hazards else before.hazard
    return Label(
        trade=str(needs[0]["trade"]) if needs else before.trade,
        urgency=urgency,
        kind=str(data.get("kind") or before.kind),
        hazard=hazard if urgency == "emergency" else "",
    )


def _basis(order: _Order) -> str:
    """What an order teaches by, or why it teaches nothing: the first that holds."""
    holds = (
        (bool(order.skipped), order.skipped),
        (not fold(order.text).strip(), "wordless"),
        (order.basis == "split" and fold(order.text) == fold(order.parent_text), "whole_text"),
        (order.basis is not None, order.basis or ""),
        (order.doubted, "doubted"),
        (not order.completed or order.label.trade is None, "open"),
        (order.label.urgency == "emergency", "emergency"),
        (not order.by_text, "hinted"),
    )
    return next((name for is_so, name in holds if is_so), "confirmed")


def _by_text(found: Iterable[_Order]) -> Iterator[Lesson]:
    """One lesson a text, in order of the texts."""
    by_text: dict[str, list[_Order]] = defaultdict(list)
    for order in found:
        by_text[fold(order.text).strip()].append(order)
    for key in sorted(by_text):
        yield _lesson(by_text[key])


def _lesson(same: list[_Order]) -> Lesson:
    """What most orders of a text say; of those, the last that a person has classified, else the last."""
    tenths: dict[Label, int] = defaultdict(int)
    for order in same:
        tenths[order.label] += round(_weight(order) * 10)

    def rank(order: _Order) -> tuple[int, float, datetime, str, str]:
        return tenths[order.label], _weight(order), order.at, str(order.label), order.text

    best = max(same, key=rank)
    return Lesson(
        text=best.text,
        label=best.label,
        weight=_weight(best),
        basis=best.basis or "confirmed",
        said=best.said,
        model_version=best.version,
    )


def _weight(order: _Order) -> float:
    return _WEIGHTS[order.basis or "confirmed"]


_CORRECTIONS: Final[Mapping[str, Basis]] = {"work-order.reclassified": "corrected", "work-order.classified": "triaged"}
_ENDS: Final = {
    "work-order.split": "in_parts",
    "work-order.refused": "refused",
    "work-order.merged": "merged",
    "work-order.cancelled": "cancelled",
}
READ: Final = frozenset(
    {
        *_CORRECTIONS,
        *_ENDS,
        *(f"work-order.{name}" for name in ("opened", "amended", "completed", "work-rejected", "reopened", "unmerged")),
        *(f"work-order.{name}" for name in ("declined", "returned")),
    }
)
"""The types of events that are looked at."""
