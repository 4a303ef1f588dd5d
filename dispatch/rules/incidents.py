"""Mass incidents: many reports of one building and one trade within minutes are one fault, and one crew's work.

The one that somebody works on leads, else the most urgent and oldest; the others join it and are not matched. They stay
orders of their own: their promises run on and count, only their escalations are held, for the lead's speak for them.
When the lead's work is done theirs is done too, and each reporter is asked to accept it; who is not served says so, and
is matched like anybody.
"""

from dispatch.rules.completing import outcome, wait_for_acceptance
from dispatch.rules.draft import Draft, end_escalations, fact_time, settle_clocks, stop_clocks
from dispatch.rules.escalating import raise_escalation
from dispatch.rules.legs import release
from dispatch.rules.lifecycle import WORKING
from dispatch.rules.rounds import URGENCY_RANK, priority
from dispatch.rules.state import Data, Order

MOST_LINKS = 150
"""An order lists its links, and no event may outgrow what the broker takes."""
LEADS, FOLLOWS = "parent_of", "child_of"
FREEING = frozenset({"assign", "reassign", "preempt", "relocate", "reclassify"})
"""What a person does with one order alone: it leaves its incident first."""
SERVICE = ("accept", "arrive", "make_safe", "resolve")


def gather(draft: Draft, order: Order) -> None:
    """A new order joins the incident of its building, or makes one of the reports that are there."""
    rule = draft.policy.document.incidents
    building = order.location.get("building")
    if not rule.reports or not building or order.trade not in rule.trades or order.kind != "repair":
        return
    others = [one for one in draft.territory.open_in(str(building), str(order.trade)) if _is_like(one, order)]
    known = next((one for one in others if leads(one)), None)
    if known is not None:
        _join(draft, order, known)
        return
    near = [one for one in others if abs((one.reported_at - order.reported_at).total_seconds()) <= rule.within]
    if not near or 1 + sum(1 + len(one.followers) for one in near) < rule.reports:
        return
    lead, *rest = sorted((*near, order), key=lambda one: (not _has_begun(one), priority(one)))
    facts = {"what": "incident", "reason": "incident", "impact": "building", "changes": {"impact": "building"}}
    lead = draft.tell("work-order.updated", lead, facts)
    lead = raise_escalation(draft, lead, cause="incident", level=1, to=tuple(rule.tell), reason="incident")
    for one in rest:
        lead = _join(draft, one, lead)


def leads(order: Order) -> bool:
    """Whether the order speaks for others."""
    return any(link.get("type") == LEADS for link in order.links)


def _is_like(one: Order, order: Order) -> bool:
    return one.kind == order.kind and one.drill == order.drill and one.incident_id is None and one.state in WORKING


def _has_begun(order: Order) -> bool:
    return order.state not in {"open", "offered", "assigned"}


def _join(draft: Draft, order: Order, lead: Order) -> Order:
    """The lead, which speaks for the order from now on.

    Unless somebody has begun, who then goes on alone, or the order is worse, or dangerous in another way.
    """
    worse = URGENCY_RANK.get(order.urgency, 2) < URGENCY_RANK.get(lead.urgency, 2)
    if worse or _has_begun(order) or not set(order.hazards) <= set(lead.hazards) or len(lead.links) >= MOST_LINKS:
        return lead
    order = release(draft, order, "incident")
    facts: Data = {"what": "joined_incident", "reason": "incident", "link": {"type": FOLLOWS, "id": lead.id}}
    draft.tell("work-order.updated", order, facts | {"changes": {"incident_id": lead.id}})
    facts = {"what": "incident", "reason": "incident", "link": {"type": LEADS, "id": order.id}}
    return draft.tell("work-order.updated", lead, facts)


def leave(draft: Draft, order: Order, reason: str) -> Order:
    """The order is on its own again; what it broke meanwhile is told now."""
    facts: Data = {"what": "left_incident", "reason": reason, "changes": {"incident_id": None}}
    order = draft.tell("work-order.updated", order, facts)
    if any(clock.is_live and clock.breached_at is not None for clock in order.clocks.values()):
        order = raise_escalation(draft, order, cause="breached", level=1, to=("supervisor",), reason="left_incident")
    return order


def follow_lead(draft: Draft, lead_id: str, data: Data) -> None:
    """After an action on a lead: its end is the end of those that it speaks for, or sets them free.

    What was reported after the work was done, or stands still for a reason of its own, is not explained by it.
    """
    lead = draft.known(lead_id)
    if lead.state != "completed" and not lead.is_final:
        return
    waiting = [one.id for one in draft.territory.orders.values() if one.incident_id == lead_id]
    for child in sorted((draft.known(one) for one in waiting), key=priority):
        explained = lead.state == "completed" and child.state == "open" and child.reported_at <= fact_time(draft, data)
        if explained:
            _complete(draft, child, lead, data)
        else:
            leave(draft, child, lead.state)


def _complete(draft: Draft, child: Order, lead: Order, data: Data) -> None:
    done = lead.completion or {}
    at = fact_time(draft, data)
    stopped, wrong = stop_clocks(draft, child, SERVICE, at)
    facts = outcome(draft, child, at, stopped)
    facts |= {
        name: done[name] for name in ("assignment_id", "technician_id", "disposition", "remedy_code") if name in done
    }
    facts |= {"visit_no": 1, "cause_code": "incident", "incident_id": lead.id, "reason": "incident"}
    facts["clock_changes"] = [*stopped, *wait_for_acceptance(draft, child)]
    child = draft.tell("work-order.completed", child, facts, at=at)
    child = settle_clocks(draft, child, stopped, wrong)
    end_escalations(draft, child)
