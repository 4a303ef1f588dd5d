"""A simulated day: real rules, no servers, and time that passes when told to. For stories, drills and what-ifs.

    day = Day(policy)
    day.technician("t1", skills={"plumbing": 3})
    order = day.report("tap leaks", trade="plumbing", room="402")
    day.advance(minutes=2)
    day.act("accept", order, by="t1")

Every batch is audited: a second territory reads what was written, as from the log, and must come to the same state.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from dispatch.invariants import Auditor, check_territory, must, packed_finals
from dispatch.models.commands import Command, decode_command, encode_command
from dispatch.rules.batch import Refusal, decide_batch, retime, state_hash
from dispatch.rules.events import Event
from dispatch.rules.lifecycle import MOVES
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, Order, moment_of, text_of
from dispatch.rules.territory import Territory

START = "2026-03-02T08:00:00Z"
_DESK_FIRST = ("requester", "dispatcher", "shift_leader", "inspector", "quality_monitor", "approver", "acceptor")


class _Lane:
    """One territory, the final orders that its store would keep, and the auditor of its log."""

    def __init__(self, tenant: str, name: str, policy_version: str) -> None:
        self.territory = Territory(tenant, name)
        self.territory.policy_version = policy_version
        self.finals: dict[str, Order] = {}
        self.auditor = Auditor(tenant, name)
        self.batches = 0


class Day:
    """Territories of one policy under simulated time. ``events`` and ``refused`` hold all since the beginning.

    Each call decides at once; inside ``with day.batch():`` what is said is collected into one batch.
    """

    def __init__(
        self, policy: Policy, *, start: str = START, territories: Sequence[str] = (), audit: bool = True
    ) -> None:
        """The territories default to all of the policy; the first is where things happen unless said otherwise."""
        self.policies: dict[str, Policy] = {policy.version: policy}
        self.policy = policy
        self.now = moment_of(start)
        self.audit = audit
        self.events: list[Event] = []
        self.refused: list[Refusal] = []
        names = territories or sorted(policy.territories)
        self.lanes = {name: _Lane(policy.tenant, name, policy.version) for name in names}
        self._home = names[0]
        self._routes: dict[str, str] = {}
        self._numbers = 0
        self._collecting: list[Command] | None = None

    # what happens ---------------------------------------------------------------------------------------------

    def technician(
        self,
        technician_id: str,
        *,
        skills: Mapping[str, int],
        certificates: Sequence[str] = (),
        capacity: int = 3,
        serves: Sequence[str] = (),
        territory: str | None = None,
        hours: float | None = 12,
        version: int = 1,
        **data: Any,
    ) -> str:
        """Put somebody on the roster and, for ``hours`` from now, on shift (None: on no shift)."""
        home = territory or self._home
        self._routes[technician_id] = home
        entry: Data = {
            "id": technician_id,
            "version": version,
            "org_id": "estates",
            "home_territory": home,
            "skills": [{"trade": trade, "level": level} for trade, level in skills.items()],
            "certificates": [{"type": one} for one in certificates],
            "serves": [{"area": area} for area in serves],
            "capacity": {"open": capacity},
            **data,
        }
        with self.batch():
            self.say("technician.updated", entry, to=home)
            if hours is not None:
                self.shift("started", technician_id, self.now, self.now + timedelta(hours=hours))
        return technician_id

    def shift(self, state: str, technician_id: str, start: datetime, end: datetime) -> None:
        """A shift planned, started, ended or missed."""
        data = {"technician_id": technician_id, "start": text_of(start), "end": text_of(end), "role": "member"}
        self.say(f"shift.{state}", data, to=self._routes[technician_id])

    def report(
        self,
        text: str,
        *,
        trade: str | None = None,
        room: str | None = None,
        building: str = "b1",
        urgency: str = "normal",
        by: str = "reporter",
        order_id: str | None = None,
        territory: str | None = None,
        **data: Any,
    ) -> str:
        """A fault is reported and, as intake would have classified it, opened; the id of its order.

        Without a trade the front desk gets it. ``data`` overrides any field of the command.
        """
        home = territory or self._home
        number = self._number()
        found = order_id or f"wo{number}"
        self._routes[found] = home
        place = f"{home}.{building}"
        needs = []
        if trade is not None:
            known = self.policy.trades[trade]
            certificates = list(known.certificates)
            need = {"trade": trade, "min_level": known.min_level, "certificates": certificates, "count": known.count}
            needs = [need]
        opening: Data = {
            "request_id": f"request-{found}",
            "channel": "app",
            "kind": "repair",
            "origin": "reactive",
            "drill": False,
            "reported_at": text_of(self.now),
            "text": text,
            "location": {
                "territory": home,
                "area_id": place,
                "building": building,
                "room": room,
                "area_path": [home, place],
            },
            "requirements": needs,
            "urgency": urgency,
            "needs_triage": trade is None,
            "reporter": {"subject_id": by},
            "classifier": {"source": "story", "confidence": 1.0},
            **data,
        }
        self.say("open", opening, to=home, order_id=found, command_id=f"report:{found}:{number}")
        return found

    def act(
        self,
        action: str,
        order_id: str,
        *,
        by: str,
        role: str | None = None,
        at: datetime | str | None = None,
        action_id: str | None = None,
        **data: Any,
    ) -> str:
        """Somebody does something to an order; the id of the action. ``at`` is when, if keyed in later."""
        performed_at = moment_of(at) if isinstance(at, str) else at or self.now
        said: Data = {
            "work_order_id": order_id,
            "actor": {"id": by, "role": role or self._role(action, by)},
            "performed_at": text_of(performed_at),
            **data,
        }
        if action == "complete":
            said = {"visit_no": 1, "disposition": "fixed", "assignment_id": self._assignment(order_id, by)} | said
        return self.say(
            "act",
            {"action": action, "data": said},
            to=self._route(order_id),
            order_id=order_id,
            at=performed_at,
            command_id=action_id,
        )

    def say(
        self,
        kind: str,
        data: Data,
        *,
        to: str | None = None,
        order_id: str | None = None,
        at: datetime | None = None,
        command_id: str | None = None,
    ) -> str:
        """Have a territory decide any command; its id."""
        found = command_id or f"{self.policy.tenant}:story:{self._number()}"
        command = Command(
            id=found,
            type=kind,
            tenant=self.policy.tenant,
            territory=to or self._home,
            data=data,
            time=text_of(at or self.now),
            order_id=order_id,
        )
        if self._collecting is not None:
            self._collecting.append(command)
        else:
            self._decide([command])
        return found

    @contextmanager
    def batch(self) -> Iterator[None]:
        """What is said inside is decided as one batch, in order."""
        if self._collecting is not None:
            yield
            return
        self._collecting = []
        try:
            yield
        finally:
            commands, self._collecting = self._collecting, None
        self._decide(commands)

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass; every timer on the way fires at the very moment when it is due."""
        self.advance_to(self.now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))

    def advance_to(self, until: datetime) -> None:
        """As ``advance``, up to a moment."""
        while (first := self.next_due()) is not None and first <= until:
            self.now = max(self.now, first)
            self.fire()
        self.now = until

    def next_due(self) -> datetime | None:
        """When the next timer of any territory is due."""
        return min((at for lane in self.lanes.values() for at, _id in lane.territory.timers.values()), default=None)

    def fire(self) -> None:
        """Have due timers decided, as the clock agent would."""
        for name, lane in self.lanes.items():
            due = sorted(timer for timer in lane.territory.timers.values() if timer[0] <= self.now)
            if due:
                timers = [{"id": timer_id, "due_at": text_of(at)} for at, timer_id in due]
                self.say("due", {"timers": timers}, to=name)

    # what is seen ---------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> Order:
        """The order as it is now, wherever it is; KeyError when there is none."""
        lane = self.lanes[self._route(order_id)]
        return lane.territory.orders.get(order_id) or lane.finals[order_id]

    def territory(self, name: str | None = None) -> Territory:
        """A territory's state."""
        return self.lanes[name or self._home].territory

    def types(self, order_id: str | None = None) -> list[str]:
        """The short types of all events (of one order), in order."""
        return [event.type for event in self.told(order_id)]

    def told(self, order_id: str | None = None, kind: str | None = None) -> list[Event]:
        """The events of one order, or of one type, or both."""
        return [
            event
            for event in self.events
            if (order_id is None or event.subject == order_id) and (kind is None or event.type == kind)
        ]

    def last(self, kind: str) -> Event:
        """The last event of a type."""
        return self.told(kind=kind)[-1]

    # how it runs ----------------------------------------------------------------------------------------------

    def _decide(self, commands: Sequence[Command]) -> None:
        waiting = list(commands)
        while waiting:
            name = waiting[0].territory
            mine = [command for command in waiting if command.territory == name]
            waiting = [command for command in waiting if command.territory != name]
            waiting += self._decide_in(self.lanes[name], mine)

    def _decide_in(self, lane: _Lane, commands: Sequence[Command]) -> list[Command]:
        territory = lane.territory
        for command in commands:
            for order_id in command.looks_at():
                if order_id in lane.finals:
                    territory.recalled[order_id] = lane.finals[order_id]
        lane.batches += 1
        position = {"incarnation": "story", "partition": 0, "offset": self._numbers}
        decided = decide_batch(
            territory,
            [decode_command(encode_command(one)) for one in commands],
            self.policies,
            self.now,
            f"batch-{lane.batches}",
            {"dispatch.commands": position},
        )
        self.events += decided.events
        self.refused += decided.refused
        retime(territory)
        for order_id in territory.reopened:
            lane.finals.pop(order_id, None)
        for order in territory.changed_orders.values():
            if order.is_final:
                lane.finals[order.id] = order
        territory.saved()
        if self.audit:
            self._audit(lane, decided.events)
        return [decode_command(encode_command(command)) for command in decided.sent]

    def _audit(self, lane: _Lane, events: Sequence[Event]) -> None:
        lane.auditor.read(events)
        copy = lane.auditor.copy
        ours = state_hash(lane.territory, packed_finals(lane.finals))
        theirs = state_hash(copy, packed_finals(copy.recalled))
        must(ours == theirs, "I8 the log leads to another state")
        check_territory(lane.territory)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _route(self, order_id: str) -> str:
        home = self._routes.get(order_id) or self._routes.get(order_id.partition("-")[0]) or self._home
        lane = self.lanes[home]
        moved = lane.finals.get(order_id)
        return moved.moved_to if moved is not None and moved.moved_to in self.lanes else home

    def _role(self, action: str, by: str) -> str:
        allowed = MOVES[action].roles
        if any(by in lane.territory.technicians for lane in self.lanes.values()) and "technician" in allowed:
            return "technician"
        return next((role for role in _DESK_FIRST if role in allowed), min(allowed))

    def _assignment(self, order_id: str, by: str) -> str:
        legs = self.order(order_id).legs
        mine = [leg for leg in legs if leg.technician_id == by] or [leg for leg in legs if leg.is_active] or legs
        return mine[-1].assignment_id if mine else "none"
