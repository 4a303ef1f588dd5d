"""Reading inputs: one Kafka record into what it asks for, validated, located and classified, or Rejected."""

import hashlib
from datetime import datetime, timedelta

import msgspec
from aiokafka.structs import ConsumerRecord

from dispatch.agents.openings import Report, people_of, written
from dispatch.agents.policies import PolicyBook
from dispatch.agents.privacy import new_subject, scrub
from dispatch.errors import Rejected
from dispatch.models.action_base import Action
from dispatch.models.actions import ACTIONS
from dispatch.models.catalog import EVENT_TYPES
from dispatch.models.cloudevents import Incoming, parse
from dispatch.models.commands import root_of
from dispatch.models.requests import RequestSubmitted, given
from dispatch.rules.lifecycle import authorise
from dispatch.rules.location import facts_of, locate
from dispatch.rules.state import Data, moment_of
from dispatch.rules.triage_model import Model, Prediction
from dispatch.topics import ACTIONS as ACTIONS_TOPIC
from dispatch.topics import REQUESTS

MAX_INPUT_BYTES = 64 * 1024
REQUEST_TYPE = "dispatch.request.submitted.v1"
ACTION_PREFIX = "dispatch.action."
PERSONS = frozenset({"requester", "proxy"})
STAFF_TYPES = {
    f"dispatch.{name}.v1": name
    for name in (
        *("technician.updated", "technician.removed", "position.reported"),
        *("shift.planned", "shift.started", "shift.ended", "shift.absent"),
    )
}
WORDS = ("text", "note", "notes", "comment", "reason", "where_instead")
"""Fields of actions in which people write freely."""


class Draft(msgspec.Struct, kw_only=True):
    """One input on its way: what it is, whom and what it needs looked up, and where it goes.

    One with a ``report`` has no data yet: reports of a batch are classified together, then :meth:`classified`.
    """

    record: ConsumerRecord
    incoming: Incoming
    type: str
    data: Data
    order_id: str | None = None
    route_of: str
    people: dict[str, tuple[str, bytes]] = {}
    on_behalf_of: str | None = None
    proposed: str | None = None
    report: Report | None = None

    def classified(self, heard: Prediction | None, model: Model | None = None) -> None:
        """Fill in what the report says, with what the model made of its text."""
        if self.report is None:
            return
        self.data, territory = self.report.opening(heard, model)
        self.proposed = f"{territory}|{'u' if self.data['urgency'] == 'emergency' else 'n'}"


class Reader:
    """Reads records of requests and actions by the newest policy."""

    def __init__(self, tenant: str, policies: PolicyBook, future_tolerance_s: int) -> None:
        """Times further ahead than ``future_tolerance_s`` are refused."""
        self.tenant = tenant
        self.policies = policies
        self.tolerance = timedelta(seconds=future_tolerance_s)

    def read(self, record: ConsumerRecord, now: datetime) -> list[Draft]:
        """What a record asks for; several when a request names several faults. Raises Rejected or ValidationError."""
        if record.value is None or len(record.value) > MAX_INPUT_BYTES:
            size = len(record.value or b"")
            raise Rejected("too-large" if size else "missing-data", f"{size} bytes; at most {MAX_INPUT_BYTES}")
        incoming = parse(record.headers, record.key, record.value)
        tenant = incoming.attributes.get("tenantid", self.tenant)
        if tenant != self.tenant:
            raise Rejected("unknown-tenant", f"this engine serves {self.tenant!r}, not {tenant!r}", "tenantid")
        if incoming.time is not None:
            self._not_in_future(incoming.time, now, "time")
        if record.topic == REQUESTS:
            return self._request(record, incoming, now)
        return [self._action(record, incoming, now)]

    def _not_in_future(self, moment: datetime, now: datetime, path: str) -> None:
        if moment > now + self.tolerance:
            raise Rejected("time-in-future", f"{written(moment)} is in the future", path)

    def _request(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> list[Draft]:
        if incoming.type != REQUEST_TYPE:
            raise Rejected("unknown-type", f"{incoming.type!r} is not read from {REQUESTS}", "type")
        request = RequestSubmitted.model_validate_json(incoming.data)
        if request.reported_at is not None:
            self._not_in_future(request.reported_at, now, "reported_at")
        reported_at = request.reported_at or incoming.time or now
        policy = self.policies.latest
        request_id = request.request_id or incoming.id
        faults: list[tuple[str | None, str | None]] = [(item.text, item.trade) for item in request.items]
        if len(faults) <= 1:  # one fault is the request itself
            faults = [(None, None)]
        return [
            self._fault(record, incoming, Report(request, request_id, number, text, trade, reported_at, policy))
            for number, (text, trade) in enumerate(faults)
        ]

    def _fault(self, record: ConsumerRecord, incoming: Incoming, report: Report) -> Draft:
        request = report.request
        order_id = order_id_of(self.tenant, incoming.source, report.request_id, report.number)
        return Draft(
            record=record,
            incoming=incoming,
            type="open",
            data={},
            order_id=order_id,
            people=people_of(request, report.said),
            on_behalf_of=request.on_behalf_of.id if request.on_behalf_of else None,
            route_of=order_id,
            report=report,
        )

    def _action(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> Draft:
        if incoming.type in STAFF_TYPES:
            return self._staff(record, incoming, now)
        name = incoming.type.removeprefix(ACTION_PREFIX).removesuffix(".v1")
        model = ACTIONS.get(name) if incoming.type.startswith(ACTION_PREFIX) else None
        if model is None:
            raise Rejected("unknown-type", f"{incoming.type!r} is not read from {ACTIONS_TOPIC}", "type")
        action = model.model_validate_json(incoming.data)
        if action.performed_at is not None:
            self._not_in_future(action.performed_at, now, "performed_at")
        authorise(name, action.actor.role)
        data = _said(action)
        data["performed_at"] = written(action.performed_at or incoming.time or now)
        for field in WORDS:
            if isinstance(data.get(field), str):
                data[field] = scrub(data[field])
        if data.get("location"):
            # without the note, in which a name may stand that is not known here
            data["resolved_location"] = facts_of(locate(self.policies.latest, data.pop("location"), ""))
        elif name == "relocate":
            raise Rejected("missing-field", "a location to relocate to", "location")
        person = action.actor.role in PERSONS
        return Draft(
            record=record,
            incoming=incoming,
            type="act",
            data={"action": name, "data": data},
            order_id=action.work_order_id,
            people={action.actor.id: (new_subject(), b"")} if person else {},
            route_of=root_of(action.work_order_id),
        )

    def _staff(self, record: ConsumerRecord, incoming: Incoming, now: datetime) -> Draft:
        short = STAFF_TYPES[incoming.type]
        model = EVENT_TYPES[incoming.type].model
        data: Data = model.model_validate_json(incoming.data).model_dump(mode="json", exclude_none=True)
        technician_id = data.get("technician_id") or data["id"]
        proposed = None
        if short == "technician.updated":
            proposed = f"{data['home_territory']}|n"
            self._known_names(data)
        if short == "position.reported":
            self._not_in_future(moment_of(data["measured_at"]), now, "measured_at")
        return Draft(
            record=record,
            incoming=incoming,
            type=short,
            data=data,
            route_of=f"technician/{technician_id}",
            proposed=proposed,
        )

    def _known_names(self, data: Data) -> None:
        policy = self.policies.latest
        if data["home_territory"] not in policy.territories:
            raise Rejected("unknown-territory", f"no territory {data['home_territory']!r}", "home_territory")
        for number, skill in enumerate(data.get("skills", ())):
            if skill["trade"] not in policy.trades:
                raise Rejected("unknown-trade", f"no trade {skill['trade']!r}", f"skills.{number}.trade")


def order_id_of(tenant: str, source: str, request_id: str, fault: int) -> str:
    """The id of the order of one fault of a request: the same however often the request is sent."""
    text = "\0".join((tenant, source, request_id, str(fault)))
    return "wo" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


_PLAIN = frozenset({str, int, float, bool})


def _said(action: Action) -> Data:
    """What an action says, as JSON values; what it leaves empty is left out, and when it was done is for the caller."""
    data: Data = {}
    nested: set[str] = set()
    for name, value in vars(action).items():
        if type(value) in _PLAIN:
            data[name] = value
        elif value is not None and value != () and name not in _BY_HAND:
            nested.add(name)
    if nested:  # most actions have none: pydantic is asked only where its models are nested
        data |= action.model_dump(mode="json", exclude_none=True, include=nested)
    data["actor"] = given(action.actor)
    return data


_BY_HAND = frozenset({"actor", "performed_at"})
