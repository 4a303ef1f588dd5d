"""``dispatch dead-letters``: input that was refused, listed or sent again."""

import base64
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click
import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from dispatch.agents.log_reader import read_to_end, reader
from dispatch.cli.connections import Message, run, send, topics_there
from dispatch.cli.group import make_command
from dispatch.cli.moments import Since
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json, print_json_lines, print_rows, say
from dispatch.errors import LaneError
from dispatch.settings import Settings
from dispatch.topics import ACTIONS, COMMANDS, COMMANDS_URGENT, DEAD_LETTERS, REQUESTS

RETRY_HEADER: Final = "dispatch-retry"
KILLER: Final = "kills-the-worker"
_INPUTS: Final = (REQUESTS, ACTIONS, COMMANDS, COMMANDS_URGENT)
_COLUMNS: Final = ("time", "topic", "partition", "offset", "code", "input_type", "input_id", "retries", "why")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter. ``data`` holds the input itself, and is never printed: it may name people."""

    id: str
    time: str
    data: dict[str, Any]

    @property
    def retries(self) -> int:
        """How often the input has been sent again."""
        told = str((self.data.get("headers") or {}).get(RETRY_HEADER, "0"))
        return int(told) if told.isdigit() else 0

    @property
    def input(self) -> tuple[str, str]:
        """Where the input was read, and its bytes in base64: the same for each try of it."""
        return str(self.data["topic"]), str(self.data.get("raw") or "")


@make_command(
    "dead-letters", example="dispatch dead-letters --since 2h --code unknown-order\ndispatch dead-letters --retry --yes"
)
@click.option("--since", type=Since(), help="Not older than this: 2h, 3d, or an RFC 3339 time.")
@click.option("--code", help="Only this code, for example missing-field.")
@click.option("--retry", is_flag=True, help="Send them again to where they were read.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@as_json
@with_settings("kafka")
def command(
    settings: Settings, since: datetime | None, code: str | None, *, retry: bool, yes: bool, as_json: bool
) -> None:
    """List input that was refused: where it lay, and what is wrong with it; never what it held.

    With --retry each input is sent again as it was, once, however many letters there are of it. Input that kept
    ending the worker is sent again only if --code kills-the-worker says so.
    """
    letters = run(lambda: _letters(settings, since, code), settings)
    if not retry:
        rows = [_row(one) for one in letters]
        if as_json:
            print_json_lines(rows)
        else:
            print_rows(_COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
        return
    chosen = _to_send(letters, code)
    if chosen and not yes:
        _confirm(len(chosen))
    if chosen:
        run(lambda: _send_again(settings, chosen), settings)
    counts = {"letters": len(letters), "sent_again": len(chosen), "left_alone": len(letters) - len(chosen)}
    if as_json:
        print_json(counts)
    else:
        click.echo(f"{counts['sent_again']} sent again, {counts['left_alone']} left alone")


def _confirm(count: int) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{count} inputs would be sent again: say --yes")
    click.confirm(f"Send {count} inputs again?", abort=True, err=True)


async def _letters(settings: Settings, since: datetime | None, code: str | None) -> list[Letter]:
    facts = (await topics_there(settings, (DEAD_LETTERS,))).get(DEAD_LETTERS)
    if facts is None:
        raise LaneError(f"there is no topic {DEAD_LETTERS}", "Run `dispatch topics --create`")
    letters: list[Letter] = []
    for number in range(facts.partitions):
        start = await _start(settings, number, since) if since else None
        async for record in read_to_end(settings.kafka_client(), DEAD_LETTERS, number, start):
            one = _letter(record)
            if one is not None and code in (None, one.data["code"]):
                letters.append(one)
    return sorted(letters, key=lambda one: (one.time, one.id))


async def _start(settings: Settings, number: int, since: datetime) -> int:
    """The first offset at or after a moment of the wall clock; the end when there is none."""
    place = TopicPartition(DEAD_LETTERS, number)
    async with reader(settings.kafka_client()) as consumer:
        consumer.assign([place])
        found = (await consumer.offsets_for_times({place: int(since.timestamp() * 1000)}))[place]
        return int(found.offset if found is not None else (await consumer.end_offsets([place]))[place])


def _letter(record: ConsumerRecord) -> Letter | None:
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    try:
        data = msgspec.json.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        say(f"{DEAD_LETTERS}[{record.partition}]@{record.offset} is no dead letter")
        return None
    return Letter(id=headers.get("ce_id", ""), time=headers.get("ce_time", ""), data=data)


def _row(one: Letter) -> dict[str, Any]:
    data = one.data
    input_id, input_type = _named(data)
    return {
        "id": one.id,
        "time": one.time,
        "topic": data["topic"],
        "partition": data["partition"],
        "offset": data["offset"],
        "code": data["code"],
        "input_type": input_type,
        "input_id": input_id,
        "retries": one.retries,
        "errors": data.get("errors") or [],
        "why": "; ".join(
            f"{each['path']}: {each['message']}" if each.get("path") else str(each["message"])
            for each in data.get("errors") or ()
        ),
    }


def _named(data: dict[str, Any]) -> tuple[str | None, str | None]:
    """The input's own id and type, where they can be read."""
    headers = {str(name).lower(): value for name, value in (data.get("headers") or {}).items()}
    if "ce_id" in headers:
        return headers["ce_id"], headers.get("ce_type")
    try:
        value = msgspec.json.decode(base64.b64decode(data.get("raw") or ""))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None, None
    if not isinstance(value, dict):
        return None, None
    event_id, event_type = (str(value[name])[:200] if name in value else None for name in ("id", "type"))
    return event_id, event_type


def _to_send(letters: Sequence[Letter], code: str | None) -> list[Letter]:
    """One letter of each input that may be sent again: the last."""
    last = {one.input: one for one in letters if one.data["topic"] in _INPUTS and one.data.get("raw")}
    return [one for one in last.values() if code == KILLER or one.data["code"] != KILLER]


async def _send_again(settings: Settings, letters: Sequence[Letter]) -> None:
    there = await topics_there(settings, _INPUTS)
    await send(settings, [_message(one, there[one.data["topic"]].partitions) for one in letters])


def _message(one: Letter, partitions: int) -> Message:
    """The input as it was read: bytes, key, headers, and partition, for a command belongs to its lane."""
    data = one.data
    headers = {str(name): str(value) for name, value in (data.get("headers") or {}).items()}
    headers[RETRY_HEADER] = str(one.retries + 1)
    key = data.get("key")
    return Message(
        topic=data["topic"],
        key=key.encode() if key is not None else None,
        value=base64.b64decode(data["raw"]),
        headers=[(name, value.encode()) for name, value in headers.items()],
        partition=min(int(data["partition"]), partitions - 1),
    )
