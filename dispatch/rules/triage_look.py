"""The second look of the model of triage: what all scores of a text together say of its trade, danger and urgency.

One hidden layer for each question (rectified linear units), learnt of texts whose authors the scores did not know.
Numbers are rounded to steps so coarse that sums are exact: whatever library adds them in whatever order, and in
whatever batch, a text's alarm and urgency come out alike.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

ALARM: Final = "alarm"
"""The question whether something is the matter now."""
LOOKS: Final = ("trade", ALARM, "urgency")
PRESSING: Final = ("urgent", "normal", "low")
"""The urgencies that are asked for; what is an emergency is asked for by its hazard."""
_ANSWERS: Final = {ALARM: (ALARM,), "urgency": PRESSING}
_GREATEST: Final = 3
_STEP: Final = 2.0**-9
"""To what inputs and hidden units are rounded."""
_FINE_STEP: Final = 2.0**-12
"""To what weights are rounded. A product is a multiple of 2⁻²¹, so that sums below 2³² are exact in a double."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of a hidden layer and of what it answers, each as half-precision numbers in rows.

    ``hidden``: inputs by units; ``out``: units (and one row more, the bias) by ``answers``.
    """

    answers: tuple[str, ...]
    hidden: bytes
    out: bytes


def seen(scores: Floats, hazards: Floats, calm: int, known: NDArray[Any]) -> Floats:
    """What a second look sees of each text: all scores, the three greatest of hazards, how many features it knows, 1.

    ``scores`` and ``hazards`` have a row a text; ``calm`` is the column of the hazards that is none.
    """
    ranked = np.sort(np.delete(hazards, calm, 1), 1)[:, : -_GREATEST - 1 : -1]
    return np.column_stack((scores, ranked, np.log1p(known).astype(np.float32), np.ones(len(scores), np.float32)))


class SecondLook:
    """The looks of a model, ready to be asked at once."""

    def __init__(self, looks: Mapping[str, Look], inputs: int) -> None:
        """``inputs`` is how many numbers are :func:`seen` of a text.

        ValueError if a look was made for others, answers what nobody asks, or is not made of numbers.
        """
        hidden = [_weights(look.hidden, inputs) for look in looks.values()]
        self._hidden = np.hstack(hidden)
        self._out: dict[str, tuple[slice, Doubles, Doubles]] = {}
        at = 0
        for (name, look), part in zip(looks.items(), hidden, strict=True):
            units = part.shape[1]
            out = _weights(look.out, units + 1)
            is_asked = name in LOOKS and look.answers == _ANSWERS.get(name, look.answers)
            if not is_asked or out.shape[1] != len(look.answers):
                raise ValueError(f"a look at {name} that answers {look.answers}")
            self._out[name] = (slice(at, at + units), out[:-1], out[-1])
            at += units

    def look(self, inputs: Floats) -> dict[str, Doubles]:
        """What each look makes of texts as they are :func:`seen`: a row a text, a column an answer, log odds."""
        units = _rounded(inputs.astype(np.float64), _STEP) @ self._hidden
        units = _rounded(np.maximum(units, 0.0, out=units), _STEP)
        return {name: np.add(units[:, part] @ weights, bias) for name, (part, weights, bias) in self._out.items()}


def _weights(halves: bytes, rows: int) -> Doubles:
    weights = np.frombuffer(halves, "<f2").astype(np.float64).reshape(rows, -1)
    if not np.isfinite(weights).all():
        raise ValueError("a weight that is no number")
    return _rounded(weights, _FINE_STEP)


def _rounded(numbers: Doubles, step: float) -> Doubles:
    """The same array, changed in place to whole steps."""
    numbers /= step
    np.rint(numbers, out=numbers)
    numbers *= step
    return numbers
