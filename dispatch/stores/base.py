"""What a store does for a lane. :mod:`~dispatch.stores.memory` and :mod:`~dispatch.stores.redis` both do it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class TerritoryKey(msgspec.Struct, frozen=True):
    """One territory of one tenant; its text is the Kafka key and the Redis hash tag."""

    tenant: str
    territory: str

    def __str__(self) -> str:
        """``tenant:territory``."""
        return f"{self.tenant}:{self.territory}"


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a territory has come. ``(sequence, batch_id)`` is the fence.

    ``positions``: topic -> {incarnation, partition, offset, floor}; ``log_offset``: where its last published batch
    ends on its partition of ``dispatch.work-orders``.
    """

    sequence: int
    batch_id: str
    policy_version: str = ""
    opened: int = 0
    now: str | None = None
    positions: dict[str, dict[str, object]] = {}
    edges: dict[str, int] = {}
    log_offset: int = 0


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """One atomic change of a territory. Blobs are opaque to the store.

    ``expected`` is the (sequence, batch id) that this change builds on. ``finals`` are orders that nothing is left
    to do for; they are kept apart for ``final_ttl_s``; ``reopened`` ones are open again. ``recent`` are notes of work
    done, by key, and ``forgotten`` those that go. ``published`` names
    outbox entries that Kafka has.
    """

    expected: tuple[int, str]
    meta: Meta
    orders: Sequence[tuple[str, bytes]] = ()
    finals: Sequence[tuple[str, bytes]] = ()
    reopened: Sequence[str] = ()
    technicians: Sequence[tuple[str, bytes]] = ()
    recent: Sequence[tuple[str, bytes]] = ()
    forgotten: Sequence[str] = ()
    timers_dropped: Sequence[str] = ()
    timers_added: Sequence[tuple[int, str]] = ()
    outbox: tuple[int, bytes] | None = None
    published: Sequence[int] = ()
    final_ttl_s: int = 400 * 86400


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a territory except its final orders. ``outbox`` is in order of sequence."""

    meta: Meta
    orders: Mapping[str, bytes]
    technicians: Mapping[str, bytes]
    outbox: Sequence[tuple[int, bytes]]
    recent: Mapping[str, bytes] = {}


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that a lane was about to decide: where it began, its size, and how often it was begun."""

    start: str
    size: int
    tries: int


class LaneStore(Protocol):
    """State of territories: loaded whole, saved atomically, fenced."""

    async def load(self, key: TerritoryKey) -> Loaded | None:
        """Everything of a territory; None when nothing was ever saved."""

    async def save(self, saves: Mapping[TerritoryKey, Save], routes: Mapping[str, str] | None = None) -> None:
        """Save each territory atomically. Raises Fenced when somebody else has saved one meanwhile.

        New ``routes`` are written first: a store that loses its last writes loses no route of an order it still has.
        After an outcome that is not known (a lost reply) the store looks whether the change is there before it
        writes again, so that it is made once.
        """

    async def begin(
        self, lane: str, attempt: Attempt, wanted: Sequence[tuple[TerritoryKey, str]]
    ) -> list[bytes | None]:
        """Write down that a batch is about to be decided, and fetch the final orders that it speaks of."""

    async def recall(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """Final orders by id, None where there is none."""

    async def fences(self, keys: Sequence[TerritoryKey]) -> list[tuple[int, str]]:
        """The (sequence, batch id) last saved of each territory; (0, "") where nothing was."""

    async def metas(self, keys: Sequence[TerritoryKey]) -> list[Meta | None]:
        """How far each territory has come; None where nothing was saved."""

    async def finals(self, key: TerritoryKey) -> dict[str, bytes]:
        """All final orders of a territory; slow, for rebuilds and hashes."""

    async def orders(self, key: TerritoryKey) -> dict[str, bytes]:
        """All open orders of a territory."""

    async def due(self, key: TerritoryKey, until_ms: int, limit: int) -> tuple[list[tuple[str, int]], int | None]:
        """Timers due at or before a moment as (id, due ms), earliest first; and when the next one after is due."""

    async def next_due(self, keys: Sequence[TerritoryKey]) -> list[int | None]:
        """When the earliest timer of each territory is due, in ms; None where there is none."""

    async def replace(self, key: TerritoryKey, save: Save) -> None:
        """Drop all that is known of a territory and write it anew (rebuild); ``expected`` is not looked at."""

    async def attempt(self, lane: str) -> Attempt | None:
        """The last batch that the lane was about to decide; None after it was settled."""

    async def settle(self, lane: str) -> None:
        """Forget the attempt: whoever held the lane has ended well."""

    async def run(self) -> str:
        """The name of this run of the store; each other one may have lost the last writes before it."""

    async def vouch(self, lane: str, run: str) -> None:
        """Write down that the lane has found all of its state in this run of the store, or put it back."""

    async def known_fact(self, name: str) -> str | None:
        """A fact, if it is recorded."""

    async def forget(self, name: str) -> None:
        """Forget a recorded fact."""

    async def fact(self, name: str, value: str) -> str:
        """Record a fact of the installation once (a topic's incarnation, a partition count); the recorded value."""


class EdgeStore(Protocol):
    """What intake fixes once: routes of orders, subjects of people."""

    async def look_up(
        self, tenant: str, people: Mapping[str, tuple[str, bytes]], fresh: Mapping[str, str], known: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What intake asks for a batch, at once: subjects of people, and routes.

        ``people``: person id -> (proposed subject id, details); details that are not empty are kept. ``fresh``: id ->
        proposed route, fixed now unless the id has one. ``known``: ids whose routes are wanted. Returns the subject
        id in force for each person, and the routes in force for what is fresh or known.
        """

    async def fix_routes(self, tenant: str, routes: Mapping[str, str]) -> dict[str, str]:
        """Set the route of each id that has none; the route in force for each."""

    async def routes(self, tenant: str, ids: Sequence[str]) -> dict[str, str]:
        """The routes that are known."""

    async def vouched(self, lanes: Sequence[str]) -> bool:
        """Whether each lane has vouched for this run of the store; else routes that it lost may yet come back."""

    async def person(self, tenant: str, subject_id: str) -> bytes | None:
        """The details of a subject; None when unknown or erased."""

    async def erase(self, tenant: str, subject_id: str) -> bool:
        """Forget a subject: one deletion, after which nothing leads back to the person."""


class NotifyStore(Protocol):
    """What notify reads beside the log, and the little that it notes: a cache, for the ledger is a topic."""

    async def glance(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """Orders by id, open or final, as they were saved last; None where there is none."""

    async def technicians(self, key: TerritoryKey) -> dict[str, bytes]:
        """All technicians of a territory."""

    async def people(self, tenant: str, subjects: Sequence[str]) -> list[bytes | None]:
        """The details of several subjects; None for each that is unknown or erased."""

    async def note(self, name: str, value: bytes) -> bytes | None:
        """Write a note, whatever it was before; what it was."""

    async def noted(self, name: str) -> bytes | None:
        """A note."""


class Purse(msgspec.Struct, frozen=True):
    """What may be spent under one name, and for how long the name is remembered."""

    name: str
    most: int
    lasts_s: int


class AdviceStore(Protocol):
    """What advising asks of the store beside the log."""

    async def glance(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """See NotifyStore."""

    async def spend(self, tenant: str, purses: Sequence[Purse]) -> str | None:
        """Take one from every purse, or from none; the name of the first that is empty, None when it was taken."""


class DeskStore(LaneStore, EdgeStore, Protocol):
    """Both: the desk heals routes that a store lost together with its tail."""
