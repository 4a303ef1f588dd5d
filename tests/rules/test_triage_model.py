"""The model of triage: what its file may be, what it says, and that no text breaks it."""

import random
from pathlib import Path

import pytest

from dispatch.config import load_config
from dispatch.models.policy_words import Words
from dispatch.rules.policy import compile_policy
from dispatch.rules.triage import classify, hear
from dispatch.rules.triage_features import features
from dispatch.rules.triage_file import FILE, FORMAT, MAGIC, ModelError, load, shipped
from dispatch.rules.words import fold

POLICY = load_config(Path(__file__).parents[2] / "config")
DATA = (Path(__file__).parents[2] / "dispatch" / "rules" / FILE).read_bytes()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "model_damaged"),
        (b"something else entirely, and long enough to be a header with a checksum", "model_damaged"),
        (DATA[:-1], "model_damaged"),
        (DATA[:1000] + bytes([DATA[1000] ^ 1]) + DATA[1001:], "model_damaged"),
        (MAGIC + bytes([FORMAT + 1]) + DATA[len(MAGIC) + 1 :], "model_version"),
    ],
)
def test_a_damaged_model_or_one_of_another_version_is_refused(data, code):
    with pytest.raises(ModelError, match="make model") as caught:
        load(data)
    assert caught.value.code == code


def test_it_is_small():
    assert len(DATA) < 6_000_000


def test_features_are_pieces_and_words():
    assert set(features("按了3")) == {"按", "了", "按了"}
    english = {"the", "flickering", "~flick", "lamp", "the flickering", "flickering lamp"}
    assert set(features("the flickering lamp")) == english


@pytest.mark.parametrize(
    ("text", "trade"),
    [
        ("按了半天不来，数字一直停在3", "elevator"),
        ("夜里墙里头哗哗响，楼下说他家顶上滴", "plumbing"),
        ("something keeps scurrying above the ceiling at night", "pest_control"),
        ("pages never load though it says connected", "network"),
    ],
)
def test_symptoms_without_the_name_of_the_thing_are_placed(text, trade):
    judged = classify(POLICY, text=text)
    assert judged.trade == trade
    assert judged.model_version == shipped().version


def test_a_verdict_of_the_model_names_the_words_that_decided():
    judged = classify(POLICY, text="pages never load though it says connected")
    assert judged.source == "model"
    assert any(each.endswith("→network") for each in judged.evidence)


def test_many_at_once_are_judged_as_one_by_one():
    texts = ["水龙头漏水", "", "🤷", "the lift is stuck", "按了半天不来"]
    together = hear(texts)
    for text, heard in zip(texts, together, strict=True):
        assert classify(POLICY, text=text, heard=heard) == classify(POLICY, text=text)


def test_nothing_known_says_nothing():
    assert shipped().predict("🤷").known == 0
    assert shipped().predict_all([]) == []
    assert classify(POLICY, text="🤷").needs_front_desk


def test_the_sites_own_words_are_final():
    document = POLICY.document
    lexicon = document.lexicon.model_copy(update={"site": {"network": Words(zh=("蓝盒子",), en=("blue box",))}})
    policy = compile_policy(document.model_copy(update={"lexicon": lexicon}))
    for text in ("蓝盒子漏水，马桶也堵了", "the blue box by the toilet is leaking"):
        judged = classify(policy, text=text)
        assert (judged.trade, judged.source, judged.confidence_permille) == ("network", "lexicon", 1000)


def test_the_sites_own_words_of_urgency_are_final_but_for_emergencies():
    document = POLICY.document
    words = {"urgent": Words(zh=("蓝盒子",), en=("blue box",)), "low": Words(zh=("备用间",), en=("spare room",))}
    lexicon = document.lexicon.model_copy(update={"site_urgency": words})
    policy = compile_policy(document.model_copy(update={"lexicon": lexicon}))

    def urgency(text, **said):
        return classify(policy, text=text, **said).urgency

    assert urgency("the blue box squeaks a little, no rush") == "urgent"
    assert urgency("备用间整间停电了") == "low"
    assert urgency("spare room has no power", urgency_hint="urgent") == "low"
    assert urgency("备用间着火了") == "emergency"
    assert urgency("不是备用间，整间停电了") == "urgent"


@pytest.mark.parametrize(
    "text", ["东西坏了，快来", "坏了", "坏了 快来", "又不行了", "something is broken", "please fix it"]
)
def test_what_says_next_to_nothing_is_left_to_the_desk(text):
    judged = classify(POLICY, text=text)
    assert (judged.trade, judged.out_of_scope, judged.needs_front_desk) == (None, False, True)


@pytest.mark.parametrize(
    ("text", "trade"),
    [("灯坏了", "electrical"), ("锁坏了", "locksmith"), ("tap drips", "plumbing"), ("wifi down", "network")],
)
def test_few_words_that_name_their_thing_are_enough(text, trade):
    assert classify(POLICY, text=text).trade == trade


def test_what_no_craft_is_for_is_told_apart_from_what_nobody_can_place():
    judged = classify(POLICY, text="请问食堂的饭菜什么时候降价")
    assert judged.trade is None
    assert judged.out_of_scope
    assert judged.needs_front_desk
    assert not classify(POLICY, text="").out_of_scope


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("投诉：维修师傅态度恶劣，骂人", "complaint"),
        ("I want to file a complaint, the technician was rude and swore", "complaint"),
        ("建议在图书馆多装几台饮水机", "suggestion"),
        ("请问停水到几点", "inquiry"),
        ("想预约周五下午的会议室", "booking"),
        ("水龙头漏水", "repair"),
    ],
)
def test_kinds_are_told_apart(text, kind):
    assert classify(POLICY, text=text).kind == kind


def test_a_kind_that_the_channel_states_stays():
    assert classify(POLICY, text="水龙头漏水", kind="inspection_finding").kind == "inspection_finding"


def hostile(count):
    """Texts of all sorts of characters, words, and lengths, the same each time."""
    dice = random.Random(5)
    words = [
        "煤气味",
        "没有",
        "smoke ",
        "no ",
        "<html>",
        "\u200b",
        "\x00",
        "\ud800",
        "🔥",
        "３栋",
        "İ",
        "ﬁ",
        "'",
        "電梯",
    ]
    for _ in range(count):
        length = dice.randrange(40)
        pieces = [dice.choice(words) if dice.random() < 0.6 else chr(dice.randrange(0x11000)) for _ in range(length)]
        yield "".join(pieces) * (100 if dice.random() < 0.01 else 1)


def test_no_hostile_text_breaks_it():
    for text in hostile(2_000):
        judged = classify(POLICY, text=text)
        assert judged.trade is None or judged.trade in POLICY.trades
        assert 0 <= judged.confidence_permille <= 1000
        assert judged.needs_front_desk == (judged.trade is None)
    assert len(fold("ﬃ" * 5_000)) >= 4_000
