"""Which words of the lexicon stand in a text, told a second time in the simplest way there is."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dispatch.config import load_config
from dispatch.rules.words import WordIndex, fold

POLICY = load_config(Path(__file__).parents[2] / "config")
INDEX = POLICY.compiled(WordIndex)
LEXICON = POLICY.document.lexicon
THINGS = [*LEXICON.trades.values(), *LEXICON.symptoms.values(), LEXICON.neutral]
ALARMS = [*LEXICON.emergencies.values(), *LEXICON.urgency.values(), *LEXICON.tasks.values()]
GLUE = [
    " ",
    "，",
    ",",
    "。",
    "没有",
    "和",
    "no ",
    " or ",
    " the ",
    " until ",
    "'s",
    "ＡＣ ",
    "İ",
    "\ud800",
    "ing ",
    "es ",
]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(sorted({word for words in (*THINGS, *ALARMS) for word in (*words.zh, *words.en)})),
        st.sampled_from(GLUE),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


def longest_first(text, words):
    """At each place that is free the longest of the words that stands there."""
    found, free = [], 0
    for at in range(len(text)):
        here = [word for word in words if text[at : at + len(word)] == word]
        if at >= free and here:
            free = at + len(max(here, key=len))
            found.append((at, free))
    return found


def chinese(lists):
    return {fold(word) for words in lists for word in words.zh}


def english(lists):
    return {INDEX.tokens(fold(word)) for words in lists for word in words.en} - {()}


@given(TEXTS)
def test_the_longest_word_at_each_place_is_found_in_either_language(text):
    folded = fold(text)
    tokens = INDEX.tokens(folded)
    things, alarms = INDEX.scan(folded)
    assert [(hit.at, hit.end) for hit in things if not hit.is_english] == longest_first(folded, chinese(THINGS))
    assert [(hit.at, hit.end) for hit in things if hit.is_english] == longest_first(tokens, english(THINGS))
    for whole, lists, is_english in ((folded, chinese, False), (tokens, english, True)):
        open_alarms = [
            (at, end)
            for at, end in longest_first(whole, lists(ALARMS))
            if not any(
                start <= at and end <= stop and stop - start > end - at
                for start, stop in longest_first(whole, lists(THINGS))
            )
        ]
        assert [(hit.at, hit.end) for hit in alarms if hit.is_english == is_english] == open_alarms


@given(TEXTS)
def test_a_hit_is_the_word_that_stands_there(text):
    folded = fold(text)
    for hit in (each for layer in INDEX.scan(folded) for each in layer):
        said = " ".join(INDEX.tokens(folded)[hit.at : hit.end]) if hit.is_english else folded[hit.at : hit.end]
        assert said == hit.word.text
        assert {f"{hit.word.text}→{mark.name}" for mark in hit.word.marks if mark.name} == set(hit.word.evidence)
