"""``dispatch erase``: one deletion, after which nothing leads back to the person."""

import click

from dispatch.cli.connections import redis_store, run, tenant_of
from dispatch.cli.group import CommandError, make_command
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json
from dispatch.cli.person import tenant_option
from dispatch.settings import Settings


@make_command("erase", example="dispatch erase s41373a98794b4864a36d")
@click.argument("subject")
@tenant_option
@as_json
@with_settings("kafka", "redis")
def command(settings: Settings, subject: str, tenant: str | None, *, as_json: bool) -> None:
    """Forget SUBJECT, a subject id as events have it; it cannot be undone. Exit code 1 if nobody is known by it.

    Requests and dead letters that still hold what the person sent end by themselves, after 7 and 30 days.
    """

    async def work() -> bool:
        async with redis_store(settings) as store:
            return await store.erase(tenant or await tenant_of(settings), subject)

    if not run(work, settings, kafka=tenant is None, redis=True):
        raise CommandError(f"nobody is known as {subject}, or they were erased before")
    if as_json:
        print_json({"subject_id": subject, "erased": True})
    else:
        click.echo(f"{subject} is forgotten")
