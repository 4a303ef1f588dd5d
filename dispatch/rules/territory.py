"""A territory's state as its lane holds it, and the overlay in which one command is decided."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from dispatch.rules.state import Data, Order, Technician


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


def place_key(location: Mapping[str, object]) -> str | None:
    """What two reports must share to be of one place: the asset, or the room of a building."""
    if asset_id := location.get("asset_id"):
        return f"asset/{asset_id}"
    room, area = location.get("room"), location.get("building") or location.get("area_id")
    return f"{area}/{str(room).casefold()}" if room and area else None


class Territory:
    """One territory: orders that are not final, technicians, and how far its input has been decided.

    Only the lane changes it, by putting what a decision changed. ``recalled`` holds final orders that a batch
    asked for; they live in the store, not here.
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
        self.positions: dict[str, Data] = {}
        self.edges: dict[str, int] = {}
        self.orders: dict[str, Order] = {}
        self.recalled: dict[str, Order] = {}
        self.technicians: dict[str, Technician] = {}
        self.waiting: dict[str, None] = {}
        self.unmatched: set[str] = set()
        self.considered: set[str] = set()
        self.timers: dict[str, tuple[datetime, str]] = {}
        self.changed_orders: dict[str, Order] = {}
        self.changed_technicians: dict[str, Technician] = {}
        self.freed_trades: set[str] = set()
        self._places: dict[tuple[str, str], set[str]] = {}

    def order(self, order_id: str) -> Order | None:
        """The order, open or recalled from the store."""
        return self.orders.get(order_id) or self.recalled.get(order_id)

    def technician(self, technician_id: str) -> Technician | None:
        """The technician of this territory's pool."""
        return self.technicians.get(technician_id)

    def put_order(self, order: Order) -> None:
        """Replace the order, and keep the indexes of places and of waiting orders true."""
        self.changed_orders[order.id] = order
        before = self.orders.get(order.id)
        if before is not None:
            self._unindex(before)
        if order.is_final:
            self.orders.pop(order.id, None)
            self.recalled[order.id] = order
            self.waiting.pop(order.id, None)
            self.unmatched.discard(order.id)
            self.considered.discard(order.id)
            return
        self.recalled.pop(order.id, None)
        self.orders[order.id] = order
        if key := _index_key(order):
            self._places.setdefault(key, set()).add(order.id)
        if order.wants_matching:
            if order.id not in self.waiting or before is None or before.legs != order.legs:
                self.unmatched.add(order.id)
            self.waiting[order.id] = None
        else:
            self.waiting.pop(order.id, None)
            self.unmatched.discard(order.id)

    def put_technician(self, technician: Technician) -> None:
        """Replace the technician; capacity that came free makes waiting orders worth another look."""
        before = self.technicians.get(technician.id)
        self.technicians[technician.id] = technician
        self.changed_technicians[technician.id] = technician
        if technician.free_capacity > 0 and technician.on_shift() and _gained(before, technician):
            self.freed_trades.update(skill.trade for skill in technician.skills)

    def open_at(self, location: Mapping[str, object], trade: str) -> list[Order]:
        """The open orders of one place and trade, oldest first."""
        place = place_key(location)
        if place is None:
            return []
        found = (self.orders[order_id] for order_id in self._places.get((place, trade), ()))
        return sorted(found, key=lambda order: (order.reported_at, order.id))

    def _unindex(self, order: Order) -> None:
        if key := _index_key(order):
            ids = self._places.get(key)
            if ids is not None:
                ids.discard(order.id)
                if not ids:
                    del self._places[key]

    def saved(self) -> None:
        """What has changed is in the store now; final orders are left to it."""
        self.changed_orders.clear()
        self.changed_technicians.clear()
        self.recalled.clear()

    def look_again(self) -> None:
        """Have every waiting order matched in the next round, as after loading."""
        self.unmatched.update(self.waiting)


def _index_key(order: Order) -> tuple[str, str] | None:
    place = place_key(order.location)
    return (place, order.trade) if place and order.trade else None


def _gained(before: Technician | None, after: Technician) -> bool:
    if before is None:
        return True
    return (
        after.free_capacity > before.free_capacity
        or after.shifts != before.shifts
        or after.skills != before.skills
        or after.serves != before.serves
        or after.certificates != before.certificates
        or after.status != before.status
    )


def next_shift_change(technician: Technician) -> tuple[datetime, str] | None:
    """The technician's next planned start or end of a shift as (moment, timer id), or None."""
    changes: list[tuple[datetime, str]] = []
    for shift in technician.shifts:
        stamp = int(shift.start.timestamp())
        if shift.state == "planned":
            changes.append((shift.start, f"technician/{technician.id}:shift.start:{stamp}"))
        elif shift.state == "started":
            changes.append((shift.end, f"technician/{technician.id}:shift.end:{stamp}"))
    return min(changes, default=None) if not technician.removed else None


SHIFT_MEMORY = timedelta(days=1)
"""How long a past shift is kept on the technician; the log keeps it for ever."""
