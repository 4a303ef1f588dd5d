"""Where names and numbers come from when a message leaves."""

from datetime import UTC, datetime

import msgspec
import pytest

from dispatch.agents.joining import Joiner
from dispatch.hooks.senders import NOBODY, Person
from dispatch.models.hooks import HooksDocument
from dispatch.rules.state_staff import Technician
from dispatch.stores.base import Meta, Save, TerritoryKey
from dispatch.stores.memory import MemoryStore
from tests.hooks.test_delivery import made
from tests.support.people import subjects

DOCUMENT = HooksDocument.model_validate(
    {
        "hooks": {"app": {"kind": "log"}},
        "receivers": {"role/dispatcher": {"email": "desk@example.edu"}, "person/bob": {"phone": "13700000000"}},
    }
)
KNOWN = {
    "technician/ann": Person(name="安", phone="13800000000"),
    "technician/bob": Person(phone="13700000000"),
    "technician/cid": NOBODY,
    "technician/nobody": NOBODY,
    "reporter/s2": Person(name="李", email="li@example.edu"),
    "reporter/s9": NOBODY,
    "role/dispatcher": Person(email="desk@example.edu"),
    "role/other": NOBODY,
}


async def filled():
    store = MemoryStore()
    now = datetime.now(UTC)
    people = {
        "ann": ("s1", msgspec.json.encode({"id": "ann", "name": "安", "phone": "13800000000"})),
        "li": ("s2", msgspec.json.encode({"id": "li", "name": "李", "email": "li@example.edu"})),
    }
    await subjects(store, "campus", people)
    staff = [
        Technician(id=name, version=1, version_time=now, org_id="own", subject_id=subject)
        for name, subject in (("ann", "s1"), ("bob", None), ("cid", "s7"))
    ]
    packed = [(one.id, msgspec.msgpack.encode(one)) for one in staff]
    save = Save(expected=(0, ""), meta=Meta(sequence=1, batch_id="b1"), technicians=packed)
    await store.save({TerritoryKey("campus", "north"): save})
    return store


@pytest.mark.parametrize("receiver", KNOWN)
async def test_whoever_is_known_is_called_by_name_and_reached(receiver):
    joiner = Joiner("campus", await filled(), DOCUMENT)
    assert await joiner.person(made(receiver=receiver)) == KNOWN[receiver]


async def test_who_is_erased_is_gone_at_the_next_message():
    store = await filled()
    joiner = Joiner("campus", store, DOCUMENT)
    assert (await joiner.person(made(receiver="reporter/s2"))).name
    await store.erase("campus", "s2")
    assert await joiner.person(made(receiver="reporter/s2")) == NOBODY


async def test_a_technician_who_is_new_is_looked_for_again():
    store = await filled()
    joiner, key = Joiner("campus", store, DOCUMENT), TerritoryKey("campus", "north")
    assert "dan" not in await joiner.technicians(key, set())
    dan = Technician(id="dan", version=1, version_time=datetime.now(UTC), org_id="own")
    packed = [("dan", msgspec.msgpack.encode(dan))]
    await store.save({key: Save(expected=(1, "b1"), meta=Meta(sequence=2, batch_id="b2"), technicians=packed)})
    assert "dan" in await joiner.technicians(key, {"dan"})
