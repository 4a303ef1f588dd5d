"""Training a model of one's own: the learner that lies in a corpus's folder, on its texts and on what the log teaches.

The corpus and its learner (``corpus/train.py``, which also makes the shipped model) are not in the package; they are
in every checkout and source distribution.
"""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

import dispatch
from dispatch.cli.group import CommandError
from dispatch.rules.lessons import Lesson
from dispatch.rules.triage_features import features
from dispatch.rules.triage_file import shipped, write
from dispatch.rules.triage_model import CALM, OUT_OF_SCOPE, Document
from dispatch.rules.words import fold

PACKAGE: Final = "corpus"
CHECKOUT: Final = Path(dispatch.__file__).parents[1] / PACKAGE
NEEDED: Final = (
    *("__init__.py", "train.py", "lines.py", "looking.py", "examples.py", "framing.py", "reading.py"),
    *("pieces", "frames", "cores"),
)
SAID_BY: Final = 2
"""A piece of words that the corpus does not have is learnt only if so many texts have it: no one's name is."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_NOT_WORDS = re.compile(r"[\W_]+")


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """A model's file and its version; from how many lessons, and how many were left out as texts to measure by."""

    data: bytes
    version: str
    lessons: int
    held_out: int


def train(folder: Path | None, lessons: Sequence[Lesson], *, progress: Callable[[str], object]) -> Taught:
    """A model from the corpus in ``folder`` (that of the checkout) and ``lessons``.

    On one machine the same of both give the same bytes. ``progress`` hears what is being done: it takes minutes.

    Raises:
        CommandError: if there is no corpus, or scikit-learn is not installed; it says what to do.
    """
    return _train(_load(folder if folder is not None else CHECKOUT), lessons, progress)


def _load(folder: Path) -> Any:
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if missing:
        raise CommandError(
            f"no corpus of triage in {folder}: it has no {', '.join(missing)}; "
            f"pass --corpus with that folder of the project's source (the package is without it)"
        )
    if importlib.util.find_spec("sklearn") is None:
        raise CommandError("scikit-learn is not installed: `pip install 'workorder-dispatch[train]'`")
    known = sys.modules.get(PACKAGE)
    if known is None or list(known.__path__) != [str(folder)]:
        places = [str(folder)]
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=places
        )
        if spec is None:  # it is a file that there is, and ends in .py
            raise CommandError(f"{folder} cannot be imported")
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{PACKAGE}.train")


def _train(learner: Any, lessons: Sequence[Lesson], progress: Callable[[str], object]) -> Taught:
    """As the learner's own ``main`` does it, with the lessons beside the pieces."""
    cores = list(learner.cores())
    held_out = {_bare(core.text) for core in cores if core.split == "test"}
    ours = [each for each in lessons if _bare(each.text) not in held_out]
    told, small = [core for core in cores if core.split == "open"], learner.small_examples()
    version = f"{learner.version_of()}+{_digest(ours)}"
    lessons_read = _examples(learner, ours, [*learner.examples(told), *small])
    made: Document = learner.train(told, [*small, *lessons_read], version, progress)
    return Taught(data=write(made), version=version, lessons=len(ours), held_out=len(lessons) - len(ours))


def _examples(learner: Any, lessons: Sequence[Lesson], corpus: Sequence[Any]) -> list[Any]:
    """Lessons as the learner reads them, without pieces of words that only one of them has."""
    found = [features(fold(lesson.text)) for lesson in lessons]
    seen = Counter(each for one in found for each in one)
    common = {each for example in corpus for each in example.features}
    return [
        learner.Example(
            features=frozenset(each for each in one if each in common or seen[each] >= SAID_BY),
            trade=lesson.label.trade or "",
            hazard=_hazard(lesson),
            urgency=lesson.label.urgency if _tells_of_urgency(lesson) else "",
            kind=lesson.label.kind if lesson.weight == 1 else "",
            weight=lesson.weight,
        )
        for lesson, one in zip(lessons, found, strict=True)
    ]


def _tells_of_urgency(lesson: Lesson) -> bool:
    """What nobody has corrected may have been raised by the place or the hour; what is for no craft is low anyway."""
    return lesson.weight == 1 and lesson.label.trade != OUT_OF_SCOPE


def _hazard(lesson: Lesson) -> str:
    """What is dangerous; where nobody named it, what the shipped model takes for likeliest."""
    if lesson.label.urgency != "emergency":
        return CALM
    return lesson.label.hazard or shipped().predict(fold(lesson.text)).hazard


def _digest(lessons: Sequence[Lesson]) -> str:
    made_from = _encode([shipped().version, *((each.text, each.label, each.weight) for each in lessons)])
    return hashlib.sha256(made_from + Path(__file__).read_bytes()).hexdigest()[:12]


def _bare(text: str) -> str:
    return _NOT_WORDS.sub("", fold(text))
