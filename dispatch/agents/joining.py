"""The edge where people are joined: how to call and reach a receiver, asked when a message leaves, kept nowhere."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from dispatch.agents.patience import patiently
from dispatch.hooks.delivery import Delivery
from dispatch.hooks.senders import NOBODY, Person
from dispatch.models.hooks import HooksDocument
from dispatch.rules.state import Order
from dispatch.rules.state_staff import Technician
from dispatch.stores.base import NotifyStore, TerritoryKey

STALE_S = 2.0
"""How long a territory's technicians are taken as they were."""
_order = msgspec.msgpack.Decoder(Order).decode
_technician = msgspec.msgpack.Decoder(Technician).decode
_details = msgspec.json.Decoder(dict[str, Any]).decode


class Joiner:
    """Reads orders, technicians and people from the store."""

    def __init__(self, tenant: str, store: NotifyStore, document: HooksDocument) -> None:
        """Technicians are remembered for a moment; people never."""
        self._tenant = tenant
        self._store = store
        self._document = document
        self._technicians: dict[TerritoryKey, tuple[float, dict[str, Technician]]] = {}

    async def orders(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> dict[tuple[TerritoryKey, str], Order]:
        """The orders as they stand now."""
        if not wanted:
            return {}
        blobs = await patiently(lambda: self._store.glance(wanted))
        return {one: _order(blob) for one, blob in zip(wanted, blobs, strict=True) if blob is not None}

    async def technicians(self, key: TerritoryKey, wanted: set[str]) -> Mapping[str, Technician]:
        """A territory's technicians; read anew when one of those wanted is not among them."""
        at_s, known = self._technicians.get(key, (0.0, {}))
        if time.monotonic() - at_s > STALE_S or not wanted <= known.keys():
            blobs = await patiently(lambda: self._store.technicians(key))
            known = {technician_id: _technician(blob) for technician_id, blob in blobs.items()}
            self._technicians[key] = (time.monotonic(), known)
        return known

    async def people(self, subjects: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
        """What the people store has of each; None where it has nothing."""
        if not subjects:
            return {}
        blobs = await patiently(partial(self._store.people, self._tenant, subjects))
        return {one: _details(blob) if blob else None for one, blob in zip(subjects, blobs, strict=True)}

    async def person(self, delivery: Delivery) -> Person:
        """How to call and reach the receiver of a delivery: by the people store, else by the config, else NOBODY."""
        kind, _slash, who = delivery.receiver.partition("/")
        subject: str | None = who if kind == "reporter" else None
        if kind == "technician":
            tenant, territory, _sequence = delivery.event_id.split(":", 2)
            known = await self.technicians(TerritoryKey(tenant, territory), {who})
            subject = known[who].subject_id if who in known else None
        if subject is None:
            receivers = self._document.receivers
            contact = receivers.get(delivery.receiver) or receivers.get(f"person/{who}")
            return Person(phone=contact.phone, email=contact.email) if contact else NOBODY
        details = (await self.people([subject]))[subject] or {}
        return Person(name=details.get("name"), phone=details.get("phone"), email=details.get("email"))
