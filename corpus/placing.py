"""Reads the texts that name a place (``corpus/README.md`` says how they are written), and the sites they speak of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.reading import SPLITS, told

FOLDER = Path(__file__).parent / "places"
SITES = ("demo", "river")
NOWHERE = "-"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A text, and where its trouble is: an area's id or its end, None if it names none that there is.

    ``form`` is what the request says of its location besides the text.
    """

    id: str
    text: str
    site: str
    split: str
    style: str
    area: str | None
    floor: str | None
    room: str | None
    asset: str | None
    form: dict[str, Any]


def placed(folder: Path = FOLDER) -> Iterator[Placed]:
    """All texts, file by file in order of name.

    Raises:
        corpus.reading.CorpusError: at the first line that cannot be read.
    """
    return told(folder, {"site": "", "split": ""}, {"site": SITES, "split": SPLITS}, _placed)


def _placed(line: str, name: str, settings: Mapping[str, str], style: str) -> Placed:
    marks, _, text = line.partition(" | ")
    said: dict[str, str] = {}
    form = {}
    for mark in marks.split():
        if mark.startswith("t="):
            form["territory"] = mark[2:]
        elif mark[0] in "#/@":
            said[mark[0]] = mark[1:]
        else:
            said["area"] = mark
    if not (text and style and settings["site"] and "area" in said):
        raise ValueError("a text needs a place, a voice and a site above it")
    area = said["area"]
    return Placed(
        id=name, text=text, style=style, area=None if area == NOWHERE else area, floor=said.get("/"),
        room=said.get("#"), asset=said.get("@"), form=form, **settings,
    )  # fmt: skip
