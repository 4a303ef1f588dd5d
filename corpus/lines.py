"""The learner of lines: for each answer to each question one that tells it from all others, over the same features."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from corpus.examples import Example, Floats, Space
from dispatch.rules.triage_model import CALM, QUESTIONS

_STRICT = {"trade": 0.6, "hazard": 0.6, "urgency": 0.5, "kind": 1.2}
_EVENED = 0.3
"""How much more counts what is rare among urgencies: 1 would make all alike."""
_FAINT = 3
_FAINT_ROW = 8
"""Weights of 127 that are left out, and what no weight of a row has to exceed for it to be left out whole."""
_MISS = 2.0
_LETTER = 3.0
"""How much more than their likes count an alarm and a letter: to miss one is worse."""

Answers = dict[str, tuple[str, ...]]
Mask = NDArray[np.bool_]


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


def small(space: Space, learnt: dict[str, Learnt]) -> tuple[NDArray[np.int8], Floats, Mask]:
    """Weights as small whole numbers, what turns them back, and which rows are more than faint."""
    weights = np.vstack([each.weights for each in learnt.values()]).T * space.weights[:, None]
    scale = np.maximum(np.abs(weights).max(0), 1e-9) / 127
    rows = _whole(weights / scale)
    return rows, scale, np.abs(rows).max(1) > _FAINT_ROW


def _whole(weights: Floats) -> NDArray[np.int8]:
    """Small whole numbers, of which the faintest are left out: they change no figure, and are an eighth of the file."""
    whole = np.rint(weights).astype(np.int8)
    return np.where(np.abs(whole) > _FAINT, whole, np.int8(0))
