"""Between what is decided and what is on the wire: outbox entries, and the Kafka records they become.

An outbox entry holds all that its records' bytes are made of, so that publishing it again repeats them exactly.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from aiokafka.structs import ConsumerRecord

from dispatch.agents.publisher import Record
from dispatch.models.cloudevents import outgoing_headers
from dispatch.models.commands import encode_command
from dispatch.rules.batch import Decided, Refusal
from dispatch.rules.events import Event, full_type, short_type
from dispatch.rules.state import Data, text_of
from dispatch.stores.base import TerritoryKey
from dispatch.topics import COMMANDS_URGENT, DEAD_LETTERS, WORK_ORDERS, topics_of

MAX_RAW_BYTES = 4 * 1024 * 1024
"""How much of a refused input a dead letter keeps; a longer one is cut, and known by its length and hash."""
_encode = msgspec.json.Encoder().encode


class Letter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dead letter: input that was refused, with everything needed to look at it and to send it again."""

    id: str
    tenant: str
    time: str
    key: bytes | None
    data: bytes


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One territory's batch in the outbox. ``events`` pairs each event with its data as JSON."""

    tenant: str
    territory: str
    recorded: str
    events: list[tuple[int, str, str, str, str | None, str | None, str | None, str | None, bytes]]
    sent: list[tuple[str, bytes]] = []
    letters: list[Letter] = []


_entry_encode = msgspec.msgpack.Encoder().encode
_entry_decode = msgspec.msgpack.Decoder(Entry).decode


def entry_of(key: TerritoryKey, decided: Decided, letters: Sequence[Letter], recorded: str) -> Entry:
    """The outbox entry of a batch."""
    events = []
    for event in decided.events:
        data = _encode(event.data)
        head = (event.sequence, event.type, event.subject, event.time, event.correlation, event.causation)
        events.append((*head, event.policy_version, event.traceparent, data))
    sent = [(command.territory, encode_command(command)) for command in decided.sent]
    return Entry(
        tenant=key.tenant,
        territory=key.territory,
        recorded=recorded,
        events=events,
        sent=sent,
        letters=list(letters),
    )


def pack(entry: Entry) -> bytes:
    """The entry as the store keeps it."""
    return _entry_encode(entry)


def unpack(blob: bytes) -> Entry:
    """The entry that the store kept."""
    return _entry_decode(blob)


def records_of(entry: Entry, lane: int, lane_of: Callable[[str], int]) -> list[Record]:
    """The records of an entry, in order: its events (and their copies), commands to other lanes, dead letters."""
    key_text = f"{entry.tenant}:{entry.territory}"
    key = key_text.encode()
    source = f"/dispatch/{entry.tenant}/{entry.territory}"
    records: list[Record] = []
    for sequence, short, subject, time, correlation, causation, policy, trace, data in entry.events:
        kind = full_type(short)
        headers = outgoing_headers(
            event_id=f"{key_text}:{sequence}",
            source=source,
            event_type=kind,
            subject=subject,
            time=time,
            recordedtime=entry.recorded,
            partitionkey=key_text,
            sequence=sequence,
            tenantid=entry.tenant,
            correlationid=correlation,
            causationid=causation,
            policyversion=policy,
            traceparent=trace,
        )
        records += [Record(topic, lane, key, data, headers) for topic in topics_of(kind)]
    for territory, value in entry.sent:
        to = f"{entry.tenant}:{territory}"
        records.append(Record(COMMANDS_URGENT, lane_of(to), to.encode(), value))
    records.extend(letter_record(letter, lane) for letter in entry.letters)
    return records


def letter_record(letter: Letter, partition: int) -> Record:
    """A dead letter as a record."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", letter.id.encode()),
        ("ce_source", f"/dispatch/{letter.tenant}".encode()),
        ("ce_type", b"dispatch.input.refused.v1"),
        ("ce_time", letter.time.encode()),
        ("ce_recordedtime", letter.time.encode()),
        ("ce_tenantid", letter.tenant.encode()),
        ("content-type", b"application/json"),
    ]
    return Record(DEAD_LETTERS, partition, letter.key, letter.data, headers)


def letter_of(record: ConsumerRecord, tenant: str, code: str, errors: Sequence[object], why: str = "") -> Letter:
    """The dead letter of a record that was read: its bytes, where it stood, and what is wrong with it.

    It depends on nothing but the record and the verdict, so that reading the record again writes the same letter.
    """
    value = record.value or b""
    data: Data = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode(errors="replace") if record.key else None,
        "headers": {name: one.decode(errors="backslashreplace") for name, one in record.headers if one is not None},
        "raw": base64.b64encode(value[:MAX_RAW_BYTES]).decode(),
        "code": code,
        "errors": list(errors) or [{"path": "", "message": why}],
    }
    if len(value) > MAX_RAW_BYTES:
        data |= {"raw_bytes": len(value), "raw_sha256": hashlib.sha256(value).hexdigest()}
    place = f"{record.topic}:{record.partition}:{record.offset}"
    time = text_of(datetime.fromtimestamp(record.timestamp / 1000, UTC))
    return Letter(id=f"{place}:{record.timestamp}", tenant=tenant, time=time, key=record.key, data=_encode(data))


def oversize_letter(record: Record, tenant: str, recorded: str) -> Letter:
    """The dead letter of a record that the broker will not take: its head, and how large it was."""
    names = {name: value.decode(errors="replace") for name, value in record.headers}
    data = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": 0,
        "key": record.key.decode(errors="replace") if record.key else None,
        "headers": names,
        "raw": base64.b64encode(record.value[: MAX_RAW_BYTES // 16]).decode(),
        "raw_bytes": len(record.value),
        "raw_sha256": hashlib.sha256(record.value).hexdigest(),
        "code": "broker-refused",
        "errors": [{"path": "", "message": f"{len(record.value)} bytes are more than the broker takes"}],
    }
    letter_id = f"refused:{names.get('ce_id', record.topic)}"
    return Letter(id=letter_id, tenant=tenant, time=recorded, key=record.key, data=_encode(data))


def refused_letter(record: ConsumerRecord, refusal: Refusal) -> Letter:
    """The dead letter of a command that could not be obeyed."""
    return letter_of(record, refusal.command.tenant, refusal.code, refusal.errors)


def read_event(record: ConsumerRecord) -> Event | None:
    """The event that a record of ``dispatch.work-orders`` holds; None for anything else."""
    if record.topic != WORK_ORDERS:
        return None
    found = {name: value.decode() for name, value in record.headers}
    return Event(
        sequence=int(found["ce_sequence"]),
        type=short_type(found["ce_type"]),
        subject=found["ce_subject"],
        time=found["ce_time"],
        data=msgspec.json.decode(record.value),
        correlation=found.get("ce_correlationid"),
        causation=found.get("ce_causationid"),
        policy_version=found.get("ce_policyversion"),
        traceparent=found.get("ce_traceparent"),
    )
