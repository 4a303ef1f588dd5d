"""Sending: each endpoint has a queue, a bound and a breaker of its own, so that a dead one delays nobody else.

Nothing here waits for a receiver but the message that is under way to it. What comes of a message goes to the ledger
in batches; a worker that ends before that sends it once more, with the same id.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

from mode import Service
from msgspec.structs import replace

from dispatch import metrics
from dispatch.agents.ledger import Scribe
from dispatch.agents.notify_lane import LaneBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.hooks.delivery import RANKS, Delivery, Outcome, begin, drop, overdue, settle
from dispatch.hooks.endpoint import Endpoint, answered, opens_at, sending
from dispatch.hooks.senders import NOBODY, Person, Sender
from dispatch.log import get_log
from dispatch.models.hooks import HooksDocument

log = get_log("outbound")
DRAIN_S = 2.5
NO_LEASE_S = 0.1
LONGEST_S = 3600.0
Finished = Callable[[LaneBook, Delivery], list[Record]]
Join = Callable[[Delivery], Awaitable[Person]]


class _Queue:
    """What waits for one endpoint: by the moment it may go, then by urgency; and the moments by which it must."""

    def __init__(self, key: str, sender: Sender) -> None:
        self.key = key
        self.sender = sender
        self.state = Endpoint()
        self.under_way = 0
        self.later: list[tuple[float, int, LaneBook, str]] = []
        self.ready: list[tuple[int, int, LaneBook, str]] = []
        self.deadlines: list[tuple[float, int, LaneBook, str]] = []
        self.timer: asyncio.TimerHandle | None = None


class Outbound(Service):
    """All endpoints of a worker. ``finished`` turns an end into what else has to be published with it."""

    def __init__(
        self,
        *,
        document: HooksDocument,
        senders: Mapping[str, Sender],
        publisher: Publisher,
        scribe: Scribe,
        join: Join,
        finished: Finished,
        steps: Callable[[str], None] = lambda _name: None,
        **kwargs: Any,
    ) -> None:
        """``join`` finds out how to reach a receiver."""
        super().__init__(**kwargs)
        self._document = document
        self._senders = senders
        self._publisher = publisher
        self._scribe = scribe
        self._join = join
        self._finished = finished
        self._steps = steps
        self._queues: dict[str, _Queue] = {}
        self._numbers = count()
        self._sending: set[asyncio.Task[None]] = set()
        self._crashing: asyncio.Task[None] | None = None
        self._drain_until_s = 0.0
        self._outcomes: list[tuple[Record, tuple[LaneBook, str] | None]] = []
        self._news = asyncio.Event()
        self._written = asyncio.Condition()

    async def on_stop(self) -> None:
        """Let what is under way come to its end within a bound; write it down; close connections."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=DRAIN_S)
        for task in self._sending:
            task.cancel()
        for queue in self._queues.values():
            if queue.timer is not None:
                queue.timer.cancel()
        await self.flush()
        for sender in self._senders.values():
            await sender.close()

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Every endpoint that was ever used, as it stands."""
        return {key: queue.state for key, queue in self._queues.items()}

    # queues ---------------------------------------------------------------------------------------------------

    def schedule(self, lane: LaneBook, delivery: Delivery) -> None:
        """Have a delivery sent when it is due, if nothing of its thread comes before it."""
        if not lane.live or not lane.is_head(delivery) or delivery.id in lane.in_flight:
            return
        name = delivery.through
        if name is None or name not in self._senders:
            self._settled(lane, replace(delivery, state="failed", reason="unknown-hook"))
            return
        sender = self._senders[name]
        key = sender.endpoint(delivery)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(key, sender)
        number = next(self._numbers)
        heappush(queue.later, (delivery.next_at, number, lane, delivery.id))
        self._pump(queue)

    def _pump(self, queue: _Queue) -> None:
        """Send whatever may go now, and have the clock ring when there may be more."""
        now = time.time()
        self._due(queue, now)
        wake_at = now + LONGEST_S
        while queue.ready and queue.under_way < queue.sender.concurrency and not self.should_stop:
            opens = opens_at(queue.state, now, queue.sender.per_minute)
            if opens > now:
                wake_at = min(wake_at, opens)
                break
            items, is_locked = self._take(queue)
            if is_locked:
                wake_at = min(wake_at, now + NO_LEASE_S)
            if not items:
                break
            queue.state = sending(queue.state, now, queue.sender.per_minute)
            queue.under_way += 1
            for lane, delivery in items:
                lane.in_flight.add(delivery.id)
            task = asyncio.create_task(self._send(queue, items))
            self._sending.add(task)
            task.add_done_callback(self._ended)
        for heap in (queue.later, queue.deadlines):
            if heap:
                wake_at = min(wake_at, heap[0][0])
        if queue.timer is not None:
            queue.timer.cancel()
        delay_s = min(max(wake_at - now, 0.001), LONGEST_S)
        queue.timer = asyncio.get_running_loop().call_later(delay_s, self._pump, queue)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a fault of ours: better a new process, which folds the ledger, than one that limps on
            self._crashing = asyncio.create_task(self.crash(error))

    def _due(self, queue: _Queue, now: float) -> None:
        """Move what is due; end what the endpoint will not hear in time."""
        while queue.later and queue.later[0][0] <= now:
            _at, number, lane, delivery_id = heappop(queue.later)
            delivery = _waiting(lane, delivery_id)
            if delivery is None or delivery.next_at > now or self._passed_by(queue, lane, delivery, now):
                continue
            heappush(queue.ready, (RANKS.get(delivery.urgency, 2), number, lane, delivery_id))
            heappush(queue.deadlines, (delivery.give_up_at, number, lane, delivery_id))
        while queue.deadlines and queue.deadlines[0][0] <= now:
            _at, _number, lane, delivery_id = heappop(queue.deadlines)
            delivery = _waiting(lane, delivery_id)
            if delivery is not None and (over := overdue(delivery, now)) is not None:
                self._settled(lane, over)
        if len(queue.deadlines) > 4 * len(queue.ready) + 256:
            known = ((_waiting(lane, one), number, lane, one) for _rank, number, lane, one in queue.ready)
            queue.deadlines = sorted((one.give_up_at, number, lane, key) for one, number, lane, key in known if one)

    def _passed_by(self, queue: _Queue, lane: LaneBook, delivery: Delivery, now: float) -> bool:
        """Whether a delivery need not wait for an endpoint that rests, or is gone: it goes through its next hook."""
        gone = queue.state.gone_until > now
        resting = queue.state.rest_until > now and delivery.hook + 1 < len(delivery.hooks)
        if gone or resting:
            outcome = Outcome(kind="gone" if gone else "refused", status="gone" if gone else "resting")
            self._settled(lane, settle(delivery, outcome, now, self._document.retry))
        return gone or resting

    def _pass_by(self, queue: _Queue, now: float) -> None:
        """The endpoint has just begun to rest, or gone: see who need not wait for it."""
        waiting, queue.ready = queue.ready, []
        for entry in sorted(waiting, key=lambda one: one[:2]):
            delivery = _waiting(entry[2], entry[3])
            if delivery is not None and not self._passed_by(queue, entry[2], delivery, now):
                queue.ready.append(entry)

    def _take(self, queue: _Queue) -> tuple[list[tuple[LaneBook, Delivery]], bool]:
        """The next message's deliveries; and whether a lane is not certain to be ours, so that its own must wait."""
        items: list[tuple[LaneBook, Delivery]] = []
        locked = []
        while queue.ready and len(items) < queue.sender.merges:
            entry = heappop(queue.ready)
            lane, delivery = entry[2], _waiting(entry[2], entry[3])
            if delivery is None or any(one.id == delivery.id for _lane, one in items):
                continue
            if lane.may_send:
                items.append((lane, delivery))
            else:
                locked.append(entry)
        for entry in locked:
            heappush(queue.ready, entry)
        return items, bool(locked)

    # sending --------------------------------------------------------------------------------------------------

    async def _send(self, queue: _Queue, items: Sequence[tuple[LaneBook, Delivery]]) -> None:
        begun = [begin(delivery, time.time()) for _lane, delivery in items]
        metrics.delivered(begun[0].through or "none", "attempted", len(begun))
        for (lane, _delivery), one in zip(items, begun, strict=True):
            lane.put(one)
        try:
            person = await self._join(begun[0]) if queue.sender.needs_person else NOBODY
            outcome = await queue.sender.send(begun, person)
        except Exception as error:
            log.exception("sender failed", endpoint=queue.key)
            outcome = Outcome(kind="retry", status=type(error).__name__)
        self._steps("notify.sent")
        queue.under_way -= 1
        now = time.time()
        before = queue.state.state
        queue.state = answered(queue.state, outcome.kind, now, outcome.retry_after_s, self._document.breaker)
        if queue.state.state != before:
            log.info("breaker", endpoint=queue.key, state=queue.state.state, status=outcome.status)
        if queue.state.rest_until > now or queue.state.gone_until > now:
            self._pass_by(queue, now)
        for (lane, _delivery), one in zip(items, begun, strict=True):
            lane.in_flight.discard(one.id)
            after = settle(one, outcome, now, self._document.retry)
            doom = lane.doomed.pop(one.id, None)
            if doom is not None and after.state != "succeeded":
                after = drop(after, doom)
            self._settled(lane, after)
        self._pump(queue)

    def _settled(self, lane: LaneBook, delivery: Delivery) -> None:
        """Write down what became of a delivery, and go on with it or with the next of its thread."""
        now = time.time()
        done = (lane, delivery.id) if delivery.is_final else None
        self._outcomes.append((self._scribe.record(delivery, lane.number, now), done))
        self._news.set()
        if not delivery.is_final:
            lane.put(delivery)
            asyncio.get_running_loop().call_soon(self.schedule, lane, delivery)
            return
        self._outcomes.extend((record, None) for record in self._finished(lane, delivery))
        if (following := lane.end(delivery.id)) is not None:
            asyncio.get_running_loop().call_soon(self.schedule, lane, following)

    # the ledger -----------------------------------------------------------------------------------------------

    @Service.task
    async def _write(self) -> None:
        while not self.should_stop:
            await self._news.wait()
            await self.flush()

    async def flush(self) -> None:
        """Write what is known of outcomes to the ledger."""
        async with self._written:
            self._news.clear()
            while self._outcomes:
                batch, self._outcomes = self._outcomes, []
                ends = await self._publisher.publish([record for record, _done in batch])
                for record, done in batch:
                    if done is not None:
                        lane, delivery_id = done
                        lane.written((delivery_id,))
                        lane.ledger_end = max(lane.ledger_end, ends.get((record.topic, record.partition), 0))
                self._steps("notify.settled")

    async def drain(self, lane: LaneBook) -> None:
        """Wait until nothing of a lane is under way, within a bound that lanes which leave together share."""
        if time.monotonic() > self._drain_until_s + DRAIN_S:
            self._drain_until_s = time.monotonic() + DRAIN_S
        while lane.in_flight and time.monotonic() < self._drain_until_s:  # noqa: ASYNC110 -- several tasks end it
            await asyncio.sleep(0.02)
        await self.flush()


def _waiting(lane: LaneBook, delivery_id: str) -> Delivery | None:
    """The delivery, unless it is over, under way, or not the lane's any more."""
    delivery = lane.open.get(delivery_id)
    if delivery is None or not lane.live or delivery_id in lane.in_flight or not lane.is_head(delivery):
        return None
    return delivery
