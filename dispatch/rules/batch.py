"""One batch of one territory: its commands decided in order, what waits matched, and the end marked.

The same function serves the live lane, a simulation and a replay.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import islice

import msgspec
from msgspec.structs import force_setattr

from dispatch import __version__
from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules.decide import decide
from dispatch.rules.draft import Draft
from dispatch.rules.events import Event
from dispatch.rules.policy import Policy
from dispatch.rules.rounds import match_waiting
from dispatch.rules.state import Data, moment_of, text_of, whole_ms
from dispatch.rules.territory import Territory, next_shift_change
from dispatch.rules.timers import next_timer


@dataclass(slots=True, kw_only=True)
class Refusal:
    """A command that could not be obeyed (``theirs``), or that broke a rule (``ours``)."""

    command: Command
    code: str
    errors: list[Data]
    ours: bool = False


@dataclass(slots=True, kw_only=True)
class Decided:
    """What a batch led to: events in order of sequence (the last is ``lane.decided``), commands to other lanes."""

    events: list[Event] = field(default_factory=list)
    sent: list[Command] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    commands: int = 0
    repeated: int = 0


def decide_batch(
    territory: Territory,
    commands: Sequence[Command],
    policies: Mapping[str, Policy],
    now: datetime,
    batch_id: str,
    positions: Mapping[str, Data],
) -> Decided:
    """Decide the commands one after another, then match, then mark the end. Changes the territory.

    ``positions`` is how far each input topic has been read with this batch. A command that fails leaves no trace
    but its refusal; the others go on.
    """
    now = whole_ms(now)
    decided = Decided(commands=len(commands))
    skipped = _skip_abandoned(territory)
    for command in commands:
        _decide_one(territory, command, policies, now, decided)
    first_of_round = len(decided.events)
    for draft in match_waiting(territory, policies, now):
        _keep(draft, decided)
    _name_round(territory, decided.events, first_of_round)
    _mark_end(territory, decided, now, batch_id, positions)
    if skipped is not None:
        decided.events[-1].data["abandoned"] = skipped
    return decided


def _skip_abandoned(territory: Territory) -> Data | None:
    """Leave out the numbers that a batch without its end left in the log: one id never has two contents."""
    first, last = territory.sequence + 1, territory.abandoned_to
    territory.abandoned_to = 0
    if last < first:
        return None
    territory.sequence = last
    return {"from": first, "to": last}


def _decide_one(
    territory: Territory, command: Command, policies: Mapping[str, Policy], now: datetime, decided: Decided
) -> None:
    try:
        if command.type == "policy.activated":
            decided.repeated += not _activate(territory, command, policies)
            return
        draft = decide(territory, command, policies, now)
    except Rejected as error:
        errors: list[Data] = [{**one} for one in error.errors]
        decided.refused.append(Refusal(command=command, code=error.code, errors=errors))
    except Exception as error:  # noqa: BLE001 -- one bad command must not stop its lane; it becomes a dead letter
        told = f"{type(error).__name__}: {error}"
        failure: Data = {"path": "", "message": told}
        decided.refused.append(Refusal(command=command, code="decide-failed", errors=[failure], ours=True))
    else:
        decided.repeated += draft.repeated
        _keep(draft, decided)
    if command.sender is not None:
        known = territory.edges.get(command.sender, 0)
        territory.edges[command.sender] = max(known, command.sender_sequence)


def _activate(territory: Territory, command: Command, policies: Mapping[str, Policy]) -> bool:
    """Make a version the territory's active one; False when it is already."""
    version = str(command.data["version"])
    if version not in policies:
        raise Rejected("unknown-policy", f"policy {version} is not on the policies topic", "version")
    if version == territory.policy_version:
        return False
    territory.policy_version = version
    territory.look_again()
    return True


def _keep(draft: Draft, decided: Decided) -> None:
    draft.commit()
    decided.events.extend(draft.events)
    decided.sent.extend(draft.sent)


def _name_round(territory: Territory, events: list[Event], first: int) -> None:
    """What matching decided is caused by the ``lane.decided`` that ends the batch; now its number is known."""
    round_id = f"{territory.tenant}:{territory.id}:{territory.sequence + 1}"
    for event in islice(events, first, None):
        if event.type == "assignment.evaluated":
            event.data["round"] = round_id
        force_setattr(event, "causation", round_id)


def _mark_end(
    territory: Territory, decided: Decided, now: datetime, batch_id: str, positions: Mapping[str, Data]
) -> None:
    territory.positions |= positions
    territory.now = now
    territory.batch_id = batch_id
    territory.recent.forget_old(now)
    retime(territory)
    due = next_due(territory)
    data: Data = {
        "tenant": territory.tenant,
        "territory": territory.id,
        "batch_id": batch_id,
        "positions": dict(territory.positions),
        "now": text_of(now),
        "policy_version": territory.policy_version,
        "engine_version": __version__,
        "events": len(decided.events),
        "commands": decided.commands,
        "repeated": decided.repeated,
        "refused": len(decided.refused),
        "edges": dict(territory.edges),
        "next_due_at": text_of(due) if due else None,
    }
    territory.sequence += 1
    event = Event(
        sequence=territory.sequence,
        type="lane.decided",
        subject=territory.id,
        time=text_of(now),
        data=data,
        policy_version=territory.policy_version,
    )
    decided.events.append(event)


def next_due(territory: Territory) -> datetime | None:
    """The earliest timer that the territory waits for, as of the last :func:`retime`."""
    timers, heap = territory.timers, territory.timer_heap
    if len(heap) > 4 * len(timers) + 64 or len(heap) < len(timers):
        heap[:] = [(at, timer_id, owner) for owner, (at, timer_id) in timers.items()]
        heapify(heap)
    while heap:
        at, timer_id, owner = heap[0]
        if timers.get(owner) == (at, timer_id):
            return at
        heappop(heap)
    return None


def retime(territory: Territory) -> tuple[list[str], list[tuple[datetime, str]]]:
    """Bring the territory's timers up to its changed orders and technicians.

    Returns ids to drop and timers to add since the last ``saved``; asked twice, it says the same.
    """
    timers, before = territory.timers, territory.timers_before
    for owner, timer in _fresh(territory):
        old = timers.get(owner)
        if old == timer:
            continue
        before.setdefault(owner, old)
        if timer is None:
            del timers[owner]
        else:
            timers[owner] = timer
            heappush(territory.timer_heap, (*timer, owner))
    changed = [(old, timers.get(owner)) for owner, old in before.items()]
    changed = [(old, new) for old, new in changed if old != new]
    return [old[1] for old, _new in changed if old], [new for _old, new in changed if new]


def _fresh(territory: Territory) -> Iterator[tuple[str, tuple[datetime, str] | None]]:
    for order_id in territory.untimed_orders:
        order = territory.orders.get(order_id)
        yield order_id, next_timer(order) if order is not None else None
    for technician_id in territory.untimed_technicians:
        yield f"technician/{technician_id}", next_shift_change(territory.technicians[technician_id])
    territory.untimed_orders.clear()
    territory.untimed_technicians.clear()


def fold_end(territory: Territory, event: Event) -> None:
    """Fold a ``lane.decided`` read back from the log: how far the territory has come."""
    data = event.data
    territory.positions = dict(data["positions"])
    territory.edges = dict(data.get("edges") or {})
    territory.policy_version = data["policy_version"]
    territory.batch_id = data["batch_id"]
    territory.now = moment_of(data["now"])
    territory.recent.forget_old(territory.now)
    territory.sequence = event.sequence


def state_hash(territory: Territory, finals: Mapping[str, bytes]) -> str:
    """A hash of everything a territory knows: orders, technicians, tombstones, recent work, position, sequence (I8)."""
    digest = hashlib.sha256()
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    for order_id in sorted(territory.orders):
        digest.update(encode(territory.orders[order_id]))
    for technician_id in sorted(territory.technicians):
        digest.update(encode(territory.technicians[technician_id]))
    for order_id in sorted(finals):
        digest.update(finals[order_id])
    for key in sorted(territory.recent.kept):
        digest.update(encode([key, territory.recent.kept[key]]))
    digest.update(encode([territory.sequence, territory.opened, territory.positions, territory.edges]))
    return digest.hexdigest()[:32]
