"""The lifecycle of a work order as one table: who may do what in which state, and where it leads.

The diagram in ``docs/lifecycle.md`` is drawn from this table. ``to`` is the state that follows when it is always
the same; where it depends on the crew or on the past, it is written as a word in angle brackets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dispatch.errors import Rejected
from dispatch.rules.state import Leg, Order

DESK = frozenset({"dispatcher", "front_desk", "shift_leader", "supervisor", "vendor_dispatcher"})
LEADERS = frozenset({"dispatcher", "shift_leader", "supervisor"})
FIELD = DESK | {"technician", "proxy"}
REPORTER = frozenset({"requester", "proxy", "front_desk", "system"})
ACCEPTORS = REPORTER | {"acceptor", "inspector", "quality_monitor"}
ANYONE = FIELD | REPORTER | ACCEPTORS | {"approver", "storekeeper", "auditor"}

GIVEN = frozenset({"assigned", "accepted", "en_route", "in_progress", "on_hold"})
WORKING = GIVEN | {"offered", "open"}
OPEN = WORKING | {"awaiting_approval", "completed"}
DONE = frozenset({"completed", "confirmed", "closed"})
FINAL = frozenset({"closed", "cancelled", "refused", "merged"})
ALL = OPEN | DONE | FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row: the roles that may act, the states it starts from, the state it leads to.

    ``late`` are states in which the same report is still taken as a late fact that changes no state.
    """

    roles: frozenset[str]
    states: frozenset[str]
    to: str
    late: frozenset[str] = frozenset()


def _move(roles: frozenset[str], states: Iterable[str], to: str, late: Iterable[str] = ()) -> Move:
    return Move(roles=roles, states=frozenset(states), to=to, late=frozenset(late))


SAME = "<same>"
CREW = "<as the crew stands>"

MOVES: dict[str, Move] = {
    # of the work
    "accept": _move(FIELD, {"offered", *GIVEN}, CREW, late=DONE),
    "decline": _move(FIELD, {"offered", *GIVEN}, CREW),
    "return_order": _move(FIELD, GIVEN, CREW),
    "transfer": _move(FIELD, GIVEN, CREW),
    "depart": _move(FIELD, GIVEN, CREW, late=DONE),
    "arrive": _move(FIELD, GIVEN, CREW, late=DONE),
    "no_access": _move(FIELD, GIVEN - {"on_hold"}, "on_hold"),
    "start": _move(FIELD, GIVEN - {"on_hold"}, CREW, late={"on_hold", *DONE}),
    "make_safe": _move(FIELD, GIVEN, SAME, late=DONE),
    "hold": _move(FIELD, {"open", "offered", *GIVEN} - {"on_hold"}, "on_hold"),
    "resume": _move(FIELD, {"on_hold"}, CREW),
    "request_help": _move(FIELD, GIVEN, SAME),
    "uplift": _move(FIELD, GIVEN, SAME),
    "complete": _move(FIELD, GIVEN, "completed"),
    "handover": _move(FIELD, GIVEN, SAME),
    "accept_handover": _move(FIELD, GIVEN, CREW),
    "contact_attempted": _move(FIELD, OPEN, SAME),
    # of the reporter
    "confirm": _move(ACCEPTORS, {"completed"}, "closed"),
    "reject_work": _move(ACCEPTORS, {"completed"}, "open"),
    "rate": _move(REPORTER, DONE, SAME),
    "reopen": _move(ACCEPTORS | DESK, {"closed", "refused"}, "open"),
    "urge": _move(REPORTER | DESK, OPEN, SAME),
    "amend": _move(REPORTER | DESK, OPEN - {"completed"}, SAME),
    "reschedule": _move(REPORTER | DESK, OPEN - {"completed"}, SAME),
    "cancel": _move(REPORTER | DESK, OPEN - {"completed"}, "cancelled"),
    "appeal": _move(REPORTER, {"refused", "merged"}, SAME),
    # of the desk
    "reclassify": _move(DESK, WORKING, CREW),
    "relocate": _move(DESK, WORKING, CREW),
    "split": _move(DESK, WORKING, SAME),
    "merge": _move(DESK, {"open", "offered", "assigned", "accepted"}, "merged"),
    "unmerge": _move(DESK, {"merged", "open"}, "open"),
    "assign": _move(DESK, WORKING - {"on_hold"}, CREW),
    "reassign": _move(DESK, WORKING - {"on_hold"}, CREW),
    "preempt": _move(LEADERS, WORKING - {"on_hold"}, CREW),
    "refuse": _move(DESK, {"open", "offered", "awaiting_approval"}, "refused"),
    "request_extension": _move(FIELD, WORKING, SAME),
    "grant_extension": _move(LEADERS | {"approver"}, WORKING, SAME),
    "deny_extension": _move(LEADERS | {"approver"}, WORKING, SAME),
    "request_approval": _move(FIELD, WORKING, "awaiting_approval"),
    "decide_approval": _move(LEADERS | {"approver"}, {"awaiting_approval"}, CREW),
    "acknowledge": _move(DESK | {"quality_monitor", "technician"}, OPEN | {"refused", "merged"}, SAME),
    "escalate": _move(FIELD | REPORTER | {"quality_monitor"}, OPEN, SAME),
    "investigate": _move(DESK | {"quality_monitor"}, {"open"}, SAME),
    "answer": _move(DESK | {"quality_monitor"}, {"open"}, "completed"),
    "inspect": _move(DESK | {"inspector", "quality_monitor"}, ALL, SAME),
    "follow_up": _move(DESK | {"quality_monitor"}, DONE, SAME),
    "note": _move(ANYONE, ALL, SAME),
    "close": _move(DESK | {"quality_monitor"}, {"completed", "confirmed"}, "closed"),
}

BY_ITSELF: tuple[tuple[str, str, str], ...] = (
    ("open", CREW, "a round of matching offers or gives its places"),
    ("offered", "open", "everybody who was asked stayed silent"),
    ("completed", "confirmed", "the reporter stayed silent (auto-confirmed)"),
    ("confirmed", "closed", "always at once"),
)
"""What happens without a person: from, to, and why."""

LEG_TO_ORDER = {
    "offered": "offered",
    "assigned": "assigned",
    "accepted": "accepted",
    "en_route": "en_route",
    "arrived": "en_route",
    "in_progress": "in_progress",
    "on_hold": "on_hold",
}
_RANK = {state: rank for rank, state in enumerate(LEG_TO_ORDER.values())}
LEG_RANK = {state: rank for rank, state in enumerate(LEG_TO_ORDER)}
CREW_STATES = frozenset({"open", *LEG_TO_ORDER.values()})
KEPT_STATES = frozenset({"on_hold", "awaiting_approval", "completed", "confirmed", *FINAL})
"""States that do not follow from the crew: they stay when a leg moves."""


def transitions() -> frozenset[tuple[str, str]]:
    """Every pair of different states that may follow each other (I5), as the tables say."""
    pairs = {("completed", "confirmed"), ("confirmed", "closed")}
    for move in MOVES.values():
        for state in move.states:
            if move.to == CREW:
                pairs |= {(state, to) for to in CREW_STATES}
            elif move.to != SAME:
                pairs.add((state, move.to))
    return frozenset((before, after) for before, after in pairs if before != after)


def authorise(action: str, role: str) -> None:
    """Rejected ``unknown-action`` or ``role-not-allowed``: what can be said without knowing the order."""
    move = MOVES.get(action)
    if move is None:
        raise Rejected("unknown-action", f"no action {action!r}", "type")
    if role not in move.roles:
        allowed = ", ".join(sorted(move.roles))
        raise Rejected("role-not-allowed", f"{role} may not {action}; allowed: {allowed}", "actor.role")


def permit(action: str, role: str, order: Order) -> bool:
    """Whether the action changes the state (True) or comes as a late fact (False); Rejected when neither."""
    authorise(action, role)
    move = MOVES[action]
    if order.state in move.states:
        return True
    if order.state in move.late:
        return False
    allowed = ", ".join(sorted(move.states | move.late))
    raise Rejected("not-in-this-state", f"cannot {action} an order that is {order.state}; allowed: {allowed}")


def crew_state(legs: Iterable[Leg]) -> str:
    """The order's state as its crew stands: that of the leg that is furthest; ``open`` without one."""
    furthest, state = -1, "open"
    for leg in legs:
        reached = LEG_TO_ORDER.get(leg.state)  # None once the leg is over
        if reached is not None and _RANK[reached] > furthest:
            furthest, state = _RANK[reached], reached
    return state
