"""``dispatch rebuild``: the state anew from the log."""

import click

from dispatch.agents.rebuild import RebuildResult, rebuild
from dispatch.cli.connections import run
from dispatch.cli.group import FOUND, make_command
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json_lines, print_rows, say
from dispatch.settings import Settings

_COLUMNS = ("territory", "events", "hash_log", "hash_store", "result")


@make_command("rebuild", example="dispatch rebuild --check\ndispatch rebuild --accept-new-topics")
@click.option("--check", is_flag=True, help="Only compare the log with Redis; exit code 1 when they differ.")
@click.option("--accept-new-topics", is_flag=True, help="Go on from the beginning of topics that were created anew.")
@as_json
@with_settings("kafka", "redis")
@click.pass_context
def command(ctx: click.Context, settings: Settings, *, check: bool, accept_new_topics: bool, as_json: bool) -> None:
    """Fold the whole log, and write what it says into Redis.

    Stop all workers first: a lane at work would be fenced off, or seem to differ.
    """

    async def work() -> list[RebuildResult]:
        return await rebuild(settings, check=check, accept_new_topics=accept_new_topics, progress=say)

    results = run(work, settings, redis=True)
    rows = [_row(one) for one in results]
    if as_json:
        print_json_lines(rows)
    else:
        print_rows(_COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
    if check and any(row["result"] == "different" for row in rows):
        ctx.exit(FOUND)


def _row(one: RebuildResult) -> dict[str, object]:
    result = "written" if one.written else "same" if one.hash_log == one.hash_store else "different"
    return {
        "territory": one.territory,
        "events": one.events,
        "hash_log": one.hash_log,
        "hash_store": one.hash_store,
        "result": result,
    }
