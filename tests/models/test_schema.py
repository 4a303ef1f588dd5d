"""The published schemas: fresh, valid, and only ever growing."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from dispatch import schema, topics
from dispatch.models import EVENT_TYPES, growth

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
LOCK = HERE / "contract.lock.json"
REFRESH = "python -m dispatch.schema --record tests/models/contract.lock.json"


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_the_committed_schemas_are_what_the_models_say():
    assert schema.stale(DOCS) == [], f"run {REFRESH}"


def test_the_asyncapi_document_is_valid_by_the_official_schema(document):
    official = json.loads((HERE / "asyncapi-3.0.0.json").read_text(encoding="utf-8"))

    assert [error.message for error in jsonschema.Draft7Validator(official).iter_errors(document)] == []


def test_every_reference_of_the_schema_document_leads_somewhere(document):
    references = set(
        re.findall(r"""\$ref['"]?: ['"]?([^'"\n]+)""", (DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
    )

    assert len(references) > len(EVENT_TYPES)
    for reference in references:
        if reference.startswith("#/"):
            part = document
            for step in reference.removeprefix("#/").split("/"):
                part = part[step]
        else:
            assert (DOCS / reference).is_file()


def test_the_document_has_each_topic_with_its_schema_of_each_message(document):
    addresses = {channel["address"]: set(channel["messages"]) for channel in document["channels"].values()}

    assert addresses.keys() == topics.TOPICS.keys()
    for event_type, row in EVENT_TYPES.items():
        assert {address for address, carried in addresses.items() if event_type in carried} == set(row.topics)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_published_schema_is_a_valid_schema_and_has_no_closed_object(event_type):
    published = json.loads((DOCS / "schemas" / f"{event_type}.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    assert published["$id"] == f"{event_type}.json"
    assert published["title"] == event_type
    assert published["description"]
    assert '"additionalProperties": false' not in json.dumps(published)


def test_a_stale_schema_is_found_and_written_anew(tmp_path, capsys):
    assert schema.main(["--docs", str(tmp_path)]) == 0
    assert schema.main(["--docs", str(tmp_path), "--check"]) == 0
    (tmp_path / "schemas" / "dispatch.action.accept.v1.json").write_text("{}")
    (tmp_path / "schemas" / "dispatch.gone.v1.json").write_text("{}")

    assert schema.main(["--docs", str(tmp_path), "--check"]) == 1
    assert re.findall("stale: (.*)", capsys.readouterr().err) == [
        *("schemas/dispatch.action.accept.v1.json", "schemas/dispatch.gone.v1.json")
    ]
    assert schema.main(["--docs", str(tmp_path)]) == 0
    assert schema.stale(tmp_path) == []


# ── schemas only grow ──


def test_no_schema_breaks_what_was_promised():
    assert growth.broken(json.loads(LOCK.read_text()), schema.promises()) == []


def test_the_lock_holds_every_schema_promise_made_so_far():
    assert json.loads(LOCK.read_text()) == schema.promises(), f"run {REFRESH}"


PERSON = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "maxLength": 9},
        "name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["id"],
}
PROMISED = {
    "$defs": {"Person": PERSON},
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "urgency": {"anyOf": [{"enum": ["low", "high"], "type": "string"}, {"type": "null"}]},
        "who": {"$ref": "#/$defs/Person"},
        "crew": {"type": "array", "maxItems": 5, "items": {"$ref": "#/$defs/Person"}},
        "by_name": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Person"}},
        "by_code": {"type": "object", "patternProperties": {"^a": {"$ref": "#/$defs/Person"}}},
    },
    "required": ["id"],
}


def faults_of(change):
    now = copy.deepcopy(PROMISED)
    change(now, now["properties"], now["$defs"]["Person"])
    return growth.broken({"t": growth.fields_of(PROMISED)}, {"t": growth.fields_of(now)})


def test_a_schema_promises_its_fields_at_any_depth():
    found = growth.fields_of(PROMISED)

    assert found["id"] == {"type": "string", "required": True}
    assert found["at"] == {"type": "string/date-time"}
    assert found["urgency"] == {"type": "string", "enum": ["high", "low"]}
    assert found["crew"] == {"type": "array", "max": 5}
    for path in ("who.id", "crew[].id", "by_name.*.id", "by_code.*.id"):
        assert found[path] == {"type": "string", "required": True, "max": 9}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _now, fields, _: fields.pop("at"), "t: at is gone or renamed"),
        (lambda _now, fields, _: fields.update(moment=fields.pop("at")), "t: at is gone or renamed"),
        (lambda _now, fields, _: fields["id"].update(type="integer"), "t: id was string and is integer"),
        (
            lambda _now, fields, _: fields["at"]["anyOf"][0].pop("format"),
            "t: at was string/date-time and is string",
        ),
        (lambda now, _fields, _: now["required"].append("at"), "t: at has become required"),
        (
            lambda now, fields, _: (fields.update(new={"type": "string"}), now["required"].append("new")),
            "t: new is new, and required",
        ),
        (lambda _now, fields, _: fields["crew"].update(maxItems=4), "t: crew holds at most 4 now"),
        (lambda _now, fields, _: fields["id"].update(maxLength=4), "t: id holds at most 4 now"),
        (
            lambda _now, fields, _: fields["urgency"]["anyOf"][0]["enum"].remove("low"),
            "t: urgency no longer may be low",
        ),
        (lambda _now, fields, _: fields["id"].update(enum=["a"]), "t: id no longer may be anything else"),
        (lambda _now, _fields, person: person["properties"].pop("name"), "t: crew[].name is gone or renamed"),
        (lambda _now, _fields, person: person["required"].append("name"), "t: who.name has become required"),
    ],
)
def test_a_change_of_a_schema_that_breaks_a_promise_is_found(change, fault):
    assert fault in faults_of(change)


def test_a_schema_type_that_is_gone_is_found():
    assert growth.broken({"t": {}}, {}) == ["t: the type is gone"]


@pytest.mark.parametrize(
    "change",
    [
        lambda _now, _fields, _: None,
        lambda _now, fields, _: fields.update(new={"type": "string"}),
        lambda _now, fields, _: fields.update(team={"$ref": "#/$defs/Person"}),
        lambda _now, _fields, person: person["properties"].update(new={"type": "integer"}),
        lambda _now, fields, _: fields["crew"].update(maxItems=6),
        lambda _now, fields, _: fields["urgency"]["anyOf"][0]["enum"].append("normal"),
        lambda now, _fields, _: now["required"].remove("id"),
        lambda now, _fields, _: now.update(description="said better"),
    ],
)
def test_a_schema_may_grow(change):
    assert faults_of(change) == []


def test_recording_refuses_to_forget_a_schema_promise(tmp_path, capsys):
    lock = tmp_path / "lock.json"
    docs = ["--docs", str(tmp_path / "docs"), "--record", str(lock)]
    assert schema.main(docs) == 0
    assert json.loads(lock.read_text()) == schema.promises()
    promised = json.loads(lock.read_text())
    promised["dispatch.action.accept.v1"]["mood"] = {"type": "string"}
    lock.write_text(json.dumps(promised))

    assert schema.main(docs) == 1

    assert "dispatch.action.accept.v1: mood is gone or renamed" in capsys.readouterr().err
    assert json.loads(lock.read_text()) == promised
