"""Two models on the same texts: what is said of where they part."""

from pathlib import Path

import pytest

from dispatch.config import load_config
from dispatch.rules.triage import classify, hear
from dispatch.rules.triage_compare import Asked, compare
from tests.support.models import tiny_model

POLICY = load_config(Path(__file__).parents[2] / "config")
OLD = tiny_model("old", zorp={"plumbing": 9}, blib={"electrical": 9}, krax={"fire": 9, "electrical": 9})
NEW = tiny_model("new", zorp={"network": 9}, blib={"electrical": 9}, hoom={"fire": 9, "network": 9})


def judged(*texts, sample=20, **said):
    asked = [text if isinstance(text, Asked) else Asked(id=f"t{at}", text=text) for at, text in enumerate(texts)]
    return compare(POLICY, asked, OLD, NEW, said, sample)


def test_a_given_model_judges_in_place_of_the_shipped_one():
    found = classify(POLICY, text="zorp", model=OLD)
    assert (found.trade, found.source, found.model_version) == ("plumbing", "model", "old")
    assert "zorp→plumbing" in found.evidence
    (heard,) = hear(["zorp"], NEW)
    assert classify(POLICY, text="zorp", heard=heard, model=NEW).trade == "network"


def test_what_both_say_alike_is_no_change():
    found = judged("blib", "blib blib")
    assert (found.old, found.new, found.reports, found.changed) == ("old", "new", 2, 0)
    assert set(found.agreement.values()) == {1.0}
    assert (found.moves, found.sample, found.lost, found.gained) == ((), (), (), ())


def test_reports_that_move_are_counted_by_trade_as_often_as_they_were_sent():
    found = judged(Asked(id="a", text="zorp", count=3), "zorp zorp", "blib", Asked(id="b", text="krax", count=2))
    assert [(one.old, one.new, one.count) for one in found.moves] == [
        ("plumbing", "network", 4),
        ("electrical", "front_desk", 2),
    ]
    assert (found.reports, found.changed) == (7, 6)
    assert found.agreement["trade"] == pytest.approx(1 / 7, abs=1e-4)
    assert found.agreement["emergency"] == pytest.approx(5 / 7, abs=1e-4)
    assert found.agreement["kind"] == 1.0


def test_emergencies_lost_and_gained_are_told_in_full_and_not_in_the_sample():
    found = judged(*(f"krax {number}" for number in range(30)), *(f"hoom {number}" for number in range(25)), "zorp")
    assert len(found.lost) == 30
    assert len(found.gained) == 25
    assert all(one.old.urgency == "emergency" != one.new.urgency for one in found.lost)
    assert [one.text for one in found.sample] == ["zorp"]


def test_a_sample_is_as_large_as_asked_for_and_the_same_each_time():
    texts = [f"zorp {number}" for number in range(40)]
    found = judged(*texts, sample=5)
    assert len(found.sample) == 5
    assert [one.text for one in found.sample] == [one.text for one in judged(*texts[::-1], sample=5).sample]
    assert judged(*texts, sample=0).sample == ()


def test_what_is_known_beside_the_texts_holds_for_both():
    assert judged("zorp", trade_hint="gas").changed <= judged("zorp").changed == 1
    assert judged("zorp", urgency_hint="low").sample[0].old.urgency == "low"


def test_nothing_to_compare_has_no_agreement():
    found = judged()
    assert found.reports == 0
    assert set(found.agreement.values()) == {None}
