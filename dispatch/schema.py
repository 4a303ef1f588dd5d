"""Writes the contract down: `docs/asyncapi.yaml`, and one JSON Schema per event type in `docs/schemas/`.

    python -m dispatch.schema                    write what is stale
    python -m dispatch.schema --check            write nothing; fail if anything is stale
    python -m dispatch.schema --record FILE      besides, add what the contract has grown by to the lock FILE

The lock holds what was ever promised. Recording refuses to forget: a change that breaks a promise fails.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dispatch import topics
from dispatch.models import growth
from dispatch.models.catalog import EVENT_TYPES, EventType

Json = dict[str, Any]

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_INPUT_ATTRIBUTES: Final = ("id", "source", "specversion", "type")
_OUTPUT_ATTRIBUTES: Final = (
    *_INPUT_ATTRIBUTES,
    "partitionkey",
    "recordedtime",
    "sequence",
    "tenantid",
    "time",
)
_OTHER_ATTRIBUTES: Final = ("causationid", "correlationid", "policyversion", "subject", "traceparent")
_TEXT: Final = {"type": "string"}


class _Plain(GenerateJsonSchema):
    """Without titles that repeat a field's name, and without defaults that only say "absent"."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- as pydantic declares it
        """Never."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The default, unless it is None."""
        found = super().default_schema(schema)
        if found.get("default", "") is None:
            del found["default"]
        return found


@cache
def schema_of(event_type: str) -> Json:
    """The JSON Schema (2020-12) of one event type's data."""
    model = EVENT_TYPES[event_type].model
    schema = model.model_json_schema(schema_generator=_Plain)
    return {**schema, "$schema": DRAFT, "$id": f"{event_type}.json", "title": event_type}


def _message(event_type: str, row: EventType) -> Json:
    headers = "incoming" if row.direction == "in" else "outgoing" if row.direction == "out" else "either"
    message: Json = {
        "name": event_type,
        "title": event_type,
        "summary": (row.model.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"./schemas/{event_type}.json"}},
    }
    if row.direction == "out":
        message["correlationId"] = {"location": "$message.header#/ce_correlationid"}
    return message


def _headers(required: Sequence[str], optional: Sequence[str]) -> Json:
    properties: Json = {f"ce_{name}": _TEXT | {} for name in sorted({*required, *optional})}
    properties["ce_specversion"] = {"type": "string", "const": "1.0"}
    if "sequence" in required:
        properties["ce_sequence"] = {"type": "string", "pattern": "^[0-9]{20}$"}
    properties["content-type"] = _TEXT | {}
    return {
        "type": "object",
        "required": [f"ce_{name}" for name in sorted(required)],
        "properties": properties,
    }


def _channel(topic: topics.Topic, messages: Sequence[str]) -> Json:
    settings: Json = {"cleanup.policy": [topic.cleanup], "retention.ms": topic.retention_ms}
    if "max.message.bytes" in topic.config:
        settings["max.message.bytes"] = topics.MAX_MESSAGE_BYTES
    return {
        "address": topic.name,
        "description": f"{topic.what}. Key: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {"topic": topic.name, "topicConfiguration": settings, "bindingVersion": "0.5.0"},
        },
    }


def asyncapi() -> Json:
    """The AsyncAPI 3.0.0 document. Internal topics stand in it without messages: nobody else may use them."""
    channels: Json = {}
    operations: Json = {}
    for topic in topics.TOPICS.values():
        short = topic.name.removeprefix("dispatch.")
        carried = [name for name, row in EVENT_TYPES.items() if topic.name in row.topics]
        channels[short] = _channel(topic, carried if topic.name != topics.POLICIES else ["policy"])
        for action in {"in": ("receive",), "out": ("send",), "internal": ("receive", "send")}[topic.direction]:
            channel = {"$ref": f"#/channels/{short}"}
            operations[f"{action}-{short}"] = {"action": action, "channel": channel, "summary": topic.what}
    policy = {
        "name": "policy",
        "summary": "One policy, whole; the key is its version.",
        "payload": {"type": "object"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Work-order dispatch",
            "version": "1",
            "description": "CloudEvents 1.0 in the Kafka protocol binding: binary mode out; binary and "
            "structured in. Types end in .v1. A schema only grows: fields are added optional, never renamed "
            "or removed.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {"policy": policy} | {name: _message(name, row) for name, row in EVENT_TYPES.items()},
            "schemas": {
                "incoming": _headers(_INPUT_ATTRIBUTES, ("time", "subject", "tenantid", "traceparent")),
                "outgoing": _headers(_OUTPUT_ATTRIBUTES, _OTHER_ATTRIBUTES),
                "either": _headers(_INPUT_ATTRIBUTES, (*_OUTPUT_ATTRIBUTES, *_OTHER_ATTRIBUTES)),
            },
        },
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- as yaml declares it
        return True


def documents() -> dict[str, str]:
    """Every generated file: path below `docs/` → text."""
    dumped = yaml.dump(asyncapi(), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    files = {"asyncapi.yaml": "# Generated by python -m dispatch.schema\n" + dumped}
    for event_type in EVENT_TYPES:
        files[f"schemas/{event_type}.json"] = _json(schema_of(event_type))
    return files


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def stale(docs: Path) -> list[str]:
    """The paths below `docs` that differ from what would be generated, or should not be there."""
    wanted = documents()
    there = {f"schemas/{path.name}" for path in (docs / "schemas").glob("*.json")} - wanted.keys()
    return sorted(there | {path for path, text in wanted.items() if _read(docs / path) != text})


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


@cache
def promises() -> dict[str, Json]:
    """What the contract promises: event type → field path → facts, see `dispatch.models.growth`."""
    return {event_type: growth.fields_of(schema_of(event_type)) for event_type in EVENT_TYPES}


def record(lock: Path) -> list[str]:
    """Add what the contract has grown by to the lock file; on a broken promise write nothing and tell why."""
    before = json.loads(_read(lock) or "{}")
    now = promises()
    faults = growth.broken(before, now)
    if not faults:
        lock.write_text(growth.lock_text(now), encoding="utf-8")
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dispatch.schema", description="Write the contract down.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything is stale")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="the folder of the documents")
    parser.add_argument("--record", type=Path, metavar="FILE", help="add what grew to this lock file")
    options = parser.parse_args(arguments)
    if options.record is not None and (faults := record(options.record)):
        sys.stderr.write("\n".join([*faults, "schemas only grow: nothing was written", ""]))
        return 1
    found = stale(options.docs)
    if options.check:
        sys.stderr.writelines(f"stale: {path}\n" for path in found)
        return 1 if found else 0
    write(options.docs, found)
    return 0


def write(docs: Path, paths: Sequence[str]) -> None:
    """Write the given stale paths below `docs`, and remove those that should not be there."""
    wanted = documents()
    (docs / "schemas").mkdir(parents=True, exist_ok=True)
    for path in paths:
        if path in wanted:
            (docs / path).write_text(wanted[path], encoding="utf-8")
        else:
            (docs / path).unlink()


if __name__ == "__main__":
    sys.exit(main())
