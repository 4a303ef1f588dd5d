"""The trained model of triage: tables of small numbers that score a text in microseconds, and say why.

A linear scorer. Every feature of a text (``triage_features``) has a row of weights, one for each answer to each
question (trade, alarm, hazard, urgency, kind); a word also has a row by where it lies among words of like meaning.
Rows are added, each kind scaled by its length, and what is greatest wins. The file says its format and carries a
checksum: what is damaged or of another version is refused before anything is classified.
"""

import hashlib
import math
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.errors import Broken
from dispatch.rules.triage_features import features

MAGIC: Final = b"dispatch-triage\n"
FORMAT: Final = 2
FILE: Final = "triage_model.bin"
OUT_OF_SCOPE: Final = "out_of_scope"
_SUM_LENGTH: Final = 32
_REASONS: Final = 4
_LOOKED_AT: Final = 12
_QUESTIONS: Final = ("trade", "alarm", "hazard", "urgency", "kind")
_SHORTEST: Final = 1e-6

Floats = NDArray[np.float32]


class ModelError(Broken):
    """The model's file cannot be used: damaged, or made for another version. `code` is stable."""

    def __init__(self, code: str, what: str) -> None:
        """``what`` is wrong; the remedy is always the same."""
        remedy = "build it anew with `make model` (one of your own: `dispatch train`), or install the package again"
        super().__init__(f"{code}: {what}; {remedy}")
        self.code = code


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: for each question its answers, and two tables of rows, by feature and by word.

    ``rows`` are int8, a column for each answer to each question; ``scale`` turns a column's whole numbers into
    weights. ``squares`` are how much a row counts for the length of its kind. ``sharpness`` calibrates the trade:
    scores times it, then softmax.
    """

    version: str
    answers: dict[str, tuple[str, ...]]
    grams: str
    gram_rows: bytes
    gram_squares: bytes
    gram_scale: tuple[float, ...]
    words: str
    word_rows: bytes
    word_squares: bytes
    word_scale: tuple[float, ...]
    bias: tuple[float, ...]
    sharpness: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What the model makes of a text. ``probability`` is calibrated; ``alarm`` is a score, above 0 if likelier.

    ``kind_margin`` is by how much the kind is likelier than a repair;
    ``known`` are the numbers of the features that the model knows, for :meth:`Model.reasons`.
    """

    trade: str
    probability: float
    second: str
    second_probability: float
    alarm: float
    hazard: str
    urgency: str
    kind: str
    kind_margin: float
    known: tuple[int, ...] = ()


class _Table:
    """One kind of rows, as weights. The last row is empty, for what the table does not have."""

    def __init__(self, names: str, rows: bytes, squares: bytes, scale: Sequence[float]) -> None:
        self.names = names.split("\n")
        whole = np.frombuffer(rows, np.int8).reshape(len(self.names), len(scale))
        self.rows = np.zeros((len(self.names) + 1, len(scale)), np.float32)
        np.multiply(whole, np.asarray(scale, np.float32), out=self.rows[:-1])
        self.squares = np.append(np.frombuffer(squares, "<f2").astype(np.float32), np.float32(0))

    def sums(self, at: NDArray[np.intp], starts: NDArray[np.intp]) -> Floats:
        """The rows at ``at`` added up text by text, over the length of their kind."""
        if len(starts) == 1:
            length = math.sqrt(self.squares[at].sum())
            alone: Floats = (self.rows[at].sum(0) / max(length, _SHORTEST))[None]
            return alone
        lengths = np.sqrt(np.add.reduceat(self.squares[at], starts))
        sums: Floats = np.add.reduceat(self.rows[at], starts, axis=0)
        sums /= np.maximum(lengths, _SHORTEST)[:, None]
        return sums


class Model:
    """A model, ready to be asked. Make one with :func:`load`."""

    def __init__(self, document: Document) -> None:
        """Index ``document``."""
        self.version = document.version
        self._grams = _Table(document.grams, document.gram_rows, document.gram_squares, document.gram_scale)
        self._words = _Table(document.words, document.word_rows, document.word_squares, document.word_scale)
        self._bias = np.asarray(document.bias, np.float32)
        self._sharpness = document.sharpness
        self._answers = document.answers
        self._parts: dict[str, slice] = {}
        at = 0
        for name in _QUESTIONS:
            self._parts[name] = slice(at, at + len(document.answers[name]))
            at += len(document.answers[name])
        self._alarm = self._parts["alarm"].start + document.answers["alarm"].index("alarm")
        self._repair = document.answers["kind"].index("repair")
        no_gram, no_word = len(self._grams.names), len(self._words.names)
        word_at = {name: number for number, name in enumerate(self._words.names)}
        grams = set(self._grams.names)
        names = [*self._grams.names, *(name for name in self._words.names if name not in grams)]
        self._names = ["", *names]
        self._index = {name: number for number, name in enumerate(names, start=1)}
        self._gram_of = np.array([no_gram, *(min(number, no_gram) for number in range(len(names)))], np.intp)
        self._word_of = np.array([no_word, *(word_at.get(name, no_word) for name in names)], np.intp)

    @property
    def hazards(self) -> tuple[str, ...]:
        """The hazards that it can name."""
        return self._answers["hazard"]

    def predict(self, folded: str) -> Prediction:
        """Judge one text, as :func:`dispatch.rules.words.fold` leaves it; never fails."""
        return self.predict_all((folded,))[0]

    def predict_all(self, folded: Sequence[str]) -> list[Prediction]:
        """Judge many at once, which costs less for each."""
        if not folded:
            return []
        scores, known = self._scores(folded)
        return [self._prediction(row, at) for row, at in zip(scores.tolist(), known, strict=True)]

    def _prediction(self, row: list[float], known: list[int]) -> Prediction:
        """The greatest of each question's scores; of the trade's the two greatest, with their chances."""
        answers, parts = self._answers, self._parts
        trades = row[parts["trade"]]
        highest = max(trades)
        one = trades.index(highest)
        sharp = self._sharpness
        chances = [math.exp(sharp * (score - highest)) for score in trades]
        whole = sum(chances)
        trades[one] = -math.inf
        two = trades.index(max(trades))
        hazards, urgencies, kinds = row[parts["hazard"]], row[parts["urgency"]], row[parts["kind"]]
        return Prediction(
            trade=answers["trade"][one],
            probability=1.0 / whole,
            second=answers["trade"][two],
            second_probability=chances[two] / whole,
            alarm=row[self._alarm],
            hazard=answers["hazard"][hazards.index(max(hazards))],
            urgency=answers["urgency"][urgencies.index(max(urgencies))],
            kind=answers["kind"][kinds.index(max(kinds))],
            kind_margin=max(kinds) - kinds[self._repair],
            known=tuple(known),
        )

    def reasons(self, heard: Prediction, trade: str) -> tuple[str, ...]:
        """The words of the text that spoke most for ``trade``, the strongest first; none inside another."""
        if trade not in self._answers["trade"] or not heard.known:
            return ()
        column = self._answers["trade"].index(trade)
        at = np.array(heard.known, np.intp)
        weights = self._weights(self._grams, self._gram_of[at], column)
        weights += self._weights(self._words, self._word_of[at], column)
        found: list[str] = []
        for place in np.argsort(-weights, kind="stable")[:_LOOKED_AT].tolist():
            name = self._names[heard.known[place]]
            if weights[place] <= 0 or len(found) == _REASONS:
                break
            if name[0] != "~" and not any(name in other or other in name for other in found):
                found.append(name)
        return tuple(found)

    @staticmethod
    def _weights(table: _Table, at: NDArray[np.intp], column: int) -> Floats:
        length = max(math.sqrt(float(table.squares[at].sum())), _SHORTEST)
        weights: Floats = table.rows[at, column] / length
        return weights

    def _scores(self, folded: Sequence[str]) -> tuple[Floats, list[list[int]]]:
        """A row a text, a column an answer; and which features of each text are known."""
        known_as = self._index.get
        known = [list(filter(None, map(known_as, features(text)))) for text in folded]
        at: list[int] = []
        starts: list[int] = []
        for numbers in known:
            starts.append(len(at))
            at += numbers or (0,)
        places, begins = np.array(at, np.intp), np.array(starts, np.intp)
        scores = self._grams.sums(self._gram_of[places], begins)
        scores += self._words.sums(self._word_of[places], begins)
        scores += self._bias
        return scores, known


def write(document: Document) -> bytes:
    """The file of a model: magic, format, checksum, and the document, packed."""
    packed = zlib.compress(msgspec.msgpack.encode(document), 9)
    return MAGIC + bytes([FORMAT]) + hashlib.sha256(packed).digest() + packed


def load(data: bytes, name: str = FILE) -> Model:
    """Read a model's file; ``name`` is what errors call it.

    Raises:
        ModelError: ``model_damaged`` or ``model_version``.
    """
    head = len(MAGIC) + 1
    if not data.startswith(MAGIC) or len(data) < head + _SUM_LENGTH:
        raise ModelError("model_damaged", f"{name} is not a model of triage")
    if data[head - 1] != FORMAT:
        raise ModelError("model_version", f"{name} has format {data[head - 1]}, and this engine reads {FORMAT}")
    packed = data[head + _SUM_LENGTH :]
    if hashlib.sha256(packed).digest() != data[head : head + _SUM_LENGTH]:
        raise ModelError("model_damaged", f"the checksum of {name} does not match")
    try:
        return Model(msgspec.msgpack.decode(zlib.decompress(packed), type=Document))
    except (msgspec.MsgspecError, ValueError, KeyError, zlib.error) as error:
        raise ModelError("model_damaged", f"{name} cannot be read: {error}") from error


@cache
def shipped() -> Model:
    """The model in the package, read once.

    Raises:
        ModelError: if it is damaged or of another version.
    """
    path = files("dispatch.rules").joinpath(FILE)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("model_damaged", f"{FILE} cannot be read: {error}") from error
    return load(data)
