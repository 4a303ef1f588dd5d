"""What the model of triage looks at in a text: pieces of Chinese runs, English words, their beginnings and pairs.

What follows a word that sets it aside (a denial, a time gone by, a condition, a drill) counts once more with a mark, so
that 没有漏气, 去年漏气 and 要是漏气 are told from 漏气 by what the model has learnt of all things that are set aside.

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
SET_ASIDE: Final = "!"
"""What the name of a feature begins with that a text says not to be so, or not now."""
_LONGEST_ASIDE = 3
# 有没有 asks, 不是没有 affirms, 之前没有 means that there is now, and 没有人 is about who came. Each begins with
# a character and not with a look behind it: so the search goes from one such character to the next, nine times faster.
_ASIDE_ZH = re.compile(
    "(?:没(?<![有是前]没)(?:有(?!人)|(?![有人]))|不是(?!没)|并非|无|未|不(?!是没)|别"
    "|去年|上周|昨天|以前(?!没)|曾|当时|如果|要是|万一|会不会|演练|模拟)"
    f"([{ZH}-{ZH_LAST}、]{{1,7}})"
)
_ASIDE_EN = re.compile(
    r"\b(?:no|not|nothing|never|without|isnt|wasnt|dont|doesnt|didnt|arent|yesterday|last year|last week"
    r"|if|drill|was|were|already)\b((?: (?!and\b|but\b)[a-z]+){1,4})"
)


def features(folded: str) -> dict[str, None]:
    """The different features of a text that was folded by :func:`dispatch.rules.words.fold`, always in one order."""
    text = read(folded)
    pieces = [
        run[at : at + length]
        for run in _RUN.findall(text)
        for length in range(1, LONGEST + 1)
        for at in range(len(run) - length + 1)
    ]
    return dict.fromkeys(pieces + english(text) + set_aside(text))


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


def set_aside(text: str) -> list[str]:
    """The words and pieces of a text that was :func:`read` which it says not to be so, or not now, each with a mark."""
    marked = [
        SET_ASIDE + run[at : at + length]
        for runs in _ASIDE_ZH.findall(text)
        for run in runs.split("、")
        for length in range(1, _LONGEST_ASIDE + 1)
        for at in range(len(run) - length + 1)
    ]
    return marked + [SET_ASIDE + word for words in _ASIDE_EN.findall(text) for word in words.split()]
