"""The store in memory: for simulation and for tests of rules, held to the same contract as Redis."""

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence

from dispatch.errors import Fenced
from dispatch.stores.base import Attempt, Loaded, Meta, Purse, Save, TerritoryKey


class _Kept:
    """One territory."""

    def __init__(self) -> None:
        self.meta: Meta | None = None
        self.orders: dict[str, bytes] = {}
        self.finals: dict[str, bytes] = {}
        self.technicians: dict[str, bytes] = {}
        self.recent: dict[str, bytes] = {}
        self.timers: list[tuple[int, str]] = []
        self.outbox: dict[int, bytes] = {}

    def write(self, save: Save) -> None:
        self.orders.update(save.orders)
        for order_id, blob in save.finals:
            self.orders.pop(order_id, None)
            self.finals[order_id] = blob
        for order_id in save.reopened:
            self.finals.pop(order_id, None)
        self.technicians.update(save.technicians)
        self.recent.update(save.recent)
        for name in save.forgotten:
            self.recent.pop(name, None)
        gone = set(save.timers_dropped) | {timer_id for _ms, timer_id in save.timers_added}
        self.timers = [timer for timer in self.timers if timer[1] not in gone]
        for timer in save.timers_added:
            insort(self.timers, timer)
        for sequence in save.published:
            self.outbox.pop(sequence, None)
        if save.outbox is not None:
            self.outbox[save.outbox[0]] = save.outbox[1]
        self.meta = save.meta


class MemoryStore:
    """A LaneStore and an EdgeStore whose content ends with the process. ``final_ttl_s`` is not counted."""

    def __init__(self) -> None:
        """An empty store."""
        self._kept: dict[TerritoryKey, _Kept] = {}
        self._attempts: dict[str, Attempt] = {}
        self._facts: dict[str, str] = {}
        self._vouched: dict[str, str] = {}
        self._routes: dict[tuple[str, str], str] = {}
        self._subjects: dict[tuple[str, str], str] = {}
        self._people: dict[tuple[str, str], bytes] = {}
        self._notes: dict[str, bytes] = {}
        self._spent: Counter[tuple[str, str]] = Counter()

    def _of(self, key: TerritoryKey) -> _Kept:
        return self._kept.setdefault(key, _Kept())

    async def load(self, key: TerritoryKey) -> Loaded | None:
        """See LaneStore."""
        kept = self._of(key)
        if kept.meta is None:
            return None
        return Loaded(
            meta=kept.meta,
            orders=dict(kept.orders),
            technicians=dict(kept.technicians),
            outbox=sorted(kept.outbox.items()),
            recent=dict(kept.recent),
        )

    async def save(self, saves: Mapping[TerritoryKey, Save], routes: Mapping[str, str] | None = None) -> None:
        """See LaneStore."""
        await asyncio.sleep(0)
        for tenant in {key.tenant for key in saves}:
            await self.fix_routes(tenant, routes or {})
        refused: list[TerritoryKey] = []
        for key, save in saves.items():
            fence = self._fence(key)
            if fence == save.expected:
                self._of(key).write(save)
            elif fence != (save.meta.sequence, save.meta.batch_id):
                refused.append(key)
        if refused:
            told = ", ".join(map(str, refused))
            raise Fenced(f"somebody else has saved {told}")

    def _fence(self, key: TerritoryKey) -> tuple[int, str]:
        meta = self._of(key).meta
        return (meta.sequence, meta.batch_id) if meta else (0, "")

    async def begin(
        self, lane: str, attempt: Attempt, wanted: Sequence[tuple[TerritoryKey, str]]
    ) -> list[bytes | None]:
        """See LaneStore."""
        self._attempts[lane] = attempt
        return [self._of(key).finals.get(order_id) for key, order_id in wanted]

    async def recall(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """See LaneStore."""
        return [self._of(key).finals.get(order_id) for key, order_id in wanted]

    async def fences(self, keys: Sequence[TerritoryKey]) -> list[tuple[int, str]]:
        """See LaneStore."""
        return [self._fence(key) for key in keys]

    async def metas(self, keys: Sequence[TerritoryKey]) -> list[Meta | None]:
        """See LaneStore."""
        return [self._of(key).meta for key in keys]

    async def finals(self, key: TerritoryKey) -> dict[str, bytes]:
        """See LaneStore."""
        return dict(self._of(key).finals)

    async def orders(self, key: TerritoryKey) -> dict[str, bytes]:
        """See LaneStore."""
        return dict(self._of(key).orders)

    async def due(self, key: TerritoryKey, until_ms: int, limit: int) -> tuple[list[tuple[str, int]], int | None]:
        """See LaneStore."""
        timers = self._of(key).timers
        due = [(timer_id, ms) for ms, timer_id in timers if ms <= until_ms][:limit]
        return due, (timers[len(due)][0] if len(timers) > len(due) else None)

    async def next_due(self, keys: Sequence[TerritoryKey]) -> list[int | None]:
        """See LaneStore."""
        return [timers[0][0] if (timers := self._of(key).timers) else None for key in keys]

    async def replace(self, key: TerritoryKey, save: Save) -> None:
        """See LaneStore."""
        self._kept[key] = _Kept()
        self._of(key).write(save)

    async def attempt(self, lane: str) -> Attempt | None:
        """See LaneStore."""
        return self._attempts.get(lane)

    async def settle(self, lane: str) -> None:
        """See LaneStore."""
        self._attempts.pop(lane, None)

    async def run(self) -> str:
        """See LaneStore: there is but one."""
        return "memory"

    async def vouch(self, lane: str, run: str) -> None:
        """See LaneStore."""
        self._vouched[lane] = run

    async def known_fact(self, name: str) -> str | None:
        """See LaneStore."""
        return self._facts.get(name)

    async def forget(self, name: str) -> None:
        """See LaneStore."""
        self._facts.pop(name, None)

    async def fact(self, name: str, value: str) -> str:
        """See LaneStore."""
        return self._facts.setdefault(name, value)

    async def look_up(
        self, tenant: str, people: Mapping[str, tuple[str, bytes]], fresh: Mapping[str, str], known: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """See EdgeStore."""
        subjects: dict[str, str] = {}
        for person_id, (proposed, details) in people.items():
            subjects[person_id] = subject_id = self._subjects.setdefault((tenant, person_id), proposed)
            if details:
                self._people[tenant, subject_id] = details
        return subjects, await self.fix_routes(tenant, fresh) | await self.routes(tenant, known)

    async def fix_routes(self, tenant: str, routes: Mapping[str, str]) -> dict[str, str]:
        """See EdgeStore."""
        return {one: self._routes.setdefault((tenant, one), route) for one, route in routes.items()}

    async def routes(self, tenant: str, ids: Sequence[str]) -> dict[str, str]:
        """See EdgeStore."""
        return {one: self._routes[tenant, one] for one in ids if (tenant, one) in self._routes}

    async def vouched(self, lanes: Sequence[str]) -> bool:
        """See EdgeStore."""
        return {self._vouched.get(lane) for lane in lanes} <= {await self.run()}

    async def person(self, tenant: str, subject_id: str) -> bytes | None:
        """See EdgeStore."""
        return self._people.get((tenant, subject_id))

    async def erase(self, tenant: str, subject_id: str) -> bool:
        """See EdgeStore."""
        self._people.pop((tenant, subject_id), None)
        names = [person for person, subject in self._subjects.items() if subject == subject_id and person[0] == tenant]
        for name in names:
            del self._subjects[name]
        return bool(names)

    async def glance(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """See NotifyStore."""
        kept = [(self._of(key), order_id) for key, order_id in wanted]
        return [one.orders.get(order_id) or one.finals.get(order_id) for one, order_id in kept]

    async def technicians(self, key: TerritoryKey) -> dict[str, bytes]:
        """See NotifyStore."""
        return dict(self._of(key).technicians)

    async def people(self, tenant: str, subjects: Sequence[str]) -> list[bytes | None]:
        """See NotifyStore."""
        return [self._people.get((tenant, subject_id)) for subject_id in subjects]

    async def spend(self, tenant: str, purses: Sequence[Purse]) -> str | None:
        """See AdviceStore; names are remembered for ever."""
        for one in purses:
            if self._spent[tenant, one.name] >= one.most:
                return one.name
        self._spent.update((tenant, one.name) for one in purses)
        return None

    async def note(self, name: str, value: bytes) -> bytes | None:
        """See NotifyStore."""
        before = self._notes.get(name)
        self._notes[name] = value
        return before

    async def noted(self, name: str) -> bytes | None:
        """See NotifyStore."""
        return self._notes.get(name)
