"""Letters: complaints, suggestions and inquiries ask for an answer, not for a craftsman.

A letter is never matched. Its owner is the role that the site names for its kind; whoever looks into it owns it by
name, and nobody may whom it is about, nor who leads them.
"""

from collections.abc import Callable

from dispatch.errors import Rejected
from dispatch.models.policy import Site
from dispatch.rules.completing import outcome, wait_for_acceptance
from dispatch.rules.draft import Draft, end_escalations, fact_time, settle_clocks, stop_clocks
from dispatch.rules.legs import acted, is_letter, needed
from dispatch.rules.lifecycle import permit
from dispatch.rules.state import Data, Order

ASKED_ONLY = frozenset({"offered", "expired", "declined"})
"""Leg states of people who never had the job."""


def as_letter(site: Site, data: Data) -> Data:
    """An opening that is a letter, without what would send a technician; an emergency never waits for an answer."""
    if data["kind"] not in site.letters or data["urgency"] == "emergency":
        return data
    return data | {"requirements": [], "needs_triage": False}


def parties(draft: Draft, data: Data) -> list[str]:
    """Whom a letter is about, by ``about_ref``: who had that order, who owns it, and who leads them."""
    about = draft.order(data.get("about_ref") or "")
    if about is None:
        return []
    found = [leg.technician_id for leg in about.legs if leg.state not in ASKED_ONLY]
    if about.owner.kind == "person":
        found.append(about.owner.id)
    people = [draft.technician(one) for one in found]
    leads = [one.supervisor_id for one in people if one is not None and one.supervisor_id]
    return list(dict.fromkeys((*found, *leads)))


def refuse_parties(draft: Draft, order: Order, data: Data) -> None:
    """Rejected ``conflict-of-interest`` when somebody would handle a letter about themselves or their people."""
    actor = data["actor"]
    if actor["id"] in order.parties and actor["role"] != "requester" and is_letter(draft, order):
        raise Rejected("conflict-of-interest", f"{order.display_no} is about {actor['id']} or their people", "actor.id")


def investigate(draft: Draft, order: Order, action: str, data: Data) -> None:
    """Somebody looks into it, and is answerable for the answer from now on."""
    permit(action, data["actor"]["role"], order)
    _letter(draft, order, action)
    stopped, wrong = stop_clocks(draft, order, ("accept", "arrive"), fact_time(draft, data))
    facts: Data = {"what": "investigating", "owner": {"kind": "person", "id": data["actor"]["id"]}}
    if stopped:
        facts["clock_changes"] = stopped
    order = draft.tell("work-order.updated", order, facts | acted(data))
    settle_clocks(draft, order, stopped, wrong)


def answer(draft: Draft, order: Order, action: str, data: Data) -> None:
    """The answer to a letter; its writer accepts it, or rejects it and it is looked into again."""
    permit(action, data["actor"]["role"], order)
    _letter(draft, order, action)
    text = needed(data, "text")["text"]
    at = fact_time(draft, data)
    stopped, wrong = stop_clocks(draft, order, ("accept", "arrive", "make_safe", "resolve"), at)
    facts: Data = outcome(draft, order, at, stopped) | acted(data)
    facts |= {"answer": text, "clock_changes": [*stopped, *wait_for_acceptance(draft, order)]}
    if data.get("disposition"):
        facts["disposition"] = data["disposition"]
    order = draft.tell("work-order.answered", order, facts, at=at)
    order = settle_clocks(draft, order, stopped, wrong)
    end_escalations(draft, order)


def _letter(draft: Draft, order: Order, action: str) -> None:
    if not is_letter(draft, order):
        raise Rejected("not-a-letter", f"one cannot {action} a {order.kind}: it needs work, not words", "action")


LETTER_ACTIONS: dict[str, Callable[[Draft, Order, str, Data], None]] = {"investigate": investigate, "answer": answer}
