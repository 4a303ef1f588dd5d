"""A second model beside the one that decides, and what is counted of both. No servers."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from dispatch import metrics
from dispatch.agents import counting_triage, shadow
from dispatch.agents.counting_triage import count_corrections, count_verdicts, outcome_of
from dispatch.agents.openings import Report
from dispatch.agents.shadow import MOST_WAITING, Shadow, differences, make_shadow
from dispatch.config import load_config, load_model
from dispatch.models.requests import RequestSubmitted
from dispatch.rules.events import Event
from dispatch.rules.triage import classify, hear
from dispatch.rules.triage_file import ModelError, shipped
from tests.support.models import tiny, tiny_model


@pytest.fixture(autouse=True)
def _a_log_of_its_own(monkeypatch):
    """Commands that ran in this process before may have silenced all others."""
    loud = structlog.make_filtering_bound_logger(0)
    monkeypatch.setattr(shadow, "log", structlog.wrap_logger(structlog.PrintLogger(), wrapper_class=loud))


POLICY = load_config(Path(__file__).parents[2] / "config")
OLD = tiny_model("old", zorp={"plumbing": 9}, blib={"electrical": 9}, krax={"fire": 9, "electrical": 9})
NEW = tiny_model("new", zorp={"network": 9}, blib={"electrical": 9}, hoom={"fire": 9, "network": 9})


def report(text, model=OLD, **data):
    request = RequestSubmitted.model_validate({"channel": "web", "reporter": {"id": "p"}, "text": text, **data})
    found = Report(request, "r", 0, None, None, datetime(2026, 3, 2, tzinfo=UTC), POLICY)
    (heard,) = hear([found.text], model)
    found.opening(heard, model)
    return found


def counted():
    """(metric, labels) -> value, of all that triage counts."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in metrics.REGISTRY.collect()
        for one in family.samples
        if one.name.startswith(("dispatch_triage", "dispatch_shadow")) and one.name.endswith("_total")
    }


def grown(before):
    """What has been counted since; labels in order of their names."""
    found = {}
    for (name, labels), value in counted().items():
        if value != before.get((name, labels), 0.0):
            key = name.removeprefix("dispatch_").removesuffix("_total")
            found[key, *(value for _label, value in labels)] = round(value - before.get((name, labels), 0.0), 6)
    return found


# how verdicts differ ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "trade", "emergency", "urgency"),
    [
        ("blib", "same", "same", "same"),
        ("zorp", "other", "same", "same"),
        ("krax", "abstained", "lost", "lower"),
        ("hoom", "decided", "gained", "higher"),
    ],
)
def test_a_shadow_differs_by_name(text, trade, emergency, urgency):
    verdicts = [classify(POLICY, text=text, model=model) for model in (OLD, NEW)]
    assert differences(*verdicts) == {"trade": trade, "emergency": emergency, "urgency": urgency}


async def test_reports_that_were_decided_are_judged_again_and_only_counted():
    before = counted()
    reports = [(f"wo{number}", report(text)) for number, text in enumerate(("blib", "zorp", "krax", "hoom", "blib"))]
    said = [each.verdict for _order, each in reports]
    looking = Shadow(NEW)
    looking.offer(reports)
    with capture_logs() as lines:
        await looking.catch_up()
    assert grown(before) == {
        ("shadow_verdicts", "trade", "same"): 2, ("shadow_verdicts", "trade", "other"): 1,
        ("shadow_verdicts", "trade", "abstained"): 1, ("shadow_verdicts", "trade", "decided"): 1,
        ("shadow_verdicts", "emergency", "same"): 3, ("shadow_verdicts", "emergency", "lost"): 1,
        ("shadow_verdicts", "emergency", "gained"): 1, ("shadow_verdicts", "urgency", "same"): 3,
        ("shadow_verdicts", "urgency", "lower"): 1, ("shadow_verdicts", "urgency", "higher"): 1,
    }  # fmt: skip
    assert [each.verdict for _order, each in reports] == said
    (line,) = lines
    assert (line["model"], line["reports"], line["trade_same"]) == ("new", 5, 2)
    assert line["emergencies"] == [{"order": "wo2", "emergency": "lost"}, {"order": "wo3", "emergency": "gained"}]
    assert "zorp" not in str(line)


async def test_a_shadow_knows_what_the_channel_said_beside_the_text():
    looking, before = Shadow(NEW), counted()
    looking.offer([("wo1", report("krax", urgency_hint="emergency", trade_hint="electrical"))])
    await looking.catch_up()
    assert grown(before)["shadow_verdicts", "emergency", "same"] == 1


async def test_the_first_thing_that_goes_wrong_ends_the_shadow_and_nothing_else(monkeypatch):
    def broken(*_given):
        raise ZeroDivisionError

    monkeypatch.setattr(shadow, "hear", broken)
    looking, before = Shadow(NEW), counted()
    looking.offer([("wo1", report("blib"))])
    with capture_logs() as lines:
        await looking.catch_up()
    assert not looking.on
    looking.offer([("wo2", report("blib"))])
    await looking.catch_up()
    assert grown(before) == {("shadow_failures",): 1}
    assert [line["event"] for line in lines] == ["shadow is off"]


async def test_what_the_shadow_has_no_time_for_is_skipped_and_counted():
    looking, before = Shadow(NEW), counted()
    one = ("wo1", report("blib"))
    looking.offer([one] * (MOST_WAITING - 1))
    looking.offer([one] * 3)
    assert grown(before) == {("shadow_skipped",): 2}


async def test_a_running_shadow_judges_what_it_is_offered_while_others_have_their_turns():
    before = counted()
    async with asyncio.timeout(20), Shadow(NEW) as looking:
        looking.offer([(f"wo{number}", report("zorp")) for number in range(20)])
        turns = 0
        while ("shadow_verdicts", "trade", "other") not in grown(before):
            turns += 1
            await asyncio.sleep(0)
    assert turns > 2
    assert grown(before)["shadow_verdicts", "trade", "other"] == 20


# files --------------------------------------------------------------------------------------------------------


def test_the_model_of_a_file_is_used_and_without_one_the_shipped_one(tmp_path):
    (tmp_path / "ours.bin").write_bytes(tiny("ours", zorp={"plumbing": 9}))
    assert load_model(tmp_path / "ours.bin").version == "ours"
    assert load_model(None) is shipped()


@pytest.mark.parametrize(("data", "code"), [(None, "model_damaged"), (tiny("x")[:-1], "model_damaged")])
def test_a_file_that_cannot_be_used_is_named_with_its_code(tmp_path, data, code):
    path = tmp_path / "ours.bin"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=r"model_damaged: .*ours\.bin.*dispatch train") as caught:
        load_model(path)
    assert caught.value.code == code


def test_a_shadow_whose_file_is_damaged_is_counted_told_and_left_out(tmp_path):
    path = tmp_path / "shadow.bin"
    path.write_bytes(tiny("x")[:-1])
    before = counted()
    with capture_logs() as lines:
        assert make_shadow(path) is None
    assert grown(before) == {("shadow_failures",): 1}
    (line,) = lines
    assert (line["event"], line["code"]) == ("no shadow", "model_damaged")
    assert "shadow.bin" in line["error"]
    assert make_shadow(None) is None


# what is counted of verdicts and corrections ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("水龙头漏水", "decided"),
        ("东西坏了，快来", "abstained"),
        ("想预约周五下午的会议室", "out_of_scope"),
        ("请问停水到几点", "letter"),
        ("投诉：维修师傅态度恶劣，骂人", "letter"),
    ],
)
def test_verdicts_are_told_apart_by_what_becomes_of_them(text, outcome):
    assert outcome_of(classify(POLICY, text=text)) == outcome


def test_a_batch_is_counted_by_outcome_certainty_and_source_of_alarm():
    before = counted()
    verdicts = [
        classify(POLICY, text="krax", model=OLD),
        classify(POLICY, text="后厨有很浓的煤气味"),
        classify(POLICY, text="blib", model=OLD, urgency_hint="emergency"),
        classify(POLICY, text="东西坏了，快来"),
    ]
    assert [each.alarmed_by for each in verdicts] == ["model", "lexicon", "hint", "none"]
    count_verdicts(verdicts)
    sure = sum(each.confidence_permille for each in verdicts if each.trade) / 1000
    assert grown(before) == {
        ("triage_verdicts", "decided"): 3, ("triage_verdicts", "abstained"): 1, ("triage_certainty",): round(sure, 6),
        ("triage_emergencies", "model"): 1, ("triage_emergencies", "lexicon"): 1, ("triage_emergencies", "hint"): 1,
    }  # fmt: skip


def event(kind, **data):
    return Event(sequence=1, type=f"work-order.{kind}", subject="wo1", time="2026-03-02T08:00:00Z", data=data)


def test_corrections_are_counted_by_what_was_and_what_is():
    before = counted()
    was = {"trade": "plumbing", "urgency": "normal"}
    count_corrections(
        [
            event("reclassified", before=was, requirements=[{"trade": "masonry"}], urgency="urgent"),
            event("reclassified", before=was, requirements=[{"trade": "plumbing"}]),
            event("reclassified", before=was, urgency="normal"),
            event("classified", requirements=[{"trade": "gas"}]),
            event("opened", requirements=[{"trade": "gas"}]),
        ]
    )
    assert grown(before) == {
        ("triage_corrections", "masonry", "plumbing"): 1,  # labels in order of their names: corrected, trade
        ("triage_corrections", "gas", "none"): 1,
        ("triage_urgency_corrections", "urgent", "normal"): 1,
    }


def test_trades_without_end_share_one_label(monkeypatch):
    monkeypatch.setattr(counting_triage, "_named", set())
    before = counted()
    for number in range(counting_triage.MOST_TRADES + 5):
        count_corrections([event("classified", requirements=[{"trade": f"craft-{number}"}])])
    assert grown(before)["triage_corrections", "other", "none"] == 5
    metrics.CORRECTIONS.clear()
