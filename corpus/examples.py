"""What the learner is told: reports and pieces as their features, and features as numbers."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from corpus.framing import framed
from corpus.reading import Core, pieces
from dispatch.rules.triage_features import SET_ASIDE, features
from dispatch.rules.triage_model import CALM, OUT_OF_SCOPE, QUESTIONS
from dispatch.rules.words import fold

_PIECE = {"trade": 0.5, "hazard": 0.5, "urgency": 1.0, "kind": 0.5}
"""How much a piece weighs beside a whole report, by what it tells of."""
_SHORT = 2
_LOUD = re.compile(
    "(?<!不)(?<!着)急(?!诊|救|停|刹)|尽快|马上|立刻|立即|赶紧|赶快|快来|快点|速来|火速"
    r"|(?<![a-z])(?:asap|urgent(?:ly)?|immediate(?:ly)?|hurry|quick(?:ly)?|pls|please|help|now|~urgen|~immed|~quick)(?![a-z])"
)
"""Words that ask for haste and state nothing: what is urgent is not learnt from them."""

Feature = frozenset[str]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A text's features and what is right for it: "" for what it does not tell of. A piece may weigh less."""

    features: Feature
    trade: str = ""
    hazard: str = ""
    urgency: str = ""
    kind: str = ""
    weight: float = 1.0


def features_of(text: str) -> Feature:
    """What the model will see of a text."""
    return frozenset(features(fold(text)))


def examples(told: Sequence[Core]) -> list[Example]:
    """The cores, and what happens in those that cannot wait.

    A text of several faults has words for more than one trade and so tells of none; one for no craft is low whatever
    it says, and tells of no urgency.
    """
    return [
        Example(
            features=features_of(core.text),
            trade=core.trades[0] if core.faults == 1 else "",
            hazard=(core.hazard or "injury") if core.urgencies[0] == "emergency" else CALM,
            urgency=core.urgencies[0] if core.trades[0] != OUT_OF_SCOPE else "",
            kind=core.kind,
        )
        for core in told
    ]


def small_examples() -> list[Example]:
    """The pieces, alone and in frames, each of which tells of one question; but a craft, or nothing, alarms nobody."""
    alone = ((question, answer, text) for question in QUESTIONS for answer, text in pieces(question))
    return [
        Example(
            features=features_of(text),
            trade=answer if question == "trade" else "",
            hazard=answer if question == "hazard" else CALM if question == "trade" else "",
            urgency=answer if question == "urgency" else "",
            kind=answer if question == "kind" else "",
            weight=_PIECE[question],
        )
        for question, answer, text in (*alone, *framed())
    ]


def _least(each: str) -> int:
    """How often a feature has to be told to count: a word or a short piece once or twice, what is put together thrice.

    What is rarer of the latter made the model a quarter larger and nothing better.
    """
    if each.isascii():
        return 3 if " " in each else 1
    marked = each.startswith(SET_ASIDE)
    length = len(each) - marked
    return 3 if length > _SHORT else 2 if marked else 1


class Space:
    """How features become numbers: which count, and how much each weighs, the rarer the more."""

    def __init__(self, told: Sequence[Example]) -> None:
        """Count what ``told`` has."""
        seen = Counter(each for example in told for each in example.features)
        kept = sorted(each for each, count in seen.items() if count >= _least(each))
        self.index = {each: number for number, each in enumerate(kept)}
        self.weights = np.array([math.log((len(told) + 1) / (seen[each] + 1)) + 1 for each in kept], np.float32)

    def quiet(self) -> sp.dia_matrix:
        """What a matrix is multiplied with to leave out features that are only loud."""
        return sp.diags(np.array([not _LOUD.search(each) for each in self.index], np.float32))

    def matrix(self, told: Sequence[Example]) -> sp.csr_matrix:
        """One row a text: its weighed features, at length 1."""
        starts, columns, values = [0], [], []
        for example in told:
            at = [number for each in sorted(example.features) if (number := self.index.get(each)) is not None]
            weighed = self.weights[at]
            columns += at
            values += (weighed / (np.linalg.norm(weighed) if at else 1.0)).tolist()
            starts.append(len(columns))
        return sp.csr_matrix((values, columns, starts), (len(told), len(self.index)), dtype=np.float32)
