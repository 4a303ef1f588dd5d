"""The ledger of deliveries: between the values of :mod:`dispatch.hooks.delivery` and records of the topic.

Each lane writes its deliveries to the partition of its own number, so that whoever takes the lane folds one partition;
the key is the receiver. A plan stands there, with all that it says, before anything is sent.
"""

import uuid
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord
from msgspec.structs import replace

from dispatch.agents.publisher import Record
from dispatch.hooks.delivery import FINAL, Delivery
from dispatch.hooks.senders import wall_text
from dispatch.models.catalog import full_name
from dispatch.rules.state import Data, moment_of
from dispatch.topics import DELIVERIES

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_PREFIX, _SUFFIX = "dispatch.delivery.", ".v1"
_TRIED = "attempted"


class Scribe:
    """Writes records of the ledger, each with an id of its own."""

    def __init__(self, tenant: str) -> None:
        """One for each worker."""
        self.tenant = tenant
        self._writer = uuid.uuid4().hex[:12]
        self._numbers = count(1)

    def record(self, delivery: Delivery, lane: int, now: float) -> Record:
        """The record of a delivery as it stands; whole when it is planned or dropped unsent, brief afterwards."""
        kind = delivery.state if delivery.state in FINAL else _TRIED
        whole = delivery.attempt == 0 and not delivery.sent_before
        data = {**_brief(delivery), **(_whole(delivery) if whole else {})}
        data = {name: value for name, value in data.items() if value not in (None, "", [], {}, ())}
        at = wall_text(now).encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", f"{delivery.id}:{self._writer}:{next(self._numbers)}".encode()),
            ("ce_source", f"/dispatch/{self.tenant}/notify".encode()),
            ("ce_type", f"{_PREFIX}{kind}{_SUFFIX}".encode()),
            ("ce_subject", delivery.order_id.encode()),
            ("ce_time", at),
            ("ce_recordedtime", at),
            ("ce_partitionkey", delivery.receiver.encode()),
            ("ce_tenantid", self.tenant.encode()),
            ("ce_causationid", delivery.event_id.encode()),
            ("content-type", b"application/json"),
        ]
        if delivery.traceparent:
            headers.append(("ce_traceparent", delivery.traceparent.encode()))
        return Record(DELIVERIES, lane, delivery.receiver.encode(), _encode(data), headers)


def _brief(one: Delivery) -> Data:
    return {
        "delivery_id": one.id,
        "event_id": one.event_id,
        "event_type": full_name(one.event_type),
        "work_order_id": one.order_id,
        "receiver": one.receiver,
        "hook": one.through,
        "attempt": one.attempt,
        "status": one.status,
        "latency_ms": one.latency_ms,
        "reason": one.reason,
        "next_attempt_at": None if one.is_final else wall_text(one.next_at),
    }


def _whole(one: Delivery) -> Data:
    return {
        "why": one.why,
        "hooks": one.hooks,
        "planned_at": wall_text(one.planned_at),
        "give_up_at": wall_text(one.give_up_at),
        "event_at": wall_text(one.event_at) if one.event_at is not None else None,
        "assignment_id": one.assignment_id,
        "escalation_id": one.escalation_id,
        "urgency": one.urgency,
        "locale": one.locale,
        "title": one.title,
        "text": one.text,
        "facts": one.facts,
    }


class Folded:
    """What a stretch of a lane's ledger comes to: deliveries that are not over, and the ids of all that were met.

    ``first``: where the plan of each open delivery stands, in order. A plan that was written after the ``end`` that a
    mark had seen, for an event that was handled before the mark (``sequences``), is one of a worker that was asleep
    while it planned: the event's own plan stands before it, and may be over.
    """

    def __init__(self, end: int = 0, sequences: Mapping[str, int] = MappingProxyType({})) -> None:
        """Nothing met; what the mark said from which the stretch begins, if there was one."""
        self.open: dict[str, Delivery] = {}
        self.first: dict[str, int] = {}
        self.known: set[str] = set()
        self._end = end
        self._sequences = sequences

    def add(self, record: ConsumerRecord) -> None:
        """The next record; one that tells of no delivery, or of what this version does not know, is passed over."""
        headers = dict(record.headers)
        kind = headers.get("ce_type", b"").decode(errors="replace")
        state = kind.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        if not kind.startswith(_PREFIX) or (state != _TRIED and state not in FINAL):
            return
        data = _decode(record.value or b"{}")
        delivery_id = data["delivery_id"]
        known = self.open.get(delivery_id)
        if state in FINAL:
            self.open.pop(delivery_id, None)
            self.first.pop(delivery_id, None)
        elif known is None and delivery_id not in self.known and data.get("hooks") and not self._is_late(record, data):
            trace = headers.get("ce_traceparent")
            self.open[delivery_id] = _planned(data, trace.decode() if trace else None)
            self.first[delivery_id] = record.offset
        elif known is not None and data.get("attempt"):
            self.open[delivery_id] = _tried(known, data)
        self.known.add(delivery_id)

    def _is_late(self, record: ConsumerRecord, data: Mapping[str, Any]) -> bool:
        if not self._end or record.offset < self._end:
            return False
        _tenant, territory, sequence = data["event_id"].split(":", 2)
        return int(sequence) <= self._sequences.get(territory, 0)


def _planned(data: Data, traceparent: str | None) -> Delivery:
    return Delivery(
        id=data["delivery_id"],
        event_id=data["event_id"],
        event_type=data["event_type"].removeprefix("dispatch.").removesuffix(".v1"),
        receiver=data["receiver"],
        hooks=tuple(data["hooks"]),
        why=data.get("why", ""),
        order_id=data["work_order_id"],
        planned_at=_wall(data["planned_at"]),
        next_at=_wall(data["next_attempt_at"]),
        give_up_at=_wall(data["give_up_at"]),
        event_at=_wall(data["event_at"]) if data.get("event_at") else None,
        assignment_id=data.get("assignment_id"),
        escalation_id=data.get("escalation_id"),
        urgency=data.get("urgency", "normal"),
        locale=data.get("locale", "zh"),
        title=data.get("title", ""),
        text=data.get("text", ""),
        facts=data.get("facts", {}),
        traceparent=traceparent,
    )


def _tried(one: Delivery, data: Data) -> Delivery:
    hook = one.hooks.index(data["hook"]) if data.get("hook") in one.hooks else one.hook
    attempt = int(data["attempt"])
    return replace(
        one,
        state="retry",
        hook=hook,
        attempt=attempt,
        tries=attempt if hook == 0 else 1,
        status=data.get("status"),
        next_at=_wall(data["next_attempt_at"]),
    )


def _wall(text: str) -> float:
    return moment_of(text).timestamp()
