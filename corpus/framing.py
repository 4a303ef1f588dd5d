"""Frames: what people say around any report, and of any thing that is broken. It points to no craft and no danger.

Reports alone do not teach that, for each writer has manners of his own: a greeting that only calm people had used made
"sparks from the outlet" sound calm. So every frame is put around pieces of every answer, each alike often.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import count, product
from pathlib import Path

from corpus.reading import FOLDER, CorpusError, pieces
from dispatch.rules.triage_model import CALM, QUESTIONS

FRAMES = FOLDER / "frames"
SLOT = "{}"
_LANGUAGES = ("en", "zh")
_THINGS = 2
_EACH = {"trade": 1, "hazard": 1, "urgency": 3, "kind": 1}
"""Of how many things of each craft a frame tells, and around how many pieces of each answer one is put."""
_STRIDE = 37
"""Pieces beside each other are alike: so the next one is taken further on."""

Texts = Mapping[str, list[str]]


def frames(name: str, folder: Path = FRAMES) -> list[str]:
    """The frames of a file: a line each, with a slot.

    Raises:
        CorpusError: at the first line without one.
    """
    path = folder / f"{name}.txt"
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        if line.count(SLOT) != 1:
            raise CorpusError(f"{path.name}:{number}: a frame has one {SLOT}")
        found.append(line.strip())
    return found


def framed() -> Iterator[tuple[str, str, str]]:
    """A question, its answer and a text: things in the frames of what is broken, pieces in those around a report."""
    for language in _LANGUAGES:
        things = _by_answer(pieces("things", FRAMES), language)
        broken = _filled(frames(f"broken_{language}"), things, dict.fromkeys(things, _THINGS))
        yield from (("trade", *each) for each in broken)
        for question in QUESTIONS:
            told = _by_answer(pieces(question), language)
            times = dict.fromkeys(told, _EACH[question])
            if CALM in times:  # as much that is calm as what is not
                times[CALM] = len(times) - 1
            yield from ((question, *each) for each in _filled(frames(f"around_{language}"), told, times))


def _by_answer(told: Iterator[tuple[str, str]], language: str) -> Texts:
    texts: dict[str, list[str]] = defaultdict(list)
    for answer, text in told:
        if text.isascii() == (language == "en"):
            texts[answer].append(text)
    return texts


def _filled(around: list[str], texts: Texts, times: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Each frame with as many texts of each answer as ``times`` says, the texts in turn, far from each other."""
    turns = {answer: count(0, _STRIDE) for answer in texts}
    answers = [answer for answer in texts for _ in range(times[answer])]
    for frame, answer in product(around, answers):
        told = texts[answer]
        yield answer, frame.replace(SLOT, told[next(turns[answer]) % len(told)])
