"""The policy, compiled: the questions that rules ask of it, each answered by one look into a table.

A :class:`Policy` is a value: it is made from a document, never changes, and its version is the hash of what
it says. Everything remembered here (rows found, calendars, what other rules compiled from it) is derived.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import msgspec

from dispatch.models.policy import Area, MatchMode, PolicyDocument, SlaRule, Territory
from dispatch.models.policy_base import Label, OwnerRef, When
from dispatch.rules.calendars import WorkingCalendar

_T = TypeVar("_T")
_Row = TypeVar("_Row", SlaRule, MatchMode)
_Question = tuple[str, str | None, str, tuple[str, ...], str]
_MEMO_LIMIT = 50_000


class AreaNode(msgspec.Struct, frozen=True, kw_only=True):
    """An area in its tree, ``path`` running from the root to the area itself.

    The person responsible and the position (degrees, WGS84) are its own, or else its nearest ancestor's;
    ``own_position`` says whether the position is its own.
    """

    id: str
    kind: str
    territory: str
    path: tuple[str, ...]
    name: Label
    aliases: tuple[str, ...] = ()
    responsible: OwnerRef | None = None
    lat: float | None = None
    lon: float | None = None
    own_position: bool = False


class RungAt(msgspec.Struct, frozen=True, kw_only=True):
    """A rung of a ladder with all that follows it laid flat: ``after_s`` seconds from the breach."""

    level: int
    after_s: int
    to: tuple[str, ...]


class Policy:
    """The rules of one tenant, ready to be asked. Make one with :func:`compile_policy`."""

    def __init__(self, document: PolicyDocument, version: str) -> None:
        """Index ``document``; its cross-references must have been checked."""
        self.document = document
        self.version = version
        self.tenant = document.site.tenant
        self.site = document.site
        self.trades = document.trades
        self.territories: dict[str, Territory] = {each.id: each for each in document.territories}
        self.areas: dict[str, AreaNode] = {
            node.id: node for each in document.territories for node in _nodes(each.areas, each.id, None)
        }
        self._calendars = {key: WorkingCalendar(each, key) for key, each in document.calendars.items()}
        self._rungs = {key: _flatten(document, key) for key in document.ladders}
        self._sla: dict[_Question, SlaRule] = {}
        self._modes: dict[_Question, MatchMode] = {}
        self._compiled: dict[Callable[[Policy], Any], Any] = {}

    def calendar(self, calendar_id: str) -> WorkingCalendar:
        """The working time under this name; KeyError if there is none."""
        return self._calendars[calendar_id]

    def rungs(self, ladder: str) -> tuple[RungAt, ...]:
        """The rungs of a ladder and of those it continues with, in order; KeyError if there is none."""
        return self._rungs[ladder]

    def sla(self, urgency: str, trade: str | None, territory: str, area_path: tuple[str, ...], kind: str) -> SlaRule:
        """The first row of the SLA table that fits. ``trade`` is None while nobody could say.

        Raises:
            LookupError: if no row fits, which the check of the policy rules out for what it names.
        """
        question = (urgency, trade, territory, area_path, kind)
        found = self._sla.get(question)
        if found is None:
            found = _remember(self._sla, question, _first(self.document.sla, question))
        return found

    def mode(self, urgency: str, trade: str | None, territory: str, area_path: tuple[str, ...], kind: str) -> MatchMode:
        """The first row of the matching modes that fits.

        Raises:
            LookupError: if no row fits, which the check of the policy rules out for what it names.
        """
        question = (urgency, trade, territory, area_path, kind)
        found = self._modes.get(question)
        if found is None:
            found = _remember(self._modes, question, _first(self.document.matching.modes, question))
        return found

    def duplicate_window_s(self, trade: str | None) -> int:
        """For how many seconds a report of the same place and trade joins an open order; 0 is never."""
        rule = self.document.duplicates
        if not rule.enabled or trade is None:
            return 0
        return rule.by_trade.get(trade, rule.window)

    def certificates(self, trade: str, hazards: Iterable[str] = ()) -> tuple[str, ...]:
        """What somebody needs for a task of the trade that has such hazards; KeyError if there is no such trade."""
        tasks = self.document.lexicon.tasks
        more = [each for name in hazards if name in tasks for each in tasks[name].certificates]
        return tuple(dict.fromkeys((*self.trades[trade].certificates, *more)))

    def rework_window_s(self, trade: str | None) -> int:
        """For how many seconds after work was done a like report of its place and trade is rework; 0 is never."""
        rule = self.document.rework
        if not rule.enabled or trade is None:
            return 0
        return rule.by_trade.get(trade, rule.window)

    def compiled(self, build: Callable[["Policy"], _T]) -> _T:
        """What ``build`` (a module-level function or class) makes of this policy, made once."""
        found = self._compiled.get(build)
        if found is None:
            found = self._compiled[build] = build(self)
        return cast("_T", found)


def compile_policy(document: PolicyDocument) -> Policy:
    """Index a checked document. Its version is the hash of its content."""
    return Policy(document, version_of(document.to_json()))


def load_policy_json(data: bytes) -> Policy:
    """A policy as it was written to the policies topic.

    The version is that of the written content, so that it stays the same when a newer engine knows more.
    """
    content = json.loads(data)
    return Policy(PolicyDocument.model_validate(content), version_of(content))


def version_of(content: dict[str, Any]) -> str:
    """The first 16 hex digits of SHA-256 over canonical JSON: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(canonical_json(content)).hexdigest()[:16]


def canonical_json(content: dict[str, Any]) -> bytes:
    """The one way in which a document is written to be hashed and published."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def lane_key(tenant: str, territory: str) -> str:
    """The Kafka key, and the Redis hash tag, of a territory."""
    return f"{tenant}:{territory}"


def fits(when: When, urgency: str, trade: str | None, territory: str, area_path: tuple[str, ...], kind: str) -> bool:
    """Whether a rule speaks of such an order. One that names trades is not for an order without a trade."""
    return (
        (not when.urgency or urgency in when.urgency)
        and (not when.trade or trade in when.trade)
        and (not when.territory or territory in when.territory)
        and (not when.kind or kind in when.kind)
        and (not when.area or any(area in when.area for area in area_path))
    )


def _first(rows: Iterable[_Row], question: _Question) -> _Row:
    for row in rows:
        if fits(row.when, *question):
            return row
    msg = f"no rule of the policy fits urgency, trade, territory, area, kind = {question}"
    raise LookupError(msg)


def _remember(memo: dict[_Question, _T], question: _Question, found: _T) -> _T:
    if len(memo) >= _MEMO_LIMIT:
        memo.clear()
    memo[question] = found
    return found


def _flatten(document: PolicyDocument, ladder: str) -> tuple[RungAt, ...]:
    """Each following ladder counts from the last rung before it; a cycle ends where it would begin again."""
    rungs: list[RungAt] = []
    seen: set[str] = set()
    name: str | None = ladder
    base_s = 0
    while name is not None and name not in seen:
        seen.add(name)
        part = document.ladders[name]
        rungs += [RungAt(level=each.level, after_s=base_s + each.after, to=each.to) for each in part.rungs]
        base_s = rungs[-1].after_s
        name = part.then
    return tuple(rungs)


def _nodes(areas: Iterable[Area], territory: str, parent: AreaNode | None) -> Iterator[AreaNode]:
    for area in areas:
        placed = area.lat is not None and area.lon is not None
        source = area if placed else parent
        node = AreaNode(
            id=area.id,
            kind=area.kind,
            territory=territory,
            path=(*(parent.path if parent else ()), area.id),
            name=area.name,
            aliases=area.aliases,
            responsible=area.responsible or (parent.responsible if parent else None),
            lat=source.lat if source else None,
            lon=source.lon if source else None,
            own_position=placed,
        )
        yield node
        yield from _nodes(area.areas, territory, node)
