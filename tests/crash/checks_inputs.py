"""Checks of inputs: whatever was accepted had its effect, was refused for a good reason, or said the same again."""

from collections.abc import Iterator, Mapping
from typing import Any

from dispatch.topics import COMMANDS, COMMANDS_URGENT, REQUESTS
from tests.crash.recorded import Recorded
from tests.crash.stage import TENANT

NO_EXCUSE = frozenset({"decide-failed", "kills-the-worker", "bad-command", "broker-refused", "unknown-technician"})
"""Refusals that say nothing about the input: nobody would call what they are about handled."""

LAST_S = 4.0


def lost_inputs(run: Recorded, ended_at_s: float) -> Iterator[str]:
    """Requests without their order, actions without an effect or a reason, commands that nobody decided.

    What the clock sent just before the end (wall time, seconds since the epoch) need not have been decided.
    """
    caused = {event.causation for events in run.log.values() for event in events}
    opened = {event.subject for events in run.log.values() for event in events if event.type == "work-order.opened"}
    opened_by = {
        event.causation for events in run.log.values() for event in events if event.type == "work-order.opened"
    }
    letters = _letters_by_id(run)
    for short, sent in run.inputs.items():
        input_id = f"{TENANT}:{short}"
        is_request = sent[0][0].topic == REQUESTS
        if input_id in (opened_by if is_request else caused):
            continue
        found = letters.get(input_id, [])
        order = sent[0][1]["data"].get("work_order_id")
        good = [one for one in found if one["code"] not in NO_EXCUSE]
        if order in opened:
            good = [one for one in good if one["code"] != "unknown-order"]
        if not good:
            why = "; ".join(f"{one['code']} {one['errors'][:1]}" for one in found) or "no trace of it"
            yield f"{short} ({sent[0][1]['type']}, sent {len(sent)} times): {why}"
    yield from _undecided(run, ended_at_s - LAST_S)


def _letters_by_id(run: Recorded) -> dict[str, list[Mapping[str, Any]]]:
    """Refusals by the id of the input, whether intake said no or a lane."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for short, sent in run.inputs.items():
        for rec, _said in sent:
            if (letter := run.letters.get(rec.place)) is not None:
                found.setdefault(f"{TENANT}:{short}", []).append(letter)
    for place, command in run.commands.items():
        if (letter := run.letters.get(place)) is not None:
            found.setdefault(command["id"], []).append(letter)
    return found


def _undecided(run: Recorded, due_until_s: float) -> Iterator[str]:
    reached = {
        territory: {topic: place["offset"] for topic, place in batches[-1].end.data["positions"].items()}
        for territory, batches in run.batches.items()
        if batches
    }
    sent_at_s = {rec.place: rec.at_s for topic in (COMMANDS_URGENT, COMMANDS) for rec in run.topics[topic]}
    for (topic, partition, offset), command in run.commands.items():
        if command["type"] == "due" and sent_at_s[topic, partition, offset] > due_until_s:
            continue
        territory = f"{command['tenant']}:{command['territory']}"
        if offset > reached.get(territory, {}).get(topic, -1):
            yield f"the command {command['id']} at {topic}[{partition}]:{offset} was not decided by {territory}"
