"""CloudEvents 1.0 in the Kafka protocol binding: binary and structured mode in, binary mode out.

Only JSON data is read. What comes in stays raw bytes here: its model is applied by whoever knows the type.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from dispatch.errors import Rejected
from dispatch.models.base import EARLIEST, LATEST

MAX_ATTRIBUTE: Final = 1_024
_SPECVERSION: Final = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final = ("content-type", b"application/json")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_JSON: Final = re.compile(r"(application|text)/([a-z0-9.+-]+\+)?json", re.ASCII)
_REQUIRED: Final = ("id", "source", "type")
_NO_ATTRIBUTE: Final = frozenset({"data", "data_base64"})

_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | bool | int | None)
_datetime = msgspec.json.Decoder(datetime)


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An envelope as nearly all are: these attributes, each of them text, and data that are JSON."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw
    time: str | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    partitionkey: str | None = None
    tenantid: str | None = None
    traceparent: str | None = None


_OPTIONAL: Final = ("time", "subject", "datacontenttype", "partitionkey", "tenantid", "traceparent")
_usual = msgspec.json.Decoder(_Usual)


class Incoming(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event as it was read: `data` is raw JSON, `attributes` are all of them, extensions too, as text."""

    id: str
    source: str
    type: str
    time: datetime | None
    subject: str | None
    data: bytes
    attributes: dict[str, str]


def parse(headers: Sequence[tuple[str, bytes]], key: bytes | None, value: bytes | None) -> Incoming:
    """Read one Kafka record.

    A value that is a whole envelope is also read when no header says what it is, for people publish such
    lines by hand. Raises `Rejected` with one of the codes `not-cloudevent`, `not-json`, `bad-encoding`,
    `missing-data`, `missing-attribute`, `bad-attribute`, `naive-time`.
    """
    attributes: dict[str, str] = {}
    name = ""
    try:
        for header, raw in headers:
            name = _attribute_name(header)
            if name and raw is not None:
                attributes[name] = raw.decode()
    except UnicodeDecodeError:
        raise Rejected("bad-encoding", "a header that is not UTF-8", name) from None
    content_type = attributes.get("datacontenttype")
    if content_type is not None and content_type[:23].lower() == "application/cloudevents":
        _check_envelope_type(content_type)
        return _structured(key, value)
    if content_type is None:
        return _binary(attributes, key, value) if attributes else _structured(key, value)
    _check_data_type(content_type)
    if len(attributes) > 1:
        return _binary(attributes, key, value)
    raise Rejected("not-cloudevent", "neither ce_ headers nor content-type application/cloudevents+json")


@lru_cache(maxsize=1_024)
def _attribute_name(header: str) -> str:
    """`ce_ID` → `id`, `Content-Type` → `datacontenttype`; empty for a header that is no attribute."""
    lower = header.lower()
    if lower == "content-type":
        return "datacontenttype"
    return lower[3:] if lower.startswith("ce_") and lower != "ce_datacontenttype" else ""


@lru_cache(maxsize=256)
def _check_envelope_type(content_type: str) -> None:
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != "application/cloudevents+json":
        raise Rejected("not-cloudevent", "of the structured formats only application/cloudevents+json is read")
    charset = re.search(r'charset\s*=\s*"?([^";\s]+)', parameters)
    if charset is not None and charset[1] not in {"utf-8", "utf8", "us-ascii"}:
        raise Rejected("bad-encoding", "the charset must be UTF-8", "content-type")


def _binary(attributes: dict[str, str], key: bytes | None, value: bytes | None) -> Incoming:
    if not value:
        raise Rejected("missing-data", "the record has no value", "data")
    return _incoming(attributes, key, value)


@lru_cache(maxsize=256)
def _check_data_type(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type):
        raise Rejected("bad-attribute", "data must be JSON", "datacontenttype")


def _structured(key: bytes | None, value: bytes | None) -> Incoming:
    if not value:
        raise Rejected("missing-data", "the record has no value", "data")
    try:
        usual = _usual.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        attributes, data = _any_envelope(value)
    else:
        attributes = {"specversion": usual.specversion, "id": usual.id, "source": usual.source, "type": usual.type}
        for name in _OPTIONAL:
            text = getattr(usual, name)
            if text is not None:
                attributes[name] = text
        if usual.datacontenttype is not None:
            _check_data_type(usual.datacontenttype)
        data = bytes(usual.data)
    return _incoming(attributes, key, data)


def _any_envelope(value: bytes) -> tuple[dict[str, str], bytes]:
    """The attributes and the data of an envelope of any kind; what is wrong with one that cannot be read."""
    try:
        fields = _envelope.decode(value)
    except msgspec.ValidationError:
        raise Rejected("not-cloudevent", "the value is JSON, but no object") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable(value) from None
    if "specversion" not in fields:
        raise Rejected("not-cloudevent", "no ce_ headers, and no specversion in the value")
    attributes = {}
    for name, raw in fields.items():
        if name not in _NO_ATTRIBUTE and (text := _text(name, raw)) is not None:
            attributes[name] = text
    if (content_type := attributes.get("datacontenttype")) is not None:
        _check_data_type(content_type)
    return attributes, _data(fields)


def _unreadable(value: bytes) -> Rejected:
    try:
        value.decode()
    except UnicodeDecodeError:
        return Rejected("bad-encoding", "the value is not UTF-8")
    return Rejected("not-json", "the value is not JSON")


def _text(name: str, raw: msgspec.Raw) -> str | None:
    try:
        found = _scalar.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Rejected("bad-attribute", "an attribute is a string, a boolean or an integer", name) from None
    if found is None or isinstance(found, str):
        return found
    return str(found).lower()


def _data(fields: dict[str, msgspec.Raw]) -> bytes:
    if (raw := fields.get("data")) is not None:
        if "data_base64" in fields:
            raise Rejected("bad-attribute", "data and data_base64 exclude each other", "data_base64")
        return bytes(raw)
    encoded = _text("data_base64", fields["data_base64"]) if "data_base64" in fields else None
    if encoded is None:
        raise Rejected("missing-data", "neither data nor data_base64", "data")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("bad-attribute", "not base64", "data_base64") from None


def _incoming(attributes: dict[str, str], key: bytes | None, data: bytes) -> Incoming:
    whole = "".join(attributes.values())
    usual = len(whole) <= MAX_ATTRIBUTE and whole.isprintable()
    for name, text in () if usual else attributes.items():
        if len(text) > MAX_ATTRIBUTE or not (text.isprintable() or not _CONTROL.search(text)):
            raise Rejected("bad-attribute", f"over {MAX_ATTRIBUTE} characters, or a control character", name)
    get = attributes.get
    if get("specversion") != "1.0":
        raise _bad_version(get("specversion"))
    for name in _REQUIRED:
        if not get(name):
            raise Rejected("missing-attribute", f"the attribute {name} is required", name)
    time = get("time")
    if key is not None and "partitionkey" not in attributes:
        attributes["partitionkey"] = key.decode(errors="backslashreplace")
    return Incoming(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        time=None if time is None else _moment(time),
        subject=get("subject"),
        data=data,
        attributes=attributes,
    )


def _bad_version(found: str | None) -> Rejected:
    if not found:
        return Rejected("missing-attribute", "the attribute specversion is required", "specversion")
    return Rejected("bad-attribute", "only CloudEvents 1.0 is read", "specversion")


@lru_cache(maxsize=1_024)
def _moment(text: str) -> datetime:
    try:
        moment = _datetime.decode(f'"{text}"')
    except msgspec.DecodeError:
        raise Rejected("bad-attribute", "not an RFC 3339 time", "time") from None
    if moment.tzinfo is None:
        raise Rejected("naive-time", "a time needs its offset", "time")
    if not EARLIEST <= moment <= LATEST:
        raise Rejected("bad-attribute", f"a time between {EARLIEST.year} and {LATEST.year}", "time")
    return moment


@lru_cache(maxsize=4_096)
def _header(name: str, value: str) -> tuple[str, bytes]:
    return name, value.encode()


@lru_cache(maxsize=4_096)
def _moment_header(name: str, value: datetime | str) -> tuple[str, bytes]:
    text = value if isinstance(value, str) else value.isoformat()
    return name, (text[:-6] + "Z" if text.endswith("+00:00") else text).encode()


@lru_cache(maxsize=4_096)
def _lane_headers(
    source: str, partitionkey: str, tenantid: str, policyversion: str | None
) -> tuple[tuple[str, bytes], ...]:
    """What all events of a territory have in common while the policy stays."""
    common = (
        _SPECVERSION,
        ("ce_source", source.encode()),
        ("ce_partitionkey", partitionkey.encode()),
        ("ce_tenantid", tenantid.encode()),
        _CONTENT_TYPE,
    )
    return common if policyversion is None else (*common, ("ce_policyversion", policyversion.encode()))


def outgoing_headers(
    *,
    event_id: str,
    source: str,
    event_type: str,
    subject: str | None,
    time: datetime | str,
    recordedtime: datetime | str,
    partitionkey: str,
    sequence: int,
    tenantid: str,
    correlationid: str | None = None,
    causationid: str | None = None,
    policyversion: str | None = None,
    traceparent: str | None = None,
) -> list[tuple[str, bytes]]:
    """The headers of one outgoing event; what is None is left out. Times are aware, or RFC 3339 text."""
    headers = [
        *_lane_headers(source, partitionkey, tenantid, policyversion),
        ("ce_id", event_id.encode()),
        _header("ce_type", event_type),
        _moment_header("ce_time", time),
        _moment_header("ce_recordedtime", recordedtime),
        ("ce_sequence", b"%020d" % sequence),
    ]
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if correlationid is not None:
        headers.append(("ce_correlationid", correlationid.encode()))
    if causationid is not None:
        headers.append(("ce_causationid", causationid.encode()))
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    return headers
