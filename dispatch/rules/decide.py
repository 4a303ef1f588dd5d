"""The front door of the rules: one command and the state it meets, into the events that follow from it."""

from collections.abc import Callable, Mapping
from datetime import datetime

from dispatch.errors import Rejected
from dispatch.models.commands import Command
from dispatch.rules.advising import advised
from dispatch.rules.completing import complete
from dispatch.rules.desk_moves import DESK_MOVES
from dispatch.rules.desk_words import DESK_WORDS
from dispatch.rules.draft import Draft, fact_time
from dispatch.rules.escalating import catch_up, fire_due
from dispatch.rules.holds import HOLD_ACTIONS
from dispatch.rules.incidents import FREEING, follow_lead, leads, leave
from dispatch.rules.letters import LETTER_ACTIONS, refuse_parties
from dispatch.rules.lifecycle import authorise
from dispatch.rules.opening import adopt, open_order
from dispatch.rules.policy import Policy
from dispatch.rules.reporter import REPORTER_ACTIONS
from dispatch.rules.staff import change_shift, remove_technician, report_position, update_technician
from dispatch.rules.state import Data, Order
from dispatch.rules.territory import Territory
from dispatch.rules.unreachable import undelivered
from dispatch.rules.work import WORK_ACTIONS

ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {
    **WORK_ACTIONS,
    **HOLD_ACTIONS,
    "complete": complete,
    **REPORTER_ACTIONS,
    **DESK_MOVES,
    **DESK_WORDS,
    **LETTER_ACTIONS,
}


def decide(territory: Territory, command: Command, policies: Mapping[str, Policy], now: datetime) -> Draft:
    """Decide one command. The territory is not changed; the draft is committed by who keeps it.

    Raises Rejected when the command cannot be obeyed; whatever else it raises is a fault of ours.
    """
    draft = Draft(territory, policies, now, command)
    if command.sender is not None and command.sender_sequence <= territory.edges.get(command.sender, 0):
        draft.repeated = True
        return draft
    rule = RULES.get(command.type)
    if rule is None:
        raise Rejected("unknown-command", f"no rule for {command.type!r}", "type")
    rule(draft, command)
    return draft


def act(draft: Draft, command: Command) -> None:
    """An action on an order: once, however often it is sent; forwarded when the order has moved.

    What was due before the moment of the action is decided first.
    """
    order = draft.known(command.order_id or "")
    if command.id in order.handled:
        draft.repeated = True
        return
    action = command.data["action"]
    data = command.data["data"]
    if order.moved_to is not None:
        facts = {"forwarded_to": order.moved_to, "action_id": command.id, "actor": data["actor"]}
        draft.tell("work-order.updated", order, facts)
        draft.forward(order.moved_to, command)
        return
    rule = ACTIONS.get(action)
    if rule is None:
        authorise(action, data["actor"]["role"])
        raise Rejected("unknown-action", f"no rule for {action!r}", "type")
    refuse_parties(draft, order, data)
    draft.fact_at = fact_time(draft, data)
    order = catch_up(draft, order, draft.fact_at)
    if order.incident_id is not None and action in FREEING:
        order = leave(draft, order, action)
    rule(draft, order, action, data)
    if leads(order):
        follow_lead(draft, order.id, data)


RULES: dict[str, Callable[[Draft, Command], None]] = {
    "open": open_order,
    "act": act,
    "adopt": adopt,
    "due": fire_due,
    "delivery.failed": undelivered,
    "advice.given": advised,
    "technician.updated": update_technician,
    "technician.removed": remove_technician,
    "shift.planned": change_shift,
    "shift.started": change_shift,
    "shift.ended": change_shift,
    "shift.absent": change_shift,
    "position.reported": report_position,
}
