"""The second look: what all scores of a text together say of its trade, its danger and its urgency.

A line asks one thing and adds up. What "steam" and "smells of nothing" mean beside each other is seen in the scores of
all questions: so small nets learn from these, of texts whose authors the lines have not read. Several of them, each
begun at another place, are added: one alone finds a point less.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from corpus.examples import Example, Floats, Space, examples
from corpus.lines import Answers, learn_all, small
from corpus.reading import Core
from dispatch.rules.triage_look import ALARM, LOOKS, PRESSING, Look, seen
from dispatch.rules.triage_model import CALM, OUT_OF_SCOPE, QUESTIONS, parts_of

FOLDS = 4
_MEMBERS = 6
_UNITS = 48
_ROUNDS = 12
"""With one member, or a third of the units, half a point less of alarms was found; with more units no more."""
_RARER = 0.6
"""How much of an urgency's rareness is taken back. Of texts written blind .81 were right at .3, .86 at .7."""
_ENOUGH = 100
"""Texts of an answer, without which there is nothing to be learnt of it."""
_STRANGE = -1.0
"""The score of an answer that a learner has never been told."""


class Heard(NamedTuple):
    """Scores of texts whose authors were not read (a row a text, a column an answer); how many features are known."""

    answers: Answers
    scores: Floats
    known: Floats

    def of(self, question: str) -> Floats:
        """The scores of one question."""
        return self.scores[:, parts_of(self.answers)[question]]


def overhear(told: Sequence[Core], more: Sequence[Example], tell: Callable[[str], object]) -> Heard | None:
    """What lines make of each text that have not read its author. ``more`` is known to all. None of a single author."""
    authors = {name: number for number, name in enumerate(sorted({core.style for core in told}))}
    folds = min(FOLDS, len(authors))
    if folds == 1:
        return None
    spoken = examples(told)
    answers: Answers = {
        name: tuple(sorted({said for each in (*spoken, *more) if (said := getattr(each, name))})) for name in QUESTIONS
    }
    scores = np.full((len(told), sum(map(len, answers.values()))), _STRANGE, np.float32)
    known = np.zeros(len(told), np.float32)
    columns = [(name, answer) for name in QUESTIONS for answer in answers[name]]
    groups = [authors[core.style] for core in told]
    for number, (read, unread) in enumerate(GroupKFold(folds).split(groups, groups=groups), 1):
        tell(f"lines without the authors of part {number} of {folds}")
        example = [*(spoken[at] for at in read), *more]
        space = Space(example)
        learnt = learn_all(space, example)
        matrix = space.matrix([spoken[at] for at in unread])
        for name, one in learnt.items():
            scores[np.ix_(unread, [columns.index((name, answer)) for answer in one.answers])] = one.scores(matrix)
        known[unread] = np.diff(matrix[:, small(space, learnt)[2]].indptr)
    return Heard(answers, scores, known)


def looks(told: Sequence[Core], heard: Heard, tell: Callable[[str], object]) -> dict[str, Look]:
    """A second look at each question of :data:`LOOKS` of which enough is told."""
    inputs = seen(heard.scores, heard.of("hazard"), heard.answers["hazard"].index(CALM), heard.known)
    made = {}
    for question in LOOKS:
        said = [_RIGHT[question](core) for core in told]
        often = {each for each, count in Counter(said).items() if each and count >= _ENOUGH}
        answers = tuple(sorted(often)) if question == "trade" else (ALARM,) if question == ALARM else PRESSING
        if len(often) <= 1 or not often.issuperset(answers):
            tell(f"no second look at {question}: it needs {_ENOUGH} texts of each answer")
            continue
        telling = [at for at, each in enumerate(said) if each in often]
        tell(f"the second look at {question}, of {len(telling)} texts")
        made[question] = _look(inputs[telling], np.array([said[at] for at in telling]), answers)
    return made


def _alarming(core: Core) -> str:
    return ALARM if core.urgencies[0] == "emergency" else "" if "emergency" in core.urgencies else CALM


def _pressing(core: Core) -> str:
    return "" if core.trades[0] == OUT_OF_SCOPE or "emergency" in core.urgencies else core.urgencies[0]


_RIGHT: dict[str, Callable[[Core], str]] = {
    ALARM: _alarming,
    "trade": lambda core: core.trades[0] if core.faults == 1 else "",
    "urgency": _pressing,
}


def _look(inputs: Floats, right: NDArray[np.str_], answers: Sequence[str]) -> Look:
    """Nets that were begun at different places, as one."""
    steady = StandardScaler().fit(inputs[:, :-1])
    nets = [_net(steady.transform(inputs[:, :-1]), right, seed) for seed in range(_MEMBERS)]
    shift, scale = steady.mean_, steady.scale_
    hidden = np.hstack([net.coefs_[0] / scale[:, None] for net in nets])
    bias = np.hstack([net.intercepts_[0] - (shift / scale) @ net.coefs_[0] for net in nets])
    out = np.vstack([_columns(net, net.coefs_[1], answers) for net in nets]) / _MEMBERS
    ends = np.mean([_columns(net, net.intercepts_[1][None], answers)[0] for net in nets], 0)
    if answers == PRESSING:  # what is rare is asked for oftener than it was told
        ends -= _RARER * np.log([(right == each).mean() for each in answers])
    return Look(answers=tuple(answers), hidden=_halves(np.vstack([hidden, bias])), out=_halves(np.vstack([out, ends])))


def _net(inputs: Floats, right: NDArray[np.str_], seed: int) -> Any:
    net = MLPClassifier(
        (_UNITS,),
        alpha=1e-3,
        learning_rate_init=2e-3,
        batch_size=min(512, len(inputs)),
        max_iter=_ROUNDS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops when it has learnt enough of strangers
        return net.fit(inputs, right)


def _columns(net: Any, weights: Floats, answers: Sequence[str]) -> Floats:
    """A column for each answer. Of two classes scikit-learn has one, for the second in the alphabet."""
    classes = list(net.classes_)
    if weights.shape[1] == 1:
        weights = np.hstack([np.zeros_like(weights), weights])
    if len(answers) == 1:
        at = classes.index(answers[0])
        return weights[:, [at]] - weights[:, [1 - at]]
    return weights[:, [classes.index(each) for each in answers]]


def _halves(weights: Floats) -> bytes:
    return weights.astype("<f2").tobytes()
