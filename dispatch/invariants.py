"""What must hold after every batch, whoever wrote it: I1 to I5 of the design, and I8 between two copies of a state.

Pure checks for simulations, tests and audits; each raises :class:`Violated` with the order that breaks the rule.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from dispatch.models.catalog import EVENT_TYPES
from dispatch.rules.batch import fold_end
from dispatch.rules.events import Event, full_type, revive
from dispatch.rules.evolve import fold
from dispatch.rules.lifecycle import KEPT_STATES, crew_state, transitions
from dispatch.rules.matching_constraints import Ask, certificates, requirement
from dispatch.rules.state import Order, moment_of
from dispatch.rules.territory import Territory

_TRANSITIONS = transitions()


class Violated(AssertionError):  # noqa: N818 -- a verdict, named as it is spoken of
    """An invariant does not hold."""


def must(holds: object, said: str) -> None:
    """Raise Violated with ``said`` unless it ``holds``."""
    if not holds:
        raise Violated(said)


def check_territory(territory: Territory) -> None:
    """I1, I2, I3 and that every waiting order is listed, on a state between two batches."""
    promised: set[tuple[str, str]] = set()
    for order in territory.orders.values():
        check_open_order(order)
        check_crew(order, territory)
        promised |= {(leg.technician_id, leg.assignment_id) for leg in order.active_legs()}
        said = f"{order.id} {order.state}"
        must(order.wants_matching == (order.id in territory.waiting), f"{said}: not listed as it should be")
    loads = {(one.id, leg) for one in territory.technicians.values() for leg in one.load}
    must(loads == promised, f"I2 load and legs differ: {sorted(loads ^ promised)}")
    must(set(territory.waiting) <= set(territory.orders), "orders wait that are not open")


def check_open_order(order: Order) -> None:
    """I1: an open order has an owner and a live clock; it stands still exactly while it is held."""
    said = f"{order.id} ({order.state})"
    must(not order.is_final, f"I1 {said} is final and still among the open ones")
    must((order.owner.kind and order.owner.id), f"I1 {said} has no owner")
    must(any(clock.is_live for clock in order.clocks.values()), f"I1 {said} has no live clock")
    must((order.state in {"on_hold", "awaiting_approval"}) >= (order.hold is not None), f"{said} is held")
    must((order.hold is not None) >= (order.state == "on_hold"), f"{said} is not held")
    paused = [clock.name for clock in order.clocks.values() if clock.state == "paused"]
    must(not paused or order.hold is not None, f"I1 {said} is not held, but {paused} stand still")
    if order.state not in KEPT_STATES:
        crew = crew_state(order.legs)
        must(order.state == crew, f"I5 {said} has a crew that is {crew}")
        given = [leg for leg in order.active_legs() if leg.state != "offered"]
        persons = {leg.technician_id for leg in given}
        if given:
            must(order.owner.id in persons, f"I1 {said} is owned by {order.owner}, held by {persons}")
        else:
            nobody = order.owner.kind != "person" or not order.requirements  # who looks into a letter owns it
            must(nobody, f"I1 {said} is owned by {order.owner}, who does not have it")


def check_crew(order: Order, territory: Territory) -> None:
    """I2 and I3: one active leg a place and a person; nobody above capacity, or without the skill."""
    active = order.active_legs()
    said = f"{order.id} ({order.state})"
    must(len({leg.place for leg in active}) == len(active), f"I2 {said} has a place given twice")
    must(len({leg.technician_id for leg in active}) == len(active), f"I2 {said} has a person twice")
    places = dict(order.places())
    for leg in active:
        technician = territory.technician(leg.technician_id)
        if technician is None or technician.removed:
            raise Violated(f"I3 {said} is with {leg.technician_id}, who is not on the roster")
        must(leg.place in places, f"I3 {said} has a leg for place {leg.place}, which is none")
        ask = Ask(requirement=places[leg.place], area_path=(), point=None, now=leg.since)
        fit = requirement(technician, ask) and certificates(technician, ask)
        must(fit or technician.version_time > leg.since, f"I3 {said}: {technician.id} is not qualified")
    for technician in territory.technicians.values():
        over = len(technician.load) - technician.capacity_open
        must(over <= 0 or technician.version > 1, f"I3 {technician.id} has {over} orders too many")


class Auditor:
    """A second, independent reading of the log of one territory: it folds what was written, and compares (I8).

    Events go through JSON as they go through Kafka, and are checked against the published contract on the way.
    """

    def __init__(self, tenant: str, territory_id: str) -> None:
        """A territory of which nothing has been read yet."""
        self.copy = Territory(tenant, territory_id)
        self.rungs: set[str] = set()

    def read(self, events: Iterable[Event]) -> None:
        """Read one batch: contract, I4 and I5 on each event, then the fold."""
        for event in events:
            data: dict[str, Any] = msgspec.json.decode(check_contract(event))
            again = revive(msgspec.structs.replace(event, data=data))
            if event.type == "lane.decided":
                fold_end(self.copy, again)
                continue
            before = self.copy.order(event.subject)
            self._check_times(event, before)
            fold(self.copy, again)
            after = self.copy.order(event.subject)
            if before is not None and after is not None and before.state != after.state:
                step = (before.state, after.state)
                must(step in _TRANSITIONS, f"I5 {event.subject}: {step} by {event.type}")
            self.copy.sequence = event.sequence

    def _check_times(self, event: Event, before: Order | None) -> None:
        """I4: a breach at its due moment, once; a rung once, and never of a clock that has stopped."""
        if event.type == "clock.breached" and before is not None:
            for clock in event.data["clocks"]:
                known, said = before.clocks[clock.name], f"I4 {event.subject}: {clock.name}"
                must(known.state == "running", f"{said} breached while {known.state}")
                must(known.breached_at is None, f"{said} breached twice")
                must(moment_of(event.time) == known.due_at, f"{said} not when due")
        if event.type == "escalation.raised" and before is not None:
            data = event.data
            must(data["escalation_id"] not in self.rungs, f"I4 {data['escalation_id']} was raised before")
            self.rungs.add(data["escalation_id"])
            if data["clock"] is not None:
                must(before.clocks[data["clock"]].is_live, f"I4 {data['escalation_id']} after the clock stopped")
                must(data["due_at"] <= data["fired_at"], f"I4 {data['escalation_id']} before it is due")


def check_contract(event: Event) -> bytes:
    """The event's data as JSON; Violated when the published contract would refuse it."""
    encoded = msgspec.json.encode(event.data)
    known = EVENT_TYPES.get(full_type(event.type))
    if known is None:
        return encoded
    try:
        known.model.model_validate_json(encoded)
    except ValidationError as error:
        faults = [f"{one['loc']}: {one['msg']}" for one in error.errors()]
        raise Violated(f"the contract refuses {event.type}: {faults}") from error
    return encoded


def unlisted_types(events: Iterable[Event]) -> set[str]:
    """The types among the events that the published catalogue lacks."""
    return {event.type for event in events if full_type(event.type) not in EVENT_TYPES}


def packed_finals(orders: Mapping[str, Order]) -> dict[str, bytes]:
    """Final orders as a store keeps them, for ``state_hash``."""
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    return {order_id: encode(order) for order_id, order in orders.items() if order.is_final}
