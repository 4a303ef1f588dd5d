"""A larger model's hint: recorded with its source for the front desk to see, once; it decides nothing."""

from dispatch.models.commands import Command
from dispatch.rules.draft import Draft
from dispatch.rules.lifecycle import OPEN
from dispatch.rules.state import Data, Order
from dispatch.rules.triage_model import OUT_OF_SCOPE

_SAID = ("trade", "urgency", "kind", "confidence", "source", "asked_at", "took_ms", "reason")


def advice_id(order_id: str) -> str:
    """The id of the command that carries an order's hint: one for each order, however often it is asked for."""
    return f"{order_id}:advice"


def advised(draft: Draft, command: Command) -> None:
    """Decide an ``advice.given`` command: an event while the order is open, placed by now or not; else nothing.

    It is never an error: nobody waited for it, and who was late is only late. A trade that the policy no longer has
    is of no use to anybody.
    """
    order = draft.order(command.order_id or "")
    data = command.data
    if order is None or command.id in order.handled or not _is_known(draft, data["trade"]):
        draft.repeated = True
    elif order.moved_to is not None:
        actor = {"id": "advise", "role": "system"}
        facts: Data = {"forwarded_to": order.moved_to, "action_id": command.id, "actor": actor}
        draft.tell("work-order.updated", order, facts)
        draft.forward(order.moved_to, command)
    elif order.state not in OPEN:
        draft.repeated = True
    else:
        facts = {name: data[name] for name in _SAID if data.get(name) is not None}
        draft.tell("work-order.advised", order, facts | {"actor": {"id": "advise", "role": "system"}})


def agreement(order: Order, chosen: str | None) -> Data:
    """What an event of the desk says beside: whether the hint, if there was one, had named what a person chose."""
    if order.advice is None or not order.needs_triage:
        return {}
    return {"hint_agreed": order.advice["trade"] == chosen}


def _is_known(draft: Draft, trade: str) -> bool:
    return trade == OUT_OF_SCOPE or trade in draft.policy.trades
