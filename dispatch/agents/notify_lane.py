"""What notify holds of a lane: how far it has read, the deliveries that are not over, and who comes after whom."""

import time
from collections import deque
from collections.abc import Iterable

import msgspec

from dispatch.hooks.delivery import Delivery
from dispatch.stores.base import TerritoryKey


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a lane's next owner may go on: a cache in the store, which the ledger can do without.

    ``position``: the next offset of the log; ``ledger``: no open delivery's plan, and nothing written for events from
    ``position`` on, stands before it; ``sequences``: by territory, the last event that was handled; ``end``: all that
    was written for those events stands before it.
    """

    position: int
    ledger: int
    end: int = 0
    sequences: dict[str, int] = {}
    topics: str = ""


encode_mark = msgspec.json.Encoder().encode
decode_mark = msgspec.json.Decoder(Mark).decode


class LaneBook:
    """One lane. A delivery is in ``open`` from its plan until its end; the head of its thread may be sent.

    ``floor`` is where the ledger ended when the batch in hand was begun, ``marked`` the sequences before it.
    ``first`` holds the ledger offset of each plan whose end is not in the ledger yet, in order; ``doomed`` why a
    delivery that is under way will not be tried again.
    """

    def __init__(self, number: int) -> None:
        """An empty one, that may not send yet."""
        self.number = number
        self.live = False
        self.position = 0
        self.ledger_end = 0
        self.floor: int | None = None
        self.sequences: dict[str, int] = {}
        self.marked: dict[str, int] = {}
        self.known: set[str] = set()
        self.open: dict[str, Delivery] = {}
        self.first: dict[str, int] = {}
        self.in_flight: set[str] = set()
        self.doomed: dict[str, str] = {}
        self.lease_until_s = 0.0
        self.lost_at_s: float | None = None
        self._threads: dict[tuple[str, str], deque[str]] = {}
        self._orders: dict[str, dict[str, None]] = {}

    @property
    def may_send(self) -> bool:
        """Whether the lane is ours for certain: a process that was asleep must ask first."""
        return self.live and time.monotonic() < self.lease_until_s

    def is_repeated(self, key: TerritoryKey, sequence: int) -> bool:
        """Whether an event has been handled before; the log repeats itself after a crash."""
        return sequence <= self.sequences.get(key.territory, 0)

    def handled(self, key: TerritoryKey, sequence: int) -> None:
        """An event has been read."""
        self.sequences[key.territory] = max(sequence, self.sequences.get(key.territory, 0))

    def begin(self) -> None:
        """A batch is begun: until it is done, another owner would have to read it again."""
        self.floor = self.ledger_end

    def done(self, position: int) -> None:
        """All events before this offset of the log are planned, and the plans are in the ledger."""
        self.position = position
        self.floor = None
        self.marked = dict(self.sequences)

    def put(self, delivery: Delivery) -> None:
        """Keep a delivery as it stands now."""
        if delivery.id not in self.open:
            self._threads.setdefault(delivery.thread, deque()).append(delivery.id)
            self._orders.setdefault(delivery.order_id, {})[delivery.id] = None
        self.open[delivery.id] = delivery

    def end(self, delivery_id: str) -> Delivery | None:
        """Forget one that is over; the one that comes after it in its thread, if it was the head."""
        gone = self.open.pop(delivery_id, None)
        if gone is None:
            return None
        of_order = self._orders[gone.order_id]
        del of_order[delivery_id]
        if not of_order:
            del self._orders[gone.order_id]
        thread = self._threads[gone.thread]
        was_head = thread[0] == delivery_id
        thread.remove(delivery_id)
        if not thread:
            del self._threads[gone.thread]
            return None
        return self.open[thread[0]] if was_head else None

    def is_head(self, delivery: Delivery) -> bool:
        """Whether it is not over, and nothing of its thread comes before it."""
        thread = self._threads.get(delivery.thread)
        return thread is not None and thread[0] == delivery.id

    def heads(self) -> list[Delivery]:
        """All that may be sent."""
        return [self.open[thread[0]] for thread in self._threads.values()]

    def of_order(self, order_id: str) -> list[Delivery]:
        """The open deliveries about an order."""
        return [self.open[one] for one in self._orders.get(order_id, ())]

    def mark(self, topics: str) -> Mark:
        """Where another owner could go on."""
        floor = self.ledger_end if self.floor is None else self.floor
        ledger = min(next(iter(self.first.values()), floor), floor)
        sequences = dict(self.marked)
        return Mark(position=self.position, ledger=ledger, end=self.ledger_end, sequences=sequences, topics=topics)

    def written(self, ids: Iterable[str]) -> None:
        """The ends of these deliveries are in the ledger."""
        for one in ids:
            self.first.pop(one, None)
