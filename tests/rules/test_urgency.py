"""What raises a report above what its words say: place, time, words and person, each with a reason."""

from datetime import datetime

import pytest

from dispatch.rules.triage import Classification
from dispatch.rules.urgency import Context, in_context
from tests.rules.small_policy import label, small_policy

ROWS = [
    {"id": "exams", "to": "urgent", "when": {"urgency": ["normal"], "trade": ["electrical"]}, "since": "2026-06-22",
     "until": "2026-06-23"},
    {"id": "night", "to": "urgent", "when": {"trade": ["plumbing"]}, "hours": ["22:00-24:00", "00:00-06:00"]},
    {"id": "laboratory", "to": "urgent", "words": {"zh": ["实验室"], "en": ["lab", "fume hood"]}},
    {"id": "ward", "to": "emergency", "when": {"area": ["north.b1"], "trade": ["electrical"]}},
    {"id": "care", "to": "normal", "vulnerable": True},
]  # fmt: skip
POLICY = small_policy(
    site={"tenant": "acme", "timezone": "Asia/Shanghai", "default_territory": "north"},
    urgency=[row | {"reason": label("why")} for row in ROWS],
)
NOON = "2026-03-02T12:00:00+08:00"


def raised(text="", *, trade="cleaning", urgency="normal", at=NOON, area="north.b2", vulnerable=False, kind="repair"):
    verdict = Classification(
        kind=kind, trade=trade, requirements=(), urgency=urgency, hazards=(), confidence_permille=900, source="model",
        evidence=("said",), needs_front_desk=trade is None,
    )  # fmt: skip
    context = Context(
        territory="north",
        area_path=("north", area),
        reported_at=datetime.fromisoformat(at),
        vulnerable=vulnerable,
    )
    after = in_context(POLICY, verdict, text, context)
    assert after.evidence[0] == "said"
    return after.urgency, after.evidence[1:]


@pytest.mark.parametrize(
    ("said", "urgency", "why"),
    [
        ({}, "normal", ()),
        ({"trade": "electrical", "at": "2026-06-22T00:00:00+08:00"}, "urgent", ("exams: normal→urgent",)),
        ({"trade": "electrical", "at": "2026-06-23T23:59:59+08:00"}, "urgent", ("exams: normal→urgent",)),
        ({"trade": "electrical", "at": "2026-06-23T16:00:00+00:00"}, "normal", ()),  # the 24th by the site's clock
        ({"trade": "electrical", "at": "2026-06-21T16:00:00+00:00"}, "urgent", ("exams: normal→urgent",)),
        ({"trade": "electrical", "urgency": "low", "at": "2026-06-22T09:00:00+08:00"}, "low", ()),
        ({"trade": "plumbing", "at": "2026-03-02T22:00:00+08:00"}, "urgent", ("night: normal→urgent",)),
        ({"trade": "plumbing", "at": "2026-03-02T21:59:59+08:00"}, "normal", ()),
        ({"trade": "plumbing", "at": "2026-03-03T05:59:59+08:00"}, "urgent", ("night: normal→urgent",)),
        ({"trade": "plumbing", "at": "2026-03-03T06:00:00+08:00"}, "normal", ()),
        ({"trade": "plumbing", "urgency": "low", "at": "2026-03-02T23:00:00+08:00"}, "urgent", ("night: low→urgent",)),
        ({"text": "化学实验室的灯"}, "urgent", ("laboratory: normal→urgent",)),
        ({"text": "Both FUME HOODS are off"}, "urgent", ("laboratory: normal→urgent",)),
        ({"text": "a label is off, and so is the syllabus"}, "normal", ()),
        ({"text": "实验室", "trade": None}, "urgent", ("laboratory: normal→urgent",)),
        ({"area": "north.b1", "trade": "electrical"}, "emergency", ("ward: normal→emergency",)),
        ({"area": "north.b1", "trade": "cleaning"}, "normal", ()),
        ({"vulnerable": True, "urgency": "low"}, "normal", ("care: low→normal",)),
        ({"vulnerable": True, "urgency": "urgent"}, "urgent", ()),
        ({"text": "实验室", "urgency": "emergency"}, "emergency", ()),
        ({"text": "实验室", "kind": "complaint"}, "normal", ()),
        ({"text": "实验室", "kind": "preventive"}, "normal", ()),
    ],
)
def test_a_row_raises_what_it_speaks_of_and_says_so(said, urgency, why):
    assert raised(**said) == (urgency, why)


def test_of_several_rows_the_one_that_raises_most_decides_and_all_are_named():
    said = raised("the lab", area="north.b1", trade="electrical", urgency="low", vulnerable=True)
    assert said == ("emergency", ("laboratory: low→urgent", "ward: low→emergency", "care: low→normal"))
