"""What is wrong is refused, with a stable code and the place; what is merely newer is not."""

import copy
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch import schema
from dispatch.errors import Rejected, rejected
from dispatch.models import EVENT_TYPES, INPUT_TYPES, RequestSubmitted
from tests.models.examples import ACTION, AT, COMPLETE, EXAMPLES, LATER, REQUEST

REQUEST_TYPE = "dispatch.request.submitted.v1"
COMPLETE_TYPE = "dispatch.action.complete.v1"


def read(event_type, data):
    text = data if isinstance(data, (str, bytes)) else json.dumps(data, ensure_ascii=False)
    try:
        return EVENT_TYPES[event_type].model.model_validate_json(text)
    except ValidationError as error:
        raise rejected(error) from None


def changed(data, path, value):
    """The data with one value replaced, or removed when the value is `...`."""
    result = copy.deepcopy(data)
    *way, last = path.split(".")
    inner = result
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return result


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_an_example_is_valid_by_the_model_and_by_the_published_schema(event_type):
    assert read(event_type, EXAMPLES[event_type])
    jsonschema.Draft202012Validator(schema.schema_of(event_type)).validate(EXAMPLES[event_type])


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("channel", ..., "missing-field"),
        ("reporter", ..., "missing-field"),
        ("reporter.id", ..., "missing-field"),
        ("items.0.quantity.unit", ..., "missing-field"),
        ("channel", 7, "wrong-type"),
        ("channel", None, "wrong-type"),
        ("reporter", "u-1", "wrong-type"),
        ("items", {}, "wrong-type"),
        ("drill", "false", "wrong-type"),
        ("drill", 0, "wrong-type"),
        ("items.0.quantity.value", 2.5, "wrong-type"),
        ("reported_at", 1772410200, "wrong-type"),
        ("location.lat", "30.5", "wrong-type"),
        ("reported_at", "2026-03-02T08:10:00", "naive-time"),
        ("access.windows.0.end", "2026-03-02T09:10:00", "naive-time"),
        ("reported_at", "1772410200", "invalid-value"),
        ("reported_at", "2026-03-02", "invalid-value"),
        ("reported_at", "yesterday", "invalid-value"),
        ("reported_at", "2026-13-02T08:10:00Z", "invalid-value"),
        ("access.windows.0.end", AT, "invalid-value"),
        ("text", "水" * 4_001, "invalid-value"),
        ("channel", "", "invalid-value"),
        ("channel", "we chat", "invalid-value"),
        ("urgency_hint", "very", "invalid-value"),
        ("impact", "planet", "invalid-value"),
        ("location.coordinate_system", "BD-09", "invalid-value"),
        ("location.lat", 91, "invalid-value"),
        ("location.territory", "north:south", "invalid-value"),
        ("location.territory", "{north}", "invalid-value"),
        ("items.0.quantity.value", "2,5", "invalid-value"),
        ("items.0.quantity.value", "NaN", "invalid-value"),
        ("reporter.id", "u\n1", "invalid-value"),
        ("attachments", [{"uri": "x"}] * 51, "invalid-value"),
    ],
)
def test_a_faulty_request_is_refused_by_code_and_path(path, value, code):
    with pytest.raises(Rejected) as refused:
        read(REQUEST_TYPE, changed(REQUEST, path, value))

    assert refused.value.code == code
    assert refused.value.errors[0]["path"] in {path, path.rpartition(".")[0]}


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("work_order_id", ..., "missing-field"),
        ("actor", ..., "missing-field"),
        ("actor.role", ..., "missing-field"),
        ("assignment_id", ..., "missing-field"),
        ("visit_no", ..., "missing-field"),
        ("disposition", ..., "missing-field"),
        ("after_the_fact", True, "wrong-type"),
        ("visit_no", "1", "wrong-type"),
        ("visit_no", 1.5, "wrong-type"),
        ("visit_no", True, "wrong-type"),
        ("visit_no", -1, "invalid-value"),
        ("visit_no", 2**53, "invalid-value"),
        ("labour.0.share_permille", 1_001, "invalid-value"),
        ("materials.0.used", 2.5, "wrong-type"),
        ("materials.0.unit_cost", "12.50", "wrong-type"),
        ("materials.0.unit_cost.amount_minor", 12.5, "wrong-type"),
        ("materials.0.unit_cost.currency", "yuan", "invalid-value"),
        ("performed_at", "2026-03-02T08:10:00", "naive-time"),
    ],
)
def test_a_faulty_completion_is_refused_by_code_and_path(path, value, code):
    with pytest.raises(Rejected) as refused:
        read(COMPLETE_TYPE, changed(COMPLETE, path, value))

    assert (refused.value.code, refused.value.errors[0]["path"]) == (code, path)


@pytest.mark.parametrize(
    "raw", ["", "{", "[1,", '{"channel": "a"', b'{"channel": "\xff"}', '{"text": "\\ud800"}', "nonsense"]
)
def test_what_is_no_json_is_refused_as_such(raw):
    with pytest.raises(Rejected) as refused:
        read(REQUEST_TYPE, raw)

    assert refused.value.code == "not-json"


def test_all_faults_are_told_at_once():
    faulty = changed(changed(REQUEST, "channel", ...), "urgency_hint", "very")

    with pytest.raises(Rejected) as refused:
        read(REQUEST_TYPE, faulty)

    assert [error["path"] for error in refused.value.errors] == ["channel", "urgency_hint"]
    assert refused.value.code == "missing-field"


def test_a_refusal_repeats_nothing_of_what_was_sent():
    secret = "13800000000" * 30

    with pytest.raises(Rejected) as refused:
        read(REQUEST_TYPE, changed(REQUEST, "reporter.phone", secret))

    assert "138" not in f"{refused.value} {refused.value.errors}"


@pytest.mark.parametrize(
    "words",
    [{"text": None}, {"text": ""}, {"text": " \n"}, {"text": "\u3000"}, {"text": "", "category": None}],
)
def test_a_request_that_says_nothing_is_refused(words):
    with pytest.raises(Rejected) as refused:
        read(REQUEST_TYPE, REQUEST | words)

    assert refused.value.code == "invalid-value"
    assert "text or category" in refused.value.message


@pytest.mark.parametrize("words", [{"text": None, "category": "tap"}, {"text": "", "category": "tap"}])
def test_a_category_alone_says_enough(words):
    assert read(REQUEST_TYPE, REQUEST | words).category == "tap"


@pytest.mark.parametrize("event_type", sorted(EXAMPLES.keys() & INPUT_TYPES.keys()))
def test_unknown_fields_of_a_newer_sender_are_ignored(event_type):
    known = EXAMPLES[event_type]
    newer = known | {"from_the_future": {"a": [1]}}

    assert read(event_type, newer) == read(event_type, known)


def test_defaults_are_those_of_the_contract():
    request = read(REQUEST_TYPE, {"channel": "qr", "reporter": {"id": "u"}, "text": "灯不亮"})

    assert (request.kind, request.drill, request.items, request.reported_at) == ("repair", False, (), None)


def test_times_keep_their_offset():
    assert read(REQUEST_TYPE, REQUEST).reported_at.utcoffset() == timedelta(hours=8)


def test_models_are_frozen_and_keyword_only():
    request = read(REQUEST_TYPE, REQUEST)

    with pytest.raises(ValidationError):
        request.text = "another"
    with pytest.raises(TypeError):
        RequestSubmitted("wechat")


def test_built_in_python_a_model_wants_real_moments():
    ordinary = {"channel": "qr", "reporter": {"id": "u"}, "text": "x"}

    assert RequestSubmitted(**ordinary, reported_at=datetime(2026, 3, 2, tzinfo=UTC))
    with pytest.raises(ValidationError):
        RequestSubmitted(**ordinary, reported_at=datetime(2026, 3, 2))  # noqa: DTZ001
    with pytest.raises(ValidationError):
        RequestSubmitted(**ordinary, reported_at=AT)


def test_a_merge_names_what_it_merges_into_and_an_assignment_whom_it_is_for():
    for name in ("merge", "assign", "rate", "decide_approval"):
        with pytest.raises(Rejected, match="missing-field"):
            read(f"dispatch.action.{name}.v1", ACTION)


# ── whatever the published schema allows, the model reads, and gives back the same ──

WORD = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FFF, exclude_categories=["C", "Z"]), min_size=1)
LINE = st.text(st.characters(min_codepoint=0x20, exclude_categories=["C"]), min_size=1)
MOMENT = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 -- hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(
        [UTC, *(datetime.fromisoformat(f"2026-01-01T00:00{z}").tzinfo for z in ("+08:00", "-03:30"))]
    ),
).map(datetime.isoformat)
BY_PATTERN = {
    r"^[^\s\x00-\x1f\x7f]+$": WORD,
    r"^[^\x00-\x1f\x7f]+$": LINE,
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z"),
    r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$": st.from_regex(r"\A-?[0-9]{1,15}(\.[0-9]{1,9})?\Z"),
    r"^[A-Z]{3}$": st.sampled_from(["CNY", "EUR"]),
    r"^[0-9a-fA-F]{64}$": st.just("0a" * 32),
}


def strings(part):
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if part.get("format") == "date-time":
        return MOMENT
    limit = min(part.get("maxLength", 64), 64)
    return BY_PATTERN.get(part.get("pattern"), st.text(max_size=30)).map(lambda text: text[:limit])


def values(part, defs):
    """A strategy for whatever a part of a JSON Schema allows."""
    if "$ref" in part:
        return values(defs[part["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in part and "properties" not in part:
        return st.one_of([values(one, defs) for one in part["anyOf"]])
    return OF_TYPE[part.get("type")](part, defs)


def objects(part, defs):
    if "properties" not in part:
        if "patternProperties" in part:
            ((pattern, inner),) = part["patternProperties"].items()
            keys = BY_PATTERN[pattern].map(lambda text: text[:30])
        else:
            keys, inner = st.text(max_size=9), part.get("additionalProperties")
        inner = values(inner, defs) if isinstance(inner, dict) else st.integers(0, 9)
        return st.dictionaries(keys, inner, min_size=part.get("minProperties", 0), max_size=2)
    if part.get("title") == "Window":
        return st.just({"start": AT, "end": LATER})
    required = {
        name: values(field, defs) for name, field in part["properties"].items() if name in part.get("required", ())
    }
    optional = {name: values(field, defs) for name, field in part["properties"].items() if name not in required}
    found = st.fixed_dictionaries(required, optional=optional)
    if "anyOf" in part:
        return found.map(lambda data: data | {"category": "tap"})
    return found


def numbers(part):
    low = part.get("minimum", part.get("exclusiveMinimum", -1e9) + 0.001)
    return st.floats(low, part.get("maximum", 1e9), allow_nan=False, allow_infinity=False)


OF_TYPE = {
    "string": lambda part, _: strings(part),
    "integer": lambda part, _: st.integers(part.get("minimum", -(2**40)), part.get("maximum", 2**40)),
    "number": lambda part, _: numbers(part),
    "boolean": lambda _part, _: st.booleans(),
    "null": lambda _part, _: st.none(),
    "array": lambda part, defs: st.lists(values(part["items"], defs), min_size=part.get("minItems", 0), max_size=2),
    "object": objects,
    None: lambda _part, _: st.just({"free": [1, "form"]}),
}


@cache
def strategy(event_type):
    found = schema.schema_of(event_type)
    return values(found, found.get("$defs", {}))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_published_schema_allows_the_model_reads_and_writes_again(data):
    event_type = data.draw(st.sampled_from(sorted(EVENT_TYPES)))
    sent = data.draw(strategy(event_type))

    jsonschema.Draft202012Validator(schema.schema_of(event_type)).validate(sent)
    found = read(event_type, sent)

    assert read(event_type, found.model_dump_json()) == found
    assert read(event_type, found.model_dump_json(exclude_unset=True)) == found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_required_field_is_required_by_model_and_schema_alike(data):
    event_type = data.draw(st.sampled_from(sorted(EVENT_TYPES)))
    published = schema.schema_of(event_type)
    name = data.draw(st.sampled_from(published["required"]))
    sent = data.draw(strategy(event_type))
    del sent[name]

    assert not jsonschema.Draft202012Validator(published).is_valid(sent)
    with pytest.raises(Rejected) as refused:
        read(event_type, sent)
    assert {"path": name, "message": "Field required"} in refused.value.errors
