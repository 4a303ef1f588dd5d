"""The plan of an emergency: what its escalation says is to be done at once."""

from collections.abc import Iterable

from dispatch.models.policy_words import EmergencyPlan
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data

SHIFT_LEADER = "shift_leader"
"""Hears of every emergency, also where no plan says so."""


def plan_for(policy: Policy, hazards: Iterable[str]) -> EmergencyPlan | None:
    """The first plan that names one of the hazards, else the first that names none; None if there is neither."""
    named = set(hazards)
    plans = policy.document.plans
    found = (plan for plan in plans if named.intersection(plan.hazards))
    return next(found, None) or next((plan for plan in plans if not plan.hazards), None)


def roles_of(plan: EmergencyPlan | None) -> tuple[str, ...]:
    """The roles that are told at once."""
    told = plan.tell if plan is not None else ()
    return told if SHIFT_LEADER in told else (SHIFT_LEADER, *told)


def facts_of(plan: EmergencyPlan) -> Data:
    """The plan as the escalation carries it, in both languages."""
    return plan.model_dump(mode="json", exclude={"hazards", "tell"})
