"""What follows from inputs just published: their events on the log, and their dead letters."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from dispatch.cli.connections import topics_there
from dispatch.cli.envelopes import Line
from dispatch.cli.telling import what_of
from dispatch.settings import Settings
from dispatch.topics import DEAD_LETTERS, WORK_ORDERS

QUIET_S = 1.0
"""Once every input has been answered, so long a silence ends the waiting."""
_TOPICS = (WORK_ORDERS, DEAD_LETTERS)
_SILENT = frozenset({"dispatch.lane.decided.v1"})


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that followed from a line."""

    line: int
    kind: str
    type: str
    id: str
    subject: str | None
    time: str | None
    state: str | None
    what: str
    data: dict[str, Any]


class Sent:
    """One input: its ids as the engine will call it, where it lies, and whether anything was heard of it."""

    def __init__(self, line: Line, tenant: str) -> None:
        """``tenant``: part of every id."""
        self.line = line
        self.place = ("", -1, -1)
        self.cause = f"{tenant}:{line.source}:{line.id}"
        self.order_ids = _order_ids(line, tenant)
        self.unheard = True


def _order_ids(line: Line, tenant: str) -> list[str]:
    if line.request_id is None:
        return []
    from dispatch.agents.inputs import order_id_of  # noqa: PLC0415 -- takes long to import, and is not always needed

    return [order_id_of(tenant, line.source, line.request_id, fault) for fault in range(line.faults)]


class Listener:
    """Reads the log and the dead letters from where they end when it is entered."""

    def __init__(self, settings: Settings) -> None:
        """Nothing connects yet."""
        self._settings = settings
        self._consumer = AIOKafkaConsumer(
            **settings.kafka_client(), enable_auto_commit=False, auto_offset_reset="latest", fetch_max_wait_ms=50
        )

    async def __aenter__(self) -> Self:
        """Stand at the end of every partition."""
        there = await topics_there(self._settings, _TOPICS)
        await self._consumer.start()
        places = [TopicPartition(name, number) for name, facts in there.items() for number in range(facts.partitions)]
        self._consumer.assign(places)
        for place, end in (await self._consumer.end_offsets(places)).items():
            self._consumer.seek(place, end)
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Leave."""
        await self._consumer.stop()

    async def hear(self, sent: Sequence[Sent], wait_s: float) -> list[Heard]:
        """What follows from the inputs, until all have been answered and it is quiet, or the time is over."""
        ears = _Ears(sent)
        deadline_s, quiet_since_s = time.monotonic() + wait_s, time.monotonic()
        while time.monotonic() < deadline_s:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    if ears.listen(record):
                        quiet_since_s = time.monotonic()
            if not any(one.unheard for one in sent) and time.monotonic() - quiet_since_s > QUIET_S:
                break
        return ears.heard


class _Ears:
    """Tells which records follow from which inputs."""

    def __init__(self, sent: Sequence[Sent]) -> None:
        self.heard: list[Heard] = []
        self._by_cause = {one.cause: one for one in sent}
        self._by_place = {one.place: one for one in sent}
        self._by_order = {order_id: one for one in sent for order_id in one.order_ids}

    def listen(self, record: ConsumerRecord) -> bool:
        """Whether the record follows from one of the inputs."""
        headers = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
        kind = headers.get("ce_type", "")
        if kind in _SILENT:
            return False
        data = json.loads(record.value or b"{}")
        found = self._refused(data) if record.topic == DEAD_LETTERS else self._caused(headers)
        if found is None:
            return False
        found.unheard = False
        self.heard.append(_heard(found, kind, headers, data, refused=record.topic == DEAD_LETTERS))
        return True

    def _caused(self, headers: Mapping[str, str]) -> Sent | None:
        subject = headers.get("ce_subject", "")
        found = self._by_cause.get(headers.get("ce_causationid", "")) or self._by_order.get(subject)
        if found is not None and headers.get("ce_type", "").startswith("dispatch.work-order."):
            self._by_order.setdefault(subject, found)
        return found

    def _refused(self, letter: Mapping[str, Any]) -> Sent | None:
        place = (letter["topic"], letter["partition"], letter["offset"])
        if place in self._by_place:
            return self._by_place[place]
        try:
            command = json.loads(base64.b64decode(letter.get("raw") or ""))
        except ValueError:
            return None
        return self._by_cause.get(str(command.get("id"))) if isinstance(command, dict) else None


def _heard(one: Sent, kind: str, headers: Mapping[str, str], data: dict[str, Any], *, refused: bool) -> Heard:
    if refused:  # the letter holds the input itself, and with it what names people
        data = {name: data.get(name) for name in ("topic", "partition", "offset", "code", "errors")}
        what = "; ".join(str(each["message"]) for each in data["errors"] or ())
    else:
        what = what_of(kind, data)
    return Heard(
        line=one.line.number,
        kind="refused" if refused else "event",
        type=kind.removeprefix("dispatch.").removesuffix(".v1"),
        id=headers.get("ce_id", ""),
        subject=headers.get("ce_subject"),
        time=headers.get("ce_time"),
        state=data["code"] if refused else data.get("state"),
        what=what,
        data=data,
    )
