"""Kafka's own id of a topic, by which a re-created topic is told from the one that was there before.

aiokafka speaks the Metadata request up to version 5; ids came later. So version 12 is spelled out here, and
sent over aiokafka's client: the same addresses, TLS and SASL as everything else.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from dispatch.errors import LaneError

_NO_ID = bytes(16)


class TopicFacts(NamedTuple):
    """What the cluster says of a topic; `incarnation` is its id as Kafka's own tools print it."""

    partitions: int
    incarnation: str


class Uuid(AbstractType[bytes]):
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """As they are."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """As they are; ValueError when some are missing."""
        value = data.read(16)
        if len(value) != len(_NO_ID):
            raise ValueError("the response ends within a topic's id")
        return value


class MetadataResponse12(Response):
    """What comes back: brokers, and for each topic its id and partitions."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class MetadataRequest12(RequestStruct):
    """The question, by name; never creates a topic."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[MetadataRequest12]):
    """Asks for the given topics."""

    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        """Which topics."""
        self._names = names

    def build(self, request_struct_class: type[MetadataRequest12]) -> MetadataRequest12:
        """The request as it is sent."""
        return request_struct_class(
            topics=[(_NO_ID, name, {}) for name in self._names],
            allow_auto_topic_creation=False,
            include_topic_authorized_operations=False,
            tags={},
        )


async def describe_topics(client: AIOKafkaClient, names: Sequence[str]) -> dict[str, TopicFacts]:
    """Partitions and id of each of these topics that exists. The client must have been bootstrapped.

    Raises `LaneError` when the brokers are too old to know ids, aiokafka's errors when they cannot be asked.
    """
    try:
        response = await client.send(client.get_random_node(), TopicsRequest(names))
    except (IncompatibleBrokerVersion, NotImplementedError):  # brokers know no such request, or version
        raise LaneError(
            "the Kafka brokers do not tell topic ids",
            "Use Apache Kafka 3.1 or newer, or a service that speaks Metadata version 12",
        ) from None
    facts: dict[str, TopicFacts] = {}
    for code, name, topic_id, _, partitions, *_ in response.topics:
        error = for_code(code)
        if error is UnknownTopicOrPartitionError:
            continue
        if error is not NoError:
            raise error(name)
        incarnation = urlsafe_b64encode(topic_id).decode().rstrip("=")
        facts[name] = TopicFacts(len(partitions), incarnation)
    return facts
