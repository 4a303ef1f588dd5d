"""``dispatch order``: one order's whole story, from the log."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from dispatch.cli.connections import Policies, policies, redis_store, run
from dispatch.cli.group import CommandError, make_command
from dispatch.cli.history import History, Search, Told
from dispatch.cli.moments import clock_of, left, local, span
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.orders import place_of
from dispatch.cli.output import print_facts, print_json, print_rows
from dispatch.cli.telling import what_of, who_of
from dispatch.rules.events import full_type
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, moment_of, text_of
from dispatch.settings import Settings


@make_command("order", example="dispatch order NORTH-00012\ndispatch order wo3424b8d499c27ca8840d --json | jq .why")
@click.argument("wanted", metavar="ID")
@as_json
@with_settings("kafka", "redis")
def command(settings: Settings, wanted: str, *, as_json: bool) -> None:
    """Tell the story of the order ID (its id, or the number that people know it by), final ones included.

    What happened and who did it, each promise with its verdict, who was asked, why they were chosen and others not,
    and who answered for it when. Read from the log.
    """
    story = run(lambda: _story(settings, wanted), settings, redis=True)
    if as_json:
        print_json({name: value for name, value in story.items() if name != "zone"})
    else:
        _print(story)


async def _story(settings: Settings, wanted: str) -> dict[str, Any]:
    known = await policies(settings)
    async with redis_store(settings) as store:
        history = await Search(settings, store, known.latest, wanted).run()
    if history is None:
        raise CommandError(f"no work order {wanted!r} on the log; `dispatch orders` lists those that are open")
    return _document(history, known, clock_of(settings).now())


def _document(history: History, known: Policies, now: datetime) -> dict[str, Any]:
    order = history.order
    policy = known.get(order.policy_version) or known.latest
    return {
        "id": order.id,
        "display_no": order.display_no,
        "territory": history.territory,
        "state": order.state,
        "cycle": order.cycle,
        "kind": order.kind,
        "urgency": order.urgency,
        "trade": order.trade,
        "advice": order.advice,
        "place": place_of(order, policy),
        "text": order.text,
        "request_id": order.request_id,
        "owner": f"{order.owner.kind}/{order.owner.id}",
        "reporter": order.reporter.get("subject_id"),
        "reported_at": text_of(order.reported_at),
        "age_s": int((now - order.reported_at).total_seconds()),
        "policy_version": order.policy_version,
        "merged_into": order.merged_into,
        "links": order.links,
        "counters": order.counters,
        "clocks": [_clock(clock, policy, now) for clock in history.clocks.values()],
        "legs": [msgspec.to_builtins(leg) for leg in order.legs],
        "why": _why(history.told),
        "owners": _owners(history.told),
        "events": [_event(one) for one in history.told],
        "zone": policy.site.timezone,
    }


def _clock(clock: Clock, policy: Policy, now: datetime) -> dict[str, Any]:
    running = clock.state == "running"
    if clock.calendar_id:
        working_s = policy.calendar(clock.calendar_id).between(now, clock.due_at) if now < clock.due_at else 0
    else:
        working_s = max(0, int((clock.due_at - now).total_seconds()))
    return {
        "name": clock.name,
        "state": clock.state,
        "verdict": clock.verdict or ("breached" if clock.breached_at else None),
        "target_s": clock.target_s + clock.extended_s,
        "due_at": text_of(clock.due_at),
        "left": left(clock.due_at, now) if running else None,
        "left_s": int((clock.due_at - now).total_seconds()) if running else None,
        "left_working_s": working_s if running else None,
        "calendar_id": clock.calendar_id or None,
        "elapsed_s": clock.elapsed_s,
        "paused_s": clock.paused_s,
        "pause_reason": clock.pause_reason,
        "stopped_at": text_of(clock.stopped_at) if clock.stopped_at else None,
    }


def _why(told: Sequence[Told]) -> dict[str, Any] | None:
    """The last round that judged technicians for the order, and the sentence of the last that was asked or given."""
    judged = next((one.event for one in reversed(told) if one.event.type == "assignment.evaluated"), None)
    given = next((one.event for one in reversed(told) if one.event.data.get("why")), None)
    if judged is None and given is None:
        return None
    data = judged.data if judged else {}
    return {
        "at": judged.time if judged else None,
        "sentence": {name: given.data["why"].get(name) for name in ("zh", "en")} if given else None,
        "technician_id": given.data.get("technician_id") if given else None,
        "chosen": data.get("chosen"),
        "candidates": [_candidate(data["columns"], each) for each in data.get("candidates", ())],
        "excluded": data.get("excluded", {}),
        "round": data.get("round"),
        "policy_version": data.get("policy_version"),
    }  # fmt: skip


def _candidate(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    terms = dict(zip(columns, row, strict=False))
    return {"technician_id": terms.pop("technician"), "total": terms.pop("total"), "terms": terms}


def _owners(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Who answered for the order, from when on."""
    owners: list[dict[str, Any]] = []
    for one in told:
        owner = one.event.data.get("owner") if one.event.type.startswith("work-order.") else None
        if not isinstance(owner, dict):
            continue
        name = f"{owner.get('kind')}/{owner.get('id')}"
        if not owners or owners[-1]["owner"] != name:
            owners.append({"owner": name, "since": one.event.time, "because": one.event.type})
    return owners


def _event(one: Told) -> dict[str, Any]:
    event = one.event
    return {
        "id": one.id,
        "time": event.time,
        "recordedtime": one.recorded,
        "type": event.type,
        "territory": one.territory,
        "state": event.data.get("state"),
        "by": who_of(event.data),
        "what": what_of(full_type(event.type), event.data),
        "causation": event.causation,
    }


def _print(story: dict[str, Any]) -> None:
    zone = ZoneInfo(story["zone"])
    names = (
        "id", "territory", "state", "cycle", "kind", "urgency", "trade", "place", "text", "owner", "reporter",
        "merged_into", "policy_version",
    )  # fmt: skip
    facts = [(name, story[name]) for name in names]
    if story["advice"]:
        facts.insert(7, ("hint", _hint(story["advice"])))
    reported = f"{_when(story['reported_at'], zone)} ({span(story['age_s'])} ago)"
    print_facts([*facts, ("reported", reported)], title=story["display_no"])
    events = [[_when(one["time"], zone), one["type"], one["state"], one["by"], one["what"]] for one in story["events"]]
    print_rows(("time", "event", "state", "by", "what"), events, title="what happened")
    clocks = [
        [one["name"], one["state"], one["verdict"], span(one["target_s"]), _when(one["due_at"], zone),
         one["left"] or one["pause_reason"]]
        for one in story["clocks"]
    ]  # fmt: skip
    print_rows(("clock", "state", "verdict", "target", "due", "left"), clocks, title="promises")
    legs = [
        [leg["technician_id"], leg.get("place", 0), leg["trade"], leg["state"], leg["mode"], leg.get("visits", 0),
         _when(leg["since"], zone)]
        for leg in story["legs"]
    ]  # fmt: skip
    if legs:
        print_rows(("technician", "place", "trade", "state", "mode", "visits", "since"), legs, title="who was asked")
    if story["why"]:
        _print_why(story["why"])
    owners = [[_when(one["since"], zone), one["owner"], one["because"]] for one in story["owners"]]
    print_rows(("since", "owner", "because"), owners, title="who answered for it")


def _hint(advice: dict[str, Any]) -> str:
    """``plumbing, urgent, repair (0.8): water under the sink [qwen3 by house]``."""
    said = ", ".join(str(advice[name]) for name in ("trade", "urgency", "kind") if advice.get(name))
    why = f": {advice['reason']}" if advice.get("reason") else ""
    return f"{said} ({advice['confidence']:.2g}){why} [{advice['source']['model']} by {advice['source']['name']}]"


def _print_why(why: dict[str, Any]) -> None:
    sentence = why["sentence"] or {}
    print_facts(
        (("technician", why["technician_id"]), ("zh", sentence.get("zh")), ("en", sentence.get("en"))),
        title="why this technician" if sentence else "why nobody",
    )
    names = list(dict.fromkeys(name for each in why["candidates"] for name in each["terms"] or {}))
    rows = [
        [each["technician_id"], *((each["terms"] or {}).get(name) for name in names), each["total"]]
        for each in why["candidates"]
    ]
    if rows:
        print_rows(("candidate", *names, "total"), rows, title="candidates, lower is better")
    excluded = [[rule, each.get("count"), each.get("examples", ())] for rule, each in why["excluded"].items()]
    if excluded:
        print_rows(("rule", "excluded", "for example"), excluded, title="excluded")


def _when(text: str, zone: tzinfo) -> str:
    return local(moment_of(text), zone)
