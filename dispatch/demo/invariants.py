"""The design's invariants, checked on what was published: the log is folded anew, event by event."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from aiokafka.structs import ConsumerRecord

from dispatch.agents.wire import read_event
from dispatch.demo.stage import moment
from dispatch.rules.batch import fold_end
from dispatch.rules.events import Event, revive
from dispatch.rules.evolve import fold
from dispatch.rules.lifecycle import transitions
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Leg, Order
from dispatch.rules.state_staff import Technician
from dispatch.rules.territory import Territory


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One thing that should never be: which invariant, and what was seen where."""

    name: str
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.name}: {self.what}"


@dataclass(kw_only=True)
class Folded:
    """What the log says in the end, and what was wrong on the way."""

    territories: dict[str, Territory] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)
    broken: list[Broken] = field(default_factory=list)
    events: int = 0
    raised: set[tuple[str, int, str, int, str]] = field(default_factory=set)
    breached: dict[str, tuple[str, int, str]] = field(default_factory=dict)

    def fail(self, name: str, what: str) -> None:
        """Note a violation."""
        self.broken.append(Broken(name=name, what=what))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One event of an order: the order before and after it, in its territory."""

    policy: Policy
    at: Territory
    event: Event
    before: Order | None
    after: Order


Check = Callable[[Folded, Step], None]
_PAIRS = transitions()


def fold_log(records: Iterable[ConsumerRecord], policy: Policy) -> Folded:
    """Fold ``dispatch.work-orders`` and check each step (I2, I3, I4, I5) and the end (I1, I2, I3)."""
    folded = Folded()
    for record in records:
        event = read_event(record)
        if event is not None:
            _tenant, _colon, name = (record.key or b"").decode().partition(":")
            fold_one(folded, policy, name, event, tenant=_tenant)
    for order in folded.orders.values():
        _accounted(folded, order)
    for breach, (order_id, cycle, clock) in folded.breached.items():
        if not any(one[:3] == (order_id, cycle, clock) and one[4] == breach for one in folded.raised):
            folded.fail("I4", f"{order_id} cycle {cycle}: the breach {breach} of {clock} was never escalated")
    return folded


def fold_one(folded: Folded, policy: Policy, name: str, event: Event, *, tenant: str) -> None:
    """Fold one event of a territory, and check what it did."""
    territory = folded.territories.setdefault(name, Territory(tenant, name))
    if event.sequence <= territory.sequence:
        return
    if event.sequence != territory.sequence + 1 and "abandoned" not in event.data:
        folded.fail("I7", f"{name}: after event {territory.sequence} comes {event.sequence}")
    folded.events += 1
    if event.causation:
        folded.causes.add(event.causation)
    if tenant != policy.tenant:
        folded.fail("I3", f"{name}: an event of the tenant {tenant!r}")
    if event.type == "lane.decided":
        fold_end(territory, event)
        _promised(folded, territory)
        return
    territory.sequence = event.sequence
    event = revive(event)
    before = territory.order(event.subject)
    fold(territory, event)
    after = territory.order(event.subject)
    if after is None:
        return
    folded.orders[after.id] = after
    step = Step(policy=policy, at=territory, event=event, before=before, after=after)
    for check in CHECKS:
        check(folded, step)


def _lifecycle(folded: Folded, step: Step) -> None:
    before, after, event = step.before, step.after, step.event
    if before is None:
        if after.state != "open":
            folded.fail("I5", f"{after.id} began as {after.state}")
    elif before.state != after.state and (before.state, after.state) not in _PAIRS:
        folded.fail("I5", f"{after.id}: {before.state} → {after.state} by {event.type} ({event.sequence})")


def _one_a_place(folded: Folded, step: Step) -> None:
    legs, event = step.after.active_legs(), step.event
    for what, found in (("place", [leg.place for leg in legs]), ("technician", [leg.technician_id for leg in legs])):
        if len(found) != len(set(found)):
            folded.fail("I2", f"{step.after.id}: two active legs of one {what} after {event.type} ({event.sequence})")


def _qualified(folded: Folded, step: Step) -> None:
    at, event, after = step.at, step.event, step.after
    known = {leg.assignment_id for leg in step.before.legs} if step.before else set()
    for leg in after.legs:
        if leg.assignment_id in known:
            continue
        technician = at.technician(leg.technician_id)
        if technician is None:
            folded.fail("I3", f"{leg.assignment_id} went to {leg.technician_id}, whom {at.id} does not know")
        elif why := _lacks(technician, after, leg, event):
            folded.fail("I3", f"{leg.assignment_id} went to {technician.id}, {why} ({event.sequence})")


def _lacks(technician: Technician, order: Order, leg: Leg, event: Event) -> str | None:
    needs = dict(order.places()).get(leg.place)
    if needs is None:
        return f"to a place {leg.place} that the crew has not"
    at = moment(event.time)
    held = {one.type for one in technician.certificates if one.expires is None or one.expires > at}
    level = max((skill.level for skill in technician.skills if skill.trade == needs.trade), default=0)
    if level < needs.min_level:
        return f"whose level in {needs.trade} is {level}, not {needs.min_level}"
    missing = set(needs.certificates) - held
    return f"who lacks {', '.join(sorted(missing))}" if missing else None


def _promised(folded: Folded, territory: Territory) -> None:
    """At the end of a batch: everybody's load is what their legs say, and no more than they can hold."""
    legs: dict[str, set[str]] = {}
    for order in territory.orders.values():
        for leg in order.active_legs():
            legs.setdefault(leg.technician_id, set()).add(leg.assignment_id)
    for technician in territory.technicians.values():
        load = legs.get(technician.id, set())
        if load != set(technician.load):
            folded.fail("I2", f"{technician.id} holds {sorted(load)}, but is said to hold {sorted(technician.load)}")
        if len(load) > technician.capacity_open:
            folded.fail("I3", f"{technician.id} holds {len(load)} of {technician.capacity_open} ({territory.sequence})")


def _on_the_ladder(folded: Folded, step: Step) -> None:
    before, at, event = step.before, step.at, step.event
    if before is None:
        return
    if event.type == "clock.breached":
        for changed in event.data["clocks"]:
            _breached(folded, f"{at.tenant}:{at.id}:{event.sequence}", before, changed, event)
    elif event.type == "escalation.raised" and event.data.get("cause") == "breached":
        _climbed(folded, step.policy, before, event)
    elif event.type == "work-order.corrected":
        folded.breached.pop(event.data["supersedes"], None)
    for clock in step.after.clocks.values():
        old = before.clocks.get(clock.name)
        if old is not None and old.breach_event and clock.breach_event != old.breach_event:
            folded.breached.pop(old.breach_event, None)


def _breached(folded: Folded, event_id: str, before: Order, changed: Clock, event: Event) -> None:
    clock = before.clocks[changed.name]
    where = f"{before.id} cycle {before.cycle} {clock.name} ({event.sequence})"
    if clock.state != "running":
        folded.fail("I4", f"{where} broke although it was {clock.state}")
    if moment(event.time) < clock.due_at:
        folded.fail("I4", f"{where} broke at {event.time}, before it was due at {clock.due_at}")
    folded.breached[event_id] = (before.id, before.cycle, clock.name)


def _climbed(folded: Folded, policy: Policy, before: Order, event: Event) -> None:
    data = event.data
    clock = before.clocks[data["clock"]]
    where = f"{before.id} cycle {before.cycle} {clock.name} level {data['level']} ({event.sequence})"
    if clock.state != "running" or clock.breached_at is None:
        folded.fail("I4", f"{where} was escalated although its clock was {clock.state}")
        return
    key = (before.id, before.cycle, clock.name, int(data["level"]), clock.breach_event or "")
    if key in folded.raised:
        folded.fail("I4", f"{where} was escalated twice for one breach")
    folded.raised.add(key)
    rungs = [rung for rung in policy.rungs(clock.ladder) if rung.level == data["level"]]
    due_at = clock.breached_at + timedelta(seconds=rungs[0].after_s) if rungs else None
    if due_at is None or moment(data["fired_at"]) < due_at:
        folded.fail("I4", f"{where} was escalated at {data['fired_at']}, due at {due_at}")


def _accounted(folded: Folded, order: Order) -> None:
    if order.is_final:
        return
    if not order.owner.id or not any(clock.is_live for clock in order.clocks.values()):
        clocks = {name: clock.state for name, clock in order.clocks.items()}
        folded.fail("I1", f"{order.id} is {order.state}, owned by {order.owner.id!r}, with clocks {clocks}")


CHECKS: Sequence[Check] = (_lifecycle, _one_a_place, _qualified, _on_the_ladder)
