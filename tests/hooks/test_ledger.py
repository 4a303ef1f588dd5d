"""What a lane remembers and writes down: folded again it is the same, and nobody is sent before their turn."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.agents.ledger import Folded, Scribe
from dispatch.agents.notify_lane import LaneBook, Mark, decode_mark, encode_mark
from dispatch.hooks.delivery import Outcome, begin, delivery_id, drop, settle
from dispatch.models.catalog import EVENT_TYPES
from dispatch.models.hooks import Retry
from dispatch.stores.base import TerritoryKey
from tests.hooks.test_delivery import NOW, made

RETRY = Retry(first="2s", most="30m", fall_back=2)
NORTH = TerritoryKey("campus", "north")


def folded(*deliveries, since=0, mark=None):
    scribe, found = Scribe("campus"), Folded(mark.end, mark.sequences) if mark else Folded()
    for offset, one in enumerate(deliveries, start=since):
        record = scribe.record(one, 3, NOW)
        found.add(SimpleNamespace(headers=record.headers, value=record.value, offset=offset))
    return found


def test_a_plan_is_folded_back_as_it_was():
    one = made(
        hooks=("app", "sms"), locale="en", title="T", text="a\nb", facts={"place": 0, "due": {"accept": "x"}},
        urgency="urgent", escalation_id="e1", traceparent="00-1-2-01",
    )  # fmt: skip
    found = folded(one)
    assert found.open == {one.id: one}
    assert found.first == {one.id: 0}


def test_tries_move_it_on_and_an_end_takes_it_out():
    one = made(hooks=("app", "sms"))
    tried = settle(begin(one, NOW), Outcome(kind="retry", status=503), NOW, RETRY)
    other = settle(begin(tried, NOW), Outcome(kind="retry", status=503), NOW, RETRY)
    found = folded(one, tried, other)
    known = found.open[one.id]
    assert (known.attempt, known.through, known.status) == (2, "sms", 503)
    assert abs(known.next_at - other.next_at) < 0.002
    for end in (drop(other, "superseded"), settle(begin(other, NOW), Outcome(kind="ok"), NOW, RETRY)):
        found = folded(one, tried, end)
        assert (found.open, found.first, found.known) == ({}, {}, {one.id})


def test_a_record_of_a_kind_that_is_not_known_is_passed_over():
    found = Folded()
    for kind in (b"dispatch.delivery.of-tomorrow.v1", b"dispatch.work-order.opened.v1", b""):
        found.add(SimpleNamespace(headers=[("ce_type", kind)], value=b'{"lane":3}', offset=0))
    assert (found.open, found.first, found.known) == ({}, {}, set())


def test_a_plan_that_is_written_twice_is_one_and_after_its_end_none():
    one = made()
    assert folded(one, one).first == {one.id: 0}
    assert folded(one, drop(one, "superseded"), one).open == {}
    assert folded(drop(one, "superseded"), one).open == {}


def test_a_plan_that_was_written_late_for_an_event_that_is_handled_is_none():
    five, six = made(event_id="campus:north:5"), made(event_id="campus:north:6")
    mark = Mark(position=9, ledger=2, end=4, sequences={"north": 5})
    assert folded(five, six, since=4, mark=mark).open == {six.id: six}
    assert folded(five, six, since=4, mark=mark).known == {five.id, six.id}
    assert folded(five, since=3, mark=mark).open == {five.id: five}  # it is the event's own, and not over
    assert folded(five, since=4, mark=replace(mark, sequences={"south": 5})).open == {five.id: five}
    assert folded(five, since=4, mark=replace(mark, end=0)).open == {five.id: five}  # by one that could not say


def test_a_mark_says_where_all_that_was_written_ends():
    lane = LaneBook(0)
    lane.ledger_end = 7
    lane.done(1)
    assert (lane.mark("t").ledger, lane.mark("t").end) == (7, 7)
    lane.first = {"a": 4}
    assert (lane.mark("t").ledger, lane.mark("t").end) == (4, 7)


def test_what_is_written_keeps_to_the_contract():
    one = made(title="T", text="x", facts={"work_order_id": "wo1"})
    tried = settle(begin(one, NOW), Outcome(kind="retry", status="timeout", latency_ms=9), NOW, RETRY)
    for state in (one, tried, drop(tried, "superseded"), settle(begin(one, NOW), Outcome(kind="gone"), NOW, RETRY)):
        record = Scribe("campus").record(state, 3, NOW)
        kind = dict(record.headers)["ce_type"].decode()
        assert EVENT_TYPES[kind].model.model_validate_json(record.value).delivery_id == one.id
        assert (record.partition, record.key) == (3, b"technician/t1")


STEPS = st.lists(st.tuples(st.sampled_from(["put", "end"]), st.integers(0, 3), st.integers(0, 2)), max_size=60)


@given(STEPS)
def test_each_thread_is_a_queue_whatever_ends_in_between(steps):
    lane, threads, number = LaneBook(0), {}, 0
    for what, receiver, order in steps:
        name = (f"technician/t{receiver}", f"wo{order}")
        thread = threads.setdefault(name, [])
        if what == "put":
            number += 1
            one = made(event_id=f"campus:north:{number}", receiver=name[0], order_id=name[1])
            lane.put(one)
            lane.put(replace(one, attempt=1))
            thread.append(one.id)
        elif thread:
            gone = thread.pop(number % len(thread))
            was_head = not thread or number % (len(thread) + 1) == 0
            following = lane.end(gone)
            assert (following.id if following else None) == (thread[0] if thread and was_head else None)
        assert sorted(one.id for one in lane.heads()) == sorted(ids[0] for ids in threads.values() if ids)
        for (_receiver, order_id), ids in threads.items():
            assert set(ids) <= {one.id for one in lane.of_order(order_id)}
    assert set(lane.open) == {one for ids in threads.values() for one in ids}


def test_a_mark_never_passes_what_is_open_or_in_hand():
    lane = LaneBook(0)
    lane.ledger_end = 10
    lane.first = {"a": 4, "b": 7}
    lane.begin()
    lane.ledger_end = 20
    lane.handled(NORTH, 5)
    assert lane.mark("t").ledger == 4
    lane.written(["a", "b"])
    assert (lane.mark("t").ledger, lane.mark("t").sequences) == (10, {})
    lane.done(99)
    mark = lane.mark("t")
    assert (mark.position, mark.ledger, mark.sequences) == (99, 20, {"north": 5})
    assert decode_mark(encode_mark(mark)) == mark


def test_an_event_that_the_log_repeats_is_known():
    lane = LaneBook(0)
    lane.handled(NORTH, 5)
    lane.handled(NORTH, 4)
    assert lane.is_repeated(NORTH, 5)
    assert not lane.is_repeated(NORTH, 6)
    assert not lane.is_repeated(TerritoryKey("campus", "south"), 1)


def test_ids_of_the_ledger_are_never_written_twice():
    scribe, one = Scribe("campus"), made()
    ids = {dict(scribe.record(one, 0, NOW).headers)["ce_id"] for _ in range(5)}
    assert len(ids) == 5
    assert delivery_id(one.event_id, one.receiver) == one.id
