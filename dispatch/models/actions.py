"""The registry of actions: the NAME in `dispatch.action.NAME.v1` → its model."""

from collections.abc import Mapping
from typing import Final

from dispatch.models import desk_actions as desk
from dispatch.models import reporter_actions as reporter
from dispatch.models import work_actions as work
from dispatch.models.action_base import Action

WORK_ACTIONS: Final[Mapping[str, type[Action]]] = {
    "accept": work.Accept,
    "decline": work.Decline,
    "return_order": work.ReturnOrder,
    "transfer": work.Transfer,
    "depart": work.Depart,
    "arrive": work.Arrive,
    "no_access": work.NoAccess,
    "start": work.Start,
    "make_safe": work.MakeSafe,
    "hold": work.Hold,
    "resume": work.Resume,
    "request_help": work.RequestHelp,
    "uplift": work.Uplift,
    "complete": work.Complete,
    "handover": work.Handover,
    "accept_handover": work.AcceptHandover,
    "contact_attempted": work.ContactAttempted,
}

REPORTER_ACTIONS: Final[Mapping[str, type[Action]]] = {
    "confirm": reporter.Confirm,
    "reject_work": reporter.RejectWork,
    "rate": reporter.Rate,
    "reopen": reporter.Reopen,
    "urge": reporter.Urge,
    "amend": reporter.Amend,
    "reschedule": reporter.Reschedule,
    "cancel": reporter.Cancel,
    "appeal": reporter.Appeal,
}

DESK_ACTIONS: Final[Mapping[str, type[Action]]] = {
    "reclassify": desk.Reclassify,
    "relocate": desk.Relocate,
    "split": desk.Split,
    "merge": desk.Merge,
    "unmerge": desk.Unmerge,
    "assign": desk.Assign,
    "reassign": desk.Reassign,
    "preempt": desk.Preempt,
    "refuse": desk.Refuse,
    "request_extension": desk.RequestExtension,
    "grant_extension": desk.GrantExtension,
    "deny_extension": desk.DenyExtension,
    "request_approval": desk.RequestApproval,
    "decide_approval": desk.DecideApproval,
    "acknowledge": desk.Acknowledge,
    "escalate": desk.Escalate,
    "investigate": desk.Investigate,
    "answer": desk.Answer,
    "inspect": desk.Inspect,
    "follow_up": desk.FollowUp,
    "note": desk.Note,
    "close": desk.Close,
}

ACTIONS: Final[Mapping[str, type[Action]]] = {**WORK_ACTIONS, **REPORTER_ACTIONS, **DESK_ACTIONS}
"""Every action by its NAME."""
