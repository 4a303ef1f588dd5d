"""``dispatch roster``: who works here and when, from the config folder to the engine."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from dispatch.cli.connections import Message, run, send
from dispatch.cli.envelopes import HEADERS, envelope
from dispatch.cli.group import epilog
from dispatch.cli.moments import clock_of
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json, print_json_lines, to_json
from dispatch.config import ROSTER_FILE, load_config, load_roster
from dispatch.models.roster import Roster
from dispatch.rules.roster import plan_shifts, technician_data
from dispatch.settings import Settings
from dispatch.topics import ACTIONS

SOURCE = "/roster"


@click.group("roster", epilog=epilog("dispatch roster publish --config config --days 7"))
def command() -> None:
    """Publish technicians and shifts from the config folder."""


@command.command("publish", epilog=epilog("dispatch roster publish --config config --days 14 --from 2026-03-02"))
@click.option("--days", type=click.IntRange(0, 366), default=7, show_default=True, help="How many days of shifts.")
@click.option(
    "--from", "first", type=click.DateTime(formats=["%Y-%m-%d"]), metavar="DATE", help="The first day [today]."
)
@click.option("--dry-run", is_flag=True, help="Print the events, a line each, and publish none.")
@as_json
@with_settings("kafka", "config")
def publish(settings: Settings, days: int, first: datetime | None, *, dry_run: bool, as_json: bool) -> None:
    """Publish roster.yaml: every technician, and the shifts of the coming days.

    Repeating it is harmless: the same person, version and shift have the same id. A technician's version is the one
    in the file, or else the time at which the file was changed. Names are not published.
    """
    policy = load_config(settings.config)
    roster = load_roster(settings.config, policy)
    zone = ZoneInfo(policy.site.timezone)
    day = first.date() if first else clock_of(settings).now().astimezone(zone).date()
    changed_s = int((settings.config / ROSTER_FILE).stat().st_mtime)
    events = [*_technicians(roster, zone, changed_s), *_shifts(roster, zone, day, days)]
    if dry_run:
        print_json_lines(events)
        return
    run(lambda: send(settings, [_message(event) for event in events]), settings)
    done: dict[str, object] = {"technicians": len(roster.technicians), "shifts": len(events) - len(roster.technicians)}
    done |= {"from": day.isoformat(), "to": (day + timedelta(days=max(0, days - 1))).isoformat()}
    if as_json:
        print_json(done)
    else:
        print_facts(done.items())


def _technicians(roster: Roster, zone: ZoneInfo, changed_s: int) -> Iterator[dict[str, Any]]:
    for one in roster.technicians:
        version = one.version if "version" in one.model_fields_set else changed_s
        data = technician_data(one, zone) | {"version": version}
        yield envelope("technician.updated", f"technician:{one.id}:{version}:{_hash(data)}", SOURCE, data)


def _shifts(roster: Roster, zone: ZoneInfo, first: date, days: int) -> Iterator[dict[str, Any]]:
    for number in range(days):
        for data in plan_shifts(roster, first + timedelta(days=number), zone):
            event_id = f"shift:{data['technician_id']}:{data['start']}:{_hash(data)}"
            yield envelope("shift.planned", event_id, SOURCE, data)


def _message(event: dict[str, Any]) -> Message:
    """One technician's events share a key, and so a partition: a shift never arrives before the person."""
    data = event["data"]
    technician_id = data.get("technician_id") or data["id"]
    return Message(ACTIONS, f"technician/{technician_id}".encode(), to_json(event).encode(), HEADERS)


def _hash(data: dict[str, Any]) -> str:
    return hashlib.blake2b(to_json(sorted(data.items())).encode(), digest_size=6).hexdigest()
