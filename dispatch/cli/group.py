"""How all commands behave: imported when asked for, with an example in their help, and without tracebacks.

Exit codes: 0 done; 1 something was found, refused or failed; 2 not asked properly; 3 a server does not answer.
"""

import importlib
from collections.abc import Callable, Mapping
from gettext import gettext
from typing import Any, Final, NamedTuple

import click

from dispatch import __version__
from dispatch.errors import DispatchError

FOUND: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3


class CommandError(Exception):
    """A command could not do what it was asked for; the text says what to do about it."""


class UnreachableError(CommandError):
    """A server that the command needs does not answer; the text says what to set."""


class Entry(NamedTuple):
    """Where a command is, and what it does in one line."""

    module: str
    help: str


class Commands(click.Group):
    """Commands by name, each imported from its module (as the attribute ``command``) when it is needed."""

    def __init__(self, *, table: Mapping[str, Entry], **options: Any) -> None:
        """``table``: name of a command -> where it is."""
        options.setdefault("no_args_is_help", True)
        super().__init__(**options)
        self.table = table
        version = click.version_option(__version__, prog_name="dispatch", message="%(prog)s %(version)s")
        version(self)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of the table, which is the order in which one needs them."""
        return list(self.table)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import it."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        found = importlib.import_module(entry.module).command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line each, without importing any."""
        with formatter.section(gettext("Commands")):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Unknown names are a usage error that tells the known ones."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; there are: {', '.join(self.table)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors that are expected become a line on standard error and an exit code."""
        try:
            return super().invoke(ctx)
        except UnreachableError as error:
            _fail(ctx, str(error), UNREACHABLE)
        except (DispatchError, CommandError) as error:
            _fail(ctx, str(error), FOUND)
        except UnicodeDecodeError as error:
            _fail(ctx, f"the input is not UTF-8: {error.reason} at byte {error.start}", FOUND)
        except BrokenPipeError:
            raise
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            _fail(ctx, f"{name}{error.strerror or error}", FOUND)


def _fail(ctx: click.Context, text: str, code: int) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + text, err=True)
    ctx.exit(code)


def make_command(name: str, *, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A click command whose help ends with an example."""
    return click.command(name, epilog=epilog(example))


def epilog(example: str) -> str:
    """The end of a help text."""
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    return f"\b\nExample:\n{lines}"
