"""``dispatch publish``: requests and actions from lines of JSON."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import click
from aiokafka.structs import RecordMetadata

from dispatch.cli.connections import Message, run, send, tenant_of
from dispatch.cli.envelopes import HEADERS, Line, read_lines
from dispatch.cli.group import FOUND, make_command
from dispatch.cli.hearing import Heard, Listener, Sent
from dispatch.cli.moments import clock_of
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json_lines, print_rows, say
from dispatch.errors import Rejected
from dispatch.rules.state import text_of
from dispatch.settings import Settings
from dispatch.topics import ACTIONS, REQUESTS

_TOPICS = {"requests": REQUESTS, "actions": ACTIONS}


@make_command(
    "publish",
    example='echo \'{"type": "request", "data": {"channel": "web", "reporter": {"id": "stu-1"}, "text": "no water"}}\''
    " | dispatch publish - --wait 5\ndispatch publish requests.jsonl --json",
)
@click.argument("file", type=click.File("rb"))
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for what follows.")
@click.option("--check/--no-check", default=True, help="Check each line first as the engine will [yes].")
@click.option("--topic", type=click.Choice(sorted(_TOPICS)), help="Where all lines go [by their type].")
@as_json
@with_settings("kafka")
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    file: BinaryIO,
    wait_s: float,
    topic: str | None,
    *,
    check: bool,
    as_json: bool,
) -> None:
    """Publish each line of FILE (- is standard input).

    A line is a whole structured CloudEvent, or {"type": "request" | "action.accept" | ..., "data": {...}} with "id",
    "source" and "time" where wanted. Lines that are refused are told with their numbers, and the exit code is 1; the
    others are published. The same line twice has the same id, and so takes effect once.
    """
    now = text_of(clock_of(settings).now())
    lines = list(read_lines(file, topic=_TOPICS.get(topic or ""), now=now, check=check))
    good = [line for line in lines if line.refused is None]
    sent, heard = run(lambda: _publish(settings, good, wait_s), settings) if good else ([], [])
    rows = [_refused(line.number, line.refused) for line in lines if line.refused is not None]
    rows += [_accepted(one) for one in sent]
    _print(sorted(rows, key=lambda row: int(row["line"])), heard, as_json=as_json)
    unheard = [one for one in sent if one.unheard] if wait_s else []
    if unheard:
        lines_told = ", ".join(str(one.line.number) for one in unheard)
        say(f"nothing was heard of line {lines_told} within {wait_s:g} s: a repeat, or no worker is running")
    if len(good) < len(lines) or unheard or any(one.kind == "refused" for one in heard):
        ctx.exit(FOUND)


async def _publish(settings: Settings, lines: Sequence[Line], wait_s: float) -> tuple[list[Sent], list[Heard]]:
    tenant = await tenant_of(settings)
    sent = [Sent(line, tenant) for line in lines]
    if not wait_s:
        _place(sent, await send(settings, [_message(line) for line in lines]))
        return sent, []
    async with Listener(settings) as listener:
        _place(sent, await send(settings, [_message(line) for line in lines]))
        return sent, await listener.hear(sent, wait_s)


def _place(sent: Sequence[Sent], places: Sequence[RecordMetadata]) -> None:
    for one, place in zip(sent, places, strict=True):
        one.place = (place.topic, place.partition, place.offset)


def _message(line: Line) -> Message:
    return Message(line.topic, line.key.encode() if line.key else None, line.value, HEADERS if line.id else ())


def _refused(number: int, error: Rejected) -> dict[str, Any]:
    return {"line": number, "accepted": False, "code": error.code, "errors": error.errors}


def _accepted(one: Sent) -> dict[str, Any]:
    topic, partition, offset = one.place
    return {
        "line": one.line.number,
        "accepted": True,
        "type": one.line.type,
        "id": one.line.id,
        "source": one.line.source,
        "order_ids": one.order_ids,
        "topic": topic,
        "partition": partition,
        "offset": offset,
    }


def _print(rows: Sequence[dict[str, Any]], heard: Sequence[Heard], *, as_json: bool) -> None:
    if as_json:
        print_json_lines(rows)
        print_json_lines(heard)
        return
    told = []
    for row in rows:
        if row["accepted"]:
            told.append((row["line"], "accepted", row["type"], row["id"], row["order_ids"]))
        else:
            why = [f"{each['path']}: {each['message']}" if each["path"] else each["message"] for each in row["errors"]]
            told.append((row["line"], "refused", row["code"], "; ".join(why), None))
    print_rows(("line", "result", "type", "id", "order"), told)
    if heard:
        print_rows(
            ("line", "event", "subject", "state", "what"),
            [(one.line, one.type, one.subject, one.state, one.what) for one in heard],
            title="what followed",
        )
