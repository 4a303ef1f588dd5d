"""``make model``: trains the model of triage on the open part of the corpus and writes it into the package.

Lines over the same features (``dispatch/rules/triage_features.py``): trade, hazard (or calm), urgency, kind. Every
feature counts by how rare it is. Lines that have not read the authors of a part give scores to it (``looking``): of
these a second look is learnt, and the voices (``voices_*``) tell how sure the scores are; then lines learn from all. No
randomness but fixed seeds: the same corpus gives the same bytes on the same kind of processor.
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from corpus.examples import Example, Floats, Space, examples, small_examples
from corpus.framing import framed
from corpus.lines import Learnt, learn_all, small
from corpus.looking import Heard, looks, overhear
from corpus.reading import Core, cores
from dispatch.rules.triage_features import features
from dispatch.rules.triage_file import FILE, write
from dispatch.rules.triage_look import Look
from dispatch.rules.triage_model import Document, Model
from dispatch.rules.words import fold

FOLDER = Path(__file__).parent
TARGET = FOLDER.parent / "dispatch" / "rules" / FILE


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


def document(
    space: Space, learnt: dict[str, Learnt], sure: Certainty, second: dict[str, Look], version: str
) -> Document:
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
        looks=second,
    )


def train(told: Sequence[Core], more: Sequence[Example], version: str, tell: Callable[[str], object]) -> Document:
    """A model of whole reports, and of ``more``: pieces, and what a log teaches. ``tell`` hears what is being done."""
    with threadpool_limits(limits=1):  # sums in another order have other last digits
        return _train(told, more, version, tell)


def _train(told: Sequence[Core], more: Sequence[Example], version: str, tell: Callable[[str], object]) -> Document:
    heard = overhear(told, more, tell)
    sure, second = (_sure(told, heard), looks(told, heard, tell)) if heard else (Certainty(), {})
    tell("lines of all")
    everything = [*examples(told), *more]
    space = Space(everything)
    made = document(space, learn_all(space, everything), sure, second, version)
    Model(made)
    return made


def _sure(told: Sequence[Core], heard: Heard) -> Certainty:
    """How sure the scores of trades are of voices, who speak of everything as anybody does."""
    trades = heard.answers["trade"]
    at = [number for number, core in enumerate(told) if core.id.startswith("voices_") and core.faults == 1]
    right = [trades.index(told[number].trades[0]) for number in at]
    return certainty(heard.of("trade")[at], heard.known[at], right) if at else Certainty()


def version_of() -> str:
    """The hash of everything that the model is made from."""
    digest = hashlib.sha256()
    texts = ("cores/*.txt", "pieces/*/*.txt", "frames/*.txt", "frames/*/*.txt")
    sources = [path for each in texts for path in sorted(FOLDER.glob(each))]
    code = (Core, Example, Learnt, Heard, Look, features, fold, framed)
    for path in (*sources, Path(__file__), *(Path(sys.modules[each.__module__].__file__ or "") for each in code)):
        digest.update(path.read_bytes())
    return "triage-" + digest.hexdigest()[:12]


def main() -> None:
    """Train and write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    told = [core for core in cores() if core.split == "open"]
    made = train(told, small_examples(), version_of(), lambda what: print(what, flush=True))
    TARGET.write_bytes(write(made))
    print(f"{made.version}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
