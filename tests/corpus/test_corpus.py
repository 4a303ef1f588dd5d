"""The corpus: enough texts and pieces, labels that exist, and a held-out part that nothing else in it resembles."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from benchmarks import campus
from corpus import reading
from corpus.reading import URGENCIES, CorpusError, cores
from dispatch.config import load_config
from dispatch.models.policy import KINDS
from dispatch.rules.triage_model import CALM, OUT_OF_SCOPE, QUESTIONS, UNCLEAR
from tests.rules import test_triage_ordinary as ordinary

POLICY = load_config(Path(__file__).parents[2] / "config")
TRADES = {*POLICY.trades, OUT_OF_SCOPE}
HAZARDS = {words.hazard for words in POLICY.document.lexicon.emergencies.values()}
UNKNOWN_TO_THE_LEXICON = {"fall"}
CORES = list(cores())
HELD_OUT = [core for core in CORES if core.split == "test"]
PIECES = {question: list(reading.pieces(question)) for question in QUESTIONS}


def bare(text):
    return re.sub(r"[\W_]+", "", text.casefold())


def pieces(text):
    said = bare(text)
    return {said[at : at + 3] for at in range(max(len(said) - 2, 1))}


def test_there_are_enough_of_them():
    assert len(CORES) >= 150_000
    assert len(HELD_OUT) >= 3_540
    assert sum(core.phenomenon == "paraphrase" for core in HELD_OUT) >= 740
    assert sum("\u4e00" <= char <= "\u9fff" for core in CORES for char in core.text[:1]) > len(CORES) / 3


def test_no_two_have_the_same_text_or_id():
    said = Counter(bare(core.text) for core in CORES)
    assert [text for text, count in said.items() if count > 1] == []
    assert len({core.id for core in CORES}) == len(CORES)


def test_labels_are_known():
    assert {trade for core in CORES for trade in (*core.trades, *core.also_ok)} <= TRADES
    assert {core.kind for core in CORES} <= set(KINDS)
    assert {core.hazard for core in CORES} - {""} <= HAZARDS | UNKNOWN_TO_THE_LEXICON
    assert all(1 <= core.faults <= 3 for core in CORES)


def test_there_are_enough_pieces_and_their_answers_are_known():
    answers = {question: {answer for answer, _ in told} for question, told in PIECES.items()}
    assert len(PIECES["trade"]) >= 110_000
    assert len(PIECES["urgency"]) >= 30_000
    assert answers["trade"] == TRADES | {UNCLEAR}
    assert answers["hazard"] == {core.hazard for core in CORES} - {"", "fall"} | {CALM}
    assert answers["urgency"] == {"urgent", "normal", "low"}
    assert answers["kind"] <= set(KINDS)


def test_no_piece_stands_twice_or_is_a_held_out_text():
    held_out = {bare(core.text) for core in HELD_OUT}
    for told in PIECES.values():
        said = Counter((answer, bare(text)) for answer, text in told)
        assert [piece for piece, count in said.items() if count > 1 or piece[1] in held_out] == []


def test_urgencies_that_two_may_give_are_neighbours():
    order = list(URGENCIES.values())
    for core in CORES:
        levels = sorted(order.index(each) for each in core.urgencies)
        assert len(levels) in {1, 2}, core.id
        assert levels == list(range(levels[0], levels[0] + len(levels))), core.id


def test_every_trade_is_held_out_too():
    assert {core.trades[0] for core in HELD_OUT} == TRADES


def test_no_voice_stands_on_both_sides():
    voices = {split: {core.style for core in CORES if core.split == split} for split in ("open", "test")}
    assert not voices["open"] & voices["test"]


def test_no_held_out_text_is_a_near_copy_of_an_open_one():
    ours, theirs = ([pieces(core.text) for core in CORES if core.split == split] for split in ("test", "open"))
    known = {piece: at for at, piece in enumerate(sorted(set().union(*ours)))}
    sizes = np.array([len(each) for each in theirs])
    has = incidence(theirs, known).T.tocsr()
    for at, each in enumerate(ours):
        shared = (incidence([each], known) @ has).tocoo()
        alike = shared.data / (len(each) + sizes[shared.col] - shared.data)
        assert alike.max(initial=0) < 0.5, HELD_OUT[at].text


def incidence(texts, known):
    """A row a text, a column a known piece, 1 where the text has it."""
    columns = [[known[piece] for piece in text if piece in known] for text in texts]
    starts = np.cumsum([0, *map(len, columns)])
    ones = np.ones(starts[-1], np.int32)
    return sparse.csr_matrix((ones, np.concatenate(columns).astype(np.int32), starts), (len(texts), len(known)))


def test_marks_are_read(tmp_path):
    (tmp_path / "a.txt").write_text(
        "@trade gas\n# a remark\n## zh-x past\nun =hvac,gas +general !fire ^inquiry #2 空调 和 灶\n", encoding="utf-8"
    )
    (core,) = cores(tmp_path)
    assert (core.id, core.text, core.style, core.phenomenon) == ("a-4", "空调 和 灶", "zh-x", "past")
    assert (core.trades, core.also_ok) == (("hvac", "gas"), ("gas", "general"))
    assert (core.urgencies, core.hazard, core.kind, core.faults) == (("urgent", "normal"), "fire", "inquiry", 2)
    assert core.split == "open"


@pytest.mark.parametrize(
    "line", ["x 没有这种急", "n", "n =", "n #two 水", "@splt test", "@split train", "n = 没有工种"]
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line):
    (tmp_path / "bad.txt").write_text(f"@trade gas\n## zh\n{line}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"bad\.txt:3"):
        list(cores(tmp_path))


@pytest.mark.parametrize("line", ["plumbing", "| drips", "plumbing |", "plumbing | , ,"])
def test_a_line_of_pieces_that_cannot_be_read_is_named(tmp_path, line):
    (tmp_path / "trade").mkdir()
    (tmp_path / "trade" / "bad.txt").write_text(f"# what drips\ngas | 打不着, no flame\n{line}\n", encoding="utf-8")
    told = reading.pieces("trade", tmp_path)
    assert [next(told), next(told)] == [("gas", "打不着"), ("gas", "no flame")]
    with pytest.raises(CorpusError, match=r"bad\.txt:3"):
        next(told)


def test_a_text_without_a_voice_above_it_is_refused(tmp_path):
    (tmp_path / "bad.txt").write_text("@trade gas\nn 灶台打不着\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"bad\.txt:2"):
        list(cores(tmp_path))


def test_no_sentence_by_which_the_engine_is_tested_is_learnt():
    emergencies = {bare(text) for told in ordinary.NOW.values() for text in told}
    clauses = {bare(clause) for _, text in campus.TEXTS for clause in re.split("[,，]| and ", text)}
    tested = emergencies | {each for each in clauses if len(each) >= (20 if each.isascii() else 8)}
    learnt = {bare(core.text) for core in CORES if core.split == "open"}
    learnt |= {bare(piece) for told in PIECES.values() for _, piece in told}
    assert sorted(tested & learnt) == []
