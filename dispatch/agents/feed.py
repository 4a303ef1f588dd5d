"""The feed: an aiokafka consumer that carries record batches into one Faust channel per lane.

A lane is one partition number across the feed's topics. It has one batch in flight; what is next waits in a queue
of its own, so that a slow lane delays no other. A batch counts as read only when its agent has done with it.
"""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from mode import Service

from dispatch import metrics
from dispatch.errors import Conflict
from dispatch.log import get_log
from dispatch.settings import Settings
from dispatch.tracing import Tracing

log = get_log("feed")
DRAIN_S = 5.0
COMMIT_EVERY_S = 1.0
RETAKE_S = 0.5
CHECK_EVERY_S = 5.0
IDLE_MS = 200
FETCH_AGAIN_S = 1.0


class Batch:
    """Records of one lane, in the order in which they are to be handled, and the promise to say when that is done."""

    __slots__ = ("done", "lane", "records")

    def __init__(self, lane: int, records: list[ConsumerRecord]) -> None:
        """A batch that nobody has handled yet."""
        self.lane = lane
        self.records = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Keeper(Protocol):
    """Who keeps the lanes that a feed owns."""

    async def take(self, lane: int, consumer: AIOKafkaConsumer) -> Mapping[str, int]:
        """Make a lane ready; the offset to go on from, by topic. A topic left out goes on from the group's commit."""

    async def release(self, lane: int) -> None:
        """Forget a lane that another worker may own by now."""

    async def check(self, lane: int) -> None:
        """Look, every now and then, whether a lane is still what the store has; raise Conflict when it is not."""


class _Lane:
    """One lane's queues, by topic in order of urgency."""

    def __init__(self, number: int, topics: Sequence[str]) -> None:
        self.number = number
        self.queues: dict[str, deque[ConsumerRecord]] = {topic: deque() for topic in topics}
        self.paused: set[str] = set()
        self.wake = asyncio.Event()
        self.ready = False
        self.in_flight: Batch | None = None
        self.task: asyncio.Task[None] | None = None

    def add(self, topic: str, records: list[ConsumerRecord]) -> int:
        queue = self.queues[topic]
        queue.extend(records)
        self.wake.set()
        return len(queue)

    def take_records(self, most: int) -> list[ConsumerRecord]:
        taken: list[ConsumerRecord] = []
        for queue in self.queues.values():
            while queue and len(taken) < most:
                taken.append(queue.popleft())
        if not any(self.queues.values()):
            self.wake.clear()
        return taken

    def drop(self) -> None:
        for queue in self.queues.values():
            queue.clear()
        self.wake.clear()


class Feed(Service):
    """Owns the consumer of one role. ``topics`` in order of urgency; ``channels`` one per lane."""

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        channels: Sequence[Any],
        keeper: Keeper,
        settings: Settings,
        *,
        reads: bool = True,
        steps: Any = None,
        tracing: Tracing | None = None,
        **kwargs: Any,
    ) -> None:
        """With ``reads`` false the feed only owns lanes and fetches nothing (the clock)."""
        super().__init__(**kwargs)
        self.name = name
        self.topics = tuple(topics)
        self.channels = channels
        self.keeper = keeper
        self.settings = settings
        self.reads = reads
        self.lanes: dict[int, _Lane] = {}
        self.done: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.steps = steps
        self.tracing = tracing
        self.consumer: AIOKafkaConsumer | None = None
        self.joined = False
        self._crashing: list[asyncio.Task[None]] = []
        self._sizes, self._times = metrics.BATCH_RECORDS.labels(name), metrics.BATCH_SECONDS.labels(name)

    async def on_start(self) -> None:
        """Join the group."""
        settings = self.settings
        self.consumer = AIOKafkaConsumer(
            **settings.kafka_client(),
            client_id=settings.instance or f"{socket.gethostname()}-{os.getpid()}",
            group_id=f"{settings.group}-{self.name}",
            group_instance_id=f"{settings.instance}-{self.name}" if settings.instance else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.session_timeout_ms // 4,
            rebalance_timeout_ms=30_000,
        )
        await self.consumer.start()
        self.consumer.subscribe(list(self.topics), listener=_Listener(self))

    async def on_stop(self) -> None:
        """Finish what is in flight within a bound, commit, leave the group."""
        await self.let_go(list(self.lanes))
        if self.consumer is not None:
            await self.consumer.stop()

    @Service.task
    async def _drain(self) -> None:
        consumer = self._consumer()
        while not self.should_stop:
            try:
                fetched = await consumer.getmany(timeout_ms=IDLE_MS, max_records=4 * self.settings.batch_records)
            except KafkaError as error:
                if not error.retriable:
                    raise
                log.warning("fetch failed", feed=self.name, error=type(error).__name__)
                metrics.waited("broker", FETCH_AGAIN_S)
                await self.sleep(FETCH_AGAIN_S)
                continue
            for place, records in fetched.items():
                lane = self.lanes.get(place.partition)
                if lane is None or not lane.ready:
                    continue
                waiting = lane.add(place.topic, records)
                if waiting >= self.settings.queue_records and place.topic not in lane.paused:
                    consumer.pause(place)
                    lane.paused.add(place.topic)

    @Service.task
    async def _commit(self) -> None:
        while not self.should_stop:
            await self.sleep(COMMIT_EVERY_S)
            await self.commit()

    async def commit(self) -> None:
        """Tell the group how far its lanes have come; it saves work and decides nothing."""
        consumer = self._consumer()
        mine = consumer.assignment()
        news = {
            place: offset
            for place, offset in self.done.items()
            if place in mine and self.committed.get(place) != offset
        }
        if not news:
            return
        try:
            await consumer.commit(news)
        except KafkaError as error:
            log.info("commit not taken", feed=self.name, error=type(error).__name__)
            return
        self.committed.update(news)
        if self.steps is not None:
            self.steps(f"{self.name}.committed")

    async def let_go(self, lanes: Sequence[int]) -> None:
        """Stop the lanes: nothing new begins, what is in flight is finished within a bound."""
        leaving = [self.lanes.pop(number) for number in lanes if number in self.lanes]
        for lane in leaving:
            lane.ready = False
            lane.drop()
        in_flight = [lane.in_flight.done for lane in leaving if lane.in_flight is not None]
        if in_flight:
            await asyncio.wait(in_flight, timeout=DRAIN_S)
        await self.commit()
        for lane in leaving:
            if lane.task is not None:
                lane.task.cancel()
            await self.keeper.release(lane.number)

    def own(self, lanes: Sequence[int]) -> None:
        """Begin to take the lanes; the consumer does not fetch for one before it is ready."""
        consumer = self._consumer()
        for number in lanes:
            if number in self.lanes:
                continue
            consumer.pause(*(TopicPartition(topic, number) for topic in self.topics))
            lane = self.lanes[number] = _Lane(number, self.topics)
            lane.task = asyncio.create_task(self._run(lane), name=f"{self.name}-lane-{number}")
            lane.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("lane failed", feed=self.name, lane=task.get_name(), error=str(error))
            self._crashing.append(asyncio.create_task(self.crash(error)))  # kept: the loop holds tasks weakly

    async def _run(self, lane: _Lane) -> None:
        while self.lanes.get(lane.number) is lane:
            try:
                await self._take(lane)
                await self._pass_on(lane)
            except KafkaError as error:
                if self.should_stop:
                    return
                log.warning("lane waits for the broker", feed=self.name, lane=lane.number, error=type(error).__name__)
                metrics.waited("broker", RETAKE_S)
                lane.ready = False
                lane.drop()
                await asyncio.sleep(RETAKE_S)
            except Conflict as conflict:
                log.warning("lane lost", feed=self.name, lane=lane.number, why=str(conflict))
                metrics.FENCED.labels(self.name).inc()
                lane.ready = False
                lane.drop()
                await self.keeper.release(lane.number)
                await asyncio.sleep(RETAKE_S)

    async def _take(self, lane: _Lane) -> None:
        consumer = self._consumer()
        offsets = await self.keeper.take(lane.number, consumer)
        places = [TopicPartition(topic, lane.number) for topic in self.topics]
        if self.lanes.get(lane.number) is not lane:
            return
        if not self.reads:
            lane.ready = True
            return
        for place in places:
            offset = offsets.get(place.topic)
            if offset is None:
                offset = await consumer.committed(place)
            if offset is None:
                offset = (await consumer.beginning_offsets([place]))[place]
            if place in consumer.assignment():
                consumer.seek(place, offset)
                self.done[place] = offset
        lane.drop()
        lane.paused.clear()
        lane.ready = True
        consumer.resume(*(place for place in places if place in consumer.assignment()))

    async def _pass_on(self, lane: _Lane) -> None:
        consumer = self._consumer()
        channel = self.channels[lane.number]
        check_at_s = time.monotonic() + CHECK_EVERY_S
        while self.lanes.get(lane.number) is lane:
            with suppress(TimeoutError):
                async with asyncio.timeout(check_at_s - time.monotonic()):
                    await lane.wake.wait()
            if time.monotonic() >= check_at_s:  # busy lanes too: not all of their territories are
                await self.keeper.check(lane.number)
                check_at_s = time.monotonic() + CHECK_EVERY_S
            records = lane.take_records(self.settings.batch_records)
            if not records:
                continue
            batch = lane.in_flight = Batch(lane.number, records)
            began_s = time.monotonic()
            await channel.send(value=batch)
            try:
                await batch.done
            finally:
                lane.in_flight = None
            took_s = time.monotonic() - began_s
            self._sizes.observe(len(records))
            self._times.observe(took_s)
            if self.tracing is not None:
                self.tracing.batch(self.name, lane.number, records, took_s)
            for topic, offset in {record.topic: record.offset for record in records}.items():
                self.done[TopicPartition(topic, lane.number)] = offset + 1
            for topic in list(lane.paused):
                if len(lane.queues[topic]) < self.settings.queue_records // 2:
                    lane.paused.discard(topic)
                    consumer.resume(TopicPartition(topic, lane.number))

    def _consumer(self) -> AIOKafkaConsumer:
        if self.consumer is None:
            msg = "the feed has not been started"
            raise RuntimeError(msg)
        return self.consumer


class _Listener(ConsumerRebalanceListener):
    """Tells the feed which lanes come and go."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        self._feed.joined = False
        await self._feed.let_go(sorted({place.partition for place in revoked}))

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        self._feed.own(sorted({place.partition for place in assigned}))
        self._feed.joined = True
