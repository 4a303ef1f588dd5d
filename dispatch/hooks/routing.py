"""Who is told of an event, why, through which hooks, in which language, and when. Pure: values in, deliveries out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from dispatch.hooks.delivery import Delivery, delivery_id, drop
from dispatch.hooks.words import quiet_until, render, values_of
from dispatch.models.hooks import LOCALES, Contact, HooksDocument, Locale, Route, RouteWhen
from dispatch.rules.policy import Policy
from dispatch.rules.state import ACTIVE_LEG_STATES, Data, Order, moment_of
from dispatch.rules.state_staff import Technician

FACTS: Final = (
    *("work_order_id", "display_no", "cycle", "state", "kind", "drill", "urgency", "text", "location", "reason"),
    *("assignment_id", "technician_id", "place", "requirement", "mode", "expires_at", "due", "promised_at"),
    *("escalation_id", "level", "cause", "clock", "due_at", "time_left_s", "until", "next_rung", "into"),
    *("disposition", "acceptance", "expected_resume_at", "where_instead", "owner", "count", "plan", "answer"),
)
"""What of an event's data a message carries for machines; nothing in it names a person."""
_ASKS: Final = frozenset({"work-order.offered", "work-order.assigned"})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as routing sees it; ``traceparent`` travels on to the receiver. ``recorded_at``: wall time."""

    id: str
    type: str
    subject: str
    territory: str
    data: Data
    traceparent: str | None = None
    recorded_at: float | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the event: the order as it stands now, the territory's technicians, and reporters.

    ``people``: subject id -> what the people store has, None when it has nothing. Of it only the name of a hook and
    the language are used here.
    """

    order: Order | None = None
    technicians: Mapping[str, Technician] = {}
    people: Mapping[str, Mapping[str, Any] | None] = {}


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Now, in domain time and in wall time (seconds since the epoch); ``speed``: domain seconds per wall second."""

    domain: datetime
    wall: float
    speed: float = 1.0

    def wall_of(self, moment: datetime) -> float:
        """The wall time of a moment of domain time."""
        return self.wall + (moment - self.domain).total_seconds() / self.speed


class Ear(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is to hear: why, through which hooks, in which language; ``unknown`` when nobody knows them."""

    receiver: str
    why: str
    hooks: tuple[str, ...] = ()
    locale: Locale | None = None
    unknown: bool = False


class RoutingTable:
    """The routes of a config, by type of event. Its templates and names must have been checked."""

    def __init__(self, document: HooksDocument) -> None:
        """Index the routes."""
        self.document = document
        self.routes: dict[str, list[tuple[int, Route]]] = {}
        for number, route in enumerate(document.routes, 1):
            self.routes.setdefault(route.event, []).append((number, route))

    def plan(self, event: Told, known: Known, policy: Policy, now: Moment) -> list[Delivery]:
        """The deliveries of an event: one for each receiver, by the first route that names them.

        One that must not be sent comes out as dropped, with its reason.
        """
        planned: dict[str, Delivery] = {}
        for number, route in self.routes.get(event.type, ()):
            if not _fits(route.when, event, known.order):
                continue
            for ear in self.ears(route, event, known):
                if ear.receiver not in planned and (ear.hooks or ear.unknown):
                    planned[ear.receiver] = self._delivery(number, route, ear, event, known, policy, now)
        return list(planned.values())

    def ears(self, route: Route, event: Told, known: Known) -> Iterator[Ear]:
        """Everybody whom a route names for this event."""
        for to in route.to:
            find = _FINDERS.get(to)
            for ear in find(self, route, event, known) if find else self.contact(to, to, known):
                yield msgspec.structs.replace(ear, hooks=self._known_hooks(route, ear))

    def contact(self, receiver: str, why: str, known: Known) -> Iterator[Ear]:
        """A role, team, organisation or person: who is on duty for it, else its own hooks."""
        contact = self.document.receivers.get(receiver, Contact())
        if contact.on_duty:
            on_duty = [
                one
                for one in known.technicians.values()
                if not one.removed and (shift := one.on_shift()) is not None and shift.role == contact.on_duty
            ]
            for one in on_duty:
                yield self.technician_ear(one, f"{why}, on duty")
            if on_duty:
                return
        kind = receiver.partition("/")[0]
        hooks = contact.hooks or self.document.defaults.get(kind, ())  # type: ignore[call-overload]
        yield Ear(receiver=receiver, why=why, hooks=hooks, locale=contact.locale)

    def technician_ear(self, technician: Technician, why: str) -> Ear:
        """A technician, with the hooks that the roster names."""
        own = tuple(technician.profile.get("hooks") or ())
        languages = technician.profile.get("languages") or ()
        return Ear(
            receiver=f"technician/{technician.id}",
            why=why,
            hooks=tuple(name for name in own if name in self.document.hooks)
            or self.document.defaults.get("technician", ()),
            locale=locale_of(languages[0]) if languages else None,
        )

    def _known_hooks(self, route: Route, ear: Ear) -> tuple[str, ...]:
        named = route.through or ear.hooks
        return tuple(dict.fromkeys(name for name in named if name in self.document.hooks))

    def _delivery(
        self, number: int, route: Route, ear: Ear, event: Told, known: Known, policy: Policy, now: Moment
    ) -> Delivery:
        data, order = event.data, known.order
        locale = ear.locale or self.document.locale
        words = getattr(self.document.templates[route.template], locale)
        title, text = render(words, values_of(event.type, data, order, policy, locale))
        urgency = str(data.get("urgency") or (order.urgency if order else "normal"))
        next_at = self._when(route, urgency, policy, now)
        facts = {name: data[name] for name in FACTS if data.get(name) not in (None, [], {})}
        if order is not None:
            facts.setdefault("display_no", order.display_no)
        planned = Delivery(
            id=delivery_id(event.id, ear.receiver),
            event_id=event.id,
            event_type=event.type,
            receiver=ear.receiver,
            hooks=ear.hooks,
            why=f"route {number}: {ear.why}",
            order_id=str(data.get("work_order_id") or event.subject),
            assignment_id=data.get("assignment_id"),
            escalation_id=data.get("escalation_id"),
            planned_at=now.wall,
            event_at=event.recorded_at,
            next_at=next_at,
            give_up_at=self._give_up_at(route, data, next_at, now),
            urgency=urgency,
            locale=locale,
            title=title,
            text=text,
            facts=facts,
            traceparent=event.traceparent,
        )
        if ear.unknown:
            return drop(planned, "unknown-receiver")
        if stale(event.type, data, order):
            return drop(planned, "superseded")
        return planned if planned.give_up_at > now.wall else drop(planned, "too-late")

    def _when(self, route: Route, urgency: str, policy: Policy, now: Moment) -> float:
        quiet = self.document.quiet
        if quiet is None or urgency == "emergency" or route.quiet == "break":
            return now.wall
        until = quiet_until(quiet.start, quiet.end, ZoneInfo(policy.site.timezone), now.domain)
        return now.wall if until is None else now.wall_of(until)

    def _give_up_at(self, route: Route, data: Data, next_at: float, now: Moment) -> float:
        at = next_at + (route.give_up or self.document.retry.give_up)
        expires_at = data.get("expires_at")
        return min(at, now.wall_of(moment_of(expires_at))) if expires_at else at


def stale(kind: str, data: Data, order: Order | None) -> bool:
    """Whether an offer or an assignment is over already, as the desk knows and this event does not."""
    if kind not in _ASKS or order is None:
        return False
    leg = next((leg for leg in order.legs if leg.assignment_id == data.get("assignment_id")), None)
    return order.is_final or (leg is not None and leg.state not in ACTIVE_LEG_STATES)


def locale_of(text: str | None) -> Locale | None:
    """``zh-Hans-CN`` -> ``zh``; None for what there are no templates in."""
    short = (text or "").replace("_", "-").partition("-")[0].lower()
    return next((one for one in LOCALES if one == short), None)


def people_of(event: Told, order: Order | None) -> set[str]:
    """The subject ids that an event's routes may need from the people store."""
    own = (event.data.get("reporter") or {}).get("subject_id") or (order.reporter.get("subject_id") if order else None)
    return {one for one in (own, *(order.followers if order else ())) if one}


def _fits(when: RouteWhen, event: Told, order: Order | None) -> bool:
    urgency = event.data.get("urgency") or (order.urgency if order else "normal")
    return (
        (not when.urgency or urgency in when.urgency)
        and (not when.territory or event.territory in when.territory)
        and (not when.reason or event.data.get("reason") in when.reason)
        and (not when.cause or event.data.get("cause") in when.cause)
        and (not when.what or event.data.get("what") in when.what)
    )


def _technician(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    wanted = event.data.get("technician_id")
    if not wanted:
        return []
    found = known.technicians.get(wanted)
    if found is None:
        return [Ear(receiver=f"technician/{wanted}", why="technician of the leg", unknown=True)]
    return [table.technician_ear(found, "technician of the leg")]


def _person(table: RoutingTable, subject: str, why: str, known: Known, locale: str | None = None) -> Ear:
    details = known.people.get(subject)
    if details is None:
        return Ear(receiver=f"reporter/{subject}", why=why, unknown=True)
    own = details.get("reply_to")
    hooks = (own,) if own in table.document.hooks else table.document.defaults.get("reporter", ())
    spoken = locale_of(str(details.get("locale") or locale or ""))
    return Ear(receiver=f"reporter/{subject}", why=why, hooks=hooks, locale=spoken)


def _reporter(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    reporter = event.data.get("reporter") or (known.order.reporter if known.order else {})
    subject = reporter.get("subject_id")
    return [_person(table, subject, "reporter", known, reporter.get("locale"))] if subject else []


def _followers(table: RoutingTable, _route: Route, _event: Told, known: Known) -> Iterable[Ear]:
    return [_person(table, one, "follower", known) for one in (known.order.followers if known.order else ())]


def _supervisor(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    wanted = known.technicians.get(event.data.get("technician_id") or _worker(known.order) or "")
    supervisor_id = wanted.supervisor_id if wanted else None
    if supervisor_id is None:
        return table.contact("role/supervisor", "supervisor", known)
    own = known.technicians.get(supervisor_id)
    why = f"supervisor of {wanted.id}" if wanted else "supervisor"
    return [table.technician_ear(own, why)] if own else table.contact(f"person/{supervisor_id}", why, known)


def _worker(order: Order | None) -> str | None:
    return next((leg.technician_id for leg in order.active_legs()), None) if order else None


def _recipients(table: RoutingTable, route: Route, event: Told, known: Known) -> Iterable[Ear]:
    for one in event.data.get("recipients") or ():
        why = f"escalation level {event.data.get('level')}"
        if one["id"] == "supervisor":
            yield from _supervisor(table, route, event, known)
        elif one.get("role"):
            yield from table.contact(f"role/{one['id']}", why, known)
        else:
            yield from table.contact(f"person/{one['id']}", why, known)


def _owner(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    owner = event.data.get("owner") or (msgspec.to_builtins(known.order.owner) if known.order else None)
    if not owner:
        return []
    found = known.technicians.get(owner["id"]) if owner["kind"] == "person" else None
    if found is not None:
        return [table.technician_ear(found, "owner")]
    return table.contact(f"{owner['kind']}/{owner['id']}", "owner", known)


def _team(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    trade = (event.data.get("requirement") or {}).get("trade") or (known.order.trade if known.order else None)
    return table.contact(f"team/{event.territory}.{trade}", f"team of {trade}", known) if trade else []


def _organisation(table: RoutingTable, _route: Route, event: Told, known: Known) -> Iterable[Ear]:
    found = known.technicians.get(event.data.get("technician_id") or "")
    return table.contact(f"org/{found.org_id}", "organisation of the technician", known) if found else []


Finder = Callable[[RoutingTable, Route, Told, Known], Iterable[Ear]]
_FINDERS: Final[dict[str, Finder]] = {
    "technician": _technician,
    "reporter": _reporter,
    "followers": _followers,
    "supervisor": _supervisor,
    "recipients": _recipients,
    "owner": _owner,
    "team": _team,
    "organisation": _organisation,
}
