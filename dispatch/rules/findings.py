"""What is wrong in a document, and where: what the checks of a config share."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import msgspec

Path = tuple[str | int, ...]

NAMES_SHOWN = 12
"""How many names a message lists."""


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong: where in the document, what, and what was expected there."""

    path: Path
    what: str
    expected: str


def unknown(path: Path, what: str, name: str, known: Iterable[str]) -> Finding | None:
    """A finding if ``name`` is not among ``known``, with the nearest name that is."""
    names = sorted(known)
    if name in names:
        return None
    shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    near = get_close_matches(name, names, 1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return Finding(path, f"unknown {what} '{name}'", f"one of: {shown or 'none is defined'}{hint}")


def must_be_known(path: Path, what: str, name: str, known: Iterable[str]) -> Iterator[Finding]:
    """The finding of :func:`unknown`, if there is one."""
    if missing := unknown(path, what, name, known):
        yield missing


def twice(named: Iterable[tuple[Path, str]], what: str) -> Iterator[Finding]:
    """A finding for each name that has come before."""
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            yield Finding(path, f"the {what} '{name}' occurs twice", "an id of its own for each")
        seen.add(name)
