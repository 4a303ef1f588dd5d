"""Options that several commands share. What is given here goes before the environment."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from dispatch.settings import read_settings

Work = Callable[..., Any]

_OPTIONS: Final[dict[str, Callable[[Work], Work]]] = {
    "kafka": click.option("--kafka", metavar="HOST:PORT", help="Kafka's address [DISPATCH_KAFKA]."),
    "redis": click.option("--redis", metavar="URL", help="Redis's address [DISPATCH_REDIS]."),
    "config": click.option(
        "--config", type=click.Path(path_type=Path), metavar="FOLDER", help="The config folder [DISPATCH_CONFIG]."
    ),
}

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON: one document, or one a line.")


def with_settings(*names: str) -> Callable[[Work], Work]:
    """Add the named options, and pass the command ``settings`` read from them and from the environment."""

    def decorate(work: Work) -> Work:
        @wraps(work)
        def with_read_settings(*args: Any, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names}
            return work(*args, settings=read_settings(**chosen), **values)

        return _optional(with_read_settings, names)

    return decorate


def with_given(*names: str) -> Callable[[Work], Work]:
    """Add the named options, and pass the command those that were ``given``, by name."""

    def decorate(work: Work) -> Work:
        @wraps(work)
        def with_what_was_given(*args: Any, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names}
            return work(*args, given={name: one for name, one in chosen.items() if one is not None}, **values)

        return _optional(with_what_was_given, names)

    return decorate


def _optional(work: Work, names: Sequence[str]) -> Work:
    for name in reversed(names):
        work = _OPTIONS[name](work)
    return work
