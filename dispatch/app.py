"""The one place where everything is wired: settings and a clock in, a Faust app out. Nothing happens at import."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache
from typing import Any

from aiokafka.partitioner import murmur2
from mode import Service

from dispatch import metrics
from dispatch.agents.admin import create_topics, topic_incarnations
from dispatch.agents.advising import Advise
from dispatch.agents.clock import Ticker, Timekeeper
from dispatch.agents.collecting import Collector
from dispatch.agents.desk import Desk
from dispatch.agents.feed import Batch, Feed
from dispatch.agents.hosting import HostApp, make_host
from dispatch.agents.intake import Intake
from dispatch.agents.measuring import Inside
from dispatch.agents.notify import Notify
from dispatch.agents.pages import Pages
from dispatch.agents.policies import PolicyBook, write_policy
from dispatch.agents.publisher import Publisher
from dispatch.agents.shadow import make_shadow
from dispatch.config import ADVICE_FILE, HOOKS_FILE, load_advice, load_config, load_hooks, load_model
from dispatch.errors import LaneError
from dispatch.hooks.adviser import key_names, make_adviser
from dispatch.hooks.senders import make_senders, secret_names
from dispatch.log import get_log
from dispatch.settings import ROLES, Role, Settings, read_secrets
from dispatch.stores.redis import RedisStore, connect
from dispatch.timing import Clock, make_clock
from dispatch.topics import ACTIONS, COMMANDS, COMMANDS_URGENT, DELIVERIES, REQUESTS, TOPICS, WORK_ORDERS
from dispatch.tracing import start_tracing

log = get_log("app")


@lru_cache(maxsize=65536)
def partition_of(key: str, partitions: int) -> int:
    """The lane of a key: Kafka's own partitioner, so that any client that sends by key agrees."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


async def prepare(settings: Settings, store: RedisStore) -> dict[str, str]:
    """Create what is missing, check what is there against what was recorded; the topics' incarnations.

    Raises LaneError, which says what to do.
    """
    client = settings.kafka_client()
    recorded = int(await store.known_fact("partitions") or settings.partitions)
    if recorded != settings.partitions:
        raise LaneError(
            f"the lanes were recorded with {recorded} partitions, and {settings.partitions} are asked for",
            f"Set DISPATCH_PARTITIONS={recorded}: partitions of running lanes cannot change",
        )
    counts = await create_topics(client, recorded, settings.replication, recorded=recorded)
    if counts[DELIVERIES] < recorded:
        raise LaneError(
            f"{DELIVERIES} has {counts[DELIVERIES]} partitions, and there are {recorded} lanes",
            "Give it as many as the keyed topics have",
        )
    await store.fact("partitions", str(recorded))
    incarnations = await topic_incarnations(client)
    keyed = [name for name, topic in TOPICS.items() if topic.keyed]
    for name in keyed:
        known = await store.fact(f"incarnation:{name}", incarnations[name])
        if known != incarnations[name]:
            raise LaneError(
                f"{name} is not the topic that this engine has worked with (it was created anew)",
                "Restore the topic, or run `dispatch rebuild --accept-new-topics`",
            )
    return incarnations


async def first_policy(settings: Settings, book: PolicyBook, publisher: Publisher) -> None:
    """Write the config folder's policy if the topic has none; say so if it has another one."""
    load_model(settings.triage_model)  # a damaged model of triage is refused here, and not at the first report
    policy = load_config(settings.config)
    if not book.versions:
        await write_policy(publisher, policy)
        await book.refresh()
        log.info("policy written", version=policy.version)
    elif policy.version != book.latest.version:
        log.warning(
            "config differs from the active policy",
            config=policy.version,
            active=book.latest.version,
            todo="run `dispatch policy activate` to make it active",
        )


def create_app(
    settings: Settings,
    roles: Sequence[Role] = ROLES,
    *,
    clock: Clock | None = None,
    steps: Callable[[str], None] | None = None,
    store: RedisStore | None = None,
) -> HostApp:
    """An app that plays the given roles. ``clock``, ``steps`` and ``store`` are for simulations and tests."""
    app = make_host(settings.group, settings.data)
    engine = Engine(
        app, settings, tuple(roles), clock or make_clock(settings.clock), steps or (lambda _name: None), store
    )
    app.service(engine)
    return app


class Engine(Service):
    """Starts what the roles need, in order, and stops it in reverse."""

    def __init__(
        self,
        app: HostApp,
        settings: Settings,
        roles: Sequence[Role],
        clock: Clock,
        steps: Callable[[str], None],
        store: RedisStore | None,
        **kwargs: Any,
    ) -> None:
        """Agents are declared here, before the app starts; connections are made in :meth:`on_start`."""
        super().__init__(**kwargs)
        self.host = app
        self.settings = settings
        self.roles = roles
        self.clock = clock
        self.steps = steps
        self.redis = connect(settings.redis, **settings.redis_options())
        self.store = store or RedisStore(self.redis)
        self.inside = Inside(settings, clock, self.store)
        self.tracing = start_tracing() if settings.traces else None
        self.publisher: Publisher | None = None
        self.handlers: dict[str, Any] = {}
        self.channels: dict[str, list[Any]] = {role: self._agents(role) for role in roles}

    def _agents(self, role: str) -> list[Any]:
        """One channel and one agent per lane: a slow lane delays no other, and a lane is never decided twice."""
        return [self._agent(role, lane) for lane in range(self.settings.partitions)]

    def _agent(self, role: str, lane: int) -> Any:
        channel = self.host.channel(maxsize=1)

        async def listen(batches: AsyncIterator[Batch]) -> None:
            async for batch in batches:
                await self.handlers[role](batch)

        self.host.agent(channel, name=f"{role}-{lane}")(listen)
        return channel

    async def on_start(self) -> None:
        """Connect, check, and start the feeds."""
        settings, client = self.settings, self.settings.kafka_client()
        if settings.web_port is not None:
            await self.add_runtime_dependency(Pages(self.inside))
        incarnations = await prepare(settings, self.store)
        publisher = self.publisher = Publisher(client)
        await publisher.start()
        book = PolicyBook(client)
        await self.add_runtime_dependency(book)
        await first_policy(settings, book, publisher)
        tenant = book.latest.tenant
        self.inside.policies = book
        common: dict[str, Any] = {
            "tenant": tenant,
            "store": self.store,
            "publisher": publisher,
            "policies": book,
            "clock": self.clock,
            "lane_of": lambda key: partition_of(key, settings.partitions),
            "steps": self.steps,
        }
        for role in self.roles:
            await START[role](self, common, incarnations)
        self.host.flow_control.resume()
        self.inside.started = True
        await self.add_runtime_dependency(Collector())
        log.info("ready", roles=list(self.roles), tenant=tenant, policy=book.latest.version, speed=self.clock.speed)

    async def on_stop(self) -> None:
        """Ready no more: whoever asks is told before the lanes go."""
        self.inside.started = False

    async def on_shutdown(self) -> None:
        """Close connections, once the feeds and agents that work with them have stopped."""
        if self.publisher is not None:
            await self.publisher.stop()
        await self.redis.aclose()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.stop)

    async def start_intake(self, common: dict[str, Any], incarnations: dict[str, str]) -> None:
        """Requests and actions become commands."""
        model, shadow = load_model(self.settings.triage_model), make_shadow(self.settings.triage_shadow)
        if shadow is not None:
            metrics.MODELS.labels(shadow.model.version).set(0)
            await self.add_runtime_dependency(shadow)
            log.info("shadow", decides=model.version, shadow=shadow.model.version)
        metrics.MODELS.labels(model.version).set(1)
        intake = Intake(
            **common,
            model=model,
            shadow=shadow,
            incarnations=incarnations,
            dead_partitions=self.settings.partitions,
            future_tolerance_s=self.settings.future_tolerance_s,
        )
        self.handlers["intake"] = intake.handle
        await self._feed("intake", (ACTIONS, REQUESTS), intake)

    async def start_desk(self, common: dict[str, Any], incarnations: dict[str, str]) -> None:
        """Commands become decisions."""
        desk = Desk(**common, client=self.settings.kafka_client(), incarnations=incarnations)
        self.handlers["desk"] = desk.handle
        await self._feed("desk", (COMMANDS_URGENT, COMMANDS), desk)

    async def start_clock(self, common: dict[str, Any], _incarnations: dict[str, str]) -> None:
        """Deadlines become commands."""
        keeper = Timekeeper(**common)
        self.handlers["clock"] = keeper.handle
        await self._feed("clock", (COMMANDS,), keeper, reads=False)
        await self.add_runtime_dependency(Ticker(keeper, self.channels["clock"]))

    async def start_notify(self, common: dict[str, Any], incarnations: dict[str, str]) -> None:
        """Events become deliveries. Refuses to start when a template, a name or a secret is wrong, and says which."""
        settings, policies = self.settings, common["policies"]
        if not (settings.config / HOOKS_FILE).exists():
            log.warning("nobody is told", todo=f"write {HOOKS_FILE}, and run `dispatch check`")
            return
        document = load_hooks(settings.config, policies.latest)
        senders = make_senders(document, read_secrets(secret_names(document)))
        client = settings.kafka_client()
        notify = Notify(**common, client=client, document=document, senders=senders, incarnations=incarnations)
        self.handlers["notify"] = notify.handle
        await self.add_runtime_dependency(notify)
        await self._feed("notify", (WORK_ORDERS,), notify)

    async def start_advise(self, common: dict[str, Any], _incarnations: dict[str, str]) -> None:
        """A larger model is asked for hints, where there is one. Refuses to start without its key, and says which."""
        settings = self.settings
        if not (settings.config / ADVICE_FILE).exists():
            return
        document = load_advice(settings.config)
        adviser = make_adviser(document, read_secrets(key_names(document), of="the endpoint"))
        advise = Advise(**common, document=document, adviser=adviser)
        self.handlers["advise"] = advise.handle
        await self._feed("advise", (WORK_ORDERS,), advise)
        await self.add_runtime_dependency(advise)  # after its feed, so that it is stopped before

    async def _feed(self, role: str, topics: Sequence[str], keeper: Any, *, reads: bool = True) -> None:
        feed = Feed(
            role, topics, self.channels[role], keeper, self.settings,
            reads=reads, steps=self.steps, tracing=self.tracing,
        )  # fmt: skip
        self.inside.feeds.append(feed)
        await self.add_runtime_dependency(feed)


START = {
    "intake": Engine.start_intake,
    "desk": Engine.start_desk,
    "clock": Engine.start_clock,
    "notify": Engine.start_notify,
    "advise": Engine.start_advise,
}
