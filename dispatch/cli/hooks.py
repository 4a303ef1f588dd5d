"""``dispatch hooks``: try a hook, and ask who would be told of an event."""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec
import structlog
from msgspec.structs import replace

from dispatch.agents.joining import Joiner
from dispatch.agents.lanes import key_of
from dispatch.agents.log_reader import read_to_end
from dispatch.cli.connections import lane_of, partitions_of, policies, redis_store, run
from dispatch.cli.group import FOUND, CommandError, epilog
from dispatch.cli.moments import clock_of
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json, print_json_lines, print_rows
from dispatch.config import load_config, load_hooks
from dispatch.hooks.checks import TOLD_TYPES
from dispatch.hooks.delivery import Delivery, Outcome, delivery_id
from dispatch.hooks.routing import Known, Moment, RoutingTable, Told, people_of
from dispatch.hooks.senders import NOBODY, Person, make_senders, named, secret_names
from dispatch.models.hooks import HooksDocument
from dispatch.rules.events import short_type
from dispatch.rules.policy import Policy
from dispatch.rules.state import whole_ms
from dispatch.rules.state_staff import Technician
from dispatch.settings import Settings, read_secrets
from dispatch.stores.base import TerritoryKey
from dispatch.topics import WORK_ORDERS

_COLUMNS: Final = ("receiver", "why", "hooks", "locale", "when", "state", "reason", "title")
_WORDS: Final = {
    "zh": ("测试消息", "这是一条测试消息，无需处理。"),
    "en": ("A test", "This is a test; there is nothing to do."),
}


@click.group("hooks", epilog=epilog("dispatch hooks test duty_robot\ndispatch hooks route campus:north:12"))
def command() -> None:
    """Try a hook, or ask who would be told of an event."""


@command.command("test", epilog=epilog("dispatch hooks test app\ndispatch hooks test mail --email me@example.edu"))
@click.argument("name")
@click.option("--to", default="person/test", show_default=True, help="The receiver that the message names.")
@click.option("--email", help="Where a mail goes.")
@click.option("--phone", help="Where a text message goes.")
@as_json
@with_settings("config")
@click.pass_context
def test(
    ctx: click.Context, settings: Settings, name: str, to: str, email: str | None, phone: str | None, *, as_json: bool
) -> None:
    """Send one test message through the hook NAME, once, and tell the answer. Needs no server of ours.

    The exit code is 1 when the receiver did not take it.
    """
    document = load_hooks(settings.config, load_config(settings.config))
    if name not in document.hooks:
        raise CommandError(f"no hook {name!r} in hooks.yaml; there are: {', '.join(document.hooks)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    only = document.model_copy(update={"hooks": {name: document.hooks[name]}})
    outcome = asyncio.run(_try(only, name, _message(document, name, to), Person(email=email, phone=phone)))
    told = {"hook": name, "outcome": outcome.kind, "status": outcome.status, "latency_ms": outcome.latency_ms}
    if as_json:
        print_json(told)
    else:
        print_facts(told.items())
    if outcome.kind != "ok":
        ctx.exit(FOUND)


def _message(document: HooksDocument, name: str, to: str) -> Delivery:
    now = time.time()
    title, text = _WORDS[document.locale]
    event_id = f"test:{now}"
    return Delivery(
        id=delivery_id(event_id, to),
        event_id=event_id,
        event_type="hook.test",
        receiver=to,
        hooks=(name,),
        why="dispatch hooks test",
        order_id="test",
        planned_at=now,
        next_at=now,
        give_up_at=now,
        locale=document.locale,
        title=title,
        text=text,
    )


async def _try(document: HooksDocument, name: str, message: Delivery, person: Person) -> Outcome:
    sender = make_senders(document, read_secrets(secret_names(document)))[name]
    try:
        return await sender.send([message], person)
    finally:
        await sender.close()


class Moments(click.ParamType):
    """An RFC 3339 moment with its offset."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See click."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-03-02T08:00:00+08:00", param, ctx)
        if moment.tzinfo is None:
            self.fail("a time needs its offset, such as +08:00", param, ctx)
        return whole_ms(moment.astimezone(UTC))


@command.command(
    "route",
    epilog=epilog(
        "dispatch hooks route campus:north:12\ndispatch hooks route work-order.offered --at 2026-03-02T23:30:00+08:00"
    ),
)
@click.argument("event")
@click.option("--at", type=Moments(), help="At this moment instead of now: shifts and quiet hours are those of then.")
@as_json
@with_settings("kafka", "redis", "config")
def route(settings: Settings, event: str, at: datetime | None, *, as_json: bool) -> None:
    """Tell who would be told of EVENT, why, through what, and when; nothing is sent.

    EVENT is the id of an event on the log, as `dispatch order ID --json` prints it, or a type such as
    work-order.offered: then the routes that speak of it are told.
    """
    policy = load_config(settings.config)
    document = load_hooks(settings.config, policy)
    if event in TOLD_TYPES:
        _print_routes(document, event, as_json=as_json)
        return
    if event.count(":") < 2:  # noqa: PLR2004 -- tenant:territory:sequence
        raise CommandError(f"{event!r} is neither an event's id (campus:north:12) nor a type (work-order.offered)")
    rows = run(lambda: _routed(settings, document, event, at), settings, redis=True)
    if as_json:
        print_json_lines(rows)
    else:
        print_rows(_COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])


def _print_routes(document: HooksDocument, kind: str, *, as_json: bool) -> None:
    rows = [
        {"route": number, **one.model_dump(mode="json", exclude_defaults=True)}
        for number, one in RoutingTable(document).routes.get(kind, ())
    ]
    if as_json:
        print_json_lines(rows)
        return
    columns = ("route", "to", "template", "through", "when", "give_up", "quiet")
    print_rows(columns, [[row.get(name) for name in columns] for row in rows])


async def _routed(
    settings: Settings, document: HooksDocument, event_id: str, at: datetime | None
) -> list[dict[str, Any]]:
    known = await policies(settings)
    policy = known.latest
    told = await _find(settings, event_id)
    moment = at or clock_of(settings).now()
    async with redis_store(settings) as store:
        joiner = Joiner(policy.tenant, store, document)
        key = TerritoryKey(policy.tenant, told.territory)
        order = (await joiner.orders([(key, told.subject)])).get((key, told.subject))
        beside = Known(
            order=order,
            technicians=at_work(await joiner.technicians(key, set()), moment)
            if at
            else await joiner.technicians(key, set()),
            people=await joiner.people(sorted(people_of(told, order))),
        )
    now = Moment(domain=moment, wall=moment.timestamp())
    return [_told(one, policy) for one in RoutingTable(document).plan(told, beside, policy, now)]


def at_work(technicians: Mapping[str, Technician], moment: datetime) -> dict[str, Technician]:
    """The technicians as they will be at a moment, by the shifts that are planned."""
    return {
        name: replace(
            one,
            shifts=tuple(
                replace(shift, state="started" if shift.start <= moment < shift.end else "planned")
                for shift in one.shifts
                if shift.state != "absent"
            ),
        )
        for name, one in technicians.items()
    }


def _told(one: Delivery, policy: Policy) -> dict[str, Any]:
    when = datetime.fromtimestamp(one.next_at, ZoneInfo(policy.site.timezone))
    return {
        "receiver": one.receiver,
        "why": one.why,
        "hooks": list(one.hooks),
        "locale": one.locale,
        "when": when.isoformat(timespec="seconds"),
        "state": one.state,
        "reason": one.reason,
        "title": named(one.title, NOBODY),
        "text": named(one.text, NOBODY),
        "delivery_id": one.id,
    }


async def _find(settings: Settings, event_id: str) -> Told:
    lanes = await partitions_of(settings, WORK_ORDERS)
    lane = lane_of(event_id.rpartition(":")[0], lanes)
    async for record in read_to_end(settings.kafka_client(), WORK_ORDERS, lane):
        headers = dict(record.headers)
        if headers.get("ce_id") == event_id.encode():
            return Told(
                id=event_id,
                type=short_type(headers["ce_type"].decode()),
                subject=headers.get("ce_subject", b"").decode(),
                territory=key_of(record.key).territory,
                data=msgspec.json.decode(record.value),
            )
    raise CommandError(f"no event {event_id!r} on the log; `dispatch order ID --json` prints an order's events")
