"""Reads the corpus: cores and pieces as they are written (``corpus/README.md`` says how)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

FOLDER = Path(__file__).parent
URGENCIES = {"e": "emergency", "u": "urgent", "n": "normal", "l": "low"}
SPLITS = ("open", "test")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Core:
    """One report as somebody would write it, and what is right for it; the first trade and urgency are the best.

    ``trades`` has one for each fault that is told, ``also_ok`` what another dispatcher might say, ``hazard`` is ""
    where nothing is dangerous.
    """

    id: str
    text: str
    kind: str
    trades: tuple[str, ...]
    also_ok: tuple[str, ...]
    urgencies: tuple[str, ...]
    hazard: str
    faults: int
    style: str
    phenomenon: str
    split: str


class CorpusError(ValueError):
    """A line that cannot be read: file, line and what is wrong."""


def cores(folder: Path = FOLDER / "cores") -> Iterator[Core]:
    """All cores, file by file in order of name.

    Raises:
        CorpusError: at the first line that cannot be read.
    """
    return told(folder, {"trade": "", "phenomenon": "plain", "split": "open"}, {"split": SPLITS}, _core)


def pieces(question: str, folder: Path = FOLDER / "pieces") -> Iterator[tuple[str, str]]:
    """The pieces that tell of a question, each after its answer, file by file in order of name.

    Raises:
        CorpusError: at the first line that cannot be read.
    """
    for path in sorted((folder / question).glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            answer, *lists = (part.strip() for part in line.split("|"))
            said = [text for each in lists for piece in each.split(",") if (text := piece.strip())]
            if not (answer and said):
                raise CorpusError(f"{path.name}:{number}: a line of pieces is `answer | piece, piece, …`")
            yield from ((answer, text) for text in said)


def told(
    folder: Path,
    defaults: Mapping[str, str],
    allowed: Mapping[str, Sequence[str]],
    made: Callable[[str, str, Mapping[str, str], str], T],
) -> Iterator[T]:
    """What ``made`` makes of each line (its text, its id, the settings above it, its voice), file by file.

    A line ``@name value`` sets one of ``defaults`` for the rest of its file, to one of the values ``allowed``, if any.
    """
    for path in sorted(folder.glob("*.txt")):
        settings, voice = dict(defaults), ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            text = line.strip()
            try:
                if text.startswith("@"):
                    _set(settings, allowed, text)
                elif text.startswith("##"):
                    voice = text[2:].strip()
                elif text and not text.startswith("#"):
                    yield made(text, f"{path.stem}-{number}", settings, voice)
            except (KeyError, ValueError) as error:
                raise CorpusError(f"{path.name}:{number}: {error}") from error


def _set(settings: dict[str, str], allowed: Mapping[str, Sequence[str]], line: str) -> None:
    name, _, value = (part.strip() for part in line[1:].partition(" "))
    if name not in settings or value not in allowed.get(name, (value,)):
        raise ValueError(f"no setting {line}")
    settings[name] = value


def _core(line: str, name: str, settings: Mapping[str, str], voice: str) -> Core:
    code, _, rest = line.partition(" ")
    said = {"=": settings["trade"], "+": "", "!": "", "^": "repair", "#": "1"}
    while rest and rest[0] in said:
        mark, _, rest = rest.partition(" ")
        said[mark[0]] = mark[1:]
    style, _, phenomenon = voice.partition(" ")
    trades = tuple(each for each in said["="].split(",") if each)
    if not (rest.strip() and style and trades):
        raise ValueError("a core needs a text, a trade, and a voice above it")
    return Core(
        id=name,
        text=rest.strip(),
        kind=said["^"],
        trades=trades,
        also_ok=(*trades[1:], *(each for each in said["+"].split(",") if each)),
        urgencies=tuple(URGENCIES[each] for each in code),
        hazard=said["!"],
        faults=int(said["#"]),
        style=style,
        phenomenon=phenomenon or settings["phenomenon"],
        split=settings["split"],
    )
