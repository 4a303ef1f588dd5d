"""What the board knows: a fold of the log, of deliveries and of dead letters, and nothing from anywhere else.

    board = Board()
    for event in events:
        board.note(event)

An event says the state, the leg and the clocks that it leads to, so that most types need nothing of their own.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from dispatch.demo.day import Data
from dispatch.demo.stage import Heard, moment

FINAL = frozenset({"merged", "cancelled", "refused", "closed"})
BUSY = frozenset({"offered", "assigned", "accepted", "en_route", "arrived", "in_progress"})
NEWS_KEPT = 40
_COUNTED = {
    "work-order.opened": "opened",
    "work-order.merged": "merged",
    "work-order.completed": "completed",
    "work-order.closed": "closed",
    "work-order.reopened": "reopened",
    "clock.breached": "breached",
    "escalation.raised": "escalations",
}
_COUNTED_ALONE = {"input.refused": "dead_letters", "delivery.succeeded": "told", "delivery.failed": "untold"}
NEWSWORTHY = frozenset(
    {"opened", "merged", "cancelled", "refused", "offered", "declined", "offer-expired", "assigned", "accepted"}
    | {"arrived", "withdrawn", "no-access", "made-safe", "held", "resumed", "completed", "work-rejected", "confirmed"}
    | {"closed", "reopened", "urged", "raised", "breached"}
)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A clock that runs or is paused."""

    name: str
    due_at: datetime
    paused: bool = False
    breached: bool = False


@dataclass(kw_only=True)
class Card:
    """An order. ``holder`` is the technician who was asked last, or has it."""

    number: str
    state: str
    urgency: str
    trade: str | None
    area_id: str | None
    room: str | None
    holder: str | None = None
    promises: dict[str, Promise] = field(default_factory=dict)


@dataclass(kw_only=True)
class Worker:
    """A technician. ``area_id``: where they were seen last; ``legs``: assignment -> (order, state of the leg)."""

    id: str
    area_id: str | None
    on_shift: bool = False
    legs: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Bell:
    """An escalation that has not been resolved."""

    order_id: str
    level: int
    cause: str
    at: datetime
    to: tuple[str, ...]
    answered: bool = False


@dataclass(frozen=True, kw_only=True)
class News:
    """Something that happened to an order; ``who`` is a technician or whom an escalation calls, ``what`` says more."""

    at: datetime
    kind: str
    order_id: str
    who: str | None = None
    what: str | None = None


class Board:
    """All that is to be seen. Counts are of orders; of escalations and dead letters, of events."""

    def __init__(self) -> None:
        """An empty one."""
        self.orders: dict[str, Card] = {}
        self.workers: dict[str, Worker] = {}
        self.bells: dict[str, Bell] = {}
        self.counts: Counter[str] = Counter()
        self.news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._seen: set[str] = set()

    def states(self) -> Counter[str]:
        """How many orders are in each state."""
        return Counter(card.state for card in self.orders.values())

    def note(self, event: Heard) -> None:
        """The next event. The log repeats itself after a crash: an id that was seen changes nothing."""
        if event.id in self._seen:
            return
        self._seen.add(event.id)
        if (counted := _COUNTED_ALONE.get(event.type)) is not None:
            self.counts[counted] += 1
        elif event.type.startswith(("technician.", "shift.")):
            self._staff(event)
        elif event.type == "work-order.opened":
            self._open(event)
        if (card := self.orders.get(event.subject)) is not None:
            self._change(card, event)

    def _staff(self, event: Heard) -> None:
        data = event.data
        name = data.get("technician_id") or data.get("id") or event.subject
        if event.type == "technician.removed":
            self.workers.pop(name, None)
            return
        worker = self.workers.setdefault(name, Worker(id=name, area_id=data.get("home_area")))
        if event.type in {"shift.started", "shift.ended", "shift.absent"}:
            worker.on_shift = event.type == "shift.started"

    def _open(self, event: Heard) -> None:
        data = event.data
        location = data.get("location") or {}
        self.orders[event.subject] = Card(
            number=data["display_no"], state=data["state"], urgency=data["urgency"], trade=_trade(data),
            area_id=location.get("area_id"), room=location.get("room"), promises=_promises({}, data.get("targets", ())),
        )  # fmt: skip

    def _change(self, card: Card, event: Heard) -> None:
        data, kind = event.data, event.type
        card.state = data.get("state") or card.state
        if kind == "work-order.classified":
            changes = data.get("changes") or {}
            card.urgency = changes.get("urgency") or card.urgency
            card.trade = _trade(changes) or _trade(data) or card.trade
        changed = data.get("clocks", ()) if kind.startswith("clock.") else data.get("clock_changes", ())
        card.promises = _promises(card.promises, changed)
        if data.get("leg_state"):
            self._leg(card, event)
        if kind.startswith("escalation."):
            self._ring(event)
        if card.state in FINAL or card.state == "completed":
            card.holder = None
            self._free(event.subject)
        if card.state in FINAL:
            card.promises = {}
        if (counted := _COUNTED.get(kind)) is not None:
            self.counts[counted] += 1
        self._tell(event)

    def _leg(self, card: Card, event: Heard) -> None:
        data = event.data
        state, name = data["leg_state"], data["technician_id"]
        worker = self.workers.setdefault(name, Worker(id=name, area_id=None))
        if state in BUSY:
            worker.legs[data["assignment_id"]] = (event.subject, state)
            card.holder = name
        else:
            worker.legs.pop(data["assignment_id"], None)
            card.holder = None if card.holder == name else card.holder
        if event.type == "work-order.arrived":
            worker.area_id = card.area_id

    def _free(self, order_id: str) -> None:
        for worker in self.workers.values():
            worker.legs = {key: leg for key, leg in worker.legs.items() if leg[0] != order_id}

    def _ring(self, event: Heard) -> None:
        data = event.data
        key = data["escalation_id"]
        if event.type == "escalation.raised":
            self.bells[key] = Bell(
                order_id=event.subject, level=int(data.get("level") or 1),
                cause=data.get("reason") or data.get("clock") or data.get("cause") or "", at=event.time,
                to=tuple(one["id"] for one in data.get("recipients", ())),
            )  # fmt: skip
        elif event.type == "escalation.resolved":
            self.bells.pop(key, None)
        elif event.type == "escalation.acknowledged" and key in self.bells:
            self.bells[key].answered = True

    def _tell(self, event: Heard) -> None:
        data = event.data
        kind = event.type.rpartition(".")[2]
        if kind not in NEWSWORTHY or (kind == "assigned" and data.get("mode") == "offer"):
            return
        recipients = ", ".join(one["id"] for one in data.get("recipients", ())) if kind == "raised" else None
        clock = data.get("clock") or next((one["name"] for one in data.get("clocks", ()) if kind == "breached"), None)
        who, what = data.get("technician_id") or recipients, clock or data.get("reason")
        self.news.append(News(at=event.time, kind=kind, order_id=event.subject, who=who, what=what))


def _trade(data: Data) -> str | None:
    needs = data.get("requirements") or ()
    return needs[0].get("trade") if needs else data.get("trade")


def _promises(before: dict[str, Promise], changed: list[Data] | tuple[()]) -> dict[str, Promise]:
    """The clocks that run or are paused, after those that changed. A clock that runs does not say its state."""
    after = dict(before)
    for clock in changed:
        state = clock.get("state", "running")
        if state not in {"running", "paused"}:
            after.pop(clock["name"], None)
            continue
        after[clock["name"]] = Promise(
            name=clock["name"],
            due_at=moment(clock["due_at"]),
            paused=state == "paused",
            breached=clock.get("breached_at") is not None,
        )
    return after
