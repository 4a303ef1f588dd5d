"""A territory's state as its lane holds it, and the overlay in which one command is decided."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from dispatch.rules.matching_pool import Pool
from dispatch.rules.recent import RecentWork, asset_key, room_key
from dispatch.rules.state import Data, Done, Order
from dispatch.rules.state_staff import Shift, Technician


class View(Protocol):
    """What a fold reads and writes: a territory, or a draft on top of one."""

    opened: int

    def order(self, order_id: str) -> Order | None:
        """The order, None when unknown here."""

    def technician(self, technician_id: str) -> Technician | None:
        """The technician, None when unknown here."""

    def put_order(self, order: Order) -> None:
        """Replace the order."""

    def put_technician(self, technician: Technician) -> None:
        """Replace the technician."""

    def recent_at(self, key: str) -> Done | None:
        """The work that was done last at a key of :func:`~dispatch.rules.recent.keys_of`."""

    def put_recent(self, key: str, done: Done | None) -> None:
        """Remember it, or with None forget it."""


def place_key(location: Mapping[str, object]) -> str | None:
    """What two reports must share to be of one place: the asset, or the room of a building."""
    return asset_key(location) or room_key(location)


class Territory:
    """One territory: orders that are not final, technicians, and how far its input has been decided.

    Only the lane changes it, by putting what a decision changed. ``recalled`` holds final orders that a batch
    asked for; they live in the store, not here; ``recent`` is what is remembered of those closed not long ago.
    ``freed`` are technicians who have room that they had not.
    ``pool`` is what matching remembers of the technicians from round to round: derived, never stored, and no part
    of the state.
    """

    def __init__(self, tenant: str, territory_id: str) -> None:
        """An empty territory that has decided nothing."""
        self.tenant = tenant
        self.id = territory_id
        self.sequence = 0
        self.batch_id = ""
        self.policy_version = ""
        self.now: datetime | None = None
        self.opened = 0
        self.abandoned_to = 0
        self.positions: dict[str, Data] = {}
        self.edges: dict[str, int] = {}
        self.orders: dict[str, Order] = {}
        self.recalled: dict[str, Order] = {}
        self.reopened: set[str] = set()
        self.technicians: dict[str, Technician] = {}
        self.recent = RecentWork()
        self.waiting: dict[str, None] = {}
        self.unmatched: set[str] = set()
        self.timers: dict[str, tuple[datetime, str]] = {}
        self.changed_orders: dict[str, Order] = {}
        self.changed_technicians: dict[str, Technician] = {}
        self.freed: set[str] = set()
        self.untimed_orders: set[str] = set()
        self.untimed_technicians: set[str] = set()
        self.timers_before: dict[str, tuple[datetime, str] | None] = {}
        self.timer_heap: list[tuple[datetime, str, str]] = []
        self.pool = Pool()
        self._places: dict[tuple[str, str], set[str]] = {}

    def order(self, order_id: str) -> Order | None:
        """The order, open or recalled from the store."""
        found = self.orders.get(order_id)
        return found if found is not None else self.recalled.get(order_id)

    def technician(self, technician_id: str) -> Technician | None:
        """The technician of this territory's pool."""
        return self.technicians.get(technician_id)

    def put_order(self, order: Order) -> None:
        """Replace the order, and keep the indexes of places and of waiting orders true."""
        order_id = order.id
        self.changed_orders[order_id] = order
        self.untimed_orders.add(order_id)
        before = self.orders.get(order_id)
        if order.is_final:
            if before is not None:
                self._unindex(before)
                del self.orders[order_id]
            self.reopened.discard(order_id)
            self.recalled[order_id] = order
            self._rest(order_id)
            return
        if before is None:
            if self.recalled.pop(order_id, None) is not None:
                self.reopened.add(order_id)
            self._index(order)
        elif before.location is not order.location or before.requirements is not order.requirements:
            self._unindex(before)
            self._index(order)
        self.orders[order_id] = order
        if not order.wants_matching:
            self._rest(order_id)
        elif order_id not in self.waiting or before is None or not _asks_the_same(before, order):
            self.waiting[order_id] = None
            self.unmatched.add(order_id)

    def _rest(self, order_id: str) -> None:
        if order_id in self.waiting:
            del self.waiting[order_id]
            self.unmatched.discard(order_id)

    def put_technician(self, technician: Technician) -> None:
        """Replace the technician; capacity that came free makes waiting orders worth another look."""
        technician_id = technician.id
        before = self.technicians.get(technician_id)
        self.technicians[technician_id] = technician
        self.changed_technicians[technician_id] = technician
        if before is None or before.shifts is not technician.shifts:
            self.untimed_technicians.add(technician_id)
        if len(technician.load) < technician.capacity_open and _gained(before, technician) and technician.on_shift():
            self.freed.add(technician_id)

    def recent_at(self, key: str) -> Done | None:
        """The work that was done last at a key."""
        return self.recent.kept.get(key)

    def put_recent(self, key: str, done: Done | None) -> None:
        """Remember it, or with None forget it."""
        self.recent.put(key, done)

    def open_at(self, location: Mapping[str, object], trade: str) -> list[Order]:
        """The open orders of one place and trade, oldest first."""
        place = place_key(location)
        if place is None:
            return []
        found = (self.orders[order_id] for order_id in self._places.get((place, trade), ()))
        return sorted(found, key=lambda order: (order.reported_at, order.id))

    def open_in(self, building: str, trade: str) -> list[Order]:
        """The open orders of one building and trade, oldest first."""
        found = (self.orders[order_id] for order_id in self._places.get((building, trade), ()))
        return sorted(found, key=lambda order: (order.reported_at, order.id))

    def _index(self, order: Order) -> None:
        for key in _index_keys(order):
            self._places.setdefault(key, set()).add(order.id)

    def _unindex(self, order: Order) -> None:
        for key in _index_keys(order):
            ids = self._places[key]
            ids.discard(order.id)
            if not ids:
                del self._places[key]

    def saved(self) -> None:
        """What has changed is in the store now; final orders are left to it."""
        self.changed_orders.clear()
        self.changed_technicians.clear()
        self.recent.changed.clear()
        self.recalled.clear()
        self.reopened.clear()
        self.timers_before.clear()

    def look_again(self) -> None:
        """Have every waiting order matched in the next round, as after loading."""
        self.unmatched.update(self.waiting)


def _index_keys(order: Order) -> list[tuple[str, str]]:
    """By what an order may be looked for: its place, and the building around it."""
    trade = order.trade
    if trade is None:
        return []
    places = (place_key(order.location), order.location.get("building"))
    return [(place, trade) for place in places if place]


def _asks_the_same(before: Order, after: Order) -> bool:
    return (
        before.legs is after.legs
        and before.requirements is after.requirements
        and before.location is after.location
        and before.asked is after.asked
        and before.urgency == after.urgency
    )


def _gained(before: Technician | None, after: Technician) -> bool:
    """Whether somebody may be given what they could not be given before."""
    if before is None:
        return True
    return (
        after.capacity_open - len(after.load) > before.capacity_open - len(before.load)
        or after.shifts is not before.shifts
        or after.skills is not before.skills
        or after.serves is not before.serves
        or after.certificates is not before.certificates
        or after.status != before.status
    )


def next_shift(technician: Technician) -> tuple[datetime, Shift] | None:
    """The technician's next planned start or end of a shift, and the shift; None when nothing is planned."""
    if technician.removed:
        return None
    changes = [
        (shift.start if shift.state == "planned" else shift.end, shift)
        for shift in technician.shifts
        if shift.state in {"planned", "started"}
    ]
    return min(changes, key=lambda change: (change[0], change[1].start), default=None)


def next_shift_change(technician: Technician) -> tuple[datetime, str] | None:
    """The technician's next planned start or end of a shift as (moment, timer id), or None."""
    change = next_shift(technician)
    if change is None:
        return None
    at, shift = change
    what = "start" if shift.state == "planned" else "end"
    return at, f"technician/{technician.id}:shift.{what}:{int(shift.start.timestamp() * 1000)}"


SHIFT_MEMORY = timedelta(days=1)
"""How long a past shift is kept on the technician; the log keeps it for ever."""
