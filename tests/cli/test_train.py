"""`dispatch train` learns from a log, and `dispatch classify --compare` tells what that changes. No servers."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dispatch.cli.learner import NEEDED
from dispatch.cli.train import command
from dispatch.config import load_model
from dispatch.rules.triage_file import read
from tests.cli.test_classify import write_table
from tests.support.models import tiny

ROOT = Path(__file__).parents[2]
LEARNS = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed (the extra `train`)"
)
CORES = {
    "plain": ["@trade plumbing", "## zh-a", "n 水龙头漏水", "n 马桶堵了水漫出来", "u 水管一直滴水",
              "n the tap is leaking",
              "@trade electrical", "n 灯不亮了", "n 插座没有电", "e !fire 插座冒烟着火", "n the lamp is dead",
              "@trade out_of_scope", "l ^inquiry 食堂几点开门", "l ^complaint 师傅骂人"],
    "voices_x": ["@trade plumbing", "## zh-b", "n 水槽漏水", "@trade electrical", "n 台灯不亮"],
    "held_out_x": ["@split test", "@trade plumbing", "## zh-c", "n 淋浴一直滴水"],
}  # fmt: skip
PIECES = {
    "trade": ["plumbing | 水龙头, 漏水", "electrical | 灯, 插座"],
    "hazard": ["fire | 着火, 冒烟", "injury | 流血", "calm | 没有着火"],
    "urgency": ["urgent | 整层没水", "low | 不好看"],
    "kind": ["complaint | 态度差"],
}
FRAMES = {"around_zh": "你好，{}", "around_en": "hi, {}", "broken_zh": "{}坏了", "broken_en": "{} is broken"}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A corpus of a few lines, with the learner of the real one."""
    folder = tmp_path_factory.mktemp("tiny") / "texts"
    (folder / "cores").mkdir(parents=True)
    for name in (each for each in NEEDED if each.endswith(".py")):
        shutil.copy(ROOT / "corpus" / name, folder / name)
    for name, lines in CORES.items():
        (folder / "cores" / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    for question, lines in PIECES.items():
        (folder / "pieces" / question).mkdir(parents=True)
        (folder / "pieces" / question / "all.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "frames" / "things").mkdir(parents=True)
    (folder / "frames" / "things" / "all.txt").write_text(
        "plumbing | 水槽, sink\nelectrical | 台灯, lamp\n", encoding="utf-8"
    )
    for name, frame in FRAMES.items():
        (folder / "frames" / f"{name}.txt").write_text(frame, encoding="utf-8")
    return folder


def line(kind, order, minute, /, **data):
    time = f"2026-03-02T08:{minute:02d}:00Z"
    event = {"type": f"dispatch.work-order.{kind}.v1", "subject": order, "time": time, "sequence": str(minute)}
    return json.dumps({**event, "data": data}, ensure_ascii=False)


def opened(order, minute, text, trade):
    classifier = {"source": "model", "model_version": "triage-1"}
    needs = [{"trade": trade}] if trade else []
    data = {"requirements": needs, "urgency": "normal", "kind": "repair", "classifier": classifier}
    return line("opened", order, minute, text=text, reporter={"subject_id": "s-secret"}, **data)


def corrected(order, minute, trade):
    actor = {"id": "d-secret", "role": "dispatcher"}
    return line("reclassified", order, minute, requirements=[{"trade": trade}], actor=actor)


LOG = [
    opened("wo1", 1, "蓝盒子叫了", "plumbing"), corrected("wo1", 2, "network"),
    opened("wo2", 3, "那个蓝盒子一直闪", None), corrected("wo2", 4, "network"),
    opened("wo3", 5, "水龙头又漏水", "plumbing"), line("completed", "wo3", 9, disposition="fixed"),
    opened("wo4", 6, "淋浴，一直滴水！", "plumbing"), corrected("wo4", 7, "electrical"),
    opened("wo5", 8, "hey zacharias the tap", "plumbing"), corrected("wo5", 9, "electrical"),
    line("offered", "wo5", 9),
]  # fmt: skip


def write_log(path, lines=LOG):
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def run(*words):
    """In a process of its own: a learner is a package that is loaded once."""
    done = subprocess.run(
        [sys.executable, "-m", "dispatch", *map(str, words)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    if "--out" in words:
        assert "lines without the authors of part 1 of 2" in done.stderr
    return json.loads(done.stdout)


@LEARNS
def test_the_same_log_and_corpus_give_the_same_bytes_and_the_model_knows_what_people_said(corpus, tmp_path, invoke):
    one, two, other = (tmp_path / name for name in ("one.bin", "two.bin", "other.bin"))
    log, turned = write_log(tmp_path / "a.jsonl"), write_log(tmp_path / "b.jsonl", LOG[::-1])
    fewer = write_log(tmp_path / "c.jsonl", LOG[:4])
    told = run("train", "--log", log, "--corpus", corpus, "--out", one, "--json")
    again = run("train", "--log", turned, "--corpus", corpus, "--out", two, "--json")
    third = run("train", "--log", fewer, "--corpus", corpus, "--out", other, "--json")

    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert told["version"] == again["version"] != third["version"]
    assert told["orders"] == {"confirmed": 1, "corrected": 4}
    assert (told["lessons"], told["learnt"], told["held_out"]) == (5, 4, 1)
    model = load_model(one)
    assert model.version == told["version"]
    assert model.predict("蓝盒子").trade == "network"
    assert model.predict("漏水").trade == "plumbing"
    assert (model.predict("插座着火").alarm > 0) is True


@LEARNS
def test_a_word_that_only_one_order_has_is_not_in_the_model(corpus, tmp_path):
    out = tmp_path / "ours.bin"
    run("train", "--log", write_log(tmp_path / "log.jsonl"), "--corpus", corpus, "--out", out, "--json")
    grams = read(out.read_bytes()).names.split("\n")
    assert {"蓝盒", "tap"} <= set(grams)
    assert [gram for gram in grams if "zach" in gram] == []


def test_without_out_it_tells_what_there_is_to_learn_and_lessons_name_nobody(invoke, tmp_path):
    examples = tmp_path / "lessons.jsonl"
    log = write_log(tmp_path / "log.jsonl")
    (told,) = invoke.lines("train", "--log", log, "--examples", examples)
    assert told == {"orders": {"confirmed": 1, "corrected": 4}, "lessons": 5}
    text = examples.read_text("utf-8")
    assert not any(secret in text for secret in ("s-secret", "d-secret", "wo1"))
    lessons = {each["text"]: each for each in map(json.loads, text.splitlines())}
    assert lessons["蓝盒子叫了"]["said"]["trade"] == "plumbing"
    assert lessons["蓝盒子叫了"]["label"]["trade"] == "network"
    assert (lessons["水龙头又漏水"]["basis"], lessons["水龙头又漏水"]["weight"]) == ("confirmed", 0.2)
    result = invoke("train", "--log", log, "--since", "2026-03-02T08:05:00Z")
    assert result.output == "orders confirmed\t1\norders corrected\t2\norders earlier\t2\nlessons\t3\n"


def test_a_log_that_teaches_nothing_is_said_to(invoke, tmp_path):
    result = invoke("train", "--log", write_log(tmp_path / "log.jsonl", LOG[:1]), "--out", tmp_path / "ours.bin")
    assert result.exit_code == 1
    assert "the log teaches nothing" in result.stderr
    assert not (tmp_path / "ours.bin").exists()


@pytest.mark.parametrize("line", ["{", '{"type": "work-order.opened"}', LOG[0].replace("2026-", "soon-")])
def test_a_line_that_is_no_event_is_named(invoke, tmp_path, line):
    result = invoke("train", "--log", write_log(tmp_path / "log.jsonl", [*LOG, line]))
    assert result.exit_code == 1
    assert f"log.jsonl:{len(LOG) + 1}: no event" in result.stderr


def test_a_corpus_that_is_none_says_what_to_pass(invoke, tmp_path):
    log, out = write_log(tmp_path / "log.jsonl"), tmp_path / "ours.bin"
    result = invoke("train", "--log", log, "--corpus", tmp_path, "--out", out)
    assert result.exit_code == 1
    assert "pieces" in result.stderr
    assert "pass --corpus" in result.stderr
    assert not out.exists()


def test_without_scikit_learn_it_says_what_to_install(invoke, tmp_path, monkeypatch, corpus):
    monkeypatch.setattr("dispatch.cli.learner.importlib.util.find_spec", lambda _name: None)
    log = write_log(tmp_path / "log.jsonl")
    result = invoke("train", "--log", log, "--corpus", corpus, "--out", tmp_path / "ours.bin")
    assert result.exit_code == 1
    assert "pip install 'workorder-dispatch[train]'" in result.stderr


@pytest.mark.parametrize("words", [(), ("--from-log", "--log", "x.jsonl")])
def test_one_log_is_asked_for(invoke, words):
    assert invoke("train", *words).exit_code == 2
    assert command.name == "train"


# compare ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path):
    """Two models' files, and a table that they part on."""
    old, new = tmp_path / "old.bin", tmp_path / "new.bin"
    old.write_bytes(tiny("old", zorp={"plumbing": 9}, krax={"fire": 9, "electrical": 9}))
    new.write_bytes(tiny("new", zorp={"network": 9}, hoom={"fire": 9, "network": 9}))
    rows = [("a", "zorp"), ("b", "zorp zorp"), ("c", "krax"), ("d", "hoom"), ("e", "qwertz")]
    return old, new, write_table(tmp_path / "in.csv", ("id", "text"), *rows)


def test_two_models_are_compared_on_a_table_emergencies_first(invoke, pair):
    old, new, table = pair
    result = invoke("classify", "--compare", old, new, "--in", table)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "# emergencies lost: 1"
    assert lines[2].split("\t")[0] == "c"
    assert lines[3] == "# emergencies gained: 1"
    assert "agree on emergency\t60.00%" in lines
    assert "plumbing\tnetwork\t2" in lines
    assert lines[-1].startswith(("a\t", "b\t"))


def test_a_comparison_is_a_document(invoke, pair):
    old, new, table = pair
    (found,) = invoke.lines("classify", "--compare", old, new, "--in", table, "--sample", 1)
    assert (found["old"], found["new"], found["reports"], found["changed"]) == ("old", "new", 5, 4)
    assert [one["id"] for one in found["lost"]] == ["c"]
    assert [one["id"] for one in found["gained"]] == ["d"]
    assert found["agreement"]["emergency"] == 0.6
    assert len(found["sample"]) == 1
    (same,) = invoke.lines("classify", "--compare", "shipped", "shipped", "--in", table)
    assert same["changed"] == 0


def test_the_model_of_the_environment_classifies_and_a_damaged_one_is_refused(invoke, pair, tmp_path, monkeypatch):
    old, _new, _table = pair
    monkeypatch.setitem(invoke.environ, "DISPATCH_TRIAGE_MODEL", str(old))
    (said,) = invoke.lines("classify", "zorp")
    assert (said["trade"], said["model_version"]) == ("plumbing", "old")
    old.write_bytes(old.read_bytes()[:-1])
    result = invoke("classify", "zorp")
    assert result.exit_code == 1
    assert "model_damaged" in result.stderr
    assert "old.bin" in result.stderr


def test_a_worker_refuses_a_damaged_model_before_it_asks_any_server(nowhere, tmp_path, monkeypatch):
    (tmp_path / "ours.bin").write_bytes(b"none")
    monkeypatch.setitem(nowhere.environ, "DISPATCH_TRIAGE_MODEL", str(tmp_path / "ours.bin"))
    result = nowhere("worker")
    assert result.exit_code == 1
    assert "model_damaged" in result.stderr
    assert "ours.bin" in result.stderr


@pytest.mark.parametrize(
    "words",
    [("--compare", "a", "b"), ("--compare", "a", "b", "text", "--from-log"), ("--from-log",),
     ("--compare", "a", "b", "--in", "x.csv", "--from-log")],
)  # fmt: skip
def test_what_to_compare_on_is_asked_for(invoke, words):
    assert invoke("classify", *words).exit_code == 2


def test_a_log_to_compare_on_needs_kafka(nowhere):
    for words in (("train", "--from-log"), ("classify", "--compare", "shipped", "shipped", "--from-log")):
        result = nowhere(*words)
        assert result.exit_code == 3
        assert "set DISPATCH_KAFKA" in result.stderr
