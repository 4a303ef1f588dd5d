"""The learner of the second look: of whom it learns, and that what it writes is what its nets say."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra `train`)")

from sklearn.preprocessing import StandardScaler

from corpus import looking
from corpus.examples import Example, features_of
from corpus.looking import Heard, looks, overhear
from corpus.reading import Core
from dispatch.rules.triage_look import ALARM, PRESSING, SecondLook

PIECES = [
    Example(features=features_of("漏水"), trade="plumbing", urgency="urgent", kind="repair"),
    Example(features=features_of("灯"), trade="electrical", urgency="low", kind="complaint"),
    Example(features=features_of("着火"), hazard="fire"),
    Example(features=features_of("没事"), hazard="calm"),
]


def core(number, style, text, trade, urgency="normal", hazard=""):
    return Core(
        id=f"x-{number}", style=style, text=text, trades=(trade,), also_ok=(), urgencies=(urgency,), hazard=hazard,
        kind="repair", faults=1, phenomenon="plain", split="open",
    )  # fmt: skip


TOLD = [
    core(1, "zh-a", "蓝盒子叫", "network"),
    core(2, "zh-a", "水管漏水", "plumbing"),
    core(3, "zh-b", "蓝盒子叫", "plumbing"),
    core(4, "zh-b", "灯灭了", "electrical"),
    core(5, "zh-c", "着火了", "electrical", "emergency", "fire"),
    core(6, "zh-d", "水管漏", "plumbing", "low"),
]


def test_scores_of_a_text_are_by_lines_that_have_not_read_its_author():
    said = []
    heard = overhear(TOLD, PIECES, said.append)
    assert [line.endswith(" of 4") for line in said] == [True] * 4
    trades = heard.answers["trade"]
    assert trades == ("electrical", "network", "plumbing")
    scores = heard.of("trade")
    # what only their own author calls network is unknown to those who judge him, who have heard another of it
    assert scores[0, trades.index("network")] == pytest.approx(-1.0)
    assert scores[0, trades.index("plumbing")] > scores[0, trades.index("electrical")]
    assert scores[2, trades.index("network")] > scores[2, trades.index("plumbing")]
    assert heard.known[0] > 0
    assert overhear(TOLD[:2], PIECES, said.append) is None


def made_of(right, answers):
    rng = np.random.default_rng(5)
    inputs = np.hstack([rng.normal(size=(len(right), 6)), np.ones((len(right), 1))]).astype(np.float32)
    for at, answer in enumerate(sorted(set(right))):
        inputs[np.array(right) == answer, at] += 2.0
    steady = StandardScaler().fit(inputs[:, :-1]).transform(inputs[:, :-1])
    nets = [looking._net(steady, np.array(right), seed) for seed in range(looking._MEMBERS)]
    return inputs, steady, nets, SecondLook({answers[0]: looking._look(inputs, np.array(right), answers[1])}, 7)


def test_a_look_at_alarms_says_the_mean_of_the_log_odds_of_its_nets():
    right = [ALARM, "calm", "calm"] * 100
    inputs, steady, nets, look = made_of(right, (ALARM, (ALARM,)))
    odds = np.mean([np.log(p[:, 0] / p[:, 1]) for p in (net.predict_proba(steady) for net in nets)], 0)
    found = look.look(inputs)[ALARM][:, 0]
    assert found == pytest.approx(odds, abs=0.05)
    assert found[0::3].mean() > 0 > found[1::3].mean()


def test_a_look_at_urgencies_says_them_in_order_and_takes_back_how_rare_they_are():
    right = ["urgent", "normal", "normal", "low"] * 100
    inputs, steady, nets, look = made_of(right, ("urgency", PRESSING))
    classes = list(nets[0].classes_)
    logs = np.mean([np.log(net.predict_proba(steady)) for net in nets], 0)[:, [classes.index(one) for one in PRESSING]]
    logs -= looking._RARER * np.log([0.25, 0.5, 0.25])
    found = look.look(inputs)["urgency"]
    assert found - found.mean(1, keepdims=True) == pytest.approx(logs - logs.mean(1, keepdims=True), abs=0.05)


def test_a_question_has_a_look_if_enough_is_told_of_each_answer_and_says_so_if_not():
    answers = {"trade": ("a", "b", "c"), "hazard": ("calm", "fire"), "urgency": PRESSING, "kind": ("repair",)}
    told = [core(at, f"zh-{at}", "x", "ab"[at % 2], "normal" if at % 2 else "low") for at in range(400)]
    scores = np.random.default_rng(2).normal(size=(400, 9)).astype(np.float32)
    said = []
    made = looks(told, Heard(answers, scores, np.full(400, 5.0, np.float32)), said.append)
    assert made.keys() == {"trade"}
    assert made["trade"].answers == ("a", "b")
    assert said == [
        "the second look at trade, of 400 texts",
        "no second look at alarm: it needs 100 texts of each answer",
        "no second look at urgency: it needs 100 texts of each answer",
    ]
