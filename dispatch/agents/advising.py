"""Advise: a larger model is asked about what triage could not place, and its hint goes to the order's lane.

Nobody waits for it. An order is asked about once, while it is young and the front desk has not placed it; what is over
the budget, or meets an endpoint that rests, is not asked and counted. An offset is done with when every hint before it
has been handed on; what a crash repeats has the same id, and the desk's own record spares the question.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from mode import Service
from msgspec.structs import replace

from dispatch import metrics
from dispatch.agents.advice_words import PROMPT_VERSION, Hint, hint_of, question
from dispatch.agents.feed import Batch
from dispatch.agents.lanes import key_of
from dispatch.agents.patience import patiently
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.hooks.adviser import Adviser
from dispatch.hooks.endpoint import Endpoint, answered, opens_at, sending
from dispatch.log import get_log
from dispatch.models.advice import AdviceDocument
from dispatch.models.commands import Command, encode_command
from dispatch.rules.advising import advice_id
from dispatch.rules.policy import Policy
from dispatch.rules.state import Order, moment_of, text_of
from dispatch.stores.base import AdviceStore, Purse, TerritoryKey
from dispatch.timing import Clock
from dispatch.topics import COMMANDS, WORK_ORDERS

log = get_log("advise")
_OPENED = b"dispatch.work-order.opened.v1"
_HOUR_S, _DAY_S = 3600, 86_400
_STATES = ("closed", "half-open", "open")


class _Classifier(msgspec.Struct, frozen=True):
    confidence: float = 0.0


class _Opened(msgspec.Struct, frozen=True):
    """What is read of an opening."""

    needs_triage: bool | None = None
    text: str | None = None
    classifier: _Classifier = _Classifier()


class _Opening(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits at the front desk."""

    key: TerritoryKey
    order_id: str
    text: str
    opened_at: str
    traceparent: str | None


_decode = msgspec.json.Decoder(_Opened).decode
_order = msgspec.msgpack.Decoder(Order).decode


class Advise(Service):
    """Keeps lanes for a feed and asks about their openings; see Keeper for ``take``, ``release`` and ``check``.

    It is to be stopped before its feed, which waits for what is under way.
    """

    def __init__(
        self,
        *,
        tenant: str,
        store: AdviceStore,
        publisher: Publisher,
        policies: PolicyBook,
        clock: Clock,
        lane_of: Callable[[str], int],
        document: AdviceDocument,
        adviser: Adviser,
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
        self.lane_of = lane_of
        self.document = document
        self.adviser = adviser
        self.steps = steps
        self.endpoint = Endpoint()
        self._slots = asyncio.Semaphore(document.concurrency)
        self._asking: dict[int, set[asyncio.Task[None]]] = defaultdict(set)

    async def on_stop(self) -> None:
        """Ask no more: whoever has the lanes next asks again."""
        for lane in list(self._asking):
            await self.release(lane)
        await self.adviser.close()

    async def take(self, number: int, consumer: AIOKafkaConsumer) -> Mapping[str, int]:
        """See Keeper: from the group's commit; without one not from the log's beginning, but from what is young."""
        place = TopicPartition(WORK_ORDERS, number)
        if await consumer.committed(place) is not None:
            return {}
        since_s = time.time() - self.document.max_age / self.clock.speed
        young = (await consumer.offsets_for_times({place: int(since_s * 1000)}))[place]
        return {WORK_ORDERS: young.offset if young else (await consumer.end_offsets([place]))[place]}

    async def release(self, number: int) -> None:
        """See Keeper: what is under way is not waited for."""
        tasks = self._asking.pop(number, set())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def check(self, number: int) -> None:
        """See Keeper: nothing is held that the store could contradict."""

    def measure(self) -> None:
        """See Measured."""
        for state in _STATES:
            metrics.ADVICE_BREAKER.labels(state).set(state == self.endpoint.state)

    # a batch --------------------------------------------------------------------------------------------------

    async def handle(self, batch: Batch) -> None:
        """Ask about the openings of a batch, so many at a time; done when the last hint has been handed on."""
        openings = [one for record in batch.records if (one := self._opening(record)) is not None]
        tasks = {asyncio.create_task(self._advise(batch.lane, one)) for one in openings}
        try:
            if tasks:
                self._asking[batch.lane] |= tasks
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        finally:
            self._asking[batch.lane] -= tasks
        if batch.done.done():
            return
        if any(task.cancelled() for task in tasks):
            batch.done.cancel()  # the lane has gone
        elif errors := [error for task in tasks if (error := task.exception()) is not None]:
            batch.done.set_exception(errors[0])
        else:
            batch.done.set_result(None)

    def _opening(self, record: ConsumerRecord) -> _Opening | None:
        """An opening that somebody may be asked about; what is none is passed over, what cannot be read is counted."""
        headers = dict(record.headers)
        if headers.get("ce_type") != _OPENED:
            return None
        try:
            data = _decode(record.value or b"")
            trace = headers.get("ce_traceparent")
            found = _Opening(
                key=key_of(record.key),
                order_id=headers["ce_subject"].decode(),
                text=data.text or "",
                opened_at=headers["ce_time"].decode(),
                traceparent=trace.decode() if trace else None,
            )
            moment_of(found.opened_at)
        except (msgspec.MsgspecError, ValueError, LookupError) as error:
            log.warning("unreadable", lane=record.partition, offset=record.offset, error=type(error).__name__)
            _count("unreadable")
            return None
        if not data.needs_triage:
            return None
        if round(data.classifier.confidence * 1000) > self.document.up_to_permille:
            _count("sure")
            return None
        return found

    # one order ------------------------------------------------------------------------------------------------

    async def _advise(self, lane: int, opening: _Opening) -> None:
        async with self._slots:
            try:
                found = await self._ask(opening)
            except Exception:  # a fault of ours about one text must not stop the worker, and again after its restart
                log.exception("not asked", order=opening.order_id)
                _count("failed")
                return
        if found is None:
            return
        hint, asked_at, took_ms = found
        await self.publisher.publish([self._record(lane, opening, hint, asked_at, took_ms)])
        self.steps("advise.published")
        _count("answered")

    async def _ask(self, opening: _Opening) -> tuple[Hint, str, int] | None:
        """The hint about an order, when it was asked for and how long that took; None, and counted why, without one."""
        policy = self.policies.latest
        body = await self._paid_question(policy, opening)
        if body is None:
            return None
        asked_at, began_s = text_of(self.clock.now()), time.monotonic()
        self.endpoint = sending(self.endpoint, time.time(), None)
        _count("asked")
        try:
            outcome, content = await self.adviser.ask(body)
        except asyncio.CancelledError:
            self.endpoint = replace(self.endpoint, probing=False)
            raise
        took_s = time.monotonic() - began_s
        metrics.ADVICE_SECONDS.observe(took_s)
        self._heard(outcome.kind, outcome.status, outcome.retry_after_s)
        hint = hint_of(policy, content) if content is not None else None
        came = "answered" if hint else "useless" if content is not None else "failed"
        log.info("asked", order=opening.order_id, came=came, status=outcome.status, took_ms=round(took_s * 1000))
        if hint is None:
            _count(came)
            return None
        return hint, asked_at, round(took_s * 1000)

    async def _paid_question(self, policy: Policy, opening: _Opening) -> bytes | None:
        """The request about an order, its price taken from the budget; None, and counted why, when nobody is asked."""
        why, body = await self._unwanted(opening), None
        if why is None:
            body = question(self.document, policy, opening.order_id, opening.text)
            why = "no_text" if body is None else await self._unpaid()
        if why is None:
            return body
        _count(why)
        return None

    async def _unwanted(self, opening: _Opening) -> str | None:
        """Why nobody is asked about an order, None when somebody should be."""
        if self._is_old(opening):
            return "old"
        if self._rests():
            return "resting"
        (blob,) = await patiently(lambda: self.store.glance([(opening.key, opening.order_id)]))
        return "placed" if blob is not None and not _waits(_order(blob)) else None

    async def _unpaid(self) -> str | None:
        """Why nobody can be asked just now; None when the price has been taken from the budget."""
        if await patiently(lambda: self.store.spend(self.tenant, purses(self.document, time.time()))):
            return "over_budget"
        return "resting" if self._rests() else None

    def _is_old(self, opening: _Opening) -> bool:
        return self.clock.now() - moment_of(opening.opened_at) > timedelta(seconds=self.document.max_age)

    def _rests(self) -> bool:
        now = time.time()
        return self.endpoint.gone_until > now or opens_at(self.endpoint, now, None) > now

    def _heard(self, kind: str, status: int | str | None, retry_after_s: float | None) -> None:
        before = self.endpoint.state
        self.endpoint = answered(self.endpoint, kind, time.time(), retry_after_s, self.document.breaker)
        if self.endpoint.state != before:
            log.info("breaker", endpoint=self.document.name, state=self.endpoint.state, status=status)

    def _record(self, lane: int, opening: _Opening, hint: Hint, asked_at: str, took_ms: int) -> Record:
        document = self.document
        source = {"name": document.name, "model": document.model, "prompt_version": PROMPT_VERSION}
        command = Command(
            id=advice_id(opening.order_id),
            type="advice.given",
            tenant=opening.key.tenant,
            territory=opening.key.territory,
            data={**msgspec.to_builtins(hint), "source": source, "asked_at": asked_at, "took_ms": took_ms},
            time=text_of(self.clock.now()),
            order_id=opening.order_id,
            traceparent=opening.traceparent,
        )
        return Record(COMMANDS, lane, str(opening.key).encode(), encode_command(command))


def purses(document: AdviceDocument, now_s: float) -> tuple[Purse, ...]:
    """What an hour and a day may cost, by the wall clock (seconds since the epoch); hours and days are those of UTC."""
    hour, day = int(now_s // _HOUR_S), int(now_s // _DAY_S)
    return (
        Purse(f"{document.name}:hour:{hour}", document.per_hour, 2 * _HOUR_S),
        Purse(f"{document.name}:day:{day}", document.per_day, 2 * _DAY_S),
    )


def _waits(order: Order) -> bool:
    """Whether the front desk still has to place it, and nobody has told it anything yet."""
    return order.needs_triage and not order.is_final and advice_id(order.id) not in order.handled


def _count(outcome: str) -> None:
    metrics.ADVICE.labels(outcome).inc()
