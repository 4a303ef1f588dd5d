"""``dispatch person``: the one command that shows who somebody is."""

import click
import msgspec

from dispatch.cli.connections import redis_store, run, tenant_of
from dispatch.cli.group import CommandError, make_command
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json
from dispatch.settings import Settings

tenant_option = click.option("--tenant", help="The tenant [that of the active policy, which needs Kafka].")


@make_command("person", example="dispatch person s41373a98794b4864a36d")
@click.argument("subject")
@tenant_option
@as_json
@with_settings("kafka", "redis")
def command(settings: Settings, subject: str, tenant: str | None, *, as_json: bool) -> None:
    """Show what the people store knows of SUBJECT, a subject id as events have it; exit code 1 if nothing."""

    async def work() -> bytes | None:
        async with redis_store(settings) as store:
            return await store.person(tenant or await tenant_of(settings), subject)

    details = run(work, settings, kafka=tenant is None, redis=True)
    if details is None:
        raise CommandError(f"nobody is known as {subject}, or they were erased")
    found = msgspec.json.decode(details)
    if as_json:
        print_json({"subject_id": subject, **found})
    else:
        print_facts([("subject_id", subject), *found.items()])
