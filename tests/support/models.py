"""Models of triage that are small enough to be read: each piece of words pulls towards the answers that are said."""

import numpy as np

from dispatch.rules.triage_file import load, write
from dispatch.rules.triage_model import Document, Model

ANSWERS = {
    "trade": ("electrical", "network", "out_of_scope", "plumbing"),
    "hazard": ("calm", "fire", "injury"),
    "urgency": ("emergency", "urgent", "normal", "low"),
    "kind": ("complaint", "repair"),
}
_COLUMNS = [answer for answers in ANSWERS.values() for answer in answers]
_BIAS = {"calm": 2.0, "normal": 1.0, "repair": 1.0}


def tiny(version: str, **pulls: dict[str, float]) -> bytes:
    """The file of a model. ``pulls``: a piece of words -> {answer: how much it speaks for it}, up to 12.7."""
    rows = np.zeros((len(pulls), len(_COLUMNS)), np.int8)
    for number, said in enumerate(pulls.values()):
        for answer, weight in said.items():
            rows[number, _COLUMNS.index(answer)] = round(weight * 10)
    return write(
        Document(
            version=version,
            answers=ANSWERS,
            names="\n".join(pulls),
            rows=rows.tobytes(),
            squares=np.ones(len(pulls), "<f2").tobytes(),
            scale=(0.1,) * len(_COLUMNS),
            bias=tuple(_BIAS.get(answer, 0.0) for answer in _COLUMNS),
            sharpness=4.0,
            doubt=0.0,
        )
    )


def tiny_model(version: str, **pulls: dict[str, float]) -> Model:
    """The same, ready to be asked."""
    return load(tiny(version, **pulls))
