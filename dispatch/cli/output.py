"""What commands print: tables and colours on a terminal, tab-separated lines in a pipe, JSON when asked for."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_STYLES: Final = {
    **dict.fromkeys(("emergency", "breached", "refused", "missing", "failed", "different"), "bold red"),
    **dict.fromkeys(("urgent", "warned", "paused", "on_hold"), "yellow"),
    **dict.fromkeys(("met", "accepted", "yes", "active", "same"), "green"),
    **dict.fromkeys(("low", "closed", "cancelled", "merged", "-"), "dim"),
}


def console() -> Console:
    """Standard output as rich sees it now."""
    return Console(file=click.get_text_stream("stdout"), highlight=False)


def to_json(value: Any) -> str:
    """One line of JSON; moments as RFC 3339, structs as objects."""
    return msgspec.json.encode(value).decode()


def print_json(value: Any) -> None:
    """One JSON document, indented for people on a terminal."""
    text = to_json(value)
    click.echo(msgspec.json.format(text, indent=2) if console().is_terminal else text)


def print_json_lines(items: Iterable[Any]) -> None:
    """One JSON document a line."""
    for item in items:
        click.echo(to_json(item))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table; in a pipe one line a row with tabs between the cells, below a line that names them."""
    out = console()
    if not out.is_terminal:
        if title:
            click.echo(f"# {title}")
        for row in ([name.upper() for name in columns], *rows):
            click.echo("\t".join(clean(cell) for cell in row))
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name.replace("_", " ").capitalize(), overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in map(clean, row)))
    out.print(table)


def print_facts(facts: Iterable[tuple[str, object]], *, title: str | None = None) -> None:
    """Names and values, one pair a line; pairs without a value are left out."""
    pairs = [(name, clean(value)) for name, value in facts if value not in (None, "", (), [])]
    out = console()
    if title:
        out.print(Text(title, style="bold")) if out.is_terminal else click.echo(f"# {title}")
    width = max((len(name) for name, _value in pairs), default=0)
    for name, value in pairs:
        if out.is_terminal:
            out.print(Text(name.ljust(width + 2), style="dim") + Text(value, style=_STYLES.get(value, "")))
        else:
            click.echo(f"{name}\t{value}")


def say(text: str) -> None:
    """A remark on standard error, so that standard output stays what was asked for."""
    click.echo(clean(text), err=True)


def clean(value: object) -> str:
    """One line of text without control characters: what people wrote must not steer a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(clean, value)) or "-"
    return _CONTROL.sub(" ", str(value)).strip() or "-"
