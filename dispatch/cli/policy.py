"""``dispatch policy``: which rules are in force, and which ones shall be."""

import asyncio
import time
from typing import Any

import click

from dispatch.cli.connections import (
    Message,
    Policies,
    partitions_of,
    policies,
    redis_store,
    run,
    send,
)
from dispatch.cli.group import FOUND, CommandError, epilog
from dispatch.cli.moments import clock_of
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json, print_rows, say
from dispatch.config import load_config
from dispatch.errors import ConfigError
from dispatch.models.commands import Command, encode_command
from dispatch.rules.policy import Policy, canonical_json
from dispatch.rules.state import text_of
from dispatch.settings import Settings
from dispatch.stores.base import TerritoryKey
from dispatch.topics import COMMANDS, POLICIES

_JSON = (("content-type", b"application/json"),)
_POLL_S = 0.1


@click.group("policy", epilog=epilog("dispatch policy show\ndispatch policy activate --config config --wait 10"))
def command() -> None:
    """Show the policy that is active, or make another one active."""


@command.command("show", epilog=epilog("dispatch policy show\ndispatch policy show --document | jq .sla"))
@click.option("--document", is_flag=True, help="Print the active policy whole, as JSON.")
@as_json
@with_settings("kafka", "config")
def show(settings: Settings, *, document: bool, as_json: bool) -> None:
    """List the versions on dispatch.policies, oldest first; the last one is active."""
    found = run(lambda: policies(settings), settings)
    if document:
        click.echo(canonical_json(found.latest.document.to_json()))
        return
    rows = [_row(found, version) for version in found.order]
    here = _config_version(settings)
    if as_json:
        print_json({"active": found.order[-1] if found.order else None, "config": here, "versions": rows})
        return
    columns = ("version", "state", "tenant", "territories", "trades", "sla_rows")
    print_rows(columns, [[row[name] for name in columns] for row in rows])
    if here and found.order and here != found.order[-1]:
        say(f"{settings.config} holds {here}, which is not active: run `dispatch policy activate`")


def _row(found: Policies, version: str) -> dict[str, Any]:
    policy = found.get(version)
    row: dict[str, Any] = {"version": version, "state": "active" if version == found.order[-1] else "earlier"}
    if policy is None:
        return row | dict.fromkeys(("tenant", "territories", "trades", "sla_rows"))
    sizes = {"territories": len(policy.territories), "trades": len(policy.trades), "sla_rows": len(policy.document.sla)}
    return row | {"tenant": policy.tenant} | sizes


def _config_version(settings: Settings) -> str | None:
    try:
        return load_config(settings.config).version
    except ConfigError:
        return None


@command.command("activate", epilog=epilog("dispatch policy activate --config config --wait 10"))
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for the lanes.")
@as_json
@with_settings("kafka", "redis", "config")
@click.pass_context
def activate(ctx: click.Context, settings: Settings, wait_s: float, *, as_json: bool) -> None:
    """Write the config folder's policy whole, and have every lane change to it.

    New orders are decided by it; orders that are open keep the policy that they were opened under. With --wait the
    exit code is 1 if a territory has not changed in time.
    """
    policy = load_config(settings.config)
    done = run(lambda: _activate(settings, policy, wait_s), settings, redis=wait_s > 0)
    if as_json:
        print_json(done)
    else:
        print_facts(done.items())
    if done.get("waiting_for"):
        ctx.exit(FOUND)


async def _activate(settings: Settings, policy: Policy, wait_s: float) -> dict[str, Any]:
    before = await policies(settings)
    if before.order and before.latest.tenant != policy.tenant:
        raise CommandError(
            f"the tenant here is {before.latest.tenant!r}, and the config folder's is {policy.tenant!r}: "
            "one installation serves one tenant"
        )
    lanes = await partitions_of(settings, COMMANDS)
    now = text_of(clock_of(settings).now())
    value = canonical_json(policy.document.to_json())
    await send(settings, [Message(POLICIES, policy.version.encode(), value, _JSON, 0)])
    order = Command(
        id=f"policy:{policy.version}:{now}",
        type="policy.activated",
        tenant=policy.tenant,
        territory="*",
        data={"version": policy.version},
        time=now,
    )
    key, record = f"{policy.tenant}:*".encode(), encode_command(order)
    await send(settings, [Message(COMMANDS, key, record, (), lane) for lane in range(lanes)])
    done: dict[str, Any] = {
        "version": policy.version,
        "before": before.order[-1] if before.order else None,
        "lanes": lanes,
    }
    if wait_s:
        done |= await _followers(settings, policy, wait_s)
    return done


async def _followers(settings: Settings, policy: Policy, wait_s: float) -> dict[str, Any]:
    """Which territories that have a state follow the policy, and which do not yet."""
    deadline_s = time.monotonic() + wait_s
    async with redis_store(settings) as store:
        while True:
            states = {name: await store.load(TerritoryKey(policy.tenant, name)) for name in policy.territories}
            follow = {name: one.meta.policy_version == policy.version for name, one in states.items() if one}
            if all(follow.values()) or time.monotonic() > deadline_s:
                return {
                    "active_in": sorted(name for name, there in follow.items() if there),
                    "waiting_for": sorted(name for name, there in follow.items() if not there),
                }
            await asyncio.sleep(_POLL_S)
