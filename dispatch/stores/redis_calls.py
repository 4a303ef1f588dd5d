"""What is said to Redis: its scripts, the names of keys, and the arguments of a save."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import chain
from typing import Any

import msgspec

from dispatch.stores.base import Save, TerritoryKey


class Script:
    """A Lua script of this folder, and the name under which Redis caches it."""

    def __init__(self, name: str) -> None:
        """Read the file ``name``."""
        self.text = resources.files("dispatch.stores").joinpath(name).read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


SAVE, ROUTES, SUBJECTS = Script("save.lua"), Script("routes.lua"), Script("subjects.lua")
SPEND = Script("spend.lua")
SCRIPTS = (SAVE, ROUTES, SUBJECTS, SPEND)
PARTS = ("meta", "orders", "technicians", "timers", "outbox", "recent")
"""What a territory's keys end in."""
encode = msgspec.json.Encoder(order="deterministic").encode


def run_id(info: bytes) -> str:
    """What a Redis names itself by in ``INFO server``: another name each time that it starts."""
    lines = dict(line.partition(":")[::2] for line in info.decode().splitlines())
    return lines["run_id"]


def by_territory(wanted: Sequence[tuple[TerritoryKey, str]]) -> dict[TerritoryKey, list[str]]:
    """The orders wanted, territory by territory."""
    found: dict[TerritoryKey, list[str]] = {}
    for key, order_id in wanted:
        found.setdefault(key, []).append(order_id)
    return found


def in_order(
    wanted: Sequence[tuple[TerritoryKey, str]], places: Iterable[TerritoryKey], replies: Sequence[list[bytes | None]]
) -> list[bytes | None]:
    """The blobs of the orders wanted, from one reply a territory."""
    left = {key: iter(blobs) for key, blobs in zip(places, replies, strict=True)}
    return [next(left[key]) for key, _order_id in wanted]


def final_keys(key: TerritoryKey, order_ids: Iterable[str]) -> list[str]:
    """Where final orders stand."""
    return [f"{{{key}}}:final:{order_id}" for order_id in order_ids]


def fixing(tenant: str, routes: Mapping[str, str]) -> tuple[Any, ...]:
    """The call that fixes routes, and answers with those in force."""
    keys = [f"route:{{{tenant}}}:{one}" for one in routes]
    return ("EVALSHA", ROUTES.sha, len(keys), *keys, *routes.values())


def hidden(person_id: str) -> str:
    """A person's id as part of a key: any characters, one length."""
    return hashlib.blake2b(person_id.encode(), digest_size=16).hexdigest()


def save_call(key: TerritoryKey, save: Save) -> tuple[list[str], list[Any]]:
    """The keys and the arguments of ``save.lua``."""
    tag = f"{{{key}}}"
    keys = [f"{tag}:{name}" for name in PARTS]
    keys += final_keys(key, (order_id for order_id, _blob in save.finals))
    keys += final_keys(key, save.reopened)
    sequence, blob = save.outbox if save.outbox is not None else ("", b"")
    meta = save.meta
    lists: tuple[Sequence[Any], ...] = (
        list(chain.from_iterable(save.orders)),
        save.reopened,
        [blob for _id, blob in save.finals],
        [order_id for order_id, _blob in save.finals],
        list(chain.from_iterable(save.technicians)),
        save.timers_dropped,
        list(chain.from_iterable(save.timers_added)),
        save.published,
        list(chain.from_iterable(save.recent)),
        save.forgotten,
        (sequence, blob, meta.sequence, meta.batch_id, encode(meta)),
    )
    args: list[Any] = [save.expected[0], save.expected[1]]
    for one in lists:
        args.append(len(one))
        args.extend(one)
    args.append(save.final_ttl_s)
    return keys, args
