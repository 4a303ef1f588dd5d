"""Nothing is lost: every request and action had an effect or is a dead letter, and every copy equals the log."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from dispatch.demo.day import Data, Report
from dispatch.demo.invariants import Broken, Folded
from dispatch.models.catalog import EVENT_TYPES
from dispatch.topics import ASSIGNMENTS, COMPLETIONS, ESCALATIONS, WORK_ORDERS, topics_of

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A dead letter: why, and of which input (``source:id``)."""

    code: str
    input: str
    request_id: str | None
    name: str


def letters_of(records: Iterable[ConsumerRecord], tenant: str) -> list[Letter]:
    """The dead letters, each with the input that it is about."""
    return [letter_of(msgspec.json.decode(record.value), tenant) for record in records]


def letter_of(data: Data, tenant: str) -> Letter:
    """A dead letter by what it says."""
    try:
        raw = msgspec.json.decode(base64.b64decode(data.get("raw") or ""))
    except msgspec.DecodeError:
        raw = {}
    said = raw.get("data") or {}
    if "specversion" in raw:
        what, named, name = f"{raw['source']}:{raw['id']}", said.get("request_id"), raw["type"]
    else:
        what = str(raw.get("id", "")).removeprefix(f"{tenant}:")
        named = raw.get("correlation") if raw.get("type") == "open" else None
        name = said.get("action") or str(raw.get("type"))
    return Letter(code=data["code"], input=what, request_id=named, name=name)


def unaccounted(
    folded: Folded, letters: Sequence[Letter], reports: Sequence[Report], actions: Iterable[str], tenant: str
) -> list[Broken]:
    """Requests without an order or a dead letter, and actions that nothing came of (I1)."""
    opened = {order.request_id for order in folded.orders.values()}
    refused = {letter.request_id for letter in letters}
    lost = [report.request_id for report in reports if report.request_id not in opened | refused]
    answered = {cause.removeprefix(f"{tenant}:") for cause in folded.causes} | {letter.input for letter in letters}
    silent = sorted(set(actions) - answered)
    broken = []
    if lost:
        broken.append(Broken(name="I1", what=f"{len(lost)} requests led to nothing: {lost[:_SHOWN]}"))
    if silent:
        broken.append(Broken(name="I1", what=f"{len(silent)} actions led to nothing: {silent[:_SHOWN]}"))
    return broken


def check_bytes(topics: Mapping[str, Sequence[ConsumerRecord]]) -> list[Broken]:
    """One id has one content, in the log and in every copy; and every copy is there (I7)."""
    broken: list[Broken] = []
    log: dict[bytes, tuple[object, ...]] = {}
    wanted: dict[str, set[bytes]] = {topic: set() for topic in (ASSIGNMENTS, COMPLETIONS, ESCALATIONS)}
    for record in topics[WORK_ORDERS]:
        headers = dict(record.headers)
        event_id = headers["ce_id"]
        if log.setdefault(event_id, _content(record)) != _content(record):
            broken.append(Broken(name="I7", what=f"{event_id.decode()} has two contents in the log"))
        for topic in topics_of(headers["ce_type"].decode()):
            if topic in wanted:
                wanted[topic].add(event_id)
    for topic, ids in wanted.items():
        broken.extend(_copies(topic, topics[topic], ids, log))
    return broken


def _copies(
    topic: str, records: Sequence[ConsumerRecord], wanted: set[bytes], log: Mapping[bytes, tuple[object, ...]]
) -> list[Broken]:
    broken = []
    seen: set[bytes] = set()
    for record in records:
        event_id = dict(record.headers)["ce_id"]
        seen.add(event_id)
        if log.get(event_id) != _content(record):
            broken.append(Broken(name="I7", what=f"{topic} has another {event_id.decode()} than the log"))
    if seen != wanted:
        what = f"{topic}: {len(wanted - seen)} copies are missing, {len(seen - wanted)} are not in the log"
        broken.append(Broken(name="I7", what=what))
    return broken


def _content(record: ConsumerRecord) -> tuple[object, ...]:
    return record.key, record.value, tuple(record.headers)


def check_contract(records: Iterable[ConsumerRecord]) -> list[Broken]:
    """Every event of the log is what the published contract says; one line for each kind of fault."""
    faults: dict[str, int] = {}
    for record in records:
        kind = dict(record.headers)["ce_type"].decode()
        row = EVENT_TYPES.get(kind)
        if row is None:
            faults[f"{kind} is not in the catalogue"] = 1
            continue
        try:
            row.model.model_validate_json(record.value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            told = f"{kind} {'.'.join(map(str, first['loc']))}: {first['msg']}"
            faults[told] = faults.get(told, 0) + 1
    return [Broken(name="contract", what=f"{what} ({count}×)") for what, count in sorted(faults.items())]
