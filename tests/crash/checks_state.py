"""Checks of state: the log folded from its beginning, and looked at after every event."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dispatch.agents import wire
from dispatch.agents.lanes import load_territory
from dispatch.rules.batch import fold_end, state_hash
from dispatch.rules.events import Event, revive
from dispatch.rules.evolve import fold
from dispatch.rules.territory import Territory
from dispatch.stores.base import LaneStore, TerritoryKey
from tests.crash.recorded import Batch, Happened, Recorded

ACTIVE = frozenset({"offered", "assigned", "accepted", "en_route", "arrived", "in_progress", "on_hold"})
FINAL = frozenset({"closed", "cancelled", "refused", "merged"})

_pack = msgspec.msgpack.Encoder(order="deterministic").encode


class Legs:
    """Who is asked or at work, as the events say; kept apart from the engine's own fold."""

    def __init__(self) -> None:
        self.active: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
        self.load: dict[str, set[str]] = defaultdict(set)
        self.capacity: dict[str, int] = {}

    def add(self, event: Happened) -> Iterator[str]:
        """Take one event in; what it breaks."""
        data = event.data
        if event.type == "technician.updated":
            self.capacity[data["id"]] = (data.get("capacity") or {}).get("open") or 3
        if "leg_state" in data:
            self._leg(event.subject, data)
            if data["leg_state"] in ACTIVE:
                yield from self._broken(event)
        if data.get("state") in FINAL:
            for leg, (technician, _place) in self.active.pop(event.subject, {}).items():
                self.load[technician].discard(leg)

    def _leg(self, order: str, data: Mapping[str, Any]) -> None:
        leg, technician = data["assignment_id"], data["technician_id"]
        if data["leg_state"] in ACTIVE:
            self.active[order][leg] = (technician, data["place"])
            self.load[technician].add(leg)
        else:
            self.active[order].pop(leg, None)
            self.load[technician].discard(leg)

    def _broken(self, event: Happened) -> Iterator[str]:
        legs = self.active[event.subject]
        technician, place = event.data["technician_id"], event.data["place"]
        if sum(1 for _who, where in legs.values() if where == place) > 1:
            yield f"{event.id} ({event.type}): two legs on place {place} of {event.subject}: {legs}"
        if sum(1 for who, _where in legs.values() if who == technician) > 1:
            yield f"{event.id} ({event.type}): {technician} twice on {event.subject}"
        room = self.capacity.get(technician)
        if room is None or len(self.load[technician]) > room:
            yield f"{event.id} ({event.type}): {technician} has {len(self.load[technician])} legs, room for {room}"


def double_assigned(run: Recorded) -> Iterator[str]:
    """Two active legs on one place, one technician twice on an order, or more than somebody can hold (I2, I3)."""
    for events in run.log.values():
        legs = Legs()
        for event in sorted(events, key=lambda one: one.sequence):
            yield from legs.add(event)


class Folded:
    """The territories as the log alone makes them, with their final orders."""

    def __init__(self, run: Recorded) -> None:
        self.territories: dict[str, Territory] = {}
        self.finals: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.broken: list[str] = []
        for key, batches in run.batches.items():
            tenant, _colon, name = key.partition(":")
            territory = self.territories[key] = Territory(tenant, name)
            for batch in batches:
                self._fold(territory, key, batch)

    def _fold(self, territory: Territory, key: str, batch: Batch) -> None:
        try:
            for event in batch.events[:-1]:
                fold(territory, revive(_typed(event)))
            fold_end(territory, _typed(batch.end))
        except Exception as error:  # noqa: BLE001 -- whatever a broken log does to the fold is a finding
            self.broken.append(f"{batch.end.id} cannot be folded: {type(error).__name__}: {error}")
        self._keep_finals(territory, key)

    def add_outbox(self, key: str, outbox: Sequence[tuple[int, bytes]]) -> None:
        """Fold what was saved and not published before the end: the next owner would publish it first of all."""
        territory = self.territories[key]
        for sequence, blob in outbox:
            if sequence <= territory.sequence:
                continue
            events = [_unpublished(one) for one in wire.unpack(blob).events]
            if events[0].sequence != territory.sequence + 1:
                return
            for event in events[:-1]:
                fold(territory, revive(event))
            fold_end(territory, events[-1])
            self._keep_finals(territory, key)

    def _keep_finals(self, territory: Territory, key: str) -> None:
        for order in territory.changed_orders.values():
            if order.is_final:
                self.finals[key][order.id] = _pack(order)
            else:
                self.finals[key].pop(order.id, None)
        territory.changed_orders.clear()
        territory.changed_technicians.clear()


def _typed(event: Happened) -> Event:
    said = dict(event.rec.headers)
    return Event(
        sequence=event.sequence,
        type=event.type,
        subject=event.subject,
        time=event.time,
        data=event.data,
        correlation=event.correlation,
        causation=event.causation,
        policy_version=said["ce_policyversion"].decode() if "ce_policyversion" in said else None,
        traceparent=said["ce_traceparent"].decode() if "ce_traceparent" in said else None,
    )


def _unpublished(one: Any) -> Event:
    sequence, kind, subject, time, correlation, causation, policy, trace, data = one
    return Event(
        sequence=sequence,
        type=kind,
        subject=subject,
        time=time,
        data=msgspec.json.decode(data),
        correlation=correlation,
        causation=causation,
        policy_version=policy,
        traceparent=trace,
    )


def lost_orders(folded: Folded) -> Iterator[str]:
    """Orders that are neither over nor in somebody's hands with a clock that lives (I1)."""
    yield from folded.broken
    for territory in folded.territories.values():
        for order in territory.orders.values():
            if not order.owner.id:
                yield f"{order.id} is {order.state} and nobody's"
            if not any(clock.is_live for clock in order.clocks.values()):
                yield f"{order.id} is {order.state} and no clock lives: {sorted(order.clocks)}"


async def other_state(run: Recorded, folded: Folded, store: LaneStore) -> list[str]:
    """Territories whose state in the store is not what the log folds to (I8)."""
    found: list[str] = []
    for name, batches in run.batches.items():
        if not batches:
            continue
        tenant, _colon, territory_id = name.partition(":")
        key = TerritoryKey(tenant, territory_id)
        loaded = await store.load(key)
        finals = await store.finals(key)
        kept = load_territory(key, loaded, "").territory
        folded.add_outbox(name, loaded.outbox if loaded else ())
        ours = folded.territories[name]
        if state_hash(kept, finals) != state_hash(ours, folded.finals[name]):
            found.append(f"{name}: {_difference(ours, folded.finals[name], kept, finals)}")
    return found


def _difference(ours: Territory, finals: Mapping[str, bytes], kept: Territory, kept_finals: Mapping[str, bytes]) -> str:
    if ours.sequence != kept.sequence:
        return f"the log ends with {ours.sequence}, the store has {kept.sequence}"
    for what, mine, theirs in (
        ("order", ours.orders, kept.orders),
        ("technician", ours.technicians, kept.technicians),
        ("final order", finals, kept_finals),
        ("note of work", ours.recent.kept, kept.recent.kept),
    ):
        for one in sorted({*mine, *theirs}):
            if mine.get(one) != theirs.get(one):
                return f"{what} {one}: {mine.get(one)!r} is {theirs.get(one)!r} in the store"
    return f"positions or counts: {ours.positions} {ours.opened} / {kept.positions} {kept.opened}"
