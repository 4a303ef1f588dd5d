"""What must hold between the parts of a policy, beyond the shape of each: one function is one rule.

A check gets the whole document and yields a :class:`Finding` with the path into the document, so that the
reader of the config folder can point at the line. It never raises: a document with findings is not compiled.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo

from dispatch.models.policy import Calendar, PolicyDocument
from dispatch.models.policy_base import URGENCIES, When
from dispatch.rules.findings import NAMES_SHOWN, Finding, Path, must_be_known, twice, unknown
from dispatch.rules.place_checks import areas_in, check_areas, check_assets, check_bounds
from dispatch.rules.policy import fits
from dispatch.rules.triage_file import shipped

Check = Callable[[PolicyDocument], "Iterator[Finding]"]

WORK_TARGETS = ("accept", "arrive", "resolve", "confirm")
"""What every row of the SLA table promises; one that may meet an order without a trade adds `triage`."""

_DAY_S = 86_400


def check(document: PolicyDocument) -> list[Finding]:
    """All findings of all checks, in the order of :data:`CHECKS`; empty if the document can be compiled."""
    return [finding for each in CHECKS for finding in each(document)]


def is_time_zone(name: str) -> bool:
    """Whether the IANA time zone database knows ``name``."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, not a plain name, the name of a folder
        return False
    return True


def check_site(document: PolicyDocument) -> Iterator[Finding]:
    """The default territory exists, the time zone is known, no territory is named twice, letters are of known kinds."""
    ids = [each.id for each in document.territories]
    if missing := unknown(("site", "default_territory"), "territory", document.site.default_territory, ids):
        yield missing
    if not is_time_zone(document.site.timezone):
        yield _bad_zone(("site", "timezone"), document.site.timezone)
    yield from twice(((("territories", n, "id"), name) for n, name in enumerate(ids)), "territory id")
    for kind in document.site.letters:
        yield from must_be_known(("site", "letters", kind), "kind", kind, document.site.kinds)


def check_calendars(document: PolicyDocument) -> Iterator[Finding]:
    """Time zones are known, intervals are in order and apart, and there is some working time."""
    for key, calendar in document.calendars.items():
        path: Path = ("calendars", key)
        if not is_time_zone(calendar.timezone):
            yield _bad_zone((*path, "timezone"), calendar.timezone)
        if not calendar.always and not any(calendar.week.values()):
            yield Finding(path, f"the calendar '{key}' has no working time", "`always: true`, or `week`")
        yield from _intervals(calendar, path)


def check_sla(document: PolicyDocument) -> Iterator[Finding]:
    """Rows name known things, make all the promises they must, and warn at rising fractions."""
    rows = document.sla
    yield from twice(((("sla", n, "id"), row.id) for n, row in enumerate(rows)), "SLA rule id")
    for number, row in enumerate(rows):
        path: Path = ("sla", number)
        yield from _when(document, row.when, (*path, "when"))
        yield from must_be_known((*path, "calendar"), "calendar", row.calendar, document.calendars)
        yield from must_be_known((*path, "ladder"), "ladder", row.ladder, document.ladders)
        for name, target in row.targets.items():
            at = (*path, "targets", name)
            if target.calendar is not None:
                yield from must_be_known((*at, "calendar"), "calendar", target.calendar, document.calendars)
            if target.ladder is not None:
                yield from must_be_known((*at, "ladder"), "ladder", target.ladder, document.ladders)
        needed = WORK_TARGETS if row.when.trade else ("triage", *WORK_TARGETS)
        if lacking := [name for name in needed if name not in row.targets]:
            what = f"the SLA rule '{row.id}' has no target for {', '.join(lacking)}"
            yield Finding((*path, "targets"), what, f"the targets {', '.join(needed)}")
        if any(later <= earlier for earlier, later in pairwise(row.warn_at_permille)):
            yield Finding((*path, "warn_at_permille"), "warnings are not in rising order", "such as [500, 800]")


def check_sla_covers_all(document: PolicyDocument) -> Iterator[Finding]:
    """Every urgency, trade (and none), territory and kind meets a row, wherever in the territory it is."""
    whens = [row.when for row in document.sla]
    yield from _gaps(document, whens, (*document.trades, None), ("sla",), "SLA rule")


def check_ladders(document: PolicyDocument) -> Iterator[Finding]:
    """`then` leads somewhere and never back, and rungs rise in level and time all the way."""
    for key, ladder in document.ladders.items():
        for number, (lower, upper) in enumerate(pairwise(ladder.rungs), 1):
            if upper.level <= lower.level or upper.after <= lower.after:
                what = f"rung {number + 1} of '{key}' is not above and after the one before"
                expected = "rungs that rise in `level` and in `after`"
                yield Finding(("ladders", key, "rungs", number), what, expected)
        if ladder.then is not None:
            yield from _continuation(document, key, ladder.rungs[-1].level, ladder.then)


def check_matching(document: PolicyDocument) -> Iterator[Finding]:
    """Modes name known things, and every order that can be matched has one."""
    for number, mode in enumerate(document.matching.modes):
        yield from _when(document, mode.when, ("matching", "modes", number, "when"))
    whens = [mode.when for mode in document.matching.modes]
    yield from _gaps(document, whens, tuple(document.trades), ("matching", "modes"), "mode")


def check_trades(document: PolicyDocument) -> Iterator[Finding]:
    """Windows for duplicates and rework, and words of the lexicon, belong to trades that exist."""
    for key in document.duplicates.by_trade:
        yield from must_be_known(("duplicates", "by_trade", key), "trade", key, document.trades)
    for key in document.rework.by_trade:
        yield from must_be_known(("rework", "by_trade", key), "trade", key, document.trades)
    for key in document.lexicon.trades:
        yield from must_be_known(("lexicon", "trades", key), "trade", key, document.trades)
    for key in document.lexicon.site:
        yield from must_be_known(("lexicon", "site", key), "trade", key, document.trades)
    for key in document.lexicon.symptoms:
        yield from must_be_known(("lexicon", "symptoms", key), "trade", key, document.trades)
    for key, words in document.lexicon.emergencies.items():
        yield from must_be_known(("lexicon", "emergencies", key, "trade"), "trade", words.trade, document.trades)


def check_plans(document: PolicyDocument) -> Iterator[Finding]:
    """No plan is named twice, each can be chosen, and somebody, the lexicon or the model, tells its hazards."""
    yield from twice(((("plans", n, "id"), plan.id) for n, plan in enumerate(document.plans)), "plan id")
    hazards = {*(words.hazard for words in document.lexicon.emergencies.values()), *shipped().hazards}
    places: list[tuple[Path, str]] = []
    for number, plan in enumerate(document.plans):
        places += [(("plans", number, "hazards", at), name) for at, name in enumerate(plan.hazards)]
    yield from twice(places, "hazard of a plan")
    for path, name in places:
        yield from must_be_known(path, "hazard", name, hazards)
    for number in [number for number, plan in enumerate(document.plans) if not plan.hazards][1:]:
        what = "a second plan without hazards, which never comes up"
        yield Finding(("plans", number), what, "hazards, or one such plan")


def check_urgency(document: PolicyDocument) -> Iterator[Finding]:
    """Rows name known things, hold for something in particular, and raise."""
    rows = document.urgency
    yield from twice(((("urgency", n, "id"), row.id) for n, row in enumerate(rows)), "row of urgency")
    for number, row in enumerate(rows):
        path: Path = ("urgency", number)
        yield from _when(document, row.when, (*path, "when"))
        for index, (start, end) in enumerate(row.hours):
            if not start < end:
                what = f"an interval of '{row.id}' ends before it starts"
                yield Finding((*path, "hours", index), what, "two intervals for a night: 22:00-24:00, 00:00-06:00")
        if row.since and row.until and row.until < row.since:
            yield Finding((*path, "until"), f"'{row.id}' ends before it begins", f"a day from {row.since} on")
        lesser = row.when.urgency or URGENCIES
        if not any(URGENCIES.index(each) > URGENCIES.index(row.to) for each in lesser):
            yield Finding((*path, "to"), f"'{row.id}' raises nothing", "more urgent than what `when` speaks of")
        if row.model_fields_set <= {"id", "reason", "to"}:
            what = f"'{row.id}' holds for every report"
            yield Finding(path, what, "when, words, since, until, hours or vulnerable")


def check_incidents(document: PolicyDocument) -> Iterator[Finding]:
    """The trades of incidents are of the catalogue."""
    for number, trade in enumerate(document.incidents.trades):
        yield from must_be_known(("incidents", "trades", number), "trade", trade, document.trades)


CHECKS: tuple[Check, ...] = (
    check_site,
    check_areas,
    check_bounds,
    check_assets,
    check_calendars,
    check_trades,
    check_ladders,
    check_sla,
    check_sla_covers_all,
    check_matching,
    check_urgency,
    check_plans,
    check_incidents,
)


def _bad_zone(path: Path, name: str) -> Finding:
    return Finding(path, f"unknown time zone '{name}'", "a name of the IANA database, such as Asia/Shanghai")


def _when(document: PolicyDocument, when: When, path: Path) -> Iterator[Finding]:
    areas = [area.id for _, _, area in areas_in(document)]
    territories = [each.id for each in document.territories]
    for field, names, known in (
        ("trade", when.trade, list(document.trades)),
        ("territory", when.territory, territories),
        ("area", when.area, areas),
        ("kind", when.kind, list(document.site.kinds)),
    ):
        for number, name in enumerate(names):
            yield from must_be_known((*path, field, number), field, name, known)


def _gaps(
    document: PolicyDocument, whens: list[When], trades: tuple[str | None, ...], path: Path, what: str
) -> Iterator[Finding]:
    """One finding per urgency that has gaps. Rules for single areas do not count: there are other areas."""
    territories = [each.id for each in document.territories]
    rows = [when for when in whens if not when.area]
    for urgency in URGENCIES:
        lacking = sorted(
            {
                trade or "(no trade yet)"
                for trade in trades
                for territory in territories
                for kind in document.site.kinds
                if not any(fits(when, urgency, trade, territory, (), kind) for when in rows)
            }
        )
        if lacking:
            names = ", ".join(lacking[:NAMES_SHOWN]) + (", …" if len(lacking) > NAMES_SHOWN else "")
            expected = "a row for every trade, territory and kind, such as a last one without `when`"
            yield Finding(path, f"no {what} fits every order of urgency '{urgency}': {names}", expected)


def _intervals(calendar: Calendar, path: Path) -> Iterator[Finding]:
    for day, intervals in calendar.week.items():
        previous_end = -1
        order = sorted(range(len(intervals)), key=intervals.__getitem__)
        for number in order:
            start, end = intervals[number]
            at = (*path, "week", day, number)
            if not 0 <= start < end <= _DAY_S:
                yield Finding(at, f"an interval of {day} ends before it starts", "a start before its end")
            elif start < previous_end:
                yield Finding(at, f"two intervals of {day} overlap", "intervals apart from each other")
            previous_end = max(previous_end, end)


def _continuation(document: PolicyDocument, key: str, level: int, then: str) -> Iterator[Finding]:
    path: Path = ("ladders", key, "then")
    if missing := unknown(path, "ladder", then, document.ladders):
        yield missing
        return
    seen: set[str | None] = {key}
    name: str | None = then
    while name in document.ladders and name not in seen:
        seen.add(name)
        name = document.ladders[name].then
    if name == key:
        yield Finding(path, f"the ladder '{key}' comes back to itself through '{then}'", "ladders that end")
        return
    first = document.ladders[then].rungs[0]
    if first.level <= level or first.after == 0:
        what = f"'{key}' continues with '{then}', whose first rung is not above and after its own last"
        yield Finding(path, what, f"a ladder that begins above level {level}, later than 0s")
