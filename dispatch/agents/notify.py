"""Notify: events of the log become deliveries. Parse, load, plan, record, send; nothing waits for a receiver.

A plan stands in the ledger before anything is sent. Whoever takes a lane folds its ledger, goes on with what is not
over, and reads the log from its mark; what it plans a second time has the same id as the first.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from mode import Service

from dispatch import metrics
from dispatch.agents.feed import Batch
from dispatch.agents.joining import Joiner
from dispatch.agents.ledger import Folded, Scribe
from dispatch.agents.log_reader import read_to_end
from dispatch.agents.notify_lane import LaneBook, decode_mark, encode_mark
from dispatch.agents.notify_plan import Planner
from dispatch.agents.outbound import Outbound
from dispatch.agents.patience import patiently
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher
from dispatch.errors import Fenced
from dispatch.hooks.delivery import Delivery
from dispatch.hooks.routing import RoutingTable
from dispatch.hooks.senders import Sender
from dispatch.log import get_log
from dispatch.models.hooks import HooksDocument
from dispatch.stores.base import NotifyStore
from dispatch.stores.redis import UNREACHABLE
from dispatch.timing import Clock
from dispatch.topics import DELIVERIES, WORK_ORDERS

log = get_log("notify")
LEASE_S = 2.0
"""For how long a lane's owner may send without having asked whether the lane is still its own."""
RENEW_S = 0.5
MARK_S = 1.0
MOST_LOST_S = 15.0
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_ASKS = frozenset({"work-order.offered", "work-order.assigned"})


class Notify(Service):
    """Keeps lanes for a feed and plans their deliveries; see Keeper for ``take``, ``release`` and ``check``."""

    def __init__(
        self,
        *,
        tenant: str,
        store: NotifyStore,
        publisher: Publisher,
        policies: PolicyBook,
        clock: Clock,
        client: Mapping[str, Any],
        lane_of: Callable[[str], int],
        document: HooksDocument,
        senders: Mapping[str, Sender],
        incarnations: Mapping[str, str],
        steps: Callable[[str], None] = lambda _name: None,
        **kwargs: Any,
    ) -> None:
        """``steps`` is told the name of each step as it is passed; tests stop the process there."""
        super().__init__(**kwargs)
        self.tenant = tenant
        self.store = store
        self.publisher = publisher
        self.policies = policies
        self.clock = clock
        self.client = client
        self.lane_of = lane_of
        self.steps = steps
        self.lanes: dict[int, LaneBook] = {}
        scribe, joiner = Scribe(tenant), Joiner(tenant, store, document)
        self.planner = Planner(tenant, RoutingTable(document), joiner, policies, clock, scribe, self._following)
        self._topics = f"{incarnations[WORK_ORDERS]} {incarnations[DELIVERIES]}"
        self._owner = uuid.uuid4().hex.encode()
        self.outbound = Outbound(
            document=document,
            senders=senders,
            publisher=publisher,
            scribe=scribe,
            join=joiner.person,
            finished=self.planner.finished,
            steps=steps,
        )

    def _following(self, lane: LaneBook, delivery: Delivery) -> None:
        """A delivery has become the head of its thread."""
        asyncio.get_running_loop().call_soon(self.outbound.schedule, lane, delivery)

    async def on_start(self) -> None:
        """Start sending."""
        await self.add_runtime_dependency(self.outbound)

    # taking and releasing -------------------------------------------------------------------------------------

    async def take(self, number: int, consumer: AIOKafkaConsumer) -> dict[str, int]:
        """See Keeper: fold the ledger, go on with what is not over; the position to read on from."""
        await self.policies.refresh()
        lane = LaneBook(number)
        before = await patiently(lambda: self.store.note(_owner_of(number), self._owner))
        if before not in (None, b"", self._owner):
            await asyncio.sleep(LEASE_S + RENEW_S)  # whoever had it may send for so long
        noted = await patiently(lambda: self.store.noted(_mark_of(number)))
        mark = decode_mark(noted) if noted else None
        if mark is not None and mark.topics != self._topics:
            mark = None  # of topics that have been created anew since
        folded = Folded(mark.end, mark.sequences) if mark else Folded()
        place = TopicPartition(DELIVERIES, number)
        lane.ledger_end = (await consumer.end_offsets([place]))[place]
        if lane.ledger_end:
            async for record in read_to_end(self.client, DELIVERIES, number, mark.ledger if mark else None):
                folded.add(record)
        now = time.time()
        for delivery in folded.open.values():
            lane.put(msgspec.structs.replace(delivery, sent_before=delivery.next_at <= now))
        lane.first, lane.known = folded.first, folded.known
        if mark is not None:
            lane.sequences, lane.marked = dict(mark.sequences), dict(mark.sequences)
            lane.position = mark.position
        lane.live = True
        lane.lease_until_s = time.monotonic() + LEASE_S
        self.lanes[number] = lane
        for delivery in lane.heads():
            self.outbound.schedule(lane, delivery)
        log.info("ledger folded", lane=number, open=len(lane.open), ids=len(folded.known), mark=mark is not None)
        if mark is None:
            return {}
        end = (await consumer.end_offsets([TopicPartition(WORK_ORDERS, number)]))[TopicPartition(WORK_ORDERS, number)]
        return {WORK_ORDERS: mark.position} if mark.position <= end else {}

    async def release(self, number: int) -> None:
        """See Keeper: send nothing more, let what is under way end, leave a mark for whoever comes next."""
        lane = self.lanes.pop(number, None)
        if lane is None:
            return
        lane.live = False
        await self.outbound.drain(lane)
        try:
            if await self.store.noted(_owner_of(number)) == self._owner:
                await self._mark(lane)
                await self.store.note(_owner_of(number), b"")
        except UNREACHABLE as error:
            log.warning("no mark left", lane=number, error=type(error).__name__)

    async def check(self, number: int) -> None:
        """See Keeper: a lane that somebody else has had for long is to be taken anew."""
        lane = self.lanes.get(number)
        if lane is not None and lane.lost_at_s is not None and time.monotonic() - lane.lost_at_s > MOST_LOST_S:
            msg = f"lane {number} has had another owner for {MOST_LOST_S:.0f} s"
            raise Fenced(msg)

    def measure(self) -> None:
        """See Measured: the endpoints by the state of their breakers."""
        states = Counter(endpoint.state for endpoint in self.outbound.endpoints.values())
        for state in ("closed", "half-open", "open"):
            metrics.BREAKERS.labels(state).set(states[state])

    async def _certain(self, number: int) -> LaneBook | None:
        """The lane, once it is certain to be ours; None when it is not, and will not be so soon."""
        began_s = time.monotonic()
        while (lane := self.lanes.get(number)) is not None:
            if lane.may_send:
                return lane
            if time.monotonic() - began_s > MOST_LOST_S:
                return None
            await asyncio.sleep(RENEW_S / 5)
        return None

    @Service.task
    async def _keep(self) -> None:
        """Ask again and again whether the lanes are still ours; leave a mark now and then."""
        marked_s = 0.0
        while not self.should_stop:
            await self.sleep(RENEW_S)
            now_s = time.monotonic()
            try:
                for lane in list(self.lanes.values()):
                    await self._renew(lane)
                    if now_s - marked_s > MARK_S and lane.may_send and lane.position:
                        await self._mark(lane)
            except UNREACHABLE as error:
                log.warning("store is away", error=type(error).__name__)
            if now_s - marked_s > MARK_S:
                marked_s = now_s

    async def _renew(self, lane: LaneBook) -> None:
        asked_s = time.monotonic()
        owner = await self.store.noted(_owner_of(lane.number))
        if owner is None:  # a store that lost its notes
            owner = await self.store.note(_owner_of(lane.number), self._owner) or self._owner
        if owner == self._owner:
            lane.lease_until_s, lane.lost_at_s = asked_s + LEASE_S, None
        elif lane.lost_at_s is None:
            lane.lease_until_s, lane.lost_at_s = 0.0, asked_s
            log.warning("lane has another owner", lane=lane.number)

    async def _mark(self, lane: LaneBook) -> None:
        await self.store.note(_mark_of(lane.number), encode_mark(lane.mark(self._topics)))
        self.steps("notify.marked")

    # the five verbs -------------------------------------------------------------------------------------------

    async def handle(self, batch: Batch) -> None:
        """Plan one batch of a lane, and say when it is done."""
        began_s = time.monotonic()
        lane = await self._certain(batch.lane)
        if lane is None:
            self._let_go(batch)
            return
        lane.begin()
        events, letters = self.planner.parse(lane, batch.records)
        self.steps("notify.read")
        known = await self.planner.load([told for told, _record in events])
        if not lane.may_send and await self._certain(batch.lane) is not lane:
            self._let_go(batch)  # it took so long that somebody else has planned the same, in other words
            return
        records, planned = self.planner.plan(lane, events, known)
        if records or letters:
            ends = await self.publisher.publish([*records, *letters])
            lane.ledger_end = max(lane.ledger_end, ends.get((DELIVERIES, lane.number), 0))
        self.steps("notify.recorded")
        lane.done(batch.records[-1].offset + 1)
        for delivery in planned:
            if delivery.id in lane.open:
                self.outbound.schedule(lane, lane.open[delivery.id])
        log.info(
            "batch",
            lane=lane.number,
            events=len(batch.records),
            planned=len(planned),
            open=len(lane.open),
            took_ms=round((time.monotonic() - began_s) * 1000, 1),
        )
        if not batch.done.done():
            batch.done.set_result(None)

    def _let_go(self, batch: Batch) -> None:
        """Nothing came of a batch, for its lane is not certain to be ours: it is to be taken anew."""
        if not batch.done.done():
            batch.done.set_exception(Fenced(f"lane {batch.lane} is not held"))


def _owner_of(lane: int) -> str:
    return f"notify:{lane}:owner"


def _mark_of(lane: int) -> str:
    return f"notify:{lane}:mark"
