"""``make model``: trains the model of triage on the open part of the corpus and writes it into the package.

Four linear learners over the same features (``dispatch/rules/triage_features.py``): trade, hazard (or calm),
urgency, kind. Every feature counts by how rare it is; a word that the vectors know also counts by its direction, so
that words never met in training pull where their neighbours do. The directions times their weights are a table by word
in the end, and so the engine needs no vectors. Voices that no learner of the first round has heard (``voices_*``) tell
how sure the scores are; the second round learns from all. No randomness but the fixed seed: the same corpus gives the
same bytes.
"""

import argparse
import hashlib
import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from corpus.reading import Core, cores
from dispatch.rules.triage_features import SET_ASIDE, features
from dispatch.rules.triage_model import CALM, FILE, OUT_OF_SCOPE, Document, Model, write
from dispatch.rules.words import fold

FOLDER = Path(__file__).parent
TARGET = FOLDER.parent / "dispatch" / "rules" / FILE
_URGENCIES = ("emergency", "urgent", "normal", "low")
_VECTORS = 0.24
_SINGLE = 0.5
_FRAGMENT = 0.4
_STRICT = {"trade": 0.6, "hazard": 0.6, "urgency": 0.5, "kind": 1.2}
_EVENED = 0.65
_SHORT = 2
_FAINT = 3
_FAINT_ROW = 8
_MISS = 2.0
_LETTER = 3.0

_LOUD = re.compile(
    "(?<!不)(?<!着)急(?!诊|救|停|刹)|尽快|马上|立刻|立即|赶紧|赶快|快来|快点|速来|火速"
    r"|(?<![a-z])(?:asap|urgent(?:ly)?|immediate(?:ly)?|hurry|quick(?:ly)?|pls|please|help|now|~urgen|~immed|~quick)(?![a-z])"
)
"""Words that ask for haste and state nothing: what is urgent is not learnt from them."""

Feature = frozenset[str]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """A text's features and what is right for it; a fragment (weight below 1) tells of its trade alone.

    Without a trade it says nothing of trades: pieces of emergencies, and texts of several faults, whose words belong to
    more than one.
    """

    features: Feature
    trade: str
    hazard: str
    urgency: str
    kind: str
    weight: float


def examples(told: Sequence[Core]) -> list[Example]:
    """The cores, and what happens in those that cannot wait."""
    return [
        Example(
            frozenset(features(fold(core.text))),
            core.trades[0] if core.faults == 1 else "",
            (core.hazard or "injury") if core.urgencies[0] == "emergency" else CALM,
            core.urgencies[0],
            core.kind,
            1.0,
        )
        for core in told
    ]


def pieces(name: str) -> list[tuple[str, Feature]]:
    """The pieces of a file, each with the first cell of its line."""
    return [
        (line.split("|")[0].strip(), frozenset(features(fold(each.strip()))))
        for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
        for part in line.split("|")[1:]
        for each in part.split(",")
        if each.strip()
    ]


def fragments() -> list[Example]:
    """The pieces of ``fragments.txt`` and ``dangers.txt``, each a small text; of the latter no trade is known."""
    calm = [Example(told, trade, CALM, "normal", "repair", _FRAGMENT) for trade, told in pieces("fragments.txt")]
    return calm + [
        Example(told, "", hazard, "emergency", "repair", _FRAGMENT) for hazard, told in pieces("dangers.txt")
    ]


def read_vectors() -> tuple[dict[str, int], Floats]:
    """The words of both languages and their unit vectors; each language has directions of its own."""
    with np.load(FOLDER / "vectors.npz") as file:
        tables = [(bytes(file[f"{name}_words"]).decode().split("\n"), file[name]) for name in ("zh", "en")]
    size = sum(rows.shape[1] for _, rows in tables)
    vectors = np.zeros((sum(len(words) for words, _ in tables), size), np.float32)
    index: dict[str, int] = {}
    at = column = 0
    for words, rows in tables:
        unit = rows.astype(np.float32)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        vectors[at : at + len(words), column : column + rows.shape[1]] = unit
        index.update((word, at + number) for number, word in enumerate(words))
        at, column = at + len(words), column + rows.shape[1]
    return index, vectors


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
    """How features become numbers: which count, how much each weighs by itself, and how much by its direction."""

    def __init__(self, told: Sequence[Example]) -> None:
        """Count what ``told`` has."""
        seen = Counter(each for example in told for each in example.features)
        whole = len(told)
        kept = sorted(each for each, count in seen.items() if count >= _least(each))
        self.index = {each: number for number, each in enumerate(kept)}
        self.grams = np.array([math.log((whole + 1) / (seen[each] + 1)) + 1 for each in kept], np.float32)
        self.words, self.vectors = read_vectors()
        self.pulls = np.array(
            [math.log((whole + 1) / (seen[word] + 1)) * (_SINGLE if len(word) == 1 else 1) for word in self.words],
            np.float32,
        )

    def quiet(self) -> sp.dia_matrix:
        """What a matrix is multiplied with to leave out features that are only loud."""
        kept = [not _LOUD.search(each) for each in self.index] + [True] * self.vectors.shape[1]
        return sp.diags(np.array(kept, np.float32))

    def matrix(self, told: Sequence[Example]) -> sp.csr_matrix:
        """One row a text: its weighed features at length 1, and the direction that its words have in common."""
        rows, columns, values = [], [], []
        common = np.zeros((len(told), self.vectors.shape[1]), np.float32)
        for row, example in enumerate(told):
            order = sorted(example.features)
            at = [self.index[each] for each in order if each in self.index]
            if at:
                weighed = self.grams[at] / np.linalg.norm(self.grams[at])
                rows += [row] * len(at)
                columns += at
                values += weighed.tolist()
            words = [self.words[each] for each in order if each in self.words]
            if words:
                pulls = self.pulls[words]
                common[row] = _VECTORS * (pulls @ self.vectors[words]) / np.linalg.norm(pulls)
        sparse = sp.csr_matrix((values, (rows, columns)), (len(told), len(self.index)), dtype=np.float32)
        return sp.hstack([sparse, sp.csr_matrix(common)]).tocsr()


@dataclass(frozen=True)
class Learnt:
    """One question's answers, and a column of weights for each."""

    answers: tuple[str, ...]
    weights: Floats
    bias: Floats

    def scores(self, matrix: sp.csr_matrix) -> Floats:
        """A row a text, a column an answer."""
        return np.asarray(matrix @ self.weights.T + self.bias, np.float32)


def learn(matrix: sp.csr_matrix, right: Sequence[str], weights: Sequence[float], strict: float) -> Learnt:
    """One line for each answer against all others."""
    machine = LinearSVC(C=strict, random_state=0).fit(matrix, right, sample_weight=weights)
    signs, bias = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # noqa: PLR2004 - scikit-learn has one line for two answers
        signs, bias = np.vstack([-signs, signs]), np.concatenate([-bias, bias])
    return Learnt(tuple(map(str, machine.classes_)), signs.astype(np.float32), bias.astype(np.float32))


def learn_all(space: Space, told: Sequence[Example]) -> dict[str, Learnt]:
    """All questions. Fragments say nothing of urgency and kind, nor does what is for no craft of urgency."""
    whole = [each for each in told if each.weight == 1]
    crafts = [each for each in told if each.trade]
    pressing = [each for each in whole if each.trade != OUT_OF_SCOPE]
    levels = [each.urgency for each in pressing]
    questions = {
        "trade": (space.matrix(crafts), [each.trade for each in crafts], [each.weight for each in crafts]),
        "hazard": (
            space.matrix(told),
            [each.hazard for each in told],
            [each.weight * (_MISS if each.hazard != CALM else 1.0) for each in told],
        ),
        "urgency": (space.matrix(pressing) @ space.quiet(), levels, evened(levels)),
        "kind": (
            space.matrix(whole),
            [each.kind for each in whole],
            [_LETTER if each.kind != "repair" else 1.0 for each in whole],
        ),
    }
    return {name: learn(*question, strict=_STRICT[name]) for name, question in questions.items()}


def evened(levels: Sequence[str]) -> list[float]:
    """The weights of examples: what is rare counts more, for most reports are normal.

    Without weights only half of what is urgent was called so where others had written it.
    """
    seen = Counter(levels)
    return [float((len(levels) / len(seen) / seen[each]) ** _EVENED) for each in levels]


def sharpness(scores: Floats, right: Sequence[int]) -> float:
    """The factor on scores at which softmax is least surprised by what is right."""
    best = (math.inf, 1.0)
    for factor in np.arange(1.0, 8.1, 0.25):
        shifted = scores * factor
        shifted -= shifted.max(1, keepdims=True)
        chance = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
        surprise = -np.log(chance[np.arange(len(right)), right] + 1e-9).mean()
        best = min(best, (float(surprise), float(factor)))
    return best[1]


def document(space: Space, learnt: dict[str, Learnt], sharp: float, version: str) -> Document:
    """Directions become a table by word; everything becomes small whole numbers."""
    count = len(space.index)
    weights = np.vstack([each.weights for each in learnt.values()])
    grams = weights[:, :count].T * space.grams[:, None]
    pulls = (space.vectors @ weights[:, count:].T) * (_VECTORS * space.pulls[:, None])
    urgencies = np.concatenate([[name == "urgency"] * len(each.answers) for name, each in learnt.items()])
    pulls[np.ix_([_LOUD.search(word) is not None for word in space.words], urgencies)] = 0.0
    scale = np.maximum(np.abs(grams).max(0), 1e-9) / 127
    pull_scale = np.maximum(np.abs(pulls).max(0), 1e-9) / 127
    gram_rows = _whole(grams / scale)
    kept = np.abs(gram_rows).max(1) > _FAINT_ROW
    return Document(
        version=version,
        answers={name: each.answers for name, each in learnt.items()},
        grams="\n".join(each for each, is_kept in zip(space.index, kept.tolist(), strict=True) if is_kept),
        gram_rows=gram_rows[kept].tobytes(),
        gram_squares=(space.grams[kept] ** 2).astype("<f2").tobytes(),
        gram_scale=tuple(map(float, scale)),
        words="\n".join(space.words),
        word_rows=_whole(pulls / pull_scale).tobytes(),
        word_squares=(space.pulls**2).astype("<f2").tobytes(),
        word_scale=tuple(map(float, pull_scale)),
        bias=tuple(float(each) for one in learnt.values() for each in one.bias),
        sharpness=sharp,
    )


def _whole(weights: Floats) -> NDArray[np.int8]:
    """Small whole numbers, of which the faintest are left out: they change no figure, and are an eighth of the file."""
    whole = np.rint(weights).astype(np.int8)
    return np.where(np.abs(whole) > _FAINT, whole, np.int8(0))


class FirstRound(NamedTuple):
    """What is learnt without the voices, their features, and how sure scores are: the factor that they need."""

    learnt: dict[str, Learnt]
    matrix: sp.csr_matrix
    sharp: float


def first_round(told: Sequence[Example], voices: Sequence[Example]) -> FirstRound:
    """Learn from what is told, and see how sure it is of voices that it has never heard."""
    space = Space(told)
    learnt = learn_all(space, told)
    matrix, craft = space.matrix(voices), learnt["trade"]
    known = [at for at, each in enumerate(voices) if each.trade in craft.answers]
    if not known:
        return FirstRound(learnt, matrix, 1.0)
    right = [craft.answers.index(voices[at].trade) for at in known]
    return FirstRound(learnt, matrix, sharpness(craft.scores(matrix[known]), right))


def second_round(told: Sequence[Example], sharp: float, version: str) -> Document:
    """The model that has learnt from all."""
    space = Space(told)
    made = document(space, learn_all(space, told), sharp, version)
    Model(made)
    return made


def version_of() -> str:
    """The hash of everything that the model is made from."""
    digest = hashlib.sha256()
    sources = [
        *sorted((FOLDER / "cores").glob("*.txt")),
        *(FOLDER / each for each in ("fragments.txt", "dangers.txt", "vectors.npz")),
    ]
    for path in (*sources, Path(__file__), Path(sys.modules[features.__module__].__file__ or "")):
        digest.update(path.read_bytes())
    return "triage-" + digest.hexdigest()[:12]


def main() -> None:
    """Train, calibrate, train again on all, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say how the first round does on voices it never met")
    asked = parser.parse_args()
    told = [core for core in cores() if core.split == "open"]
    unheard = [core for core in told if core.id.startswith("voices_")]
    small = fragments()
    first = [*examples([core for core in told if core not in set(unheard)]), *small]
    learnt, matrix, sharp = first_round(first, examples(unheard))
    _say(unheard, learnt, matrix, sharp)
    if asked.check:
        return
    made = second_round([*examples(told), *small], sharp, version_of())
    TARGET.write_bytes(write(made))
    print(f"{made.version}: {TARGET.stat().st_size} bytes")  # noqa: T201 - a tool's output


def _say(unheard: Sequence[Core], learnt: dict[str, Learnt], matrix: sp.csr_matrix, sharp: float) -> None:
    def best(name: str) -> list[str]:
        return [learnt[name].answers[at] for at in learnt[name].scores(matrix).argmax(1)]

    right = [said in (*core.trades, *core.also_ok) for core, said in zip(unheard, best("trade"), strict=True)]
    oblique = [ok for ok, core in zip(right, unheard, strict=True) if core.id.startswith("voices_para")]
    hazards, at_calm = learnt["hazard"].scores(matrix), learnt["hazard"].answers.index(CALM)
    alarm = np.delete(hazards, at_calm, 1).max(1) - hazards[:, at_calm]
    real = np.array([core.urgencies[0] == "emergency" for core in unheard])
    calm = np.array(["emergency" not in core.urgencies for core in unheard])
    lines = [
        f"trade {np.mean(right):.3f}, of paraphrases {np.mean(oblique):.3f}; sharpness {sharp}",
        f"urgency {np.mean([said in core.urgencies for core, said in zip(unheard, best('urgency'), strict=True)]):.3f}",
        f"kind {np.mean([said == core.kind for core, said in zip(unheard, best('kind'), strict=True)]):.3f}",
        *(
            f"alarm above {at:+.1f}: recall {(alarm[real] > at).mean():.3f}, false {(alarm[calm] > at).mean():.3f}"
            for at in np.arange(-1.0, 1.1, 0.2)
        ),
    ]
    print("\n".join(lines))  # noqa: T201 - a tool's output


if __name__ == "__main__":
    main()
