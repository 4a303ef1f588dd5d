"""Intake: what people publish becomes the lanes' ordered input. Parse, load (and fix routes), decide, publish.

Requests are validated, located and classified; actions are validated, authorised and routed. Names and numbers of
people stay in the people store. Intake keeps no state between batches, so that repeating one is harmless.
"""

import asyncio
import hashlib
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from dispatch.agents import wire
from dispatch.agents.feed import Batch
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Publisher, Record
from dispatch.errors import Rejected, rejected
from dispatch.log import get_log
from dispatch.models.actions import ACTIONS
from dispatch.models.catalog import EVENT_TYPES
from dispatch.models.cloudevents import Incoming, parse
from dispatch.models.commands import Command, encode_command
from dispatch.models.people import PersonRef
from dispatch.models.requests import RequestSubmitted
from dispatch.rules.lifecycle import authorise
from dispatch.rules.location import locate
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, moment_of, text_of
from dispatch.rules.triage import Classification, classify
from dispatch.stores.base import EdgeStore
from dispatch.stores.redis import UNREACHABLE
from dispatch.timing import Clock
from dispatch.topics import ACTIONS as ACTIONS_TOPIC
from dispatch.topics import COMMANDS, COMMANDS_URGENT, REQUESTS

log = get_log("intake")
MAX_INPUT_BYTES = 64 * 1024
RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
REQUEST_TYPE = "dispatch.request.submitted.v1"
ACTION_PREFIX = "dispatch.action."
PERSONS = frozenset({"requester", "proxy"})
STAFF_TYPES = {
    f"dispatch.{name}.v1": name
    for name in (
        *("technician.updated", "technician.removed", "position.reported"),
        *("shift.planned", "shift.started", "shift.ended", "shift.absent"),
    )
}
_CONTACT = re.compile(
    r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
)
WORDS = ("text", "note", "notes", "comment", "reason", "where_instead")
"""Fields of actions in which people write freely."""
T = TypeVar("T")


class Draft(msgspec.Struct, kw_only=True):
    """One input on its way: what it is, whom and what it needs looked up, and where it goes."""

    record: ConsumerRecord
    incoming: Incoming
    type: str
    data: Data
    order_id: str | None = None
    route_of: str
    people: dict[str, tuple[str, bytes]] = {}
    proposed: str | None = None


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
        steps: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """``steps`` is told the name of each step as it is passed; tests stop the process there."""
        self.tenant = tenant
        self.store = store
        self.publisher = publisher
        self.policies = policies
        self.clock = clock
        self.lane_of = lane_of
        self.incarnations = incarnations
        self.dead_partitions = dead_partitions
        self.tolerance = timedelta(seconds=future_tolerance_s)
        self.steps = steps

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

    # parse ----------------------------------------------------------------------------------------------------

    def _parse(self, records: Sequence[ConsumerRecord], now: datetime) -> tuple[list[Draft], list[Record]]:
        drafts: list[Draft] = []
        letters: list[Record] = []
        for record in records:
            try:
                drafts.extend(self._read(record, now))
            except Rejected as error:
                letters.append(self._refuse(record, error))
            except ValidationError as error:
                letters.append(self._refuse(record, rejected(error) if _is_text(record) else _NOT_UTF8))
        return drafts, letters

    def _refuse(self, record: ConsumerRecord, error: Rejected) -> Record:
        log.warning("refused", topic=record.topic, partition=record.partition, offset=record.offset, code=error.code)
        letter = wire.letter_of(record, self.tenant, error.code, error.errors, error.message)
        return wire.letter_record(letter, record.partition % self.dead_partitions)

    def _read(self, record: ConsumerRecord, now: datetime) -> list[Draft]:
        if record.value is None or len(record.value) > MAX_INPUT_BYTES:
            size = len(record.value or b"")
            raise Rejected("too-large" if size else "missing-data", f"{size} bytes; at most {MAX_INPUT_BYTES}")
        incoming = parse(record.headers, record.key, record.value)
        tenant = incoming.attributes.get("tenantid", self.tenant)
        if tenant != self.tenant:
            raise Rejected("unknown-tenant", f"this engine serves {self.tenant!r}, not {tenant!r}", "tenantid")
        if incoming.time is not None:
            self._not_in_future(incoming.time, now, "time")
        if record.topic == REQUESTS:
            return self._request(record, incoming, now)
        return [self._action(record, incoming, now)]

    def _not_in_future(self, moment: datetime, now: datetime, path: str) -> None:
        if moment > now + self.tolerance:
            raise Rejected("time-in-future", f"{text_of(moment)} is in the future", path)

    def _request(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> list[Draft]:
        if incoming.type != REQUEST_TYPE:
            raise Rejected("unknown-type", f"{incoming.type!r} is not read from {REQUESTS}", "type")
        request = RequestSubmitted.model_validate_json(incoming.data)
        reported_at = request.reported_at or incoming.time or now
        self._not_in_future(reported_at, now, "reported_at")
        policy = self.policies.latest
        request_id = request.request_id or incoming.id
        faults: list[tuple[str | None, str | None]] = [(item.text, item.trade) for item in request.items]
        if len(faults) < 2:  # noqa: PLR2004 -- one fault is the request itself
            faults = [(None, None)]
        return [
            self._fault(record, incoming, request, policy, number, text, trade, reported_at, request_id)
            for number, (text, trade) in enumerate(faults)
        ]

    def _fault(
        self,
        record: ConsumerRecord,
        incoming: Incoming,
        request: RequestSubmitted,
        policy: Policy,
        number: int,
        item_text: str | None,
        item_trade: str | None,
        reported_at: datetime,
        request_id: str,
    ) -> Draft:
        said = item_text or request.text or ""
        text = _scrub(said, request.reporter.name)
        where = request.location.model_dump(mode="json", exclude_none=True) if request.location else None
        place = locate(policy, where, text)
        verdict = classify(
            policy,
            text=text,
            category=request.category,
            trade_hint=item_trade or request.trade_hint,
            urgency_hint=request.urgency_hint,
            hazards=request.hazards,
            impact=request.impact,
            kind=request.kind,
            origin=request.origin or "reactive",
        )
        order_id = order_id_of(self.tenant, incoming.source, request_id, number)
        location = msgspec.to_builtins(place)
        if request.location and request.location.note:
            location["note"] = _scrub(request.location.note, request.reporter.name)
        urgent = verdict.urgency == "emergency"
        return Draft(
            record=record,
            incoming=incoming,
            type="open",
            data=_opening(request, request_id, text, location, verdict, reported_at),
            order_id=order_id,
            people={request.reporter.id: _person(request.reporter, _CONTACT.findall(said))},
            route_of=order_id,
            proposed=f"{place.territory}|{'u' if urgent else 'n'}",
        )

    def _action(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> Draft:
        if incoming.type in STAFF_TYPES:
            return self._staff(record, incoming, now)
        name = incoming.type.removeprefix(ACTION_PREFIX).removesuffix(".v1")
        model = ACTIONS.get(name) if incoming.type.startswith(ACTION_PREFIX) else None
        if model is None:
            raise Rejected("unknown-type", f"{incoming.type!r} is not read from {ACTIONS_TOPIC}", "type")
        action = model.model_validate_json(incoming.data)
        performed_at = action.performed_at or incoming.time or now
        self._not_in_future(performed_at, now, "performed_at")
        authorise(name, action.actor.role)
        data = action.model_dump(mode="json", exclude_none=True)
        data["performed_at"] = text_of(moment_of(performed_at.isoformat()))
        for field in WORDS:
            if isinstance(data.get(field), str):
                data[field] = _scrub(data[field])
        if data.get("location"):
            location = data.pop("location")
            data["resolved_location"] = msgspec.to_builtins(locate(self.policies.latest, location, ""))
            if location.get("note"):
                data["resolved_location"]["note"] = _scrub(location["note"])
        elif name == "relocate":
            raise Rejected("missing-field", "a location to relocate to", "location")
        person = action.actor.role in PERSONS
        return Draft(
            record=record,
            incoming=incoming,
            type="act",
            data={"action": name, "data": data},
            order_id=action.work_order_id,
            people={action.actor.id: (_new_subject(), b"")} if person else {},
            route_of=action.work_order_id.split("-", 1)[0],
        )

    def _staff(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> Draft:
        short = STAFF_TYPES[incoming.type]
        model = EVENT_TYPES[incoming.type].model
        data: Data = model.model_validate_json(incoming.data).model_dump(mode="json", exclude_none=True)
        technician_id = data.get("technician_id") or data["id"]
        proposed = None
        if short == "technician.updated":
            proposed = f"{data['home_territory']}|n"
            self._known_names(data)
        if short == "position.reported":
            self._not_in_future(moment_of(data["measured_at"]), now, "measured_at")
        return Draft(
            record=record,
            incoming=incoming,
            type=short,
            data=data,
            route_of=f"technician/{technician_id}",
            proposed=proposed,
        )

    def _known_names(self, data: Data) -> None:
        policy = self.policies.latest
        if data["home_territory"] not in policy.territories:
            raise Rejected("unknown-territory", f"no territory {data['home_territory']!r}", "home_territory")
        for number, skill in enumerate(data.get("skills", ())):
            if skill["trade"] not in policy.trades:
                raise Rejected("unknown-trade", f"no trade {skill['trade']!r}", f"skills.{number}.trade")

    # load, decide ---------------------------------------------------------------------------------------

    async def _load(self, drafts: Sequence[Draft]) -> tuple[dict[str, str], dict[str, str]]:
        """The subject ids of the people named, and the routes in force: fixed now for what is new."""
        people: dict[str, tuple[str, bytes]] = {}
        for draft in drafts:
            for person, (proposed, details) in draft.people.items():
                if details or person not in people:
                    people[person] = (proposed, details)
        fresh = {draft.route_of: draft.proposed for draft in drafts if draft.proposed}
        known = [draft.route_of for draft in drafts if not draft.proposed and draft.route_of not in fresh]
        subjects, fixed, routes = await asyncio.gather(
            self._patiently(lambda: self.store.subjects(self.tenant, people)),
            self._patiently(lambda: self.store.fix_routes(self.tenant, fresh)),
            self._patiently(lambda: self.store.routes(self.tenant, known)),
        )
        return subjects, routes | fixed

    def _decide(self, drafts: Sequence[Draft], subjects: Mapping[str, str], routes: Mapping[str, str]) -> list[Record]:
        """Put subject ids where people stood, and send each input its way; what has no route is refused."""
        out: list[Record] = []
        for draft in drafts:
            for person in draft.people:
                _pseudonymise(draft, subjects[person])
            route = routes.get(draft.route_of)
            if route is None:
                what = "order" if draft.type == "act" else "technician"
                error = Rejected(f"unknown-{what}", f"nobody here knows {draft.route_of}")
                out.append(self._refuse(draft.record, error))
            else:
                out.append(self._command(draft, route))
        return out

    def _command(self, draft: Draft, route: str) -> Record:
        territory, _bar, lane = route.partition("|")
        key = f"{self.tenant}:{territory}"
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
        topic = COMMANDS_URGENT if lane == "u" else COMMANDS
        return Record(topic, self.lane_of(key), key.encode(), encode_command(command))

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers."""
        tries = 0
        while True:
            try:
                return await call()
            except UNREACHABLE as error:
                log.warning("store is away", error=type(error).__name__, tries=tries)
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1


def order_id_of(tenant: str, source: str, request_id: str, fault: int) -> str:
    """The id of the order of one fault of a request: the same however often the request is sent."""
    text = "\0".join((tenant, source, request_id, str(fault)))
    return "wo" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _scrub(text: str, name: str | None = None) -> str:
    """The text without ways to reach a person, and without the reporter's own name."""
    text = _CONTACT.sub("[contact]", text)
    return text.replace(name, "[name]") if name and len(name) > 1 else text


def _time_of(draft: Draft, clock: Clock) -> str:
    performed = draft.data.get("data", {}).get("performed_at") if draft.type == "act" else None
    if performed:
        return str(performed)
    moment = draft.incoming.time or clock.now()
    return text_of(moment_of(moment.isoformat()))


def _opening(
    request: RequestSubmitted,
    request_id: str,
    text: str,
    location: Data,
    verdict: Classification,
    reported_at: datetime,
) -> Data:
    reporter = request.reporter
    return {
        "request_id": request_id,
        "channel": request.channel,
        "kind": verdict.kind,
        "origin": request.origin or "reactive",
        "drill": request.drill,
        "reported_at": text_of(moment_of(reported_at.isoformat())),
        "noticed_at": text_of(moment_of(request.noticed_at.isoformat())) if request.noticed_at else None,
        "due_at": text_of(moment_of(request.due_at.isoformat())) if request.due_at else None,
        "text": text,
        "location": location,
        "requirements": msgspec.to_builtins(verdict.requirements),
        "urgency": verdict.urgency,
        "hazards": list(verdict.hazards),
        "impact": request.impact,
        "department_id": reporter.department_id,
        "needs_triage": verdict.needs_front_desk,
        "links": [{"type": "about", "id": request.about_ref}] if request.about_ref else [],
        "reporter": {
            "affiliation": reporter.affiliation,
            "department_id": reporter.department_id,
            "vulnerable": reporter.vulnerable,
            "locale": reporter.locale or request.locale,
        },
        "classifier": {
            "source": verdict.source,
            "model_version": verdict.model_version,
            "confidence": verdict.confidence_permille / 1000,
            "evidence": list(verdict.evidence),
        },
    }


def _person(person: PersonRef, contacts: Sequence[str]) -> tuple[str, bytes]:
    details = person.model_dump(mode="json", exclude_none=True)
    if contacts:
        details["contacts_in_text"] = list(contacts)
    return _new_subject(), msgspec.json.encode(details)


def _new_subject() -> str:
    """An id that leads nowhere but into the people store."""
    return f"s{uuid.uuid4().hex[:20]}"


def _is_text(record: ConsumerRecord) -> bool:
    try:
        (record.value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


_NOT_UTF8 = Rejected("bad-encoding", "the data is not UTF-8")


def _pseudonymise(draft: Draft, subject_id: str) -> None:
    if draft.type == "act":
        draft.data["data"]["actor"]["id"] = subject_id
    else:
        draft.data["reporter"]["subject_id"] = subject_id
