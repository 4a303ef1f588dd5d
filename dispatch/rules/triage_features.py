"""What the model of triage looks at in a text: pieces of Chinese runs, English words, their beginnings and pairs.

No segmenter is needed: every run of Chinese characters gives all its pieces of one to four characters, so that all
words of the vocabulary are among them, overlapping.
"""

import re
from operator import add
from typing import Final

READ_LIMIT: Final = 600
"""How many characters of a folded text the model reads: what a report asks stands at its beginning."""

_PART = re.compile(r"[\u4e00-\u9fff]+|[a-z]+|[0-9]+|[^\u4e00-\u9fffa-z0-9]")
_STEM = 5
_ZH, _ZH_LAST = "\u4e00", "\u9fff"


def features(folded: str) -> dict[str, None]:
    """The different features of a text that was folded by :func:`dispatch.rules.words.fold`, always in one order."""
    found: list[str] = []
    last = ""
    for part in _PART.findall(folded[:READ_LIMIT].replace("'", "")):
        first = part[0]
        if first >= _ZH:
            if first <= _ZH_LAST:
                found += part
                found += map(add, part, part[1:])
                found += [part[at : at + 3] for at in range(len(part) - 2)]
                found += [part[at : at + 4] for at in range(len(part) - 3)]
            last = ""
        elif "a" <= first <= "z":
            found.append(part)
            if len(part) > _STEM:
                found.append("~" + part[:_STEM])
            if last:
                found.append(last + " " + part)
            last = part
        elif first.isdecimal():
            last = "0"
        elif first != " ":
            last = ""
    return dict.fromkeys(found)
