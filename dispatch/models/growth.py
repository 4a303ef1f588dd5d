"""Schemas only grow: what a schema promises, and whether a newer one keeps it.

A schema promises, by field path, facts {type, required, max, enum} as far as they apply. Paths are dotted;
`[]` is any element of a list, `*` any value of a map. Adding optional fields, longer limits and more values
is growth; all else breaks a promise.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


def fields_of(schema: Json) -> Json:
    """Every field path of a JSON Schema with its facts."""
    return dict(_fields(schema, schema.get("$defs", {}), ""))


def _variants(schema: Json, defs: Json) -> list[Json]:
    if (ref := schema.get("$ref")) is not None:
        return _variants(defs[ref.removeprefix("#/$defs/")], defs)
    if "anyOf" in schema and "properties" not in schema:
        return [inner for one in schema["anyOf"] for inner in _variants(one, defs)]
    return [schema]


def _fields(schema: Json, defs: Json, path: str) -> Iterator[tuple[str, Json]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield from _field(field, defs, f"{path}{name}", required=name in required)


def _field(field: Json, defs: Json, path: str, *, required: bool) -> Iterator[tuple[str, Json]]:
    variants = [one for one in _variants(field, defs) if one.get("type") != "null"]
    facts: Json = {"type": "|".join(sorted({_type(one) for one in variants}))}
    if required:
        facts["required"] = True
    for limit in ("maxLength", "maxItems", "maximum", "maxProperties"):
        limits = [one[limit] for one in variants if limit in one]
        if limits:
            facts["max"] = max(limits)
    if all("enum" in one for one in variants):
        facts["enum"] = sorted({str(value) for one in variants for value in one["enum"]})
    yield path, facts
    for one in variants:
        if "items" in one:
            yield from _field(one["items"], defs, f"{path}[]", required=False)
        for value in _map_values(one):
            yield from _field(value, defs, f"{path}.*", required=False)
        yield from _fields(one, defs, f"{path}.")


def _map_values(schema: Json) -> list[Json]:
    other = schema.get("additionalProperties")
    return [*schema.get("patternProperties", {}).values(), *([other] if isinstance(other, dict) else [])]


def _type(schema: Json) -> str:
    name = str(schema.get("type", "any"))
    return f"{name}/{schema['format']}" if "format" in schema else name


def broken(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    """Every promise of `before` that `after` breaks, one sentence each; empty when the contract only grew."""
    faults: list[str] = []
    for event_type, fields in before.items():
        if event_type not in after:
            faults.append(f"{event_type}: the type is gone")
            continue
        now = after[event_type]
        for path, facts in fields.items():
            faults += [f"{event_type}: {path} {fault}" for fault in _field_faults(facts, now.get(path))]
        faults += [
            f"{event_type}: {path} is new, and required"
            for path, facts in now.items()
            if path not in fields and facts.get("required") and _parent(path) in {"", *fields}
        ]
    return faults


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _field_faults(facts: Json, now: Json | None) -> Iterator[str]:
    if now is None:
        yield "is gone or renamed"
        return
    if now["type"] != facts["type"]:
        yield f"was {facts['type']} and is {now['type']}"
    if now.get("required") and not facts.get("required"):
        yield "has become required"
    if now.get("max", sys.maxsize) < facts.get("max", sys.maxsize):
        yield f"holds at most {now['max']} now"
    if "enum" in now and (lost := set(facts.get("enum", ["anything else"])) - set(now["enum"])):
        yield f"no longer may be {', '.join(sorted(lost))}"


def lock_text(found: Mapping[str, Json]) -> str:
    """The lock file's text: one line per field, so that a diff shows what grew."""
    types = []
    for event_type in sorted(found):
        lines = (f"  {json.dumps(path)}: {json.dumps(facts)}" for path, facts in sorted(found[event_type].items()))
        types.append(f" {json.dumps(event_type)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(types) + "\n}\n"
