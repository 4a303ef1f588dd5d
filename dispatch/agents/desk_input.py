"""The desk's input: records of a lane into commands by territory, leaving out what has been decided already."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord
from msgspec import DecodeError

from dispatch import metrics
from dispatch.agents import wire
from dispatch.agents.lanes import Held, load_territory
from dispatch.agents.policies import PolicyBook
from dispatch.errors import Rejected
from dispatch.models.commands import Command, decode_command
from dispatch.stores.base import Attempt, TerritoryKey

MAX_COMMAND_BYTES = 256 * 1024
"""Commands are bounded, and with them events: none outgrows what the broker takes."""
MOST_TRIES = 2
LONE_TRIES = 4
HELD = Attempt(start="", size=0, tries=0)
"""What the store says of a lane that is held and has nothing to be careful about."""


@dataclass(slots=True)
class Lane:
    """What the desk holds of one lane. ``floors``: by topic, below which all is decided for every territory.

    After an owner that did not end well, ``unfinished`` is what it was about to decide, and below the offsets of
    ``careful_to`` each batch is written down before it is tried.
    """

    number: int
    territories: dict[TerritoryKey, Held]
    floors: dict[str, int]
    unfinished: Attempt | None = None
    careful_to: dict[str, int] = field(default_factory=dict)

    def is_careful(self, records: Sequence[ConsumerRecord]) -> bool:
        """Whether one of the records may be what ended the last owner."""
        return any(record.offset < self.careful_to.get(record.topic, 0) for record in records)


@dataclass(slots=True)
class Parsed:
    """A batch's commands by territory, and the record that each (by identity: ids may repeat) came from."""

    commands: dict[TerritoryKey, list[Command]] = field(default_factory=dict)
    records: dict[int, ConsumerRecord] = field(default_factory=dict)
    positions: dict[TerritoryKey, dict[str, int]] = field(default_factory=dict)
    letters: list[wire.Letter] = field(default_factory=list)


def portion(lane: Lane, records: Sequence[ConsumerRecord]) -> Attempt:
    """How many of the records to try at once: all, or after unfinished tries of the same ones fewer and fewer.

    What ended the process twice is halved, down to the one record that does it.
    """
    first, last = records[0], lane.unfinished
    start = f"{first.topic}:{first.offset}"
    if last is None or last.start != start:
        return Attempt(start=start, size=len(records), tries=1)
    if last.tries >= MOST_TRIES and last.size > 1:
        return Attempt(start=start, size=max(1, last.size // 2), tries=1)
    return Attempt(start=start, size=min(last.size, len(records)), tries=last.tries + 1)


def is_killer(attempt: Attempt) -> bool:
    """Whether a record has ended the process by itself often enough to be set aside untried."""
    return attempt.size == 1 and attempt.tries > LONE_TRIES


def parse(
    lane: Lane,
    records: Sequence[ConsumerRecord],
    lane_of: Callable[[str], int],
    policies: PolicyBook,
    *,
    killer: bool,
) -> Parsed:
    """The commands of a batch; what is no command, and the ``killer``, become dead letters."""
    tenant = policies.latest.tenant
    parsed = Parsed()
    for record in records:
        try:
            command, keys = _command(lane, record, lane_of, policies)
        except Rejected as error:
            parsed.letters.append(wire.letter_of(record, tenant, error.code, error.errors))
            metrics.REFUSED.labels("desk", error.code).inc()
            continue
        for key in keys:
            held = lane.territories.get(key) or _begun(lane, key, policies)
            place = held.territory.positions.get(record.topic)
            if place is not None and record.offset <= place["offset"]:
                continue
            parsed.positions.setdefault(key, {})[record.topic] = record.offset
            if killer:
                metrics.REFUSED.labels("desk", "kills-the-worker").inc()
                why = f"{LONE_TRIES} tries ended the process"
                parsed.letters.append(wire.letter_of(record, tenant, "kills-the-worker", (), why))
            else:
                parsed.commands.setdefault(key, []).append(command)
                parsed.records[id(command)] = record
    return parsed


def _command(
    lane: Lane, record: ConsumerRecord, lane_of: Callable[[str], int], policies: PolicyBook
) -> tuple[Command, Sequence[TerritoryKey]]:
    """The command of a record, and the territory it is for: with ``*`` all of the lane.

    Rejected when it is none, is too large, or is for nobody of this lane.
    """
    value = record.value or b""
    if len(value) > MAX_COMMAND_BYTES:
        raise Rejected("too-large", f"{len(value)} bytes; at most {MAX_COMMAND_BYTES}")
    try:
        command = decode_command(value)
    except (DecodeError, UnicodeDecodeError) as error:
        raise Rejected("bad-command", str(error)) from None
    if command.territory == "*":
        return command, list(lane.territories)
    key = TerritoryKey(command.tenant, command.territory)
    if key not in lane.territories:
        known = key.tenant == policies.latest.tenant and key.territory in policies.territories
        if not known or lane_of(str(key)) != lane.number:
            raise Rejected("unknown-territory", f"{key} is not of this lane")
    return command, (key,)


def _begun(lane: Lane, key: TerritoryKey, policies: PolicyBook) -> Held:
    """A territory that a policy has named since the lane was taken: it begins empty."""
    held = lane.territories[key] = load_territory(key, None, policies.latest.version)
    return held
