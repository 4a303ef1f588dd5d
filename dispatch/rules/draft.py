"""The draft of one decision: events are emitted one after another, each folded at once, nothing outside changes."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules import clocks
from dispatch.rules.events import Event
from dispatch.rules.evolve import fold
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Data, Order, Technician, moment_of, text_of
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
        self.now = now
        self.now_text = text_of(now)
        self.command = command
        self.causation = command.id if command else None
        self.events: list[Event] = []
        self.sent: list[Command] = []
        self.repeated = False
        self.opened = territory.opened
        self.orders: dict[str, Order] = {}
        self.technicians: dict[str, Technician] = {}

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

    def known(self, order_id: str) -> Order:
        """The order; Rejected ``unknown-order`` when this territory never had it."""
        order = self.order(order_id)
        if order is None:
            raise Rejected("unknown-order", f"no work order {order_id}", "work_order_id")
        return order

    def policy_of(self, order: Order) -> Policy:
        """The policy frozen into the order when it opened; the active one when that is no longer known."""
        return self.policies.get(order.policy_version, self.policy)

    def emit(self, short: str, subject: str, data: Data, *, at: datetime | None = None) -> Event:
        """Add an event and fold it. ``at`` is when it happened (default: now)."""
        order = self.orders.get(subject) or self.territory.order(subject)
        command = self.command
        event = Event(
            sequence=self.territory.sequence + len(self.events) + 1,
            type=short,
            subject=subject,
            time=text_of(at) if at else self.now_text,
            data=data,
            correlation=order.request_id if order else (command.correlation if command else None),
            causation=self.causation,
            policy_version=order.policy_version if order else self.policy.version,
            traceparent=command.traceparent if command else (order.traceparent if order else None),
        )
        self.events.append(event)
        fold(self, event)
        return event

    def tell(self, short: str, order: Order, data: Data, *, at: datetime | None = None) -> Order:
        """Emit an event about an order, with its id and cycle in the data; the order as it is afterwards."""
        self.emit(short, order.id, {"work_order_id": order.id, "cycle": order.cycle, **data}, at=at)
        return self.known(order.id)

    def send(self, territory: str, kind: str, order: Order, data: Data) -> None:
        """Ask another territory's lane for something about an order."""
        origin = self.territory
        command = Command(
            id=f"{origin.tenant}:{origin.id}:{origin.sequence + len(self.events)}:{kind}",
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
        """Pass a command on. It carries the sequence of the event just emitted, by which the receiver drops repeats."""
        sequence = self.territory.sequence + len(self.events)
        self.sent.append(replace(command, territory=territory, sender=self.territory.id, sender_sequence=sequence))

    def commit(self) -> None:
        """Put what the draft changed into its territory."""
        territory = self.territory
        for technician in self.technicians.values():
            territory.put_technician(technician)
        for order in self.orders.values():
            territory.put_order(order)
        territory.opened = self.opened
        territory.sequence += len(self.events)


def stop_clocks(draft: Draft, order: Order, names: tuple[str, ...], fact_at: datetime) -> tuple[list[Clock], list[str]]:
    """The named live clocks stopped by a fact, for the fact's own event, and the ids of breaches now disproved."""
    policy = draft.policy_of(order)
    stopped: list[Clock] = []
    disproved: list[str] = []
    for name in names:
        clock = order.clocks.get(name)
        if clock is None or not clock.is_live:
            continue
        ended = clocks.stop(policy, clock, fact_at)
        stopped.append(ended)
        if ended.verdict == "met" and clock.breach_event:
            disproved.append(name)
    return stopped, disproved


def settle_clocks(draft: Draft, order: Order, stopped: list[Clock], disproved: list[str]) -> Order:
    """Say what the stopped clocks mean: met, breached (never announced before), corrected, escalations over."""
    for clock in stopped:
        if clock.verdict == "breached" and clock.breach_event is None:
            _announce_late(draft, order, clock)
    met = [clock for clock in stopped if clock.verdict == "met"]
    if met:
        order = draft.tell("clock.met", order, {"clocks": met})
    for name in disproved:
        clock = order.clocks[name]
        before = {"clock": name, "supersedes": clock.breach_event, "verdict_before": "breached"}
        after = {"verdict_after": "met", "verdict_revision": clock.verdict_revision, "reason": "late_fact"}
        order = draft.tell("work-order.corrected", order, before | after)
    names = {clock.name for clock in stopped}
    return end_escalations(draft, order, lambda name: name in names)


def _announce_late(draft: Draft, order: Order, clock: Clock) -> None:
    """A breach that the clock agent had no time to announce, because the fact came first."""
    draft.tell("clock.breached", order, {"clocks": [clock]}, at=clock.due_at)


def end_escalations(draft: Draft, order: Order, which: Callable[[str | None], bool]) -> Order:
    """Resolve the open escalations whose clock the predicate accepts."""
    for escalation in order.escalations:
        if which(escalation.clock):
            data = {"escalation_id": escalation.id, "clock": escalation.clock, "level": escalation.level}
            order = draft.tell("escalation.resolved", order, data)
    return order


def change_clocks(draft: Draft, order: Order, short: str, changed: list[Clock], reason: str) -> Order:
    """Emit ``clock.paused`` and its like for the clocks that did change."""
    if not changed:
        return order
    return draft.tell(short, order, {"clocks": changed, "reason": reason})


def fact_time(draft: Draft, data: Data) -> datetime:
    """When the reported thing was done: ``performed_at``, never later than now."""
    performed = data.get("performed_at") or (draft.command.time if draft.command else None)
    return min(moment_of(performed), draft.now) if performed else draft.now
