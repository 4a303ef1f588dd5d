"""``dispatch demo``: a day on a campus, played quickly on real servers."""

from pathlib import Path
from typing import Any

import click

from dispatch.cli.group import make_command
from dispatch.cli.options import with_given
from dispatch.errors import LaneError
from dispatch.settings import Language


@make_command("demo", example="dispatch demo\ndispatch demo --speed 300 --plain\ndispatch demo --lang zh")
@click.option(
    "--speed", type=click.FloatRange(1, 100_000), default=900.0, show_default=True,
    help="How many seconds of the day pass in one second.",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".dispatch/demo"), show_default=True,
    help="Where the servers keep their data.",
)  # fmt: skip
@click.option("--plain", is_flag=True, help="Lines instead of the board, as in a pipe.")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="The board's language [that of the environment].")
@with_given("kafka", "redis", "config")
@click.pass_context
def command(
    ctx: click.Context, given: dict[str, Any], speed: float, folder: Path, *, plain: bool, lang: Language | None
) -> None:
    """Play a day: reports come in, technicians answer, clocks run, and some of them break.

    Runs on the servers of DISPATCH_KAFKA and DISPATCH_REDIS, or else on embedded ones. Technicians hear by signed
    webhooks on this machine, whatever config/hooks.yaml says. A terminal shows a board of it.
    """
    try:
        from dispatch.demo.runner import run_demo  # noqa: PLC0415 -- only this command needs the demo
    except ModuleNotFoundError as error:
        raise LaneError(f"the demo cannot be played here: {error}", "Install workorder-dispatch[embedded]") from None
    plain = plain or not click.get_text_stream("stdout").isatty()
    ctx.exit(run_demo(given, speed, folder, plain, lang))
