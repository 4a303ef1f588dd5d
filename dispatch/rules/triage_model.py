"""The trained model of triage: tables of small numbers that score a text in microseconds, and say why.

Every feature of a text (``triage_features``) has a row of weights, one for each answer to each question (trade, hazard,
urgency, kind). Rows are added, and their sum is scaled by the text's length: its scores. A second look
(``triage_look``) sees what they say together. ``triage_file`` writes and reads it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, repeat
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.rules.triage_look import ALARM, PRESSING, Look, SecondLook, seen
from dispatch.rules.triage_lookup import FeatureIndex, Numbers

OUT_OF_SCOPE: Final = "out_of_scope"
UNCLEAR: Final = "unclear"
"""The answer for what says that something is wrong, and not what: no trade, and no craft can be sent."""
CALM: Final = "calm"
_ODDS_OF_SCORE: Final = 3.0
"""What turns a score into log odds, roughly, where there is no second look."""
_REASONS: Final = 4
_LOOKED_AT: Final = 12
QUESTIONS: Final = ("trade", "hazard", "urgency", "kind")
_MARKS: Final = "~!"
"""What features begin with that are no words of the text."""
_SHORTEST: Final = 1e-6

Floats = NDArray[np.float32]
Numeric = NDArray[np.floating[Any]]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is: for each question its answers, and a row of weights for each of the features in ``names``.

    ``rows`` are int8, a column for each answer to each question; ``scale`` turns a column's whole numbers into
    weights. ``squares`` are how much a row counts for the length of a text. ``sharpness`` and ``doubt`` calibrate the
    trade: scores times ``sharpness`` · n / (n + ``doubt``) for a text of n known features, then softmax. Few words
    score as high as many, and are right less often. ``looks`` are second looks at some questions, or none.
    """

    version: str
    answers: dict[str, tuple[str, ...]]
    names: str
    rows: bytes
    squares: bytes
    scale: tuple[float, ...]
    bias: tuple[float, ...]
    sharpness: float
    doubt: float
    looks: dict[str, Look] = {}


class Prediction(msgspec.Struct, frozen=True):
    """What the model makes of a text. ``probability`` is calibrated.

    ``alarm`` are the log odds (rough ones without a second look) that something is the matter now; ``hazard`` is
    what, if it is. ``pressing`` is what speaks for each of :data:`PRESSING`, in log odds too.

    ``kind_margin`` is by how much the kind is likelier than a repair; ``known`` is how many of the text's features
    the model knows. ``batch`` and ``place`` (its place there) are for :meth:`Model.reasons`.
    """

    trade: str
    probability: float
    second: str
    second_probability: float
    alarm: float
    hazard: str
    pressing: list[float]
    kind: str
    kind_margin: float
    known: int
    place: int
    batch: "_Batch"


class Model:
    """A model, ready to be asked. ``triage_file.load`` reads one."""

    def __init__(self, document: Document) -> None:
        """Index ``document``."""
        self.version = document.version
        names = document.names.split("\n")
        self._names = ["", *names]
        self._is_word = np.array([name[:1] not in _MARKS for name in self._names])
        self._index = FeatureIndex(names)
        self._scale = np.asarray(document.scale, np.float32)
        # The first row is empty: each text begins with the number 0, which no feature has.
        empty = np.zeros((1, len(document.scale)), np.int8)
        self._rows = np.vstack([empty, np.frombuffer(document.rows, np.int8).reshape(len(names), -1)])
        self._squares = np.append(np.float32(0), np.frombuffer(document.squares, "<f2").astype(np.float32))
        self._bias = np.asarray(document.bias, np.float32)
        self._sharpness, self._doubt = document.sharpness, document.doubt
        self._answers = document.answers
        self._parts = parts_of({name: document.answers[name] for name in QUESTIONS})
        self._calm = document.answers["hazard"].index(CALM)
        # What sounds like an emergency presses like what is urgent. A small corpus need not have all levels.
        pressing = {"emergency": 0} | {name: at for at, name in enumerate(PRESSING)}
        self._pressing = [(pressing[name], at) for at, name in enumerate(document.answers["urgency"])]
        self._repair = document.answers["kind"].index("repair")
        nothing = np.zeros((1, len(document.scale)), np.float32)
        width = seen(nothing, nothing[:, self._parts["hazard"]], self._calm, np.zeros(1)).shape[1]
        self._second = SecondLook(document.looks, width) if document.looks else None
        looked_at = document.looks["trade"].answers if "trade" in document.looks else ()
        self._crafts = [document.answers["trade"].index(name) for name in looked_at]

    @property
    def hazards(self) -> tuple[str, ...]:
        """The hazards that it can name."""
        return tuple(each for each in self._answers["hazard"] if each != CALM)

    def predict(self, folded: str) -> Prediction:
        """Judge one text, as :func:`dispatch.rules.words.fold` leaves it; never fails."""
        return self.predict_all((folded,))[0]

    def predict_all(self, folded: Sequence[str]) -> list[Prediction]:
        """Judge many at once, which costs less for each."""
        if not folded:
            return []
        at, starts = self._index.known(folded)
        lengths = np.maximum(np.sqrt(np.add.reduceat(self._squares[at], starts)), np.float32(_SHORTEST))
        scores: Floats = np.add.reduceat(self._rows.take(at, 0).astype(np.float32), starts, axis=0)
        scores *= self._scale
        scores /= lengths[:, None]
        scores += self._bias
        known = np.diff(starts, append=len(at)) - 1
        chances, alarm, pressing = self._looked(scores, known)
        batch = _Batch(at, starts, chances.argmax(1))
        columns = self._columns(scores, chances, alarm, pressing)
        return list(map(Prediction, *columns, known.tolist(), range(len(known)), repeat(batch)))

    def _looked(self, scores: Floats, known: Numbers) -> tuple[Numeric, Numeric, Numeric]:
        """The chances of trades, the log odds of an alarm, what speaks for each urgency: by scores and second looks.

        A look at trades counts as much as the scores, and moves chances only among those that it answers.
        """
        parts, sharp = self._parts, self._sharpness * known / np.maximum(known + self._doubt, 1.0)
        trades, hazards = scores[:, parts["trade"]] * sharp[:, None], scores[:, parts["hazard"]]
        chances, found = _chances(trades), {}
        if self._second is not None:
            found = self._second.look(seen(scores, hazards, self._calm, known))
        if "trade" in found:
            # `take`, for an index would turn the array's order, and a sum of one row would have other last digits
            both = _chances((trades.take(self._crafts, 1) + found["trade"]) / 2)
            chances[:, self._crafts] = both * chances.take(self._crafts, 1).sum(1, keepdims=True)
        alarm = found[ALARM][:, 0] if ALARM in found else self._alarm(hazards)
        return chances, alarm, found["urgency"] if "urgency" in found else self._presses(scores[:, parts["urgency"]])

    def _alarm(self, hazards: Floats) -> Numeric:
        """By how much the likeliest hazard stands above calm, where nobody looks twice."""
        margin: Numeric = np.delete(hazards, self._calm, 1).max(1) - hazards[:, self._calm]
        return margin * _ODDS_OF_SCORE

    def _presses(self, levels: Floats) -> Numeric:
        """What speaks for each urgency, where nobody looks twice."""
        pressing: Numeric = np.full((len(levels), len(PRESSING)), -np.inf, np.float32)
        for to, at in self._pressing:
            np.maximum(pressing[:, to], levels[:, at], out=pressing[:, to])
        return pressing * _ODDS_OF_SCORE

    def _columns(self, scores: Floats, chances: Numeric, alarm: Numeric, pressing: Numeric) -> Iterator[list[Any]]:
        """The first fields of predictions, each for all texts: of the trades the two likeliest."""
        answers, parts, rows = self._answers, self._parts, np.arange(len(scores))
        names = answers["trade"]
        for _ in range(2):
            best = chances.argmax(1)
            yield [names[at] for at in best.tolist()]
            yield chances[rows, best].tolist()
            chances[rows, best] = -1.0
        yield alarm.tolist()
        hazards = scores[:, parts["hazard"]]
        hazards[:, self._calm] = -np.inf
        names = answers["hazard"]
        yield [names[at] for at in hazards.argmax(1).tolist()]
        yield pressing.tolist()
        names = answers["kind"]
        kinds = scores[:, parts["kind"]]
        yield [names[at] for at in kinds.argmax(1).tolist()]
        yield (kinds.max(1) - kinds[:, self._repair]).tolist()

    def reasons(self, heard: Prediction, trade: str) -> tuple[str, ...]:
        """The words of the text that spoke most for ``trade``, the strongest first; none inside another."""
        if trade not in self._answers["trade"] or not heard.known:
            return ()
        batch = heard.batch
        if trade != heard.trade:
            strongest = self._speakers(batch.alone(heard.place, self._answers["trade"].index(trade)))[0]
        else:
            if batch.speakers is None:
                batch.speakers = self._speakers(batch)
            strongest = batch.speakers[heard.place]
        found: list[str] = []
        for name in map(self._names.__getitem__, strongest):
            for other in found:
                if name in other or other in name:
                    break
            else:
                found.append(name)
                if len(found) == _REASONS:
                    break
        return tuple(found)

    def _speakers(self, batch: "_Batch") -> list[list[int]]:
        """The features of each text that spoke most for its trade, the strongest first."""
        at, starts = batch.at, batch.starts
        texts = np.repeat(np.arange(len(starts)), batch.counts)
        speaks = self._rows[at, batch.trades[texts]]
        kept = np.flatnonzero((speaks > 0) & self._is_word[at])
        at, texts = at[kept], texts[kept]
        order = np.lexsort((-speaks[kept], texts))
        ends = np.searchsorted(texts, np.arange(len(starts)), "right").tolist()
        numbers = at[order].tolist()
        return [numbers[start : min(start + _LOOKED_AT, end)] for start, end in pairwise((0, *ends))]


def _chances(logs: Numeric) -> Numeric:
    chances: Numeric = np.exp(logs - logs.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    return chances


class _Batch:
    """Texts that were judged together, for those who ask why; who spoke for their trades is found when one asks.

    ``at`` and ``starts`` as :meth:`FeatureIndex.known` gives them, ``trades`` the column of each text's trade.
    """

    def __init__(self, at: Numbers, starts: Numbers, trades: Numbers) -> None:
        self.at, self.starts, self.trades = at, starts, trades
        self.counts = np.diff(starts, append=len(at))
        self.speakers: list[list[int]] | None = None

    def alone(self, place: int, trade: int) -> "_Batch":
        """One of the texts by itself, with another trade."""
        start = self.starts[place]
        at = self.at[start : start + self.counts[place]]
        return _Batch(at, np.zeros(1, np.intp), np.array([trade]))


def parts_of(answers: Mapping[str, Sequence[str]]) -> dict[str, slice]:
    """The columns of each question, where the answers to one stand after those to another."""
    ends = list(accumulate(map(len, answers.values()), initial=0))
    return {name: slice(*bounds) for name, bounds in zip(answers, pairwise(ends), strict=True)}
