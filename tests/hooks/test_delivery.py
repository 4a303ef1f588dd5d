"""How a delivery goes on: every outcome, in a table; and whatever comes, it ends, in bounds, and once."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.hooks.delivery import (
    FINAL,
    MOST_RETRY_AFTER_S,
    SUPERSEDES,
    Delivery,
    Outcome,
    backoff_s,
    begin,
    delivery_id,
    drop,
    never_heard,
    outcome_of,
    overdue,
    retry_after_s,
    settle,
    superseded_by,
)
from dispatch.models.catalog import EVENT_TYPES, full_name
from dispatch.models.hooks import Retry

NOW = 1_772_400_000.0
RETRY = Retry(first="2s", most="30m", give_up="1d", fall_back=2)


def made(**given_):
    event_id = given_.pop("event_id", "campus:north:7")
    receiver = given_.pop("receiver", "technician/t1")
    return Delivery(
        **{
            "id": delivery_id(event_id, receiver),
            "event_id": event_id,
            "event_type": "work-order.offered",
            "receiver": receiver,
            "hooks": ("app",),
            "why": "route 1",
            "order_id": "wo1",
            "assignment_id": "wo1.1.1",
            "planned_at": NOW,
            "next_at": NOW,
            "give_up_at": NOW + 86400,
            **given_,
        }
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((200, "ok"), (204, "ok"), (301, "retry"), (307, "retry"), (400, "refused"), (401, "retry"), (404, "retry")),
        *((410, "gone"), (413, "refused"), (422, "refused"), (429, "retry"), (500, "retry"), (503, "retry")),
    ],
)
def test_what_a_status_means(status, kind):
    assert outcome_of(status, None, NOW, 5).kind == kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0), ("7", 7), (" 120 ", 120), ("99999999999999999999", MOST_RETRY_AFTER_S), ("", None), (None, None)),
        *(("-5", None), ("soon", None), ("1e9", None), ("٣", None), ("7.5", None), ("nan", None)),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True), 30),
        (format_datetime(datetime.fromtimestamp(NOW - 30, UTC), usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_RETRY_AFTER_S),
        ("x" * 10_000, None),
    ],
)
def test_a_silly_retry_after_is_bounded_or_ignored(text, seconds):
    assert retry_after_s(text, NOW) == seconds


CASES = {
    # outcome, hooks, tries so far: state, hook, reason
    "it has it": (Outcome(kind="ok"), ("app",), 0, ("succeeded", 0, None)),
    "once more": (Outcome(kind="retry"), ("app",), 0, ("retry", 0, None)),
    "gone for good": (Outcome(kind="gone"), ("app",), 0, ("failed", 0, "gone")),
    "refused": (Outcome(kind="refused"), ("app",), 3, ("failed", 0, "refused")),
    "gone, and there is another way": (Outcome(kind="gone"), ("app", "sms"), 0, ("retry", 1, None)),
    "not yet the other way": (Outcome(kind="retry"), ("app", "sms"), 0, ("retry", 0, None)),
    "enough of the first way": (Outcome(kind="retry"), ("app", "sms"), 1, ("retry", 1, None)),
    "as long as it asks, within reason": (Outcome(kind="retry", retry_after_s=90_000), ("app",), 0, ("retry", 0, None)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_follows_from_an_outcome(name):
    outcome, hooks, tries, expected = CASES[name]
    after = settle(begin(made(hooks=hooks, tries=tries), NOW), outcome, NOW, RETRY)
    assert (after.state, after.hook, after.reason) == expected


def test_nothing_is_tried_after_its_time():
    one = begin(made(give_up_at=NOW + 100), NOW)
    after = settle(one, Outcome(kind="retry", retry_after_s=600.0), NOW, RETRY)
    assert (after.state, after.reason) == ("failed", "given_up")


def test_retry_after_is_waited_for():
    after = settle(begin(made(), NOW), Outcome(kind="retry", retry_after_s=600.0), NOW, RETRY)
    assert after.next_at == NOW + 600


@given(st.text(max_size=30), st.integers(1, 200))
def test_backoff_grows_between_its_bounds_and_is_the_same_again(key, tries):
    wait_s = backoff_s(key, tries, RETRY)
    ceiling_s = min(RETRY.most, RETRY.first * 2 ** min(tries - 1, 40))
    assert ceiling_s / 2 <= wait_s <= ceiling_s
    assert wait_s == backoff_s(key, tries, RETRY)


OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(["ok", "retry", "refused", "gone"]),
    retry_after_s=st.none() | st.floats(0, MOST_RETRY_AFTER_S),
)


@given(st.lists(OUTCOMES, max_size=60), st.integers(1, 3), st.integers(1, 100_000))
def test_whatever_comes_a_delivery_moves_forward_and_ends_in_time(outcomes, hooks, allowed_s):
    one = made(hooks=("a", "b", "c")[:hooks], give_up_at=NOW + allowed_s)
    now = NOW
    for outcome in outcomes:
        before = one
        one = settle(begin(one, now), outcome, now, RETRY)
        assert (one.id, one.attempt) == (before.id, before.attempt + 1)
        assert one.hook >= before.hook
        if one.is_final:
            assert one.state in FINAL
            assert (one.reason is None) == (one.state == "succeeded")
            return
        assert now <= one.next_at <= max(now, one.give_up_at)
        now = max(now, one.next_at)
    assert overdue(one, one.give_up_at).state == "failed"


def test_one_key_for_each_event_and_receiver():
    keys = {delivery_id(event, receiver) for event in ("c:n:1", "c:n:11", "c:n:2") for receiver in ("a", "b", "1")}
    assert len(keys) == 9


def test_every_type_of_the_table_exists():
    for name, (_field, types) in SUPERSEDES.items():
        assert {full_name(one) for one in (name, *types)} <= EVENT_TYPES.keys()


def test_a_withdrawal_drops_the_offer_and_nothing_of_another_leg():
    mine, other = made(), made(event_id="campus:north:8", assignment_id="wo1.1.2", receiver="technician/t2")
    assert superseded_by("work-order.withdrawn", "wo1", "wo1.1.1", None, [mine, other]) == [mine]
    assert superseded_by("work-order.cancelled", "wo1", None, None, [mine, other]) == [mine, other]
    assert superseded_by("work-order.rated", "wo1", "wo1.1.1", None, [mine]) == []
    assert superseded_by("work-order.withdrawn", "wo1", None, None, [replace(mine, assignment_id=None)]) == []


def test_who_never_heard_of_an_offer_need_not_hear_of_its_end():
    end = made(event_id="campus:north:9", event_type="work-order.withdrawn")
    unsent = drop(made(), "superseded")
    assert never_heard(end, [unsent], [])
    assert not never_heard(end, [replace(unsent, attempt=1)], [])
    assert not never_heard(end, [replace(unsent, sent_before=True)], [])
    assert not never_heard(end, [], [])
    assert not never_heard(end, [unsent], [made(event_id="campus:north:5")])
    assert not never_heard(replace(end, event_type="work-order.cancelled"), [unsent], [])
