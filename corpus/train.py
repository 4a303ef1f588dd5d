"""``make model``: trains the model of triage on the open part of the corpus and writes it into the package.

Four linear learners over the same features (``dispatch/rules/triage_features.py``): trade, hazard (or calm),
urgency, kind. Every feature counts by how rare it is. Voices that no learner of the first round has heard
(``voices_*``) tell how sure the scores are; the second round learns from all. No randomness but the fixed seed: the
same corpus gives the same bytes.
"""

import argparse
import hashlib
import math
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

from corpus.examples import Example, Floats, Space, examples, small_examples
from corpus.reading import QUESTIONS, Core, cores
from dispatch.rules.triage_features import features
from dispatch.rules.triage_model import CALM, FILE, Document, Model, write

FOLDER = Path(__file__).parent
TARGET = FOLDER.parent / "dispatch" / "rules" / FILE
_STRICT = {"trade": 0.6, "hazard": 0.6, "urgency": 0.5, "kind": 1.2}
_EVENED = 0.3
_FAINT = 3
_FAINT_ROW = 8
_MISS = 2.0
_LETTER = 3.0


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
    if len(signs) == 1:  # scikit-learn has one line for two answers
        signs, bias = np.vstack([-signs, signs]), np.concatenate([-bias, bias])
    return Learnt(tuple(map(str, machine.classes_)), signs.astype(np.float32), bias.astype(np.float32))


def learn_all(space: Space, told: Sequence[Example]) -> dict[str, Learnt]:
    """All questions, each from what tells of it."""
    whole, learnt = space.matrix(told), {}
    for question in QUESTIONS:
        telling = [number for number, each in enumerate(told) if getattr(each, question)]
        right = [getattr(told[number], question) for number in telling]
        weights = [told[at].weight * weight for at, weight in zip(telling, weighed(question, right), strict=True)]
        matrix = whole[telling]
        if question == "urgency":
            matrix @= space.quiet()
        learnt[question] = learn(matrix, right, weights, _STRICT[question])
    return learnt


def weighed(question: str, right: Sequence[str]) -> list[float]:
    """How much each example counts: a missed alarm and a letter more than their likes, rare urgencies more than normal.

    Without that only half of what is urgent was called so where others had written it.
    """
    if question == "hazard":
        return [1.0 if each == CALM else _MISS for each in right]
    if question == "kind":
        return [1.0 if each == "repair" else _LETTER for each in right]
    if question == "urgency":
        seen = Counter(right)
        return [float((len(right) / len(seen) / seen[each]) ** _EVENED) for each in right]
    return [1.0] * len(right)


class Certainty(NamedTuple):
    """What turns scores into chances: see :class:`dispatch.rules.triage_model.Document`."""

    sharpness: float = 1.0
    doubt: float = 0.0


def certainty(scores: Floats, known: Floats, right: Sequence[int]) -> Certainty:
    """That at which chances are least surprised by what is right; ``known`` is how many features each text has."""
    best = (math.inf, Certainty())
    for doubt in range(13):
        steady = scores * (known / np.maximum(known + doubt, 1.0))[:, None]
        steady -= steady.max(1, keepdims=True)
        for sharpness in np.arange(1.0, 10.1, 0.25):
            chance = np.exp(steady * sharpness)
            chance /= chance.sum(1, keepdims=True)
            surprise = -np.log(chance[np.arange(len(right)), right] + 1e-9).mean()
            best = min(best, (float(surprise), Certainty(float(sharpness), float(doubt))))
    return best[1]


def small(space: Space, learnt: dict[str, Learnt]) -> tuple[NDArray[np.int8], Floats, NDArray[np.bool_]]:
    """Weights as small whole numbers, what turns them back, and which rows are more than faint."""
    weights = np.vstack([each.weights for each in learnt.values()]).T * space.weights[:, None]
    scale = np.maximum(np.abs(weights).max(0), 1e-9) / 127
    rows = _whole(weights / scale)
    return rows, scale, np.abs(rows).max(1) > _FAINT_ROW


def document(space: Space, learnt: dict[str, Learnt], sure: Certainty, version: str) -> Document:
    """The model's file."""
    rows, scale, kept = small(space, learnt)
    return Document(
        version=version,
        answers={name: each.answers for name, each in learnt.items()},
        names="\n".join(each for each, is_kept in zip(space.index, kept.tolist(), strict=True) if is_kept),
        rows=rows[kept].tobytes(),
        squares=(space.weights[kept] ** 2).astype("<f2").tobytes(),
        scale=tuple(map(float, scale)),
        bias=tuple(float(each) for one in learnt.values() for each in one.bias),
        sharpness=sure.sharpness,
        doubt=sure.doubt,
    )


def _whole(weights: Floats) -> NDArray[np.int8]:
    """Small whole numbers, of which the faintest are left out: they change no figure, and are an eighth of the file."""
    whole = np.rint(weights).astype(np.int8)
    return np.where(np.abs(whole) > _FAINT, whole, np.int8(0))


class FirstRound(NamedTuple):
    """What is learnt without the voices, their features, and how sure scores are."""

    learnt: dict[str, Learnt]
    matrix: sp.csr_matrix
    sure: Certainty


def first_round(told: Sequence[Example], voices: Sequence[Example]) -> FirstRound:
    """Learn from what is told, and see how sure it is of voices that it has never heard."""
    space = Space(told)
    learnt = learn_all(space, told)
    matrix, craft = space.matrix(voices), learnt["trade"]
    known = [at for at, each in enumerate(voices) if each.trade in craft.answers]
    if not known:
        return FirstRound(learnt, matrix, Certainty())
    right = [craft.answers.index(voices[at].trade) for at in known]
    counts = np.diff(matrix[:, small(space, learnt)[2]].indptr)
    return FirstRound(learnt, matrix, certainty(craft.scores(matrix[known]), counts[known], right))


def second_round(told: Sequence[Example], sure: Certainty, version: str) -> Document:
    """The model that has learnt from all."""
    space = Space(told)
    made = document(space, learn_all(space, told), sure, version)
    Model(made)
    return made


def version_of() -> str:
    """The hash of everything that the model is made from."""
    digest = hashlib.sha256()
    sources = [*sorted((FOLDER / "cores").glob("*.txt")), *sorted((FOLDER / "pieces").glob("*/*.txt"))]
    code = (Example, features)
    for path in (*sources, Path(__file__), *(Path(sys.modules[each.__module__].__file__ or "") for each in code)):
        digest.update(path.read_bytes())
    return "triage-" + digest.hexdigest()[:12]


def main() -> None:
    """Train, calibrate, train again on all, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say how the first round does on voices it never met")
    asked = parser.parse_args()
    told = [core for core in cores() if core.split == "open"]
    unheard = [core for core in told if core.id.startswith("voices_")]
    pieces = small_examples()
    first = [*examples([core for core in told if not core.id.startswith("voices_")]), *pieces]
    learnt, matrix, sure = first_round(first, examples(unheard))
    _say(unheard, learnt, matrix, sure)
    if asked.check:
        return
    made = second_round([*examples(told), *pieces], sure, version_of())
    TARGET.write_bytes(write(made))
    print(f"{made.version}: {TARGET.stat().st_size} bytes")


def _say(unheard: Sequence[Core], learnt: dict[str, Learnt], matrix: sp.csr_matrix, sure: Certainty) -> None:
    def best(name: str) -> list[str]:
        return [learnt[name].answers[at] for at in learnt[name].scores(matrix).argmax(1)]

    right = [said in (*core.trades, *core.also_ok) for core, said in zip(unheard, best("trade"), strict=True)]
    oblique = [ok for ok, core in zip(right, unheard, strict=True) if core.phenomenon == "paraphrase"]
    hazards, at_calm = learnt["hazard"].scores(matrix), learnt["hazard"].answers.index(CALM)
    alarm = np.delete(hazards, at_calm, 1).max(1) - hazards[:, at_calm]
    real = np.array([core.urgencies[0] == "emergency" for core in unheard])
    calm = np.array(["emergency" not in core.urgencies for core in unheard])
    lines = [
        f"trade {np.mean(right):.3f}, of paraphrases {np.mean(oblique):.3f}; {sure}",
        f"urgency {np.mean([said in core.urgencies for core, said in zip(unheard, best('urgency'), strict=True)]):.3f}",
        f"kind {np.mean([said == core.kind for core, said in zip(unheard, best('kind'), strict=True)]):.3f}",
        *(
            f"alarm above {at:+.1f}: recall {(alarm[real] > at).mean():.3f}, false {(alarm[calm] > at).mean():.3f}"
            for at in np.arange(-1.0, 1.1, 0.2)
        ),
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
