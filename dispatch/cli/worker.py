"""``dispatch worker``: the engine in this process."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import click

from dispatch import log
from dispatch.agents.hosting import HostApp
from dispatch.app import create_app
from dispatch.cli.connections import ask_kafka, ask_redis
from dispatch.cli.group import FOUND, make_command
from dispatch.cli.moments import clock_of
from dispatch.cli.options import with_settings
from dispatch.cli.output import to_json
from dispatch.config import ADVICE_FILE, HOOKS_FILE, load_advice, load_config, load_hooks, load_model
from dispatch.errors import DispatchError
from dispatch.hooks.adviser import key_names
from dispatch.hooks.senders import secret_names
from dispatch.settings import ROLES, Role, Settings, read_secrets
from dispatch.worker import STOP_WITHIN_S, run_until_stopped


class JsonLines(logging.Formatter):
    """What libraries log, as the engine logs: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        line = {
            "part": record.name,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line)


class Roles(click.ParamType):
    """Names of roles with commas between them."""

    name = "ROLE,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Role, ...]:
        """See click."""
        if isinstance(value, tuple):
            return value
        named = [each.strip() for each in str(value).split(",") if each.strip()]
        unknown = [each for each in named if each not in ROLES]
        if unknown or not named:
            self.fail(f"no role {', '.join(unknown) or 'given'}; there are: {', '.join(ROLES)}", param, ctx)
        return tuple(role for role in ROLES if role in named)


@make_command("worker", example="dispatch worker\ndispatch worker --roles intake,clock --kafka broker-1:9092")
@click.option("--roles", type=Roles(), default=",".join(ROLES), show_default=True, help="What this process does.")
@with_settings("kafka", "redis", "config")
@click.pass_context
def command(ctx: click.Context, settings: Settings, roles: Sequence[Role]) -> None:
    """Run the engine until SIGTERM or Ctrl-C.

    As many workers as there are partitions share the work. Logs go to standard error: JSON lines, or pretty ones
    on a terminal.
    """
    pretty = sys.stderr.isatty()
    log.configure(settings.log_level, pretty=pretty)
    if not pretty:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    try:
        code = asyncio.run(_serve(settings, roles))
    except DispatchError as error:
        if pretty:
            raise
        log.get_log("worker").error("cannot run", error=str(error))
        code = FOUND
    ctx.exit(code)


async def _serve(settings: Settings, roles: Sequence[Role]) -> int:
    policy = load_config(settings.config)
    load_model(settings.triage_model)
    if "notify" in roles and (settings.config / HOOKS_FILE).exists():
        read_secrets(secret_names(load_hooks(settings.config, policy)))
    if "advise" in roles and (settings.config / ADVICE_FILE).exists():
        read_secrets(key_names(load_advice(settings.config)), of="the endpoint")
    await ask_redis(settings)
    await ask_kafka(settings)
    app = create_app(settings, roles, clock=clock_of(settings))
    try:
        return await run_until_stopped(app)
    except TimeoutError:
        log.get_log("worker").warning("stopped the hard way", after_s=STOP_WITHIN_S)
        return FOUND
    except DispatchError:
        await _end(app)
        raise


async def _end(app: HostApp) -> None:
    """Stop what has started; what the libraries say of being stopped so early is of no use to anybody."""
    for name in ("aiokafka", "dispatch", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with suppress(TimeoutError):
        await asyncio.wait_for(app.stop(), timeout=STOP_WITHIN_S)
