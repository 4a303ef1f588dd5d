"""Anything may happen at any time: after each batch the invariants hold, and the log leads to the same state.

Random people do random things to random orders in two territories while time passes. `Day` audits every batch
(I1 to I5, I8, the contract); here it is also checked that nothing is ever refused for a fault of ours.
"""

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatch.rules.lifecycle import MOVES
from dispatch.rules.state import text_of
from dispatch.testing import Day
from tests.rules.small_policy import small_policy

TECHNICIANS = {
    "ann": {"plumbing": 3, "cleaning": 1},
    "bob": {"plumbing": 2, "moving": 2},
    "cat": {"electrical": 4, "plumbing": 1, "moving": 1},
    "dan": {"moving": 3, "cleaning": 2},
}
SOUTH = {"eve": {"plumbing": 3, "electrical": 2}, "fay": {"plumbing": 1, "moving": 1}}
TRADES = ("plumbing", "electrical", "moving", "cleaning")
URGENCIES = ("emergency", "urgent", "normal", "low")
PEOPLE = [*TECHNICIANS, *SOUTH, "reporter", "desk"]
REASONS = ("parts", "reporter", "unsafe", "nonsense")
POLICY = small_policy()

people = st.sampled_from(PEOPLE)
trades = st.sampled_from(TRADES)
maybe = st.booleans()
minutes = st.sampled_from((0, 1, 4, 5, 7, 20, 31, 90, 120, 240, 601, 1500, 5000))
late_minutes = st.sampled_from((0, 0, 0, 1, 6, 25, 90, 700))
WORK = sorted(name for name, move in MOVES.items() if "technician" in move.roles)
OTHERS = sorted(MOVES)


class AnyDay(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.day = Day(POLICY)
        self.orders = []
        self.versions = 1
        self.said = []

    @initialize()
    def people_come_to_work(self):
        with self.day.batch():
            for name, skills in TECHNICIANS.items():
                self.day.technician(name, skills=skills, certificates=("licence",), capacity=2, hours=60)
        with self.day.batch():
            for name, skills in SOUTH.items():
                self.day.technician(
                    name, skills=skills, certificates=("licence",), capacity=2, hours=60, territory="south"
                )

    @rule(
        trade=st.one_of(st.none(), trades),
        room=st.sampled_from((None, "1", "2")),
        urgency=st.sampled_from(URGENCIES),
        ago=late_minutes,
        due=st.sampled_from((None, -30, 45)),
        territory=st.sampled_from(("north", "north", "south")),
        drill=st.sampled_from((False, False, True)),
    )
    def somebody_reports(self, trade, room, urgency, ago, due, territory, drill):
        reported_at = self.day.now - timedelta(minutes=ago)
        order = self.day.report(
            "something",
            trade=trade,
            room=room,
            urgency=urgency,
            territory=territory,
            drill=drill,
            reported_at=text_of(reported_at),
            by=f"subject-{len(self.orders)}",
            due_at=text_of(self.day.now + timedelta(minutes=due)) if due is not None else None,
        )
        self.orders.append(order)

    @rule(delta=minutes)
    def time_passes(self, delta):
        self.day.advance(minutes=delta)

    @rule(delta=minutes)
    def time_passes_while_the_lane_is_down(self, delta):
        self.day.now += timedelta(minutes=delta)
        self.day.fire()

    @rule(delta=minutes)
    def time_passes_before_anybody_looks(self, delta):
        self.day.now += timedelta(minutes=delta)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), action=st.sampled_from(WORK), ago=late_minutes)
    def whoever_has_it_does_something(self, data, action, ago):
        order_id = data.draw(st.sampled_from(self.orders))
        legs = self.day.order(order_id).active_legs()
        who = data.draw(st.sampled_from([leg.technician_id for leg in legs])) if legs else "ann"
        self._act(data, action, order_id, who, "technician", ago)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), action=st.sampled_from(OTHERS), who=people, ago=late_minutes)
    def anybody_does_something(self, data, action, who, ago):
        order_id = data.draw(st.sampled_from(self.orders))
        role = data.draw(st.sampled_from(sorted(MOVES[action].roles)))
        self._act(data, action, order_id, who, role, ago)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), ago=late_minutes)
    def somebody_does_what_the_state_allows(self, data, ago):
        order_id = data.draw(st.sampled_from(self.orders))
        order = self.day.order(order_id)
        action = data.draw(st.sampled_from(sorted(name for name, move in MOVES.items() if order.state in move.states)))
        legs = order.active_legs()
        if legs and "technician" in MOVES[action].roles and data.draw(maybe):
            self._act(data, action, order_id, legs[0].technician_id, "technician", ago)
            return
        roles = MOVES[action].roles - {"technician"} or MOVES[action].roles
        self._act(data, action, order_id, "desk", data.draw(st.sampled_from(sorted(roles))), ago)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), ago=late_minutes)
    def an_order_goes_its_usual_way(self, data, ago):
        order_id = data.draw(st.sampled_from(self.orders))
        order = self.day.order(order_id)
        legs = order.active_legs()
        if legs:
            leg = data.draw(st.sampled_from(legs))
            steps = {"offered": "accept", "assigned": "accept", "accepted": "arrive", "on_hold": "resume"}
            action = steps.get(leg.state, "complete")
            self._act(data, action, order_id, leg.technician_id, "technician", ago)
        elif order.state == "completed":
            action = data.draw(st.sampled_from(("confirm", "reject_work")))
            self._act(data, action, order_id, "reporter", "requester", ago)
        elif order.state in {"closed", "refused"}:
            self._act(data, "reopen", order_id, "reporter", "front_desk", 0)
        elif order.state == "merged":
            self._act(data, "unmerge", order_id, "desk", "dispatcher", 0)
        elif order.state == "on_hold":
            self._act(data, "resume", order_id, "desk", "dispatcher", ago)
        elif order.needs_triage:
            self._act(data, "reclassify", order_id, "desk", "front_desk", ago)

    def _act(self, data, action, order_id, who, role, ago):
        fields = self._fields(data, action, order_id)
        at = self.day.now - timedelta(minutes=ago)
        action_id = self.day.act(action, order_id, by=who, role=role, at=at, **fields)
        self.said.append((action_id, action, order_id, who, role, at, fields))

    def _fields(self, data, action, order_id):
        draw = data.draw
        until = text_of(self.day.now + timedelta(minutes=draw(st.sampled_from((-10, 10, 100, 2000)))))
        technician = draw(st.sampled_from([*TECHNICIANS, *SOUTH]))
        territory = draw(st.sampled_from(("north", "south")))
        other = draw(st.sampled_from(self.orders))
        place = {
            "territory": territory,
            "area_id": f"{territory}.b2",
            "building": "b2",
            "room": "9",
            "area_path": [territory, f"{territory}.b2"],
        }
        fields = {
            "hold": {
                "reason": draw(st.sampled_from(REASONS)),
                "expected_resume_at": draw(st.sampled_from((None, until))),
            },
            "no_access": {"reason": draw(st.sampled_from((None, "parts")))},
            "transfer": {"to": technician},
            "handover": {"to": technician},
            "request_help": {"trade": draw(trades), "count": draw(st.sampled_from((None, 2)))},
            "uplift": {"job_class": "major"},
            "rate": {"dimensions": {"quality": 5}},
            "amend": {"text": "more words", "resolved_location": draw(st.sampled_from((None, place)))},
            "reclassify": {
                "trade": draw(st.one_of(st.none(), trades)),
                "urgency": draw(st.one_of(st.none(), st.sampled_from(URGENCIES))),
            },
            "relocate": {"resolved_location": place},
            "split": {"parts": [{"trade": draw(trades)}, {"urgency": "low"}]},
            "merge": {"into": other},
            "assign": {"to": technician},
            "reassign": {"to": draw(st.one_of(st.none(), st.just(technician)))},
            "preempt": {"to": technician, "instead_of": draw(st.sampled_from((None, other)))},
            "request_extension": {"until": until},
            "grant_extension": {
                "until": draw(st.sampled_from((None, until))),
                "clock": draw(st.sampled_from((None, "accept", "confirm"))),
            },
            "decide_approval": {"decision": "approved"},
            "acknowledge": {"until": draw(st.sampled_from((None, until)))},
        }.get(action, {})
        if action == "split":
            self.orders += [f"{order_id}-{number}" for number in (1, 2)]
            fields = fields if not self._exists(f"{order_id}-1") else {"parts": [{"trade": "plumbing"}]}
        return {name: value for name, value in fields.items() if value is not None}

    def _exists(self, order_id):
        try:
            self.day.order(order_id)
        except KeyError:
            return False
        return True

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def something_is_sent_again(self, data):
        action_id, action, order_id, who, role, at, fields = data.draw(st.sampled_from(self.said))
        handled = action_id in self.day.order(order_id).handled
        before = len(self.day.events)
        self.day.act(action, order_id, by=who, role=role, at=at, action_id=action_id, **fields)
        told = {event.type for event in self.day.events[before:] if event.causation == action_id}
        assert not handled or not told - {"work-order.updated"}

    @rule(
        who=st.sampled_from([*TECHNICIANS, *SOUTH]),
        capacity=st.sampled_from((0, 1, 3)),
        what=st.sampled_from(("update", "update", "remove", "end", "plan", "plan", "position")),
    )
    def the_roster_changes(self, who, capacity, what):
        day, home = self.day, "south" if who in SOUTH else "north"
        self.versions += 1
        if what == "update":
            skills = (TECHNICIANS | SOUTH)[who]
            day.technician(
                who, skills=skills, certificates=("licence",), capacity=capacity, territory=home, version=self.versions
            )
        elif what == "remove":
            day.say("technician.removed", {"id": who, "version": self.versions}, to=home)
        elif what == "end":
            day.say("shift.ended", {"technician_id": who}, to=home)
        elif what == "plan":
            start = day.now + timedelta(minutes=30)
            day.shift("planned", who, start, start + timedelta(hours=8))
        else:
            data = {"technician_id": who, "measured_at": text_of(day.now), "lat": 1.0, "lon": 2.0}
            day.say("position.reported", data, to=home)

    @invariant()
    def nothing_is_our_fault(self):
        ours = [refusal for refusal in self.day.refused if refusal.ours]
        assert not ours, [(one.command.data, one.errors) for one in ours]

    @invariant()
    def every_order_can_be_found(self):
        self.orders = [order_id for order_id in dict.fromkeys(self.orders) if self._exists(order_id)]


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(
    max_examples=int(os.environ.get("DISPATCH_EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
