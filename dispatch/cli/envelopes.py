"""Lines that people write, made into whole CloudEvents and checked as the engine will check them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from dispatch.errors import Rejected, rejected
from dispatch.models.catalog import EVENT_TYPES, INPUT_TYPES, full_name
from dispatch.models.cloudevents import parse
from dispatch.models.commands import root_of
from dispatch.rules.lifecycle import authorise
from dispatch.topics import ACTIONS, REQUESTS

HEADERS: Final = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
SOURCE: Final = "/cli"
MAX_BYTES: Final = 64 * 1024
"""What intake reads at most."""
_SHORT: Final = {"request": "request.submitted"}
_REQUEST: Final = "dispatch.request."
_ACTION: Final = "dispatch.action."


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: its event, where it goes, and what is wrong with it, if anything is."""

    number: int
    value: bytes
    topic: str
    id: str = ""
    source: str = ""
    type: str = ""
    key: str | None = None
    request_id: str | None = None
    faults: int = 0
    subject: str | None = None
    refused: Rejected | None = None


def envelope(
    short: str, event_id: str, source: str, data: Mapping[str, Any], time: str | None = None
) -> dict[str, Any]:
    """A structured CloudEvent of a type given by its short name."""
    event: dict[str, Any] = {"specversion": "1.0", "id": event_id, "source": source, "type": full_name(short)}
    return {**event, **({"time": time} if time else {}), "datacontenttype": "application/json", "data": data}


def read_lines(lines: Iterable[bytes], *, topic: str | None, now: str, check: bool) -> Iterator[Line]:
    """Each line that is not blank. With a ``topic`` given, lines go there, whatever they hold, if not checked."""
    for number, raw in enumerate(lines, start=1):
        value = raw.strip()
        if not value:
            continue
        try:
            yield _line(number, value, topic, now, check=check)
        except Rejected as error:
            if check or topic is None:
                yield Line(number=number, value=value, topic=topic or "", refused=error)
            else:
                yield Line(number=number, value=value, topic=topic)


def _line(number: int, value: bytes, topic: str | None, now: str, *, check: bool) -> Line:
    event = _object(value)
    if "specversion" not in event:
        event = _completed(event, now)
        value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    kind, data = str(event.get("type")), event.get("data")
    if check:
        _check(value, kind)
    data = data if isinstance(data, dict) else {}
    is_request = kind.startswith(_REQUEST)
    items = data.get("items")
    return Line(
        number=number,
        value=value,
        topic=topic or (REQUESTS if is_request else ACTIONS),
        id=str(event.get("id")),
        source=str(event.get("source")),
        type=kind,
        key=_key(event, data),
        request_id=str(data.get("request_id") or event.get("id")) if is_request else None,
        faults=max(1, len(items) if isinstance(items, list) else 0) if is_request else 0,
        subject=data.get("work_order_id") or data.get("technician_id") or data.get("id"),
    )


def _object(value: bytes) -> dict[str, Any]:
    try:
        event = json.loads(value.decode())
    except UnicodeDecodeError:
        raise Rejected("bad-encoding", "the line is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Rejected("not-json", f"the line is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Rejected("not-cloudevent", "the line is JSON, but no object")
    return event


def _completed(event: dict[str, Any], now: str) -> dict[str, Any]:
    """The CloudEvent that a shorthand stands for; the same line always gets the same id."""
    for name in ("type", "data"):
        if name not in event:
            raise Rejected("missing-attribute", f"a line needs `type` and `data`; {name} is missing", name)
    named = str(event["type"])
    short = _SHORT.get(named, named.removeprefix("dispatch.").removesuffix(".v1"))
    if full_name(short) not in EVENT_TYPES:
        raise Rejected("unknown-type", f"no event type {named!r}, write for example request or action.accept", "type")
    source = event.get("source") or SOURCE
    told = json.dumps([short, source, event.get("time"), event["data"]], sort_keys=True, ensure_ascii=False)
    digest = hashlib.blake2b(told.encode(errors="backslashreplace"), digest_size=10).hexdigest()
    whole = envelope(short, str(event.get("id") or f"cli-{digest}"), source, event["data"], event.get("time") or now)
    return whole | {name: value for name, value in event.items() if name not in whole}


def _check(value: bytes, kind: str) -> None:
    """Raises Rejected as intake would, as far as that can be said without knowing the orders."""
    if len(value) > MAX_BYTES:
        raise Rejected("too-large", f"{len(value)} bytes; at most {MAX_BYTES}")
    incoming = parse((), None, value)
    model = INPUT_TYPES.get(kind)
    if model is None:
        raise Rejected("unknown-type", f"{kind!r} is no type that the engine reads", "type")
    try:
        data = model.model_validate_json(incoming.data)
    except ValidationError as error:
        raise rejected(error) from None
    if kind.startswith(_ACTION):
        role = getattr(getattr(data, "actor", None), "role", "")
        authorise(kind.removeprefix(_ACTION).removesuffix(".v1"), role)


def _key(event: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """What is about one order, or one technician, keeps its order of lines."""
    if order_id := data.get("work_order_id"):
        return root_of(str(order_id))
    kind = str(event.get("type"))
    if kind.startswith(("dispatch.technician.", "dispatch.shift.", "dispatch.position.")):
        return f"technician/{data.get('technician_id') or data.get('id')}"
    return str(event.get("id"))
