"""``dispatch topics``: what there is, and what is missing."""

from typing import Any

import click

from dispatch.cli.connections import redis_store, run, topics_there
from dispatch.cli.group import FOUND, make_command
from dispatch.cli.moments import span
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json_lines, print_rows, say
from dispatch.settings import Settings
from dispatch.topics import TOPICS, UNLIMITED, Topic


@make_command("topics", example="dispatch topics --create")
@click.option("--create", is_flag=True, help="Create what is missing, and check and record what is there.")
@as_json
@with_settings("kafka", "redis")
@click.pass_context
def command(ctx: click.Context, settings: Settings, *, create: bool, as_json: bool) -> None:
    """List the topics; exit code 1 when some are missing.

    With --create the missing ones are created with DISPATCH_PARTITIONS and DISPATCH_REPLICATION, and the number of
    partitions is recorded: lanes never change it.
    """
    rows = run(lambda: _topics(settings, create=create), settings, redis=create)
    if as_json:
        print_json_lines(rows)
    else:
        columns = ("topic", "direction", "key", "partitions", "retention", "exists")
        print_rows(columns, [[row[name] for name in columns] for row in rows])
    missing = [row["topic"] for row in rows if row["exists"] == "missing"]
    if missing:
        say(f"{len(missing)} missing: run `dispatch topics --create`")
        ctx.exit(FOUND)


async def _topics(settings: Settings, *, create: bool) -> list[dict[str, Any]]:
    if create:
        from dispatch.app import prepare  # noqa: PLC0415 -- takes long to import, and is needed for this alone

        async with redis_store(settings) as store:
            await prepare(settings, store)
    there = await topics_there(settings)
    rows = []
    for name, topic in TOPICS.items():
        facts = there.get(name)
        rows.append(
            {
                "topic": name,
                "direction": topic.direction,
                "key": topic.key,
                "partitions": facts.partitions if facts else None,
                "retention": _retention(topic),
                "exists": "yes" if facts else "missing",
                "incarnation": facts.incarnation if facts else None,
            }
        )
    return rows


def _retention(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "the last of each key"
    return "unlimited" if topic.retention_ms == UNLIMITED else span(topic.retention_ms / 1000)
