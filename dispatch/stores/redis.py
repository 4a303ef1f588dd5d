"""The store in Redis 6.2 or newer: one Lua call per territory and batch, all its keys under one hash tag.

Keys of a territory: ``{tenant:territory}:meta|orders|technicians|timers|outbox|recent`` and ``…:final:<order id>``.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dispatch.errors import Fenced
from dispatch.stores.base import Attempt, Loaded, Meta, Purse, Save, TerritoryKey
from dispatch.stores.link import ANSWER_WITHIN_S, Link, raised
from dispatch.stores.redis_calls import (
    PARTS,
    SAVE,
    SCRIPTS,
    SPEND,
    SUBJECTS,
    by_territory,
    encode,
    final_keys,
    fixing,
    hidden,
    in_order,
    run_id,
    save_call,
)

"""A territory's keys, as ``save.lua`` counts them."""

UNREACHABLE = (
    *(RedisConnectionError, RedisTimeoutError, ConnectionResetError, asyncio.TimeoutError),
    *(MasterDownError, OutOfMemoryError, ReadOnlyError),
)
"""What a Redis raises that is away, loading, full or not the master; whoever asks waits and asks again."""


_decode_meta = msgspec.json.Decoder(Meta).decode
_decode_attempt = msgspec.json.Decoder(Attempt).decode


def connect(url: str, **options: Any) -> Redis:
    """A client whose calls are sent once: no retries, so that no script runs twice unseen."""
    pool = ConnectionPool.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=5,
        socket_timeout=ANSWER_WITHIN_S,
        health_check_interval=0,
        **options,
    )
    return Redis.from_pool(pool)


class RedisStore:
    """A LaneStore and an EdgeStore on a Redis that persists (``appendonly``, ``noeviction``)."""

    def __init__(self, client: Redis) -> None:
        """Use the client of :func:`connect`; who made it closes it."""
        self._redis: Any = client  # redis-py's types say "sync or async" of every call
        self._link = Link(client.connection_pool)

    async def load(self, key: TerritoryKey) -> Loaded | None:
        """See LaneStore."""
        tag = f"{{{key}}}"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(f"{tag}:meta", "meta")
            for name in ("orders", "technicians", "outbox", "recent"):
                pipe.hgetall(f"{tag}:{name}")
            meta, orders, technicians, outbox, recent = await pipe.execute()
        if meta is None:
            return None
        return Loaded(
            meta=_decode_meta(meta),
            orders={order_id.decode(): blob for order_id, blob in orders.items()},
            technicians={one.decode(): blob for one, blob in technicians.items()},
            outbox=sorted((int(sequence), blob) for sequence, blob in outbox.items()),
            recent={one.decode(): blob for one, blob in recent.items()},
        )

    async def save(self, saves: Mapping[TerritoryKey, Save], routes: Mapping[str, str] | None = None) -> None:
        """See LaneStore."""
        refused: list[TerritoryKey] = []
        replies = await self._run(saves, routes or {})
        for (key, save), (done, sequence, batch_id) in zip(saves.items(), replies, strict=True):
            if not done and (int(sequence), batch_id.decode()) != (save.meta.sequence, save.meta.batch_id):
                refused.append(key)
        if refused:
            told = ", ".join(map(str, refused))
            raise Fenced(f"somebody else has saved {told}")

    async def _run(self, saves: Mapping[TerritoryKey, Save], routes: Mapping[str, str]) -> list[Any]:
        calls = [fixing(tenant, routes) for tenant in {key.tenant for key in saves} if routes]
        first = len(calls)
        for key, save in saves.items():
            keys, args = save_call(key, save)
            calls.append(("EVALSHA", SAVE.sha, len(keys), *keys, *args))
        return (await self._scripts(calls))[first:]

    async def _scripts(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies to script calls (and others that may be repeated), all again after loading the scripts."""
        replies = await self._link.call(*calls)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            await self._link.call(*(("SCRIPT", "LOAD", script.text) for script in SCRIPTS))
            replies = await self._link.call(*calls)
        return raised(replies)

    async def _ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The replies to commands in one round trip; the first that is an error is raised."""
        return raised(await self._link.call(*commands))

    async def begin(
        self, lane: str, attempt: Attempt, wanted: Sequence[tuple[TerritoryKey, str]]
    ) -> list[bytes | None]:
        """See LaneStore."""
        return await self._finals(wanted, ("SET", f"{{lane:{lane}}}:attempt", encode(attempt)))

    async def recall(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """See LaneStore."""
        return await self._finals(wanted)

    async def _finals(self, wanted: Sequence[tuple[TerritoryKey, str]], *first: tuple[Any, ...]) -> list[bytes | None]:
        """Final orders, one MGET a territory, in one round trip with the commands that come first."""
        places = by_territory(wanted)
        calls = [("MGET", *final_keys(key, ids)) for key, ids in places.items()]
        replies = (await self._ask(*first, *calls))[len(first) :]
        return in_order(wanted, places, replies)

    async def fences(self, keys: Sequence[TerritoryKey]) -> list[tuple[int, str]]:
        """See LaneStore."""
        found = await self._ask(*(("HMGET", f"{{{key}}}:meta", "sequence", "batch_id") for key in keys))
        return [(int(sequence or 0), (batch_id or b"").decode()) for sequence, batch_id in found]

    async def metas(self, keys: Sequence[TerritoryKey]) -> list[Meta | None]:
        """See LaneStore."""
        found = await self._ask(*(("HGET", f"{{{key}}}:meta", "meta") for key in keys))
        return [_decode_meta(one) if one else None for one in found]

    async def finals(self, key: TerritoryKey) -> dict[str, bytes]:
        """See LaneStore."""
        prefix = f"{{{key}}}:final:"
        escaped = prefix.replace("[", "\\[")
        found: dict[str, bytes] = {}
        async for name in self._redis.scan_iter(match=f"{escaped}*", count=1000):
            blob = await self._redis.get(name)
            if blob is not None:
                found[name.decode().removeprefix(prefix)] = blob
        return found

    async def orders(self, key: TerritoryKey) -> dict[str, bytes]:
        """See LaneStore."""
        found = await self._redis.hgetall(f"{{{key}}}:orders")
        return {order_id.decode(): blob for order_id, blob in found.items()}

    async def due(self, key: TerritoryKey, until_ms: int, limit: int) -> tuple[list[tuple[str, int]], int | None]:
        """See LaneStore."""
        (found,) = await self._ask(("ZRANGE", f"{{{key}}}:timers", 0, limit, "WITHSCORES"))
        timers = [(timer_id.decode(), int(ms)) for timer_id, ms in zip(found[::2], found[1::2], strict=True)]
        due = [timer for timer in timers if timer[1] <= until_ms][:limit]
        return due, (timers[len(due)][1] if len(timers) > len(due) else None)

    async def next_due(self, keys: Sequence[TerritoryKey]) -> list[int | None]:
        """See LaneStore."""
        found = await self._ask(*(("ZRANGE", f"{{{key}}}:timers", 0, 0, "WITHSCORES") for key in keys))
        return [int(one[1]) if one else None for one in found]

    async def replace(self, key: TerritoryKey, save: Save) -> None:
        """See LaneStore."""
        tag = f"{{{key}}}"
        for order_id in await self.finals(key):
            await self._redis.delete(f"{tag}:final:{order_id}")
        await self._redis.delete(*(f"{tag}:{name}" for name in PARTS))
        await self.save({key: msgspec.structs.replace(save, expected=(0, ""))})

    async def attempt(self, lane: str) -> Attempt | None:
        """See LaneStore."""
        found = await self._redis.get(f"{{lane:{lane}}}:attempt")
        return _decode_attempt(found) if found else None

    async def settle(self, lane: str) -> None:
        """See LaneStore."""
        await self._redis.delete(f"{{lane:{lane}}}:attempt")

    async def run(self) -> str:
        """See LaneStore."""
        (told,) = await self._ask(("INFO", "server"))
        return run_id(told)

    async def vouch(self, lane: str, run: str) -> None:
        """See LaneStore."""
        await self._ask(("SET", f"{{lane:{lane}}}:vouched", run))

    async def known_fact(self, name: str) -> str | None:
        """See LaneStore."""
        found = await self._redis.get(f"fact:{name}")
        return str(found.decode()) if found else None

    async def forget(self, name: str) -> None:
        """See LaneStore."""
        await self._redis.delete(f"fact:{name}")

    async def fact(self, name: str, value: str) -> str:
        """See LaneStore."""
        await self._redis.setnx(f"fact:{name}", value)
        return await self.known_fact(name) or value

    async def look_up(
        self, tenant: str, people: Mapping[str, tuple[str, bytes]], fresh: Mapping[str, str], known: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """See EdgeStore."""
        asked: list[tuple[Iterable[str], tuple[Any, ...]]] = []
        if people:
            keys = [f"subject:{{{tenant}}}:{hidden(person_id)}" for person_id in people]
            details = chain.from_iterable(people.values())
            asked.append((people, ("EVALSHA", SUBJECTS.sha, len(keys), *keys, f"person:{{{tenant}}}:", *details)))
        if fresh:
            asked.append((fresh, fixing(tenant, fresh)))
        if known:
            asked.append((known, ("MGET", *[f"route:{{{tenant}}}:{one}" for one in known])))
        replies = await self._scripts([call for _ids, call in asked])
        found = [
            {one: value.decode() for one, value in zip(ids, reply, strict=True) if value is not None}
            for (ids, _call), reply in zip(asked, replies, strict=True)
        ]
        subjects = found.pop(0) if people else {}
        return subjects, {one: route for routes in found for one, route in routes.items()}

    async def fix_routes(self, tenant: str, routes: Mapping[str, str]) -> dict[str, str]:
        """See EdgeStore."""
        return (await self.look_up(tenant, {}, routes, ()))[1]

    async def routes(self, tenant: str, ids: Sequence[str]) -> dict[str, str]:
        """See EdgeStore."""
        return (await self.look_up(tenant, {}, {}, ids))[1]

    async def vouched(self, lanes: Sequence[str]) -> bool:
        """See EdgeStore."""
        told, *runs = await self._ask(("INFO", "server"), *(("GET", f"{{lane:{lane}}}:vouched") for lane in lanes))
        return {run and run.decode() for run in runs} <= {run_id(told)}

    async def person(self, tenant: str, subject_id: str) -> bytes | None:
        """See EdgeStore."""
        found: bytes | None = await self._redis.hget(f"person:{{{tenant}}}:{subject_id}", "details")
        return found

    async def erase(self, tenant: str, subject_id: str) -> bool:
        """See EdgeStore."""
        key = f"person:{{{tenant}}}:{subject_id}"
        name = await self._redis.hget(key, "name")
        if name:
            await self._redis.delete(name)
        return bool(await self._redis.delete(key))

    async def glance(self, wanted: Sequence[tuple[TerritoryKey, str]]) -> list[bytes | None]:
        """See NotifyStore."""
        places = by_territory(wanted)
        still_open = [("HMGET", f"{{{key}}}:orders", *ids) for key, ids in places.items()]
        final = [("MGET", *final_keys(key, ids)) for key, ids in places.items()]
        replies = await self._ask(*still_open, *final)
        found = (in_order(wanted, places, some) for some in (replies[: len(places)], replies[len(places) :]))
        return [one or other for one, other in zip(*found, strict=True)]

    async def technicians(self, key: TerritoryKey) -> dict[str, bytes]:
        """See NotifyStore."""
        found = await self._redis.hgetall(f"{{{key}}}:technicians")
        return {one.decode(): blob for one, blob in found.items()}

    async def people(self, tenant: str, subjects: Sequence[str]) -> list[bytes | None]:
        """See NotifyStore."""
        return await self._ask(*(("HGET", f"person:{{{tenant}}}:{one}", "details") for one in subjects))

    async def note(self, name: str, value: bytes) -> bytes | None:
        """See NotifyStore."""
        before: bytes | None = await self._redis.getset(f"note:{name}", value)
        return before

    async def noted(self, name: str) -> bytes | None:
        """See NotifyStore."""
        found: bytes | None = await self._redis.get(f"note:{name}")
        return found

    async def spend(self, tenant: str, purses: Sequence[Purse]) -> str | None:
        """See AdviceStore."""
        keys = [f"purse:{{{tenant}}}:{one.name}" for one in purses]
        args = chain.from_iterable((one.most, one.lasts_s) for one in purses)
        (empty,) = await self._scripts([("EVALSHA", SPEND.sha, len(keys), *keys, *args)])
        return purses[empty - 1].name if empty else None
