"""The second look of triage: what it computes, that batches do not matter, and what becomes of a damaged one."""

import msgspec
import numpy as np
import pytest

from dispatch.rules.triage_file import ModelError, load, read, write
from dispatch.rules.triage_look import ALARM, PRESSING, Look, SecondLook, seen
from dispatch.rules.triage_model import Model
from tests.support.models import ANSWERS, tiny

WIDTH = sum(map(len, ANSWERS.values())) + 4
"""Scores, two hazards, how much is known, and 1."""
DOCUMENT = read(tiny("t", smoke={"fire": 4.0}, drip={"plumbing": 4.0}))


def a_look(hidden, out, *answers):
    return Look(answers=answers, hidden=np.asarray(hidden, "<f2").tobytes(), out=np.asarray(out, "<f2").tobytes())


def inputs(count, width, seed=7):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_it_sees_all_scores_the_greatest_hazards_and_how_much_is_known():
    hazards = np.array([[9.0, 1.0, 4.0, 2.0, 3.0]], np.float32)
    found = seen(np.array([[0.5, -0.5]], np.float32), hazards, 0, np.array([3]))
    assert found.tolist() == [[0.5, -0.5, 4.0, 3.0, 2.0, pytest.approx(np.log(4.0)), 1.0]]


def test_a_unit_is_silent_below_nothing_and_adds_up_above():
    only = a_look([[2.0], [0.0], [0.0], [0.0], [0.0], [-1.0]], [[3.0], [0.5]], ALARM)
    look = SecondLook({ALARM: only}, 6)
    rows = np.array([[1.0, 0, 0, 0, 0, 1.0], [0.25, 0, 0, 0, 0, 1.0]], np.float32)
    assert look.look(rows)[ALARM].tolist() == [[3.5], [0.5]]


def test_a_text_is_judged_alike_in_any_batch_and_order():
    rng = np.random.default_rng(1)
    looks = {
        name: a_look(rng.normal(size=(WIDTH, 40)), rng.normal(size=(41, len(answers))), *answers)
        for name, answers in ((ALARM, (ALARM,)), ("urgency", PRESSING))
    }
    look, rows = SecondLook(looks, WIDTH), inputs(300, WIDTH)
    whole = look.look(rows)
    turned = look.look(np.asfortranarray(rows[::-1]))
    for name in looks:
        assert (whole[name] == turned[name][::-1]).all()
        assert (whole[name] == np.vstack([look.look(rows[at : at + 1])[name] for at in range(300)])).all()


def test_an_alarm_and_an_urgency_are_what_the_look_says():
    nothing = np.zeros((WIDTH, 1))
    urgency = a_look(nothing, [[0.0] * 3, [3.0, 2.0, 1.0]], *PRESSING)
    looks = {ALARM: a_look(nothing, [[0.0], [-4.0]], ALARM), "urgency": urgency}
    model = Model(msgspec.structs.replace(DOCUMENT, looks=looks))
    heard = model.predict("smoke")
    assert (heard.alarm, heard.pressing, heard.hazard) == (-4.0, [3.0, 2.0, 1.0], "fire")
    assert Model(DOCUMENT).predict("smoke").alarm > 0


def test_a_look_at_trades_counts_half_and_leaves_alone_what_is_unclear():
    answers = ANSWERS | {"trade": ("electrical", "out_of_scope", "plumbing", "unclear")}
    columns = [answer for each in answers.values() for answer in each]
    rows = np.zeros((1, len(columns)), np.int8)
    rows[0, columns.index("plumbing")] = 10
    document = msgspec.structs.replace(
        DOCUMENT, answers=answers, names="drip", rows=rows.tobytes(), squares=np.ones(1, "<f2").tobytes(), doubt=0.0
    )
    plain = Model(document).predict("drip")
    towards = {ALARM: a_look(np.zeros((WIDTH, 1)), [[0.0], [0.0]], ALARM)}
    towards["trade"] = a_look(
        np.zeros((WIDTH, 1)), [[0.0] * 3, [12.0, 0.0, 0.0]], "electrical", "out_of_scope", "plumbing"
    )
    looked = Model(msgspec.structs.replace(document, looks=towards)).predict("drip")
    assert (plain.trade, looked.trade, looked.second) == ("plumbing", "electrical", "plumbing")
    unclear = np.exp(0.0) / (np.exp(4.0) + 3)  # of one score of 1, three of 0, at sharpness 4
    crafts = np.array([6.0, 0.0, 2.0])
    assert looked.probability == pytest.approx((1 - unclear) * np.exp(6.0) / np.exp(crafts).sum(), rel=1e-4)


FITS = np.zeros((WIDTH, 3))


@pytest.mark.parametrize(
    ("name", "look"),
    [
        (ALARM, a_look(np.zeros((7, 3)), np.zeros((4, 1)), ALARM)),
        (ALARM, a_look(FITS, np.zeros((4, 3)), ALARM)),
        (ALARM, a_look(FITS, np.zeros((4, 1)), "calm")),
        (ALARM, a_look(FITS, np.full((4, 1), np.inf), ALARM)),
        (ALARM, a_look(np.full((WIDTH, 3), np.nan), np.zeros((4, 1)), ALARM)),
        ("urgency", a_look(FITS, np.zeros((4, 3)), "low", "normal", "urgent")),
        ("trade", a_look(FITS, np.zeros((4, 2)), "electrical", "network", "plumbing")),
        ("trade", a_look(FITS, np.zeros((4, 2)), "electrical", "nobody's")),
        ("kind", a_look(FITS, np.zeros((4, 2)), "complaint", "repair")),
    ],
)
def test_a_look_that_does_not_fit_its_model_is_refused(name, look):
    wrong = msgspec.structs.replace(DOCUMENT, looks={name: look})
    with pytest.raises(ModelError, match="make model") as caught:
        load(write(wrong))
    assert caught.value.code == "model_damaged"


def test_a_model_with_looks_at_all_says_the_same_of_a_text_in_any_batch():
    rng = np.random.default_rng(3)
    names = [f"zu{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(200)]
    rows = rng.integers(-127, 128, size=(len(names), WIDTH - 4)).astype(np.int8)
    trades = ("electrical", "network", "out_of_scope")
    shapes = {"trade": trades, ALARM: (ALARM,), "urgency": PRESSING}
    looks = {
        name: a_look(rng.normal(size=(WIDTH, 40)), rng.normal(size=(41, len(answers))), *answers)
        for name, answers in shapes.items()
    }
    squares = np.ones(len(names), "<f2").tobytes()
    document = msgspec.structs.replace(
        DOCUMENT, names="\n".join(names), rows=rows.tobytes(), squares=squares, looks=looks
    )
    model = Model(document)
    texts = [" ".join(rng.choice(names, size=rng.integers(0, 9))) for _ in range(300)]
    fields = ("trade", "probability", "second", "second_probability", "alarm", "hazard", "pressing", "kind")
    for text, heard in zip(texts, model.predict_all(texts), strict=True):
        alone = model.predict(text)
        assert [getattr(heard, name) for name in fields] == [getattr(alone, name) for name in fields]
