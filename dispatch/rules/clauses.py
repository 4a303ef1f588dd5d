"""A report cut into clauses, in Chinese and English: where somebody may begin to tell of another fault.

| joint | is | examples |
|---|---|---|
| item | a number of a list | 1. 2、 ① 一是 firstly |
| add | words that add something | 另外 还有 顺便 also plus besides |
| stop | the end of a sentence, a new line | 。 ； . ! |
| soft | what may as well go on with the same | ， 、 and |
"""

import re
from typing import Final, Literal

import msgspec

Joint = Literal["", "item", "add", "stop", "soft"]
_STRENGTH: Final[tuple[Joint, ...]] = ("", "soft", "stop", "add", "item")

_BEGINS = r"(?:(?<=[\s,，。；;、:：.])|^)"
_NUMBER = r"\d{1,2}(?:[)）、](?!\d)|[.．](?=\s|[^\d\s.]))"
_ITEM = (
    rf"[①-⑳⑴-⒇㈠-㈩]|[(（]\d{{1,2}}[)）](?!\d)|{_BEGINS}(?:{_NUMBER}|[一二三四五六](?:是|、)|第[一二三四五六][,，、:：]"
    r"|(?:首先|其次|再次)|(?:firstly|secondly|thirdly)\b)"
)
_ADD = (
    rf"另外|此外|顺便|顺带|以及|并且|与此同时|{_BEGINS}(?:再就是|再有|再者)|(?:(?<=[\s,，。；;、了坏])|^)还有(?![点些人水电味气热个没])"
    r"|\b(?:also|besides|plus|additionally|furthermore|in addition|as well as|on top of that|by the way|btw"
    r"|another (?:thing|problem|issue)(?: is)?|one more thing|while (?:you are|you're) (?:here|there|at it))\b"
)
_STOP = r"[\n\r。；;！!？?…]+|\.(?=\s|$)"
_SOFT = r"[,，、]+|\s(?:and|&)(?=\s)"
_JOINT = re.compile(
    rf"(?P<item>{_ITEM})|(?P<add>{_ADD})|(?P<stop>{_STOP})|(?P<soft>{_SOFT})", re.IGNORECASE | re.MULTILINE
)
_ABBREVIATED = re.compile(
    r"(?:\b(?:rm|bldg|blk|no|apt|st|dr|mr|ms|mrs|prof|dept|approx|e\.g|i\.e|etc|fl|flr|ext|tel))$", re.IGNORECASE
)
_EDGES: Final = " \t\r\n,，、。；;:：.!！?？…"
_SHORTEST: Final = 2


class Clause(msgspec.Struct, frozen=True):
    """A clause: where it begins, what it says, how it is joined to what stands before, and the words of that joint."""

    at: int
    text: str
    joint: Joint = ""
    said: str = ""

    @property
    def is_told_apart(self) -> bool:
        """Whether whoever wrote it says that this is another matter."""
        return self.joint in {"item", "add"}


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text, in order; of joints that follow each other the strongest is named. Any text is fine."""
    found: list[Clause] = []
    at, joint, said = 0, _STRENGTH[0], ""
    for match in _JOINT.finditer(text):
        kind = _kind(match)
        if match["stop"] and _ABBREVIATED.search(text, max(0, match.start() - 8), match.start()):
            continue
        begun = _add(found, text, at, match.start(), joint, said)
        if begun or _STRENGTH.index(kind) >= _STRENGTH.index(joint):
            joint, said = kind, match[0].strip()
        at = match.end()
    _add(found, text, at, len(text), joint, said)
    return found


def _kind(match: re.Match[str]) -> Joint:
    for kind in _STRENGTH[1:]:
        if match[kind]:
            return kind
    return "soft"


def _add(found: list[Clause], text: str, start: int, end: int, joint: Joint, said: str) -> bool:
    """Add a clause if there is one between two joints; what is too short for one goes with the clause before it."""
    piece = text[start:end].strip(_EDGES)
    if not piece:
        return False
    at = text.index(piece, start)
    if len(piece) < _SHORTEST and found:
        last = found[-1]
        found[-1] = Clause(last.at, text[last.at : at + len(piece)], last.joint, last.said)
        return True
    found.append(Clause(at, piece, joint if found or joint == "item" else "", said))
    return True
