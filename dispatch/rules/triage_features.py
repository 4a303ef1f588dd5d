"""What the model of triage looks at in a text: pieces of Chinese runs, English words, their beginnings and pairs.

No segmenter is needed: every run of Chinese characters gives all its pieces of one to four characters, so that all
words of the vocabulary are among them, overlapping. :mod:`triage_lookup` finds those that a model knows.
"""

import re
from typing import Final

READ_LIMIT: Final = 600
"""How many characters of a folded text the model reads: what a report asks stands at its beginning."""
LONGEST: Final = 4
"""How many characters of a Chinese run the longest piece has."""
ZH, ZH_LAST = "\u4e00", "\u9fff"

_RUN = re.compile(f"[{ZH}-{ZH_LAST}]+")
_WORD = re.compile("[a-z]+")
_BESIDE = re.compile(r"(?:([a-z]++)|\d++) *(?=([a-z]+))")
_STEM = 5


def features(folded: str) -> dict[str, None]:
    """The different features of a text that was folded by :func:`dispatch.rules.words.fold`, always in one order."""
    text = read(folded)
    pieces = [
        run[at : at + length]
        for run in _RUN.findall(text)
        for length in range(1, LONGEST + 1)
        for at in range(len(run) - length + 1)
    ]
    return dict.fromkeys(pieces + english(text))


def read(folded: str) -> str:
    """The part of a folded text that the model reads."""
    return folded[:READ_LIMIT].replace("'", "")


def english(text: str) -> list[str]:
    """The English words of a text that was :func:`read`, the beginnings of long ones, and each with the one before it.

    A number before a word is 0, whatever it is.
    """
    words = _WORD.findall(text)
    if not words:
        return words
    beginnings = ["~" + word[:_STEM] for word in words if len(word) > _STEM]
    return words + beginnings + [f"{before or 0} {word}" for before, word in _BESIDE.findall(text)]
