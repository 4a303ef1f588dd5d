"""Who was asked, and whether they heard of it: what the log says, held against the webhooks that arrived."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from dispatch.demo.invariants import Broken
from dispatch.demo.stage import Heard

_ASKS = frozenset({"offered", "assigned"})
_LEG_OVER = frozenset({"withdrawn", "offer-expired", "declined", "returned", "transferred"})
_ANSWERED = frozenset({"assigned", "accepted"})
_ORDER_OVER = frozenset({"cancelled", "closed", "merged", "refused"})
_SHOWN = 3


@dataclass(kw_only=True)
class Ask:
    """One offer or assignment; ``over``: what ended it, if something did."""

    event_id: str
    kind: str
    assignment_id: str
    technician_id: str
    at: datetime
    over: str | None = None


class Asks:
    """All asks of a log, in its order."""

    def __init__(self, events: Iterable[Heard] = ()) -> None:
        """``events`` of the log."""
        self._orders: dict[str, dict[str, Ask]] = {}
        for event in events:
            self.note(event)

    def note(self, event: Heard) -> None:
        """The next event; repeated ones change nothing."""
        kind = event.type.removeprefix("work-order.")
        if kind == event.type:
            return
        asks = self._orders.setdefault(event.subject, {})
        if event.id in asks:
            return
        for ask in asks.values():
            if ask.over is None and self._ends(kind, ask, event):
                ask.over = kind
        if kind in _ASKS:
            asks[event.id] = Ask(
                event_id=event.id, kind=kind, assignment_id=event.data["assignment_id"],
                technician_id=event.data["technician_id"], at=event.time,
            )  # fmt: skip

    def _ends(self, kind: str, ask: Ask, event: Heard) -> bool:
        if kind in _ORDER_OVER:
            return True
        if event.data.get("assignment_id") != ask.assignment_id:
            return False
        return kind in _LEG_OVER or (ask.kind == "offered" and kind in _ANSWERED)

    def all(self) -> list[Ask]:
        """Every ask."""
        return [ask for asks in self._orders.values() for ask in asks.values()]

    def unheard(self, heard_of: Container[str]) -> list[Ask]:
        """Those that stand, and that nobody has heard of. ``heard_of``: the ids of events that were told."""
        return [ask for ask in self.all() if ask.over is None and ask.event_id not in heard_of]

    def in_vain(self, heard_of: Container[str]) -> list[Ask]:
        """Those that were over before anybody heard of them."""
        return [ask for ask in self.all() if ask.over is not None and ask.event_id not in heard_of]

    def broken(self, heard_of: Container[str], until: datetime) -> list[Broken]:
        """Asks made by ``until`` that were not taken back and yet never reached their technician."""
        lost = [ask for ask in self.unheard(heard_of) if ask.at <= until]
        if not lost:
            return []
        shown = [f"{ask.kind} {ask.assignment_id} → {ask.technician_id}" for ask in lost[:_SHOWN]]
        return [Broken(name="heard", what=f"{len(lost)} technicians were never told what they were asked: {shown}")]
