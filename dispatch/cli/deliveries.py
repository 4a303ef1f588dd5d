"""``dispatch deliveries``: who was told of an order, through what, and with what answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
import msgspec

from dispatch.agents.log_reader import read_to_end
from dispatch.cli.connections import Policies, lane_of, partitions_of, policies, redis_store, run
from dispatch.cli.group import CommandError, make_command
from dispatch.cli.history import History, Search
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json_lines, print_rows, say
from dispatch.settings import Settings
from dispatch.topics import DELIVERIES

_KIND: Final = "dispatch.delivery."
_COLUMNS: Final = ("time", "event", "receiver", "hook", "state", "attempt", "status", "latency_ms", "next_at", "why")


@make_command(
    "deliveries", example="dispatch deliveries NORTH-00012\ndispatch deliveries NORTH-00012 --json | jq .state"
)
@click.argument("wanted", metavar="ORDER")
@as_json
@with_settings("kafka", "redis")
def command(settings: Settings, wanted: str, *, as_json: bool) -> None:
    """Tell who was told of ORDER (its id, or the number that people know it by), and what came of it.

    One line for each time that a delivery was planned, tried or ended; with --json one document a delivery. Read from
    the ledger, which names no people and no addresses.
    """
    deliveries = run(lambda: _deliveries(settings, wanted), settings, redis=True)
    if as_json:
        print_json_lines(deliveries)
        return
    rows = [_row(one, step) for one in deliveries for step in one["steps"]]
    print_rows(_COLUMNS, sorted(rows, key=lambda row: str(row[0])))
    if not rows:
        say(f"nobody was told of {wanted}: no route of hooks.yaml spoke of it, or the role notify does not run")


async def _deliveries(settings: Settings, wanted: str) -> list[dict[str, Any]]:
    known: Policies = await policies(settings)
    async with redis_store(settings) as store:
        history = await Search(settings, store, known.latest, wanted).run()
    if history is None:
        raise CommandError(f"no work order {wanted!r} on the log; `dispatch orders` lists those that are open")
    lanes = await partitions_of(settings, DELIVERIES)
    territories = {one.territory for one in history.told}
    places = sorted({lane_of(f"{known.latest.tenant}:{territory}", lanes) for territory in territories})
    return await _read(settings, history, places)


async def _read(settings: Settings, history: History, places: Sequence[int]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number in places:
        async for record in read_to_end(settings.kafka_client(), DELIVERIES, number):
            headers = dict(record.headers)
            if headers.get("ce_subject", b"").decode(errors="replace") != history.order.id:
                continue
            data = msgspec.json.decode(record.value)
            step = _step(headers, data)
            one = found.setdefault(data["delivery_id"], {"delivery_id": data["delivery_id"], "steps": []})
            for name in ("event_id", "event_type", "receiver", "why", "title", "text", "locale"):
                if data.get(name):
                    one.setdefault(name, data[name])
            one |= {"state": step["state"], "reason": step["reason"]}
            one["steps"].append(step)
    return list(found.values())


def _step(headers: Mapping[str, bytes], data: Mapping[str, Any]) -> dict[str, Any]:
    kind = headers["ce_type"].decode().removeprefix(_KIND).removesuffix(".v1")
    attempt = data.get("attempt") or 0
    return {
        "time": headers["ce_time"].decode(),
        "state": "planned" if kind == "attempted" and not attempt else "retry" if kind == "attempted" else kind,
        "hook": data.get("hook"),
        "attempt": attempt,
        "status": data.get("status"),
        "latency_ms": data.get("latency_ms"),
        "next_at": data.get("next_attempt_at"),
        "reason": data.get("reason"),
    }


def _row(one: Mapping[str, Any], step: Mapping[str, Any]) -> list[object]:
    event = str(one.get("event_type", "")).removeprefix("dispatch.").removesuffix(".v1")
    why = step["reason"] or (one.get("why") if step["state"] == "planned" else None)
    cells = {**step, "event": event, "receiver": one.get("receiver"), "why": why}
    return [cells.get(name) for name in _COLUMNS]
