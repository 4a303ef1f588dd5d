"""Frames: each stands around every answer alike often, so that the learner can make nothing of it."""

from collections import Counter

import pytest

from corpus.framing import FRAMES, SLOT, framed, frames
from corpus.reading import CorpusError, pieces
from dispatch.rules.triage_model import CALM, UNCLEAR
from tests.rules import test_triage_ordinary as ordinary

FRAMED = list(framed())


def answers_around(question, frame):
    """How often a frame stands around each answer to a question."""
    before, after = frame.split(SLOT)
    return Counter(
        answer
        for asked, answer, text in FRAMED
        if asked == question and text.startswith(before) and text.endswith(after)
    )


def test_a_frame_is_put_around_every_craft_and_every_danger_alike():
    hazards = answers_around("hazard", "Dear facilities, {}. Could you please arrange for it?")
    alarms = sum(count for answer, count in hazards.items() if answer != CALM)
    assert len(hazards) == 11
    assert hazards[CALM] == alarms == 10
    crafts = answers_around("trade", "跟您反映一下，{}")
    assert set(crafts.values()) == {1}
    assert set(crafts) == {answer for answer, _ in pieces("trade")}


def test_what_is_broken_may_be_anything():
    assert len(set(answers_around("trade", "there is something wrong with the {}").values())) == 1
    things = list(pieces("things", FRAMES))
    assert {craft for craft, _ in things} == {answer for answer, _ in pieces("trade")} - {UNCLEAR}
    assert [thing for thing, count in Counter(things).items() if count > 1] == []


def test_frames_by_which_the_engine_is_tested_are_not_among_those_it_learns():
    learnt = {frame for name in ("around_zh", "around_en", "broken_zh", "broken_en") for frame in frames(name)}
    tested = {frame for each in (ordinary.FRAMES, ordinary.TOLD) for told in each.values() for frame in told} - {SLOT}
    assert not learnt & tested


def test_a_frame_without_a_slot_is_named(tmp_path):
    (tmp_path / "bad.txt").write_text("# remark\nhello {}\nhello\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"bad\.txt:3"):
        frames("bad", tmp_path)
