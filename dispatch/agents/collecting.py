"""Python's search for reference cycles, at a pace of the engine's own."""

import gc

from mode import Service

EVERY_S = 10.0


class Collector(Service):
    """Searches every ten seconds, and only among what is new since the last search.

    Hardly any cycles are made here. The collector's own pace goes by allocations, and would have it walk through
    everything that is under way several times a second. What it has looked at once is left to reference counts.
    """

    async def on_start(self) -> None:
        """What a process has loaded by now stays; it need not be looked at again."""
        gc.collect()
        gc.freeze()
        gc.disable()

    async def on_shutdown(self) -> None:
        """Whoever goes on after the engine has the usual collector again."""
        gc.unfreeze()
        gc.enable()

    @Service.task
    async def _collect(self) -> None:
        while not self.should_stop:
            await self.sleep(EVERY_S)
            gc.collect()
            gc.freeze()
