"""Intake: what people publish becomes the lanes' ordered input. Parse, load (and fix routes), decide, publish.

Requests are validated, located and classified; actions are validated, authorised and routed. Names and numbers of
people stay in the people store. Intake keeps no state between batches, so that repeating one is harmless.
"""

import asyncio
import time
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from dispatch import metrics
from dispatch.agents import wire
from dispatch.agents.counting_triage import count_verdicts
from dispatch.agents.feed import Batch
from dispatch.agents.inputs import Draft, Reader
from dispatch.agents.openings import written
from dispatch.agents.patience import patiently
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.agents.shadow import Shadow
from dispatch.agents.splitting import split_up
from dispatch.errors import Rejected, rejected
from dispatch.log import get_log
from dispatch.models.commands import Command, encode_command, root_of
from dispatch.rules.triage import hear
from dispatch.rules.triage_model import Model, Prediction
from dispatch.stores.base import EdgeStore
from dispatch.timing import Clock
from dispatch.topics import COMMANDS, COMMANDS_URGENT

log = get_log("intake")
COMES_BACK_WITHIN_S = 60.0
"""A session that times out, and the folding of the log's tail; a lane that is stopped for longer holds up nobody."""
ASKED_AGAIN_S = 0.5
_T = TypeVar("_T")


class Intake:
    """Handles batches of requests and actions. It keeps no lanes, so taking and releasing one is nothing."""

    def __init__(
        self,
        *,
        tenant: str,
        store: EdgeStore,
        publisher: Publisher,
        policies: PolicyBook,
        clock: Clock,
        lane_of: Callable[[str], int],
        incarnations: Mapping[str, str],
        dead_partitions: int,
        future_tolerance_s: int,
        model: Model | None = None,
        shadow: Shadow | None = None,
        steps: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """``model`` is the one of triage (the shipped one), ``shadow`` one that is compared with it.

        ``steps`` is told the name of each step as it is passed; tests stop the process there.
        """
        self.tenant = tenant
        self.store = store
        self.publisher = publisher
        self.policies = policies
        self.clock = clock
        self.lane_of = lane_of
        self.incarnations = incarnations
        self.dead_partitions = dead_partitions
        self.reader = Reader(tenant, policies, future_tolerance_s)
        self.model = model
        self.shadow = shadow
        self.steps = steps
        self._ways: dict[str, tuple[str, str, int, bytes]] = {}
        self._wait_until_s: float | None = None

    async def take(self, _lane: int, _consumer: AIOKafkaConsumer) -> Mapping[str, int]:
        """See Keeper: intake goes on from the group's commit."""
        await self.policies.refresh()
        return {}

    async def release(self, _lane: int) -> None:
        """See Keeper."""

    async def check(self, _lane: int) -> None:
        """See Keeper."""

    async def handle(self, batch: Batch) -> None:
        """Pass one batch on, and say when it is done."""
        began_s = time.monotonic()
        now = self.clock.now()
        drafts, out = self._parse(batch.records, now)
        self.steps("intake.read")
        await self._follow(drafts)
        subjects, routes = await self._load(drafts)
        self.steps("intake.saved")
        out.extend(self._decide(drafts, subjects, routes))
        if out:
            await self.publisher.publish(out)
        self.steps("intake.published")
        log.info(
            "batch",
            partition=batch.lane,
            inputs=len(batch.records),
            commands=len(drafts),
            refused=sum(one.topic not in {COMMANDS, COMMANDS_URGENT} for one in out),
            took_ms=round((time.monotonic() - began_s) * 1000, 1),
        )
        if not batch.done.done():
            batch.done.set_result(None)
        self._measure(drafts)

    def _measure(self, drafts: Sequence[Draft]) -> None:
        """What triage has said, once everything else is done; the shadow looks at it when it comes to it."""
        judged = [(draft, draft.report) for draft in drafts if draft.report is not None]
        count_verdicts([report.verdict for _, report in judged if report.verdict is not None])
        if self.shadow is not None:
            self.shadow.offer([(draft.order_id or "", report) for draft, report in judged])

    # parse ----------------------------------------------------------------------------------------------------

    def _parse(self, records: Sequence[ConsumerRecord], now: datetime) -> tuple[list[Draft], list[Record]]:
        drafts: list[Draft] = []
        letters: list[Record] = []
        for record in records:
            read = self._tried(record, partial(self.reader.read, record, now), letters)
            drafts.extend(read or ())
        reports = [draft for draft in drafts if draft.report is not None]
        refused: set[int] = set()
        for draft, heard in zip(reports, _heard(reports, self.model), strict=True):
            record, step = draft.record, partial(_classified, draft, heard, self.model)
            if id(record) not in refused and self._tried(record, step, letters) is None:
                refused.add(id(record))
        kept = [draft for draft in drafts if id(draft.record) not in refused]
        return split_up(kept, self.tenant, self.model), letters

    def _tried(self, record: ConsumerRecord, step: Callable[[], _T], letters: list[Record]) -> _T | None:
        """What a step makes of a record; None when it is a dead letter: one bad input must not stop its partition."""
        try:
            return step()
        except Rejected as error:
            letters.append(self._refuse(record, error))
        except ValidationError as error:
            letters.append(self._refuse(record, rejected(error) if _is_text(record) else _NOT_UTF8))
        except Exception as error:
            log.exception("read failed", topic=record.topic, partition=record.partition, offset=record.offset)
            why = f"reading it failed here: {type(error).__name__}"
            letters.append(self._refuse(record, Rejected("read-failed", why)))
        return None

    def _refuse(self, record: ConsumerRecord, error: Rejected) -> Record:
        log.warning("refused", topic=record.topic, partition=record.partition, offset=record.offset, code=error.code)
        metrics.REFUSED.labels("intake", error.code).inc()
        letter = wire.letter_of(record, self.tenant, error.code, error.errors, error.message)
        return wire.letter_record(letter, record.partition % self.dead_partitions)

    # load, decide ---------------------------------------------------------------------------------------

    async def _follow(self, drafts: Sequence[Draft]) -> None:
        """Letters about an order open where it is: only there is it known who had it, and who may not answer."""
        letters = self.policies.latest.site.letters
        about = [(draft, root_of(ref)) for draft in drafts if (ref := _about(draft, letters))]
        if not about:
            return
        wanted = sorted({root for _, root in about})
        routes = await patiently(partial(self.store.routes, self.tenant, wanted))
        routes |= await self._come_back([one for one in wanted if one not in routes])
        for draft, root in about:
            if (route := routes.get(root)) is not None:
                draft.proposed = f"{self._way(route)[0]}|n"

    async def _load(self, drafts: Sequence[Draft]) -> tuple[dict[str, str], dict[str, str]]:
        """The subject ids of the people named, and the routes in force: fixed now for what is new."""
        people: dict[str, tuple[str, bytes]] = {}
        for draft in drafts:
            for person, (proposed, details) in draft.people.items():
                if details or person not in people:
                    people[person] = (proposed, details)
        fresh = {draft.route_of: draft.proposed for draft in drafts if draft.proposed}
        known = [draft.route_of for draft in drafts if not draft.proposed and draft.route_of not in fresh]
        subjects, routes = await patiently(lambda: self.store.look_up(self.tenant, people, fresh, known))
        return subjects, routes | await self._come_back([one for one in known if one not in routes])

    async def _come_back(self, unknown: list[str]) -> dict[str, str]:
        """Routes that a store has lost with its tail: they are back when every lane has vouched for this run of it."""
        found: dict[str, str] = {}
        if not unknown:
            return found
        lanes = sorted({str(self.lane_of(f"{self.tenant}:{one}")) for one in self.policies.territories})
        while unknown:
            whole = await patiently(partial(self.store.vouched, lanes))
            found |= await patiently(partial(self.store.routes, self.tenant, unknown))
            unknown = [one for one in unknown if one not in found]
            if whole:
                self._wait_until_s = None
                break
            if self._wait_until_s is None:
                self._wait_until_s = time.monotonic() + COMES_BACK_WITHIN_S
            if time.monotonic() > self._wait_until_s:
                break
            await asyncio.sleep(ASKED_AGAIN_S)
        return found

    def _decide(self, drafts: Sequence[Draft], subjects: Mapping[str, str], routes: Mapping[str, str]) -> list[Record]:
        """Put subject ids where people stood, and send each input its way; what has no route is refused."""
        out: list[Record] = []
        for draft in drafts:
            for person in draft.people:
                _pseudonymise(draft, person, subjects[person])
            route = routes.get(draft.route_of)
            if route is None:
                what = "order" if draft.type == "act" else "technician"
                error = Rejected(f"unknown-{what}", f"nobody here knows {draft.route_of}")
                out.append(self._refuse(draft.record, error))
            else:
                out.append(self._command(draft, route))
        return out

    def _command(self, draft: Draft, route: str) -> Record:
        way = self._ways.get(route)
        if way is None:
            way = self._ways[route] = self._way(route)
        territory, topic, lane, key = way
        incoming, record = draft.incoming, draft.record
        data = draft.data
        command = Command(
            id=f"{self.tenant}:{incoming.source}:{incoming.id}",
            type=draft.type,
            tenant=self.tenant,
            territory=territory,
            data=data,
            time=_time_of(draft, self.clock),
            order_id=draft.order_id,
            correlation=data.get("request_id"),
            traceparent=incoming.attributes.get("traceparent"),
            origin={
                "topic": record.topic,
                "incarnation": self.incarnations[record.topic],
                "partition": record.partition,
                "offset": record.offset,
            },
        )
        return Record(topic, lane, key, encode_command(command))

    def _way(self, route: str) -> tuple[str, str, int, bytes]:
        """The territory that a route names, and the topic, the partition and the key of commands for it."""
        territory, _bar, urgency = route.partition("|")
        key = f"{self.tenant}:{territory}"
        return territory, COMMANDS_URGENT if urgency == "u" else COMMANDS, self.lane_of(key), key.encode()


def _about(draft: Draft, letters: Container[str]) -> str | None:
    """The order that a letter is about; None of what asks for work, or cannot wait."""
    data = draft.data
    is_letter = draft.report is not None and data["kind"] in letters and data["urgency"] != "emergency"
    return data.get("about_ref") if is_letter else None


def _time_of(draft: Draft, clock: Clock) -> str:
    performed = draft.data.get("data", {}).get("performed_at") if draft.type == "act" else None
    if performed:
        return str(performed)
    moment = draft.incoming.time or clock.now()
    return written(moment)


def _is_text(record: ConsumerRecord) -> bool:
    try:
        (record.value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


_NOT_UTF8 = Rejected("bad-encoding", "the data is not UTF-8")


def _heard(reports: Sequence[Draft], model: Model | None) -> Sequence[Prediction | None]:
    """What the model makes of the reports of a batch, at once; if that fails, each is heard by itself."""
    try:
        return hear([draft.report.text for draft in reports if draft.report is not None], model)
    except Exception:
        log.exception("hearing failed")
        return [None] * len(reports)


def _classified(draft: Draft, heard: Prediction | None, model: Model | None) -> Draft:
    draft.classified(heard, model)
    return draft


def _pseudonymise(draft: Draft, person: str, subject_id: str) -> None:
    if draft.type == "act":
        draft.data["data"]["actor"]["id"] = subject_id
        return
    if person == next(iter(draft.people)):
        draft.data["reporter"]["subject_id"] = subject_id
    if person == draft.on_behalf_of:
        draft.data["on_behalf_of"]["subject_id"] = subject_id
