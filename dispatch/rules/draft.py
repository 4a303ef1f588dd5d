"""The draft of one decision: events are emitted one after another, each folded at once, nothing outside changes."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules import clocks
from dispatch.rules.events import Event
from dispatch.rules.evolve import fold
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Data, Done, Escalation, Order, Stopped, moment_of, text_of, whole_ms
from dispatch.rules.state_staff import Technician
from dispatch.rules.territory import Territory


class Draft:
    """What one command (or one round of matching) leads to, on top of a territory that stays as it is.

    ``repeated`` is set when the input had its effect before. ``sent`` are commands to other territories.
    """

    def __init__(
        self, territory: Territory, policies: Mapping[str, Policy], now: datetime, command: Command | None = None
    ) -> None:
        """An empty draft; the territory's active policy decides what is new."""
        self.territory = territory
        self.policies = policies
        self.policy = policies[territory.policy_version]
        self.now = whole_ms(now)
        self.now_text = text_of(self.now)
        self.command = command
        self.causation = command.id if command else None
        self.fact_at: datetime | None = None
        self.events: list[Event] = []
        self.sent: list[Command] = []
        self.repeated = False
        self.opened = territory.opened
        self.orders: dict[str, Order] = {}
        self.technicians: dict[str, Technician] = {}
        self.recent: dict[str, Done | None] = {}

    def order(self, order_id: str) -> Order | None:
        """The order as the draft has it."""
        return self.orders.get(order_id) or self.territory.order(order_id)

    def technician(self, technician_id: str) -> Technician | None:
        """The technician as the draft has them."""
        return self.technicians.get(technician_id) or self.territory.technician(technician_id)

    def put_order(self, order: Order) -> None:
        """Keep the changed order in the draft."""
        self.orders[order.id] = order

    def put_technician(self, technician: Technician) -> None:
        """Keep the changed technician in the draft."""
        self.technicians[technician.id] = technician

    def recent_at(self, key: str) -> Done | None:
        """The work that was done last at a key, as the draft has it."""
        return self.recent[key] if key in self.recent else self.territory.recent_at(key)

    def put_recent(self, key: str, done: Done | None) -> None:
        """Keep in the draft what is to be remembered, or forgotten."""
        self.recent[key] = done

    def known(self, order_id: str) -> Order:
        """The order; Rejected ``unknown-order`` when this territory never had it."""
        order = self.order(order_id)
        if order is None:
            raise Rejected("unknown-order", f"no work order {order_id}", "work_order_id")
        return order

    def policy_of(self, order: Order) -> Policy:
        """The policy frozen into the order when it opened; the active one when that is no longer known."""
        return self.policies.get(order.policy_version, self.policy)

    @property
    def next_sequence(self) -> int:
        """The number that the next event gets."""
        return self.territory.sequence + len(self.events) + 1

    def emit(self, short: str, subject: str, data: Data, *, at: datetime | None = None) -> Event:
        """Add an event and fold it. ``at`` is when it happened (default: now)."""
        order = self.orders.get(subject) or self.territory.order(subject)
        command = self.command
        events = self.events
        event = Event(
            sequence=self.territory.sequence + len(events) + 1,
            type=short,
            subject=subject,
            time=text_of(at) if at is not None else self.now_text,
            data=data,
            correlation=order.request_id if order else (command.correlation if command else None),
            causation=self.causation,
            policy_version=order.policy_version if order else self.policy.version,
            traceparent=command.traceparent if command else (order.traceparent if order else None),
        )
        events.append(event)
        fold(self, event, order)
        return event

    def tell(self, short: str, order: Order, data: Data, *, at: datetime | None = None) -> Order:
        """Emit an event about an order, with its id and cycle in the data; the order as it is afterwards."""
        order_id = order.id
        self.emit(short, order_id, {"work_order_id": order_id, "cycle": order.cycle, **data}, at=at)
        return self.orders.get(order_id, order)

    def send(self, territory: str, kind: str, order: Order, data: Data) -> None:
        """Ask another territory's lane for something about an order."""
        origin = self.territory
        command = Command(
            id=f"{origin.tenant}:{origin.id}:{self.next_sequence - 1}:{kind}",
            type=kind,
            tenant=origin.tenant,
            territory=territory,
            data=data,
            time=self.now_text,
            order_id=order.id,
            correlation=order.request_id,
            traceparent=order.traceparent,
        )
        self.forward(territory, command)

    def forward(self, territory: str, command: Command) -> None:
        """Pass a command on. It carries the number of the event just emitted, by which a receiver drops repeats."""
        sequence = self.next_sequence - 1
        self.sent.append(replace(command, territory=territory, sender=self.territory.id, sender_sequence=sequence))

    def commit(self) -> None:
        """Put what the draft changed into its territory."""
        territory = self.territory
        for technician in self.technicians.values():
            territory.put_technician(technician)
        for order in self.orders.values():
            territory.put_order(order)
        for key, done in self.recent.items():
            territory.put_recent(key, done)
        territory.opened = self.opened
        territory.sequence += len(self.events)


Disproved = list[tuple[str, str]]
"""Clocks of which a breach was announced that did not happen, each with the id of that event."""


def stop_clocks(draft: Draft, order: Order, names: Iterable[str], fact_at: datetime) -> tuple[list[Stopped], Disproved]:
    """The named clocks as a fact stops them, for the fact's own event, and the breaches that it disproves.

    A clock that a later fact has stopped as broken is judged again: facts come in late and out of order.
    """
    policy = draft.policy_of(order)
    stopped: list[Stopped] = []
    for name in names:
        clock = order.clocks.get(name)
        if clock is None:
            continue
        late = clock.verdict == "breached" and clock.stopped_at is not None and fact_at < clock.stopped_at
        if clock.is_live or late:
            stopped.append(clocks.stop(policy, clock, fact_at))
    return stopped, disproved(order, stopped)


def disproved(order: Order, changed: Iterable[Clock | Stopped]) -> Disproved:
    """The breaches that changed clocks no longer have."""
    known = order.clocks
    return [
        (old.name, old.breach_event)
        for clock in changed
        if (old := known.get(clock.name)) is not None and old.breach_event and not _is_broken(clock)
    ]


def _is_broken(clock: Clock | Stopped) -> bool:
    return clock.verdict != "met" if isinstance(clock, Stopped) else clock.breach_event is not None


def settle_clocks(draft: Draft, order: Order, stopped: list[Stopped], wrong: Disproved) -> Order:
    """Say what the stopped clocks mean, once the fact's own event has carried them: corrected, all quiet."""
    if wrong:
        order = correct(draft, order, wrong, "late_fact")
    if order.escalations:
        names = {clock.name for clock in stopped}
        order = end_escalations(draft, order, lambda escalation: escalation.clock in names)
    return order


def correct(draft: Draft, order: Order, wrong: Disproved, reason: str) -> Order:
    """Take back breaches that were announced: each correction names the event that it supersedes."""
    for name, event_id in wrong:
        clock = order.clocks[name]
        data = {
            "clock": name,
            "supersedes": event_id,
            "verdict_before": "breached",
            "verdict_after": clock.verdict,
            "verdict_revision": clock.verdict_revision,
            "reason": reason,
            "clocks": [verdict_facts(clock)],
        }
        order = draft.tell("work-order.corrected", order, data)
    return order


def verdict_facts(clock: Clock, stopped: Stopped | None = None) -> Data:
    """A clock as a KPI reads it: the promise, the time spent, and the verdict; pauses and the like if there were any.

    ``stopped`` is how a fact stops it that has not been told yet.
    """
    now = stopped or clock
    ended, started = now.stopped_at, clock.started_at
    facts: Data = {
        "name": clock.name,
        "target_s": clock.target_s,
        "due_at_original": text_of(clock.due_at_original),
        "due_at_current": text_of(clock.due_at),
        "wall_s": (int((ended - started).total_seconds()) if ended > started else 0) if ended else None,
        "working_s": now.elapsed_s,
        "verdict": now.verdict,
    }
    if now.paused_s:
        facts["paused_s"] = now.paused_s
    if clock.extended_s:
        facts["extended_s"] = clock.extended_s
    if now.verdict_revision:
        facts["verdict_revision"] = now.verdict_revision
    return facts


def end_escalations(draft: Draft, order: Order, which: Callable[[Escalation], bool] = lambda _one: True) -> Order:
    """Resolve the open escalations that the predicate accepts (default: all)."""
    for escalation in order.escalations:
        if which(escalation):
            data = {"escalation_id": escalation.id, "clock": escalation.clock, "level": escalation.level}
            order = draft.tell("escalation.resolved", order, data)
    return order


def change_clocks(draft: Draft, order: Order, short: str, changed: list[Clock], reason: str) -> Order:
    """Emit ``clock.paused`` and its like for the clocks that did change."""
    if not changed:
        return order
    return draft.tell(short, order, {"clocks": changed, "reason": reason})


def cancel_clocks(draft: Draft, order: Order, reason: str) -> Order:
    """End every live clock without a verdict."""
    live = [clocks.cancel(clock, draft.now) for clock in order.clocks.values() if clock.is_live]
    return change_clocks(draft, order, "clock.cancelled", live, reason)


def fact_time(draft: Draft, data: Data) -> datetime:
    """When the reported thing was done: ``performed_at``, never later than now."""
    if draft.fact_at is not None:
        return draft.fact_at
    performed = data.get("performed_at") or (draft.command.time if draft.command else None)
    return min(moment_of(performed), draft.now) if performed else draft.now
