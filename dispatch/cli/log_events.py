"""What commands read of the log to learn from: from Kafka, or from a file of exported events."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from dispatch.agents.log_reader import read_to_end
from dispatch.agents.wire import read_event
from dispatch.cli.connections import partitions_of, run
from dispatch.cli.group import CommandError
from dispatch.cli.output import say
from dispatch.rules.events import Event, full_type, short_type
from dispatch.rules.lessons import READ, Told, told
from dispatch.settings import Settings
from dispatch.topics import WORK_ORDERS

_WANTED: Final = frozenset(full_type(kind).encode() for kind in READ)
_SAID_EVERY: Final = 200_000


class _Line(msgspec.Struct):
    """A CloudEvent as a line of JSON (structured mode), as far as it is read. ``type`` may be the short one."""

    type: str
    subject: str
    time: str
    data: dict[str, Any]
    sequence: str | int = 0
    recordedtime: str | None = None


_line = msgspec.json.Decoder(_Line).decode


def events_of(settings: Settings, file: Path | None) -> list[Told]:
    """What lessons may come from, of the whole log: of the broker, or of ``file``.

    Raises:
        CommandError: names the line of the file that is no event.
    """
    if file is None:
        return run(lambda: _from_kafka(settings), settings)
    with file.open("rb") as lines:
        return list(_from_lines(file, lines))


async def _from_kafka(settings: Settings) -> list[Told]:
    found: list[Told] = []
    for lane in range(await partitions_of(settings, WORK_ORDERS)):
        count = 0
        async for record in read_to_end(settings.kafka_client(), WORK_ORDERS, lane):
            count += 1
            if count % _SAID_EVERY == 0:
                say(f"read {count} events of {WORK_ORDERS}[{lane}] …")
            headers = dict(record.headers)
            if headers.get("ce_type") not in _WANTED or (event := read_event(record)) is None:
                continue
            recorded = headers.get("ce_recordedtime")
            if (one := told(event, recorded.decode() if recorded else None)) is not None:
                found.append(one)
    return found


def _from_lines(file: Path, lines: Iterable[bytes]) -> Iterator[Told]:
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        try:
            line = _line(raw)
            event = Event(
                sequence=int(line.sequence) or number,
                type=short_type(line.type),
                subject=line.subject,
                time=line.time,
                data=line.data,
            )
            one = told(event, line.recordedtime)
        except (msgspec.MsgspecError, ValueError) as error:
            raise CommandError(f"{file}:{number}: no event: {error}") from None
        if one is not None:
            yield one
