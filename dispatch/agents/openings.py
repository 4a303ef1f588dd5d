"""What intake makes of a request: the data of an ``open`` command, and the people that it names."""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dispatch.agents.privacy import new_subject, person_details, scrub
from dispatch.models.people import PersonRef
from dispatch.models.requests import RequestSubmitted, given
from dispatch.rules.faults import Asked, Part
from dispatch.rules.location import Place, facts_of, locate
from dispatch.rules.place_parts import locate_part
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, text_of, whole_ms
from dispatch.rules.triage import Classification, classify
from dispatch.rules.triage_model import Model, Prediction
from dispatch.rules.urgency import Context, in_context


def written(moment: datetime) -> str:
    """An aware moment as commands say it: in UTC, in whole milliseconds."""
    return text_of(whole_ms(moment.astimezone(UTC)))


class Report:
    """One fault of a request, ready to be classified and located."""

    def __init__(
        self,
        request: RequestSubmitted,
        request_id: str,
        number: int,
        item_text: str | None,
        item_trade: str | None,
        reported_at: datetime,
        policy: Policy,
    ) -> None:
        """``number`` counts the faults of the request; what an item says of it comes before what the request says."""
        self.request, self.request_id, self.number = request, request_id, number
        self.reported_at, self.policy = reported_at, policy
        self.trade_hint = item_trade or request.trade_hint
        self.itemised = len(request.items) > 1
        self.said = item_text or request.text or ""
        self.text = scrub(self.said, request.reporter.name)
        self.verdict: Classification | None = None
        self.place: Place | None = None
        self.part: Part | None = None
        self.of = 1
        if request.location and request.location.note:
            self.said = f"{self.said}\n{request.location.note}"

    def opening(self, heard: Prediction | None, model: Model | None = None) -> tuple[Data, str]:
        """The data of the ``open`` command, and the territory that it is for. ``model`` is who has heard it."""
        policy, text = self.policy, self.text
        place = self.place = self.place or locate(policy, self._form(), text)
        self.verdict = self.judged(heard, model)
        verdict = in_context(policy, self.verdict, f"{text}\n{self._said_beside()}", self._context(place))
        data = _opening(self.request, self.request_id, text, self._location(place), verdict, self.reported_at)
        if self.part is not None:
            data["classifier"]["evidence"] = (*verdict.evidence, self._split_at())
        return data, place.territory

    def asked(self) -> Asked | None:
        """The question whether it tells of several faults, once it has been classified.

        Only a repair in words of its own is asked: not what the channel itemises, or says to be dangerous or planned.
        """
        request, verdict = self.request, self.verdict
        plain = request.kind == "repair" and (request.origin or "reactive") == "reactive"
        if verdict is None or self.part is not None or not plain or self.itemised or request.hazards:
            return None
        return Asked(self.policy, self.text, verdict)

    def parted(self, parts: Sequence[Part]) -> list["Report"]:
        """A report for each part, numbered from 0; where none is named, each is where the one before it is."""
        found: list[Report] = []
        for number, part in enumerate(parts):
            one = copy.copy(self)
            one.number, one.part, one.of = number, part, len(parts)
            if not part.is_whole:
                one.text = part.text
                before = found[-1].place if found else self.place
                one.place = locate_part(self.policy, self._form(), part.text, before, is_first=not number)
            found.append(one)
        return found

    def _form(self) -> Data | None:
        return given(self.request.location) if self.request.location else None

    def judged(self, heard: Prediction | None, model: Model | None) -> Classification:
        """What it asks for, with all that request and channel say beside the text.

        What the channel says of trade and category holds for the part that it fits.
        """
        request, part = self.request, self.part
        hint, category, urgency = self.trade_hint, request.category, request.urgency_hint
        if part is not None and not part.is_whole:
            hint = hint if hint == part.trade else None
            category = category if category == part.trade else None
            urgency = urgency if urgency != "emergency" else None
        return classify(
            self.policy,
            text=self.text,
            category=category,
            trade_hint=hint,
            urgency_hint=urgency,
            hazards=request.hazards,
            impact=request.impact,
            kind=request.kind,
            origin=request.origin or "reactive",
            heard=heard,
            model=model,
        )

    def _said_beside(self) -> str:
        """What the request says of its place in words of its own."""
        told = self.request.location
        return "\n".join(filter(None, (told.building, told.room, told.note))) if told else ""

    def _context(self, place: Place) -> Context:
        people = (self.request.reporter, self.request.on_behalf_of)
        return Context(
            territory=place.territory,
            area_path=place.area_path,
            reported_at=self.reported_at,
            vulnerable=any(one is not None and bool(one.vulnerable) for one in people),
        )

    def _split_at(self) -> str:
        part = self.part
        where = f", after {part.said!r}" if part and part.said else ""
        return f"fault {self.number + 1} of {self.of}{where}"

    def _location(self, place: Place) -> Data:
        location, name = facts_of(place), self.request.reporter.name
        for field in ("floor", "room"):
            if known := location.get(field):
                location[field] = scrub(known, name)
        if self.request.location and (note := self.request.location.note):
            location["note"] = scrub(note, name)
        return location


def _opening(
    request: RequestSubmitted,
    request_id: str,
    text: str,
    location: Data,
    verdict: Classification,
    reported_at: datetime,
) -> Data:
    """What the desk is told of one fault of a request; who reported it is filled in by their subject id."""
    reporter = request.reporter
    who = _who(reporter)
    if "locale" not in who and request.locale:
        who["locale"] = request.locale
    data: Data = {
        "request_id": request_id,
        "channel": request.channel,
        "kind": verdict.kind,
        "origin": request.origin or "reactive",
        "drill": request.drill,
        "reported_at": written(reported_at),
        "text": text,
        "location": location,
        "requirements": verdict.requirements,
        "urgency": verdict.urgency,
        "needs_triage": verdict.needs_front_desk,
        "reporter": who,
        "classifier": {
            "source": verdict.source,
            "model_version": verdict.model_version,
            "confidence": verdict.confidence_permille / 1000,
            "evidence": verdict.evidence,
        },
    }
    if verdict.hazards:
        data["hazards"] = verdict.hazards
    if request.impact:
        data["impact"] = request.impact
    if reporter.department_id:
        data["department_id"] = reporter.department_id
    if request.about_ref:
        data["links"] = [{"type": "about", "id": request.about_ref}]
    if request.noticed_at:
        data["noticed_at"] = written(request.noticed_at)
    if request.due_at:
        data["due_at"] = written(request.due_at)
    return data | _beside(request)


_BESIDE = frozenset(
    {"entered_at", "entered_by", "access", "attachments", "asset_state", "billing_hint", "about_ref"}
    | {"external_refs", "campaign_id", "locale"}
)
"""What a request may say that nothing is decided by: it stands in the opening as it was said."""


def _beside(request: RequestSubmitted) -> Data:
    named = request.model_fields_set & _BESIDE
    data: Data = _plain(request.model_dump(include=named, exclude_none=True)) if named else {}
    if request.on_behalf_of is not None:
        data["on_behalf_of"] = _who(request.on_behalf_of)
    return data


def _plain(value: Any) -> Any:
    """The same value, moments as commands say them."""
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _who(person: PersonRef) -> Data:
    """A person without what names or reaches them; intake adds the subject id."""
    said = {name: getattr(person, name) for name in ("affiliation", "department_id", "vulnerable", "locale")}
    return {name: value for name, value in said.items() if value is not None}


def people_of(request: RequestSubmitted, said: str) -> dict[str, tuple[str, bytes]]:
    """Whom a request names, the reporter first: person id -> (proposed subject id, details for the people store)."""
    people = {request.reporter.id: (new_subject(), person_details(request.reporter, said))}
    other = request.on_behalf_of
    if other is not None and other.id not in people:
        people[other.id] = (new_subject(), person_details(other, ""))
    return people
