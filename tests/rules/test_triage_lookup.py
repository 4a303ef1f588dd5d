"""What a model knows of many texts at once is what it knows of each."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.triage_features import features
from dispatch.rules.triage_lookup import FeatureIndex
from dispatch.rules.words import fold

ALPHABET = "水龙头漏电灯没ab c'3,.\n鿿\u4e00\ud800é٣"
NAMES = (
    "水",
    "龙",
    "水龙",
    "水龙头",
    "水龙头漏",
    "漏电灯水",
    "\u4e00鿿",
    "a",
    "ab",
    "a ab",
    "0 ab",
    "~abcab",
    "abcabc",
    "é",
    "水龙头漏电",
    "!漏",
    "!漏电灯",
    "!ab",
)
TEXTS = st.lists(st.text(ALPHABET, max_size=24) | st.sampled_from(["没有漏电灯", "no ab, not ba ab"]), max_size=6)


def known(index, texts):
    numbers, starts = index.known(texts)
    return [numbers[start:end].tolist() for start, end in pairwise((*starts.tolist(), len(numbers)))]


@given(TEXTS)
def test_the_features_of_many_texts_are_those_of_each(texts):
    texts = [fold(text) for text in texts]
    numbers = {name: number for number, name in enumerate(NAMES, start=1)}
    expected = [sorted([0, *(numbers[each] for each in features(text) if each in numbers)]) for text in texts]
    assert known(FeatureIndex(NAMES), texts) == expected


@given(st.sets(st.text("\u4e00鿿水龙头漏", min_size=1, max_size=4)))
def test_every_piece_is_found_whatever_meets_at_its_place(pieces):
    names = sorted(pieces)
    assert known(FeatureIndex(names), names) == [
        sorted([0, *(number for number, name in enumerate(names, start=1) if name in text)]) for text in names
    ]


def test_nothing_is_known_of_no_text_and_by_no_names():
    assert known(FeatureIndex(NAMES), []) == []
    assert known(FeatureIndex(()), ["水龙头", "tap"]) == [[0], [0]]


@pytest.mark.parametrize(
    ("text", "aside"),
    [
        ("灶台没有漏气，可是打不着", {"!漏", "!气", "!漏气", "!着"}),
        ("漏气，去年也漏", {"!也", "!漏", "!也漏"}),
        ("there is no smoke, it just won't heat", {"!smoke"}),
        ("what if the alarm rings", {"!the", "!alarm", "!rings"}),
        ("knotted, noted", set()),
    ],
)
def test_what_a_text_sets_aside_is_marked(text, aside):
    assert {each for each in features(fold(text)) if each.startswith("!")} == aside
