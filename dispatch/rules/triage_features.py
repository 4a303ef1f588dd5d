"""What the model of triage looks at in a text: pieces of Chinese runs, English words, their beginnings and pairs.

No segmenter is needed: every run of Chinese characters gives all its pieces of one to four characters, so that all
words of the vocabulary are among them, overlapping.
"""

import re
from typing import Final

READ_LIMIT: Final = 600
"""How many characters of a folded text the model reads: what a report asks stands at its beginning."""

_PART = re.compile(r"[\u4e00-\u9fff]+|[a-z]+|[0-9]+|[^\u4e00-\u9fffa-z0-9]")
_LONGEST = 4
_STEM = 5
_ZH = "\u4e00"


def features(folded: str) -> set[str]:
    """The different features of a text that was folded by :func:`dispatch.rules.words.fold`."""
    found: set[str] = set()
    add = found.add
    last = ""
    for part in _PART.findall(folded[:READ_LIMIT].replace("'", "")):
        first = part[0]
        if first >= _ZH and first <= "\u9fff":
            length = len(part)
            for at in range(length):
                for end in range(at + 1, min(at + _LONGEST, length) + 1):
                    add(part[at:end])
            last = ""
        elif "a" <= first <= "z":
            add(part)
            if len(part) > _STEM:
                add("~" + part[:_STEM])
            if last:
                add(last + " " + part)
            last = part
        elif first.isdecimal():
            last = "0"
        elif first != " ":
            last = ""
    return found
