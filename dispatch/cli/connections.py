"""Servers for one command: asked whether they answer, used, and left."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import RecordMetadata
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from dispatch.agents.log_reader import read_to_end
from dispatch.agents.topic_ids import TopicFacts, describe_topics
from dispatch.cli.group import CommandError, UnreachableError
from dispatch.errors import ConfigError, LaneError
from dispatch.rules.policy import Policy, load_policy_json
from dispatch.settings import Settings
from dispatch.stores.redis import UNREACHABLE, RedisStore, connect
from dispatch.topics import MAX_MESSAGE_BYTES, POLICIES, TOPICS

T = TypeVar("T")
ANSWER_WITHIN_S: Final = 8.0
SEND_WITHIN_S: Final = 30.0
_AWAY: Final = (KafkaConnectionError, KafkaTimeoutError, RequestTimedOutError)
_REFUSALS: Final = (
    (SaslAuthenticationFailed, "wrong name or password, set DISPATCH_KAFKA_USERNAME and DISPATCH_KAFKA_PASSWORD"),
    (UnsupportedSaslMechanismError, "it does not know the mechanism, set DISPATCH_KAFKA_SASL_MECHANISM"),
    (ssl.SSLCertVerificationError, "its certificate is not one that is trusted, set DISPATCH_KAFKA_CAFILE"),
    (ssl.SSLError, "it does not speak TLS here, set DISPATCH_KAFKA_SECURITY or another port"),
)
_TRY: Final = "; `dispatch servers` starts both to try things with"


class Message(NamedTuple):
    """One record to send; without a partition the key chooses it."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


def run(work: Callable[[], Awaitable[T]], settings: Settings, *, kafka: bool = True, redis: bool = False) -> T:
    """Run ``work`` once the servers that it needs have answered. Raises UnreachableError that says what to set."""
    _be_quiet()

    async def checked() -> T:
        if redis:
            await ask_redis(settings)
        if kafka:
            await ask_kafka(settings)
        return await work()

    try:
        return asyncio.run(checked())
    except _AWAY as error:
        raise _no_kafka(settings, error) from None
    except UNREACHABLE as error:
        raise _no_redis(settings, error) from None
    except KafkaError as error:
        raise CommandError(f"Kafka refuses: {error!r}") from None
    except RedisError as error:
        raise CommandError(f"Redis refuses: {error!r}") from None


def _be_quiet() -> None:
    """Libraries have nothing to say to whoever runs one command: what goes wrong is an error of the command."""
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=False
    )


async def ask_kafka(settings: Settings) -> None:
    """Raises UnreachableError unless a broker answers soon."""
    client = AIOKafkaClient(**settings.kafka_client(), request_timeout_ms=int(ANSWER_WITHIN_S * 1000))
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await client.bootstrap()
    except (*_AWAY, OSError) as error:
        raise _no_kafka(settings, await _refusal(settings) or error) from None
    finally:
        await client.close()


async def _refusal(settings: Settings) -> BaseException | None:
    """What the first broker says to one connection: aiokafka says of every failure that none could be reached."""
    host, port, _family = collect_hosts(settings.kafka)[0]
    given = {name: value for name, value in settings.kafka_client().items() if name != "bootstrap_servers"}
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            (await create_conn(host, port, **given)).close()
    except (KafkaError, OSError) as error:
        return error
    return None


async def ask_redis(settings: Settings) -> None:
    """Raises UnreachableError unless Redis answers soon."""
    try:
        redis = connect(settings.redis, **settings.redis_options())
    except ValueError as error:
        raise ConfigError("environment", None, f"DISPATCH_REDIS: {error}", "redis://host:port/0") from None
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await redis.ping()
    except (RedisError, OSError) as error:
        raise _no_redis(settings, error) from None
    finally:
        await redis.aclose()


def _no_kafka(settings: Settings, error: BaseException) -> UnreachableError:
    for kind, what in _REFUSALS:
        if isinstance(error, kind):
            return UnreachableError(f"Kafka at {settings.kafka} refuses: {what}")
    return UnreachableError(
        f"Kafka does not answer at {settings.kafka} ({_why(error)}): set DISPATCH_KAFKA (host:port) or --kafka{_TRY}"
    )


def _no_redis(settings: Settings, error: BaseException) -> UnreachableError:
    place = urlsplit(settings.redis)
    address = place.netloc.rpartition("@")[2] or place.path
    if isinstance(error, AuthenticationError) or "NOAUTH" in str(error):
        return UnreachableError(f"Redis at {address} refuses the password: set DISPATCH_REDIS_PASSWORD")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UnreachableError(f"Redis at {address} shows a certificate nobody vouches for: set DISPATCH_REDIS_CAFILE")
    return UnreachableError(
        f"Redis does not answer at {address} ({_why(error)}): set DISPATCH_REDIS (redis://host:port/0) or --redis{_TRY}"
    )


def _why(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__


@asynccontextmanager
async def redis_store(settings: Settings) -> AsyncIterator[RedisStore]:
    """The store in Redis."""
    redis: Redis = connect(settings.redis, **settings.redis_options())
    try:
        yield RedisStore(redis)
    finally:
        await redis.aclose()


async def topics_there(settings: Settings, names: Sequence[str] = tuple(TOPICS)) -> dict[str, TopicFacts]:
    """Those of the topics that exist."""
    client = AIOKafkaClient(**settings.kafka_client())
    try:
        await client.bootstrap()
        return await describe_topics(client, names)
    finally:
        await client.close()


async def partitions_of(settings: Settings, topic: str) -> int:
    """How many partitions a topic has. Raises LaneError when there is no such topic."""
    found = (await topics_there(settings, (topic,))).get(topic)
    if found is None:
        raise LaneError(f"there is no topic {topic}", "Run `dispatch topics --create`")
    return found.partitions


class Policies:
    """The versions of the policy that Kafka has, in the order in which they were made active; each read when asked."""

    def __init__(self, written: Sequence[tuple[str, bytes]]) -> None:
        """``written``: version and document of each record, oldest first."""
        self.order = list(dict.fromkeys(version for version, _value in reversed(written)))[::-1]
        self._written = dict(written)
        self._read: dict[str, Policy] = {}

    def get(self, version: str) -> Policy | None:
        """A version, None when Kafka does not have it."""
        if version not in self._read and version in self._written:
            self._read[version] = load_policy_json(self._written[version])
        return self._read.get(version)

    @property
    def latest(self) -> Policy:
        """The version that was written last. Raises LaneError when there is none."""
        found = self.get(self.order[-1]) if self.order else None
        if found is None:
            raise LaneError(f"there is no policy on {POLICIES}", "Run `dispatch policy activate`")
        return found


async def policies(settings: Settings) -> Policies:
    """The policies topic, read whole. Raises LaneError when it is missing."""
    await partitions_of(settings, POLICIES)
    return Policies(
        [
            ((record.key or b"").decode(), record.value)
            async for record in read_to_end(settings.kafka_client(), POLICIES, 0)
            if record.value is not None
        ]
    )


def lane_of(key: str, partitions: int) -> int:
    """The partition of a key: Kafka's own partitioner, as workers and any other client use it."""
    numbers = list(range(partitions))
    return int(DefaultPartitioner()(key.encode(), numbers, numbers))


async def send(settings: Settings, messages: Sequence[Message]) -> list[RecordMetadata]:
    """Send all, those of one key in their order; where each one lies."""
    producer = AIOKafkaProducer(
        **settings.kafka_client(), enable_idempotence=True, acks="all", linger_ms=2,
        max_request_size=MAX_MESSAGE_BYTES, request_timeout_ms=15_000,
    )  # fmt: skip
    await producer.start()
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            waiting = [
                await producer.send(
                    one.topic, one.value, key=one.key, partition=one.partition, headers=list(one.headers)
                )
                for one in messages
            ]
            return list(await asyncio.gather(*waiting))
    except TimeoutError:
        raise KafkaTimeoutError from None
    finally:
        await producer.stop()


async def tenant_of(settings: Settings) -> str:
    """The tenant of the active policy."""
    return (await policies(settings)).latest.tenant
