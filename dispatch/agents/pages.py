"""Three pages on one port: /metrics for Prometheus, /live and /ready for whoever restarts and routes.

The port is DISPATCH_WEB_PORT; without it nothing listens. The address is loopback unless DISPATCH_WEB_HOST says
otherwise: the pages name no person, and ask nobody who they are.
"""

from typing import Any

from aiohttp import web
from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dispatch.agents.measuring import Gauges, Inside
from dispatch.errors import ConfigError
from dispatch.log import get_log
from dispatch.metrics import REGISTRY

log = get_log("pages")
CLOSE_WITHIN_S = 1.0
NOT_READY = 503


class Pages(Service):
    """Answers for as long as the engine lives, from before it is ready until it has let go of its lanes."""

    def __init__(self, inside: Inside, **kwargs: Any) -> None:
        """``inside`` is what the pages tell of."""
        super().__init__(**kwargs)
        self.inside = inside
        self.gauges = Gauges(inside)
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def on_start(self) -> None:
        """Listen. Raises ConfigError when the address cannot be had."""
        app = web.Application()
        app.add_routes(
            [web.get("/metrics", self._metrics), web.get("/live", self._live), web.get("/ready", self._ready)]
        )
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_WITHIN_S)
        await runner.setup()
        settings = self.inside.settings
        try:
            await web.TCPSite(runner, settings.web_host, settings.web_port).start()
        except OSError as error:
            where = f"{settings.web_host}:{settings.web_port}"
            raise ConfigError(
                "environment", None, f"DISPATCH_WEB_PORT: {where} cannot be had ({error.strerror})", "a free port"
            ) from None
        self.port = int(runner.addresses[0][1])
        log.info("pages", host=settings.web_host, port=self.port)

    async def on_shutdown(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        await self.gauges.refresh()
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _live(self, _request: web.Request) -> web.Response:
        """Whoever reads this has been answered by the engine's own event loop: it turns."""
        return web.json_response({"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        wrong = await self.gauges.wrong()
        return web.json_response({"ready": not wrong, "wrong": wrong}, status=NOT_READY if wrong else 200)
