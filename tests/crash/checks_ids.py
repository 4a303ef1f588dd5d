"""Checks of ids, bytes, order and writers: what a consumer that drops repeated ids relies on."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping

from dispatch.topics import DEAD_LETTERS, WORK_ORDERS
from tests.crash.recorded import COPIES, Batch, Happened, Rec, Recorded, happened

Found = Iterator[str]


def same_id_other_bytes(run: Recorded) -> Found:
    """An id that was seen with two contents, anywhere; a copy that the log does not have."""
    first: dict[str, Rec] = {}
    for topic in (WORK_ORDERS, *COPIES, DEAD_LETTERS):
        for rec in run.topics[topic]:
            event_id = dict(rec.headers)["ce_id"].decode()
            known = first.setdefault(event_id, rec)
            if known is not rec and known.content != rec.content:
                yield f"{event_id}: {known.place} and {rec.place} differ: {_difference(known, rec)}"
    in_log = {event.id for events in run.log.values() for event in events}
    for topic in COPIES:
        for event_id in {dict(rec.headers)["ce_id"].decode() for rec in run.topics[topic]} - in_log:
            yield f"{event_id} is on {topic}, and not on the log"


def _difference(one: Rec, other: Rec) -> str:
    if one.value != other.value:
        at = next((n for n, (a, b) in enumerate(zip(one.value, other.value, strict=False)) if a != b), 0)
        return f"{one.value[max(0, at - 40) : at + 40]!r} / {other.value[max(0, at - 40) : at + 40]!r}"
    return str([pair for pair in zip(one.content[2], other.content[2], strict=False) if pair[0] != pair[1]])


def out_of_order(run: Recorded) -> Found:
    """Sequences that do not run from 1 without a gap (but for what was abandoned), on the log and its copies."""
    for territory, events in run.log.items():
        abandoned = _abandoned(events)
        expected = 1
        for event in events:
            while expected in abandoned and event.sequence != expected:
                expected += 1
            if event.sequence in abandoned:
                continue
            if event.sequence != expected:
                yield f"{territory}: event {event.sequence} ({event.type}) where {expected} was expected"
            expected = max(expected, event.sequence) + 1
    for topic in COPIES:
        latest: dict[str, int] = {}
        seen: set[str] = set()
        for rec in run.topics[topic]:
            event = happened(rec)
            if event.id in seen:
                continue
            seen.add(event.id)
            if event.sequence < latest.get(event.territory, 0):
                yield f"{event.id} appears on {topic} after {latest[event.territory]}"
            latest[event.territory] = max(event.sequence, latest.get(event.territory, 0))


def _abandoned(events: list[Happened]) -> set[int]:
    numbers: set[int] = set()
    for event in events:
        if event.type == "lane.decided" and (gone := event.data.get("abandoned")):
            numbers |= set(range(gone["from"], gone["to"] + 1))
    return numbers


def stale_accepted(run: Recorded) -> Found:
    """Batches of a writer that had lost the lane: two contents for one number, or batches that do not join."""
    first: dict[tuple[str, int], Rec] = {}
    for rec in run.topics[WORK_ORDERS]:
        event = happened(rec)
        known = first.setdefault((event.territory, event.sequence), rec)
        if known.content != rec.content and "lane.decided" in {event.type, happened(known).type}:
            yield f"{event.territory}: two batches have an event {event.sequence}, {known.place} and {rec.place}"
    for territory, batches in run.batches.items():
        last = 0
        for batch in batches:
            gone = batch.end.data.get("abandoned")
            first = batch.end.sequence - batch.end.data["events"]
            base = gone["to"] if gone else last
            if first != base + 1 or (gone and gone["from"] != last + 1):
                writer = batch.end.data["batch_id"]
                yield f"{territory}: the batch {first}–{batch.end.sequence} of {writer} does not join {last}"
            last = max(last, batch.end.sequence)


def repeated_effects(run: Recorded) -> Found:
    """Something that had its effect twice, ids dropped: a request, an action, a timer, a rung, a command."""
    for territory, batches in run.batches.items():
        yield from _positions(territory, batches, run.places(territory))
    once: dict[tuple[object, ...], str] = {}
    for batches in run.batches.values():
        for batch in batches:
            for event in batch.events:
                for key in _effects(event):
                    known = once.setdefault(key, batch.end.id)
                    if known != batch.end.id:
                        yield f"{key} in {known} and in {batch.end.id}"


def _effects(event: Happened) -> Iterator[tuple[object, ...]]:
    """What the event may be the only one of, but for its own batch."""
    data = event.data
    if event.type == "work-order.opened":
        yield ("opened", event.subject)
    if event.type == "escalation.raised":
        yield ("raised", data["escalation_id"])
    if event.type in {"clock.warned", "clock.breached"}:
        for clock in data["clocks"]:
            yield (event.type, event.subject, data.get("cycle"), clock["name"], clock.get("version", 1))
    caused = event.causation or ""
    if caused.startswith(f"{event.territory.split(':')[0]}:/"):
        yield ("caused", caused, event.type, event.subject, data.get("assignment_id"), data.get("clock"))


def _positions(territory: str, batches: list[Batch], places: Mapping[str, list[int]]) -> Found:
    """Batches go forward, and each decides what stands between its positions and those of the one before."""
    last: dict[str, int] = defaultdict(lambda: -1)
    for batch in batches:
        stood, moved = 0, False
        for topic, place in batch.end.data["positions"].items():
            if place["offset"] < last[topic]:
                yield f"{territory}: {batch.end.id} decided {topic} up to {place['offset']}, after {last[topic]}"
            moved = moved or place["offset"] > last[topic]
            offsets = places.get(topic, [])
            stood += bisect_right(offsets, place["offset"]) - bisect_right(offsets, last[topic])
            last[topic] = max(last[topic], place["offset"])
        if not moved:
            yield f"{territory}: {batch.end.id} decided no new command"
        elif batch.end.data["commands"] > stood:
            yield f"{territory}: {batch.end.id} decided {batch.end.data['commands']} commands where {stood} are new"
