"""Every event type of the contract has a model, a direction and its topics."""

import pytest

from dispatch import schema, topics
from dispatch.models import ACTIONS, EVENT_TYPES, INPUT_TYPES

ACTION_NAMES = [
    "accept",
    "decline",
    "return_order",
    "transfer",
    "depart",
    "arrive",
    "no_access",
    "start",
    "make_safe",
    "hold",
    "resume",
    "request_help",
    "uplift",
    "complete",
    "handover",
    "accept_handover",
    "contact_attempted",
    "confirm",
    "reject_work",
    "rate",
    "reopen",
    "urge",
    "amend",
    "reschedule",
    "cancel",
    "appeal",
    "reclassify",
    "relocate",
    "split",
    "merge",
    "unmerge",
    "assign",
    "reassign",
    "preempt",
    "refuse",
    "request_extension",
    "grant_extension",
    "deny_extension",
    "request_approval",
    "decide_approval",
    "acknowledge",
    "escalate",
    "investigate",
    "answer",
    "inspect",
    "follow_up",
    "note",
    "close",
]
ROSTER = [
    "technician.updated",
    "technician.removed",
    "shift.planned",
    "shift.started",
    "shift.ended",
    "shift.absent",
    "position.reported",
]
WORK_ORDERS = [
    "opened",
    "classified",
    "advised",
    "amended",
    "relocated",
    "merged",
    "unmerged",
    "split",
    "refused",
    "owner-changed",
    "offered",
    "declined",
    "offer-expired",
    "assigned",
    "updated",
    "returned",
    "transferred",
    "withdrawn",
    "accepted",
    "departed",
    "arrived",
    "no-access",
    "started",
    "made-safe",
    "held",
    "resumed",
    "help-requested",
    "uplifted",
    "handed-over",
    "completed",
    "answered",
    "work-rejected",
    "confirmed",
    "auto-confirmed",
    "rated",
    "reopened",
    "urged",
    "rescheduled",
    "reclassified",
    "extension-requested",
    "extended",
    "extension-denied",
    "approval-requested",
    "approval-decided",
    "inspected",
    "followed-up",
    "cancelled",
    "closed",
    "appealed",
    "corrected",
    "transferred-out",
    "transferred-in",
]
LOG = [
    "assignment.evaluated",
    "clock.started",
    "clock.paused",
    "clock.resumed",
    "clock.warned",
    "clock.breached",
    "clock.cancelled",
    "escalation.raised",
    "escalation.held",
    "escalation.acknowledged",
    "escalation.resolved",
    "loan.requested",
    "loan.granted",
    "loan.refused",
    "loan.returned",
    "lane.decided",
]
ELSEWHERE = [
    "input.refused",
    "delivery.attempted",
    "delivery.succeeded",
    "delivery.failed",
    "delivery.dropped",
]


def full(names):
    return {f"dispatch.{name}.v1" for name in names}


INPUTS = full(["request.submitted", *(f"action.{name}" for name in ACTION_NAMES), *ROSTER])
LOGGED = full([*(f"work-order.{name}" for name in WORK_ORDERS), *LOG, *ROSTER])


def test_the_catalogue_holds_exactly_the_types_of_the_contract():
    assert EVENT_TYPES.keys() == INPUTS | LOGGED | full(ELSEWHERE)


def test_every_action_has_a_model():
    assert list(ACTIONS) == ACTION_NAMES


def test_inputs_are_requests_actions_and_what_rosters_and_devices_send():
    assert INPUT_TYPES.keys() == INPUTS


def test_every_event_of_a_lane_is_in_the_log():
    assert {name for name, row in EVENT_TYPES.items() if topics.WORK_ORDERS in row.topics} == LOGGED


NARROW = {
    topics.ASSIGNMENTS: ["offered", "assigned", "accepted", "updated", "withdrawn", "offer-expired"],
    topics.COMPLETIONS: [
        *("opened", "refused", "merged", "cancelled", "completed", "answered", "work-rejected", "confirmed"),
        *("auto-confirmed", "rated", "reopened", "followed-up", "closed", "corrected"),
    ],
}


@pytest.mark.parametrize("topic", NARROW)
def test_a_narrow_topic_gets_copies_of_its_events_about_orders(topic):
    expected = full(f"work-order.{name}" for name in NARROW[topic])

    assert {name for name, row in EVENT_TYPES.items() if topic in row.topics} == expected


def test_supervisors_get_warnings_breaches_and_escalations():
    expected = full(
        ["clock.warned", "clock.breached"]
        + [f"escalation.{name}" for name in ("raised", "held", "acknowledged", "resolved")]
    )

    assert {name for name, row in EVENT_TYPES.items() if topics.ESCALATIONS in row.topics} == expected


def test_an_event_is_published_to_the_log_before_its_copies():
    assert topics.topics_of("dispatch.work-order.closed.v1") == (topics.WORK_ORDERS, topics.COMPLETIONS)
    assert topics.topics_of("dispatch.work-order.started.v1") == (topics.WORK_ORDERS,)


def test_retention_is_as_the_contract_says():
    days = {name: topic.retention_ms / 86_400_000 for name, topic in topics.TOPICS.items()}

    assert [name for name, kept in days.items() if kept == 7] == [topics.REQUESTS, topics.ACTIONS]
    assert [name for name, kept in days.items() if kept < 0] == [
        *(topics.WORK_ORDERS, topics.COMPLETIONS, topics.POLICIES)
    ]
    assert days[topics.COMMANDS] == days[topics.COMMANDS_URGENT] == days[topics.ASSIGNMENTS] == 30
    assert days[topics.ESCALATIONS] == days[topics.DELIVERIES] == 90
    assert days[topics.DEAD_LETTERS] == 30
    assert [name for name, topic in topics.TOPICS.items() if topic.cleanup == "compact"] == [topics.POLICIES]


def test_nothing_that_names_or_reaches_a_person_is_in_an_outgoing_event():
    told = {
        (event_type, path)
        for event_type, fields in schema.promises().items()
        for path in fields
        if EVENT_TYPES[event_type].direction != "in"
        and {"phone", "email", "reply_to"} & set(path.replace("[]", "").split("."))
    }

    assert told == set()


def test_an_order_knows_its_reporter_by_subject_id_alone():
    fields = schema.promises()["dispatch.work-order.opened.v1"]

    assert sorted(path for path in fields if path.startswith("reporter.")) == [
        *("reporter.affiliation", "reporter.department_id", "reporter.locale", "reporter.subject_id"),
        "reporter.vulnerable",
    ]


@pytest.mark.parametrize("name", sorted(full(f"work-order.{name}" for name in WORK_ORDERS)))
def test_every_event_of_an_order_requires_its_id_and_may_tell_who_acted(name):
    fields = schema.promises()[name]

    assert fields["work_order_id"].get("required")
    assert {"cycle", "actor", "reason", "performed_at"} <= fields.keys()
