"""Work that was done not long ago, by place and trade: what a territory remembers of orders that it has closed.

Closed orders leave the lane's memory; of each a short note stays under the keys by which a new report may ask for it:
its asset and its room, with its trade. One note a key, the latest; each ends at a moment that the closing event says,
so that the log alone leads to the same notes. Asking costs a look into a table.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from dispatch.models.people import CONTACT_MASK, NAME_MASK
from dispatch.rules.events import Event
from dispatch.rules.state import Done, Order, moment_of

MOST_NOTES: Final = 50_000
"""How many notes a territory keeps at the most (about 30 MB); those that end first go first."""
TEXT_KEPT: Final = 160
"""How many characters of a report are remembered: what it asks stands at its beginning."""


def asset_key(location: Mapping[str, object]) -> str | None:
    """The asset at a location, as a key."""
    asset_id = location.get("asset_id")
    return f"asset/{asset_id}" if asset_id else None


def room_key(location: Mapping[str, object]) -> str | None:
    """The room of a building, as a key. The same number in an unknown building of a campus is not one room.

    Nor are two rooms one of which part was masked: what tells them apart may have stood there.
    """
    area = location.get("building") or (None if location.get("area_path") else location.get("area_id"))
    room = str(location.get("room") or "").casefold()
    return f"{area}/{room}" if room and area and CONTACT_MASK not in room and NAME_MASK not in room else None


def keys_of(location: Mapping[str, object], trade: str, *, drill: bool) -> tuple[str, ...]:
    """What notes of work at a location stand under: its asset, its room. Drills have notes of their own."""
    end = f"|{trade}|drill" if drill else f"|{trade}"
    return tuple([key + end for key in (asset_key(location), room_key(location)) if key])


class RecentWork:
    """The notes of a territory; ``changed`` are the keys that a store does not know yet."""

    def __init__(self) -> None:
        """Nothing was done."""
        self.kept: dict[str, Done] = {}
        self.changed: set[str] = set()
        self._ends: list[tuple[datetime, str]] = []

    def put(self, key: str, done: Done | None) -> None:
        """Remember it, or with None forget it."""
        self.changed.add(key)
        if done is None:
            self.kept.pop(key, None)
            return
        self.kept[key] = done
        if done.until is not None:
            heappush(self._ends, (done.until, key))

    def forget_old(self, now: datetime) -> None:
        """Drop what has ended, and what is too many: at the end of every batch, by the batch's own time."""
        kept, ends = self.kept, self._ends
        if len(ends) > 2 * len(kept) + 64:
            ends[:] = [(done.until, key) for key, done in kept.items() if done.until is not None]
            heapify(ends)
        while ends and (ends[0][0] < now or len(kept) > MOST_NOTES):
            until, key = heappop(ends)
            known = kept.get(key)
            if known is not None and known.until == until:
                del kept[key]
                self.changed.add(key)


class Memory(Protocol):
    """What remembers: a territory, or a draft on top of one."""

    def recent_at(self, key: str) -> Done | None:
        """The work that was done last at a key."""

    def put_recent(self, key: str, done: Done | None) -> None:
        """Remember it, or with None forget it."""


def done_of(order: Order, until: datetime | None = None) -> Done:
    """What is remembered of an order whose work is done."""
    completion = order.completion or {}
    at = completion.get("performed_at") or order.times.get("first_completed")
    workers = [completion.get("technician_id"), *(leg.technician_id for leg in order.legs if leg.state == "completed")]
    return Done(
        order_id=order.id,
        completed_at=moment_of(at) if at else order.closed_at or order.opened_at,
        closed_at=order.closed_at,
        until=until,
        technicians=tuple(dict.fromkeys(one for one in workers if one)),
        text=order.text[:TEXT_KEPT],
        asset_id=order.location.get("asset_id"),
    )


def _keys(order: Order) -> tuple[str, ...]:
    return keys_of(order.location, order.trade, drill=order.drill) if order.trade else ()


def _closed(memory: Memory, order: Order, event: Event) -> None:
    """Remember what was closed, for as long as the event says, unless later work was closed before it."""
    until = event.data.get("rework_until")
    if not until:
        return
    done = done_of(order, moment_of(until))
    for key in _keys(order):
        known = memory.recent_at(key)
        if known is None or known.completed_at <= done.completed_at:
            memory.put_recent(key, done)


def _reopened(memory: Memory, order: Order, _event: Event) -> None:
    """It is open again: what is reported there is this order's own fault."""
    for key in _keys(order):
        known = memory.recent_at(key)
        if known is not None and known.order_id == order.id:
            memory.put_recent(key, None)


RECENT: dict[str, Callable[[Memory, Order, Event], None]] = {
    "work-order.closed": _closed,
    "work-order.reopened": _reopened,
}
"""Events after which there is something to remember or to forget."""
