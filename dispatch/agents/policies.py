"""The policies topic: every version whole; the newest record names the version that intake classifies by."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from dispatch.agents.publisher import Publisher, Record
from dispatch.errors import LaneError
from dispatch.log import get_log
from dispatch.rules.policy import Policy, canonical_json, load_policy_json
from dispatch.topics import POLICIES

log = get_log("policies")
REFRESH_S = 2.0
_JSON = ("content-type", b"application/json")


class PolicyBook(Service):
    """All versions of the policy that the topic has, kept up to date while the process runs."""

    def __init__(self, client: Mapping[str, Any], **kwargs: Any) -> None:
        """``client``: what aiokafka's clients take."""
        super().__init__(**kwargs)
        self._client = client
        self.versions: dict[str, Policy] = {}
        self._latest: str | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._place = TopicPartition(POLICIES, 0)
        self._reading = asyncio.Lock()

    @property
    def latest(self) -> Policy:
        """The version written last."""
        if self._latest is None:
            raise LaneError("there is no policy on dispatch.policies", "Run `dispatch policy activate`")
        return self.versions[self._latest]

    @property
    def territories(self) -> list[str]:
        """Every territory that any version names: one that left the policy still has its orders."""
        return sorted({name for policy in self.versions.values() for name in policy.territories})

    async def on_start(self) -> None:
        """Read all versions; afterwards :meth:`refresh` reads what is new."""
        self._consumer = AIOKafkaConsumer(
            **self._client, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20
        )
        await self._consumer.start()
        self._consumer.assign([self._place])
        await self.refresh()

    async def on_stop(self) -> None:
        """Close the reader."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def refresh(self) -> None:
        """Read what has been written since."""
        consumer = self._consumer
        if consumer is None:
            return
        async with self._reading:
            end = (await consumer.end_offsets([self._place]))[self._place]
            while await consumer.position(self._place) < end:
                for records in (await consumer.getmany(self._place, timeout_ms=500)).values():
                    for record in records:
                        self._add(record.value)

    def _add(self, value: bytes | None) -> None:
        if value is None:
            return
        policy = load_policy_json(value)
        self.versions[policy.version] = policy
        self._latest = policy.version

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            await self.sleep(REFRESH_S)
            try:
                await self.refresh()
            except KafkaError as error:
                log.warning("policies not read", error=type(error).__name__)


async def write_policy(publisher: Publisher, policy: Policy) -> None:
    """Write the policy whole, under its version."""
    value = canonical_json(policy.document.to_json())
    await publisher.publish([Record(POLICIES, 0, policy.version.encode(), value, [_JSON])])
