"""Waiting for a store that is away: whoever asks waits and asks again, and nothing is lost meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dispatch import metrics
from dispatch.log import get_log
from dispatch.stores.redis import UNREACHABLE

RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
T = TypeVar("T")
log = get_log("patience")


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Ask the store until it answers; the same question again is safe, for saves know their own."""
    tries = 0
    while True:
        try:
            return await call()
        except UNREACHABLE as error:
            log.warning("store is away", error=type(error).__name__, tries=tries)
        wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
        metrics.waited("store", wait_s)
        await asyncio.sleep(wait_s)
        tries += 1
