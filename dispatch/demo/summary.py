"""The day in numbers, from ``dispatch.completions`` and ``dispatch.escalations`` alone; drills count in nothing."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean

from dispatch.demo.day import Data
from dispatch.demo.stage import Heard

JUDGED = ("triage", "accept", "arrive", "make_safe", "resolve")
_ENDS = frozenset({"cancelled", "refused", "merged", "closed"})


@dataclass(kw_only=True)
class Card:
    """What is known of one order. ``end``: how it ended, else ``awaiting`` acceptance, or ``open``."""

    territory: str
    opened: Data
    cycle: int = 1
    end: str = "open"
    completions: list[Data] = field(default_factory=list)
    rejections: int = 0
    reopens: int = 0
    acceptance: str | None = None
    ratings: list[dict[str, int]] = field(default_factory=list)
    verdicts: dict[tuple[int, str], str] = field(default_factory=dict)
    breaches: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def fixed_first_time(self) -> bool:
        """Done in one visit, found fixed, and never rejected or reopened."""
        first = self.completions[0]
        visits = (first.get("counters") or {}).get("visits") or 1
        return first["disposition"] == "fixed" and visits <= 1 and not self.rejections and not self.reopens


@dataclass(kw_only=True)
class Share:
    """So many of so many."""

    good: int = 0
    of: int = 0

    def __str__(self) -> str:
        """``12/15 = 80 %``."""
        return f"{self.good}/{self.of} = {100 * self.good / self.of:.0f} %" if self.of else "0/0"


@dataclass(kw_only=True)
class Summary:
    """The numbers; ``territory`` None is all of them together."""

    territory: str | None
    opened: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    on_time: dict[str, Share] = field(default_factory=dict)
    corrected: int = 0
    rejections: int = 0
    reopens: int = 0
    acceptances: Counter[str] = field(default_factory=Counter)
    first_time_fix: Share = field(default_factory=Share)
    ratings: list[float] = field(default_factory=list)
    escalations: Counter[tuple[str, int]] = field(default_factory=Counter)
    warned: int = 0
    acknowledged: int = 0

    @property
    def rating(self) -> str:
        """The mean of all points given, and how many ratings it is the mean of."""
        return f"{fmean(self.ratings):.2f} (n={len(self.ratings)})" if self.ratings else "–"


def cards_of(completions: Iterable[Heard], escalations: Iterable[Heard]) -> dict[str, Card]:
    """What the two topics say of each order that is no drill."""
    cards: dict[str, Card] = {}
    events = sorted([*completions, *escalations], key=_order)
    drills: set[str] = set()
    for event in events:
        if event.type == "work-order.opened":
            if event.data.get("drill"):
                drills.add(event.subject)
            else:
                cards.setdefault(event.subject, Card(territory=event.territory, opened=event.data))
        elif (card := cards.get(event.subject)) is not None:
            _note(card, event)
    return cards


def _order(event: Heard) -> tuple[str, str]:
    return event.territory, event.headers.get("sequence", "")


def _note(card: Card, event: Heard) -> None:
    card.cycle = event.data.get("cycle") or card.cycle
    kind = event.type.removeprefix("work-order.")
    if kind in _ENDS:
        card.end = kind
    elif (note := _NOTES.get(kind)) is not None:
        note(card, event)


def _completed(card: Card, event: Heard) -> None:
    if event.data.get("state") == "completed":
        card.end = "awaiting"
        card.completions.append(event.data)
        _judge(card, event.data.get("clocks", ()))


def _rejected(card: Card, _event: Heard) -> None:
    card.rejections += 1
    card.end = "open"
    if card.verdicts.get((card.cycle, "resolve")) == "met":
        del card.verdicts[card.cycle, "resolve"]


def _reopened(card: Card, _event: Heard) -> None:
    card.reopens += 1
    card.end = "open"


def _accepted(card: Card, event: Heard) -> None:
    card.acceptance = (event.data.get("acceptance") or {}).get("mode", event.type)


def _rated(card: Card, event: Heard) -> None:
    if event.data.get("eligible") is not False:
        card.ratings.append(event.data.get("dimensions") or {})


def _breached(card: Card, event: Heard) -> None:
    for clock in event.data["clocks"]:
        card.breaches[event.id] = (card.cycle, clock["name"])


def _corrected(card: Card, event: Heard) -> None:
    card.breaches.pop(event.data["supersedes"], None)
    _judge(card, event.data.get("clocks", ()))


_NOTES: dict[str, Callable[[Card, Heard], None]] = {
    "completed": _completed,
    "work-rejected": _rejected,
    "reopened": _reopened,
    "confirmed": _accepted,
    "auto-confirmed": _accepted,
    "rated": _rated,
    "clock.breached": _breached,
    "corrected": _corrected,
}


def _judge(card: Card, clocks: Iterable[Data]) -> None:
    for clock in clocks:
        if clock.get("verdict"):
            card.verdicts[card.cycle, clock["name"]] = clock["verdict"]


def summarise(completions: Iterable[Heard], escalations: Iterable[Heard], territory: str | None = None) -> Summary:
    """The numbers of one territory, or of all."""
    completions, escalations = list(completions), list(escalations)
    every = cards_of(completions, escalations)
    cards = {one: card for one, card in every.items() if territory in {None, card.territory}}
    found = Summary(territory=territory, opened=len(cards), on_time={name: Share() for name in JUDGED})
    for card in cards.values():
        _add(found, card)
    for event in completions:
        found.corrected += event.type == "work-order.corrected" and event.subject in cards
    for event in escalations:
        if event.subject not in cards:
            continue
        found.warned += event.type == "clock.warned"
        found.acknowledged += event.type == "escalation.acknowledged"
        if event.type == "escalation.raised":
            found.escalations[_cause(event.data), int(event.data.get("level") or 0)] += 1
    return found


def _cause(data: Data) -> str:
    return " ".join(filter(None, (data.get("cause"), data.get("clock") or data.get("reason"))))


def _add(found: Summary, card: Card) -> None:
    found.ends[card.end] += 1
    found.rejections += card.rejections
    found.reopens += card.reopens
    if card.acceptance:
        found.acceptances[card.acceptance] += 1
    if card.completions:
        found.completed += 1
        found.first_time_fix.of += 1
        found.first_time_fix.good += card.fixed_first_time
    found.ratings.extend(fmean(points.values()) for points in card.ratings if points)
    verdicts = dict.fromkeys(card.breaches.values(), "breached") | card.verdicts
    for (_cycle, name), verdict in verdicts.items():
        if (share := found.on_time.get(name)) is not None:
            share.of += 1
            share.good += verdict == "met"
