"""What notify makes of a batch of events: deliveries to send, deliveries to drop, and what the desk must know."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from dispatch import metrics
from dispatch.agents import wire
from dispatch.agents.joining import Joiner
from dispatch.agents.lanes import key_of
from dispatch.agents.ledger import Scribe
from dispatch.agents.notify_lane import LaneBook
from dispatch.agents.policies import PolicyBook
from dispatch.agents.publisher import Record
from dispatch.hooks.delivery import SUPERSEDES, Delivery, drop, never_heard, superseded_by
from dispatch.hooks.routing import Known, Moment, RoutingTable, Told, people_of
from dispatch.log import get_log
from dispatch.models.commands import Command, encode_command
from dispatch.rules.events import short_type
from dispatch.rules.state import moment_of, text_of
from dispatch.stores.base import TerritoryKey
from dispatch.timing import Clock
from dispatch.topics import COMMANDS_URGENT

log = get_log("notify")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_ASKS = frozenset({"work-order.offered", "work-order.assigned"})


class Planner:
    """Plans for all lanes of a worker; what it knows of a lane stands in its book."""

    def __init__(
        self,
        tenant: str,
        table: RoutingTable,
        joiner: Joiner,
        policies: PolicyBook,
        clock: Clock,
        scribe: Scribe,
        following: Callable[[LaneBook, Delivery], None],
    ) -> None:
        """``following`` is told of deliveries that need not wait for one before them any more."""
        self._tenant = tenant
        self._table = table
        self._joiner = joiner
        self._policies = policies
        self._clock = clock
        self._scribe = scribe
        self._following = following
        self._told = frozenset(table.routes)
        self._read = self._told | SUPERSEDES.keys()

    def parse(
        self, lane: LaneBook, records: Sequence[ConsumerRecord]
    ) -> tuple[list[tuple[Told, ConsumerRecord]], list[Record]]:
        """The events that somebody may hear of, or that leave others without meaning; repeated and old ones not.

        And the dead letters of what is no event.
        """
        found: list[tuple[Told, ConsumerRecord]] = []
        letters: list[Record] = []
        oldest_ms = (time.time() - self._table.document.max_age) * 1000
        for record in records:
            try:
                told = self._told_by(lane, record, oldest_ms)
            except (ValueError, LookupError, msgspec.MsgspecError) as error:
                letters.append(self._letter(record, "bad-event", f"{type(error).__name__}: {error}"))
                continue
            if told is not None:
                found.append((told, record))
        return found, letters

    def _told_by(self, lane: LaneBook, record: ConsumerRecord, oldest_ms: float) -> Told | None:
        headers = dict(record.headers)
        kind = short_type(headers["ce_type"].decode())
        key, sequence = key_of(record.key), int(headers["ce_sequence"])
        if lane.is_repeated(key, sequence):
            return None
        lane.handled(key, sequence)
        if kind not in self._read or record.timestamp < oldest_ms:
            return None
        trace = headers.get("ce_traceparent")
        return Told(
            id=headers["ce_id"].decode(),
            type=kind,
            subject=headers["ce_subject"].decode(),
            territory=key.territory,
            data=_decode(record.value),
            traceparent=trace.decode() if trace else None,
            recorded_at=_wall(headers.get("ce_recordedtime")),
        )

    async def load(self, events: Sequence[Told]) -> dict[str, Known]:
        """What is known beside each event that somebody hears of, by its id."""
        wanted = [one for one in events if one.type in self._told]
        keys = {one.id: TerritoryKey(self._tenant, one.territory) for one in wanted}
        orders = await self._joiner.orders(list({(keys[one.id], one.subject): None for one in wanted}))
        subjects = {one.id: people_of(one, orders.get((keys[one.id], one.subject))) for one in wanted}
        people = await self._joiner.people(sorted(set().union(*subjects.values())))
        known: dict[str, Known] = {}
        for one in wanted:
            technician = one.data.get("technician_id")
            technicians = await self._joiner.technicians(keys[one.id], {technician} if technician else set())
            order = orders.get((keys[one.id], one.subject))
            known[one.id] = Known(order=order, technicians=technicians, people=people)
        return known

    def plan(
        self, lane: LaneBook, events: Sequence[tuple[Told, ConsumerRecord]], known: Mapping[str, Known]
    ) -> tuple[list[Record], list[Delivery]]:
        """What the events come to, in their order: the records to write first, and what is then to be sent."""
        now, domain = time.time(), self._clock.now()
        moment = Moment(domain=domain, wall=now, speed=self._clock.speed)
        fresh: dict[str, Delivery] = {}
        records: list[Record] = []

        def ended(delivery: Delivery) -> None:
            records.append(self._scribe.record(delivery, lane.number, now))
            records.extend(self.finished(lane, delivery))
            fresh.pop(delivery.id, None)

        for told, record in events:
            dropped = self._supersede(lane, told, ended)
            planned = self._planned(told, known[told.id], moment) if told.type in self._told else []
            if planned is None:
                records.append(self._letter(record, "notify-failed", "a fault of ours while planning; see the log"))
                continue
            for delivery in planned:
                if delivery.id in lane.known or delivery.id in lane.open:
                    continue
                if delivery.reason == "unknown-receiver":
                    why = f"nobody here knows {delivery.receiver}"
                    records.append(self._letter(record, "unknown-receiver", why, delivery.id))
                if delivery.is_final:
                    ended(delivery)
                elif never_heard(delivery, dropped, lane.of_order(delivery.order_id)):
                    ended(drop(delivery, "never-heard"))
                else:
                    fresh[delivery.id] = delivery
                    lane.put(delivery)
        for delivery in fresh.values():
            lane.first[delivery.id] = lane.ledger_end
        plans = [self._scribe.record(delivery, lane.number, now) for delivery in fresh.values()]
        return plans + records, list(fresh.values())

    def _planned(self, told: Told, known: Known, moment: Moment) -> list[Delivery] | None:
        """The deliveries of an event; None when planning fails: one event must not stop the others."""
        try:
            return self._table.plan(told, known, self._policies.latest, moment)
        except Exception:
            log.exception("not planned", id=told.id)
            return None

    def _supersede(self, lane: LaneBook, told: Told, ended: Callable[[Delivery], None]) -> list[Delivery]:
        """Drop what an event leaves without meaning; what is under way is not tried again."""
        data = told.data
        found = superseded_by(
            told.type, told.subject, data.get("assignment_id"), data.get("escalation_id"), lane.of_order(told.subject)
        )
        found = [one for one in found if one.event_id != told.id]
        for one in found:
            if one.id in lane.in_flight:
                lane.doomed[one.id] = "superseded"
            else:
                following = lane.end(one.id)
                lane.written((one.id,))
                ended(drop(one, "superseded"))
                if following is not None:
                    self._following(lane, following)
        return found

    # what follows from an end ---------------------------------------------------------------------------------

    def finished(self, lane: LaneBook, delivery: Delivery) -> list[Record]:
        """What the desk must know of an end: a technician who could not be asked, a receiver whom nobody knows."""
        metrics.delivered(delivery.through or "none", delivery.state)
        unheard = delivery.state == "failed" or delivery.reason == "unknown-receiver"
        kind = delivery.receiver.partition("/")[0]
        asked = delivery.event_type in _ASKS and kind == "technician"
        unknown = delivery.reason == "unknown-receiver" and kind in {"technician", "reporter"}
        if not unheard or not (asked or unknown):
            return []
        tenant, territory, _sequence = delivery.event_id.split(":", 2)
        command = Command(
            id=f"{delivery.id}:undelivered",
            type="delivery.failed",
            tenant=tenant,
            territory=territory,
            data={
                "delivery_id": delivery.id,
                "event_id": delivery.event_id,
                "event_type": delivery.event_type,
                "receiver": delivery.receiver,
                "assignment_id": delivery.assignment_id,
                "reason": delivery.reason,
                "status": delivery.status,
                "hook": delivery.through,
                "attempts": delivery.attempt,
            },
            time=text_of(self._clock.now()),
            order_id=delivery.order_id,
            traceparent=delivery.traceparent,
        )
        log.warning("undelivered", lane=lane.number, delivery=delivery.id, type=delivery.event_type)
        return [Record(COMMANDS_URGENT, lane.number, f"{tenant}:{territory}".encode(), encode_command(command))]

    def _letter(self, record: ConsumerRecord, code: str, why: str, about: str = "") -> Record:
        """The dead letter of an event that somebody should have heard of."""
        metrics.REFUSED.labels("notify", code).inc()
        letter = wire.letter_of(record, self._tenant, code, [{"path": "", "message": why}], why)
        letter = msgspec.structs.replace(letter, id=f"{letter.id}:{about or code}")
        return wire.letter_record(letter, record.partition)


def _wall(text: bytes | None) -> float | None:
    return moment_of(text.decode()).timestamp() if text else None
