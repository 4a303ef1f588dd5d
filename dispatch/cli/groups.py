"""Who owns which lanes, and how far they have come, as Kafka's groups know it."""

from collections.abc import Sequence
from typing import Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from dispatch.agents.log_reader import reader
from dispatch.cli.connections import topics_there
from dispatch.settings import ROLES, Settings
from dispatch.topics import ACTIONS, COMMANDS, COMMANDS_URGENT, REQUESTS, WORK_ORDERS

READS: Final[dict[str, tuple[str, ...]]] = {
    "intake": (ACTIONS, REQUESTS),
    "desk": (COMMANDS_URGENT, COMMANDS),
    "clock": (),
    "notify": (WORK_ORDERS,),
    "advise": (WORK_ORDERS,),
}
"""What each role's group reads; the clock owns lanes and reads nothing."""
OPTIONAL: Final = frozenset({"notify", "advise"})
"""Roles that an installation may do without: told of only where somebody plays them, or has played them."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One role's group. ``owners``: lane -> worker; ``lag``: lane -> records that nobody has done with."""

    role: str
    owners: dict[int, str]
    lag: dict[int, int]
    known: bool


async def groups(settings: Settings) -> list[Group]:
    """The groups of all roles, in the order of the roles."""
    roles = [role for role in ROLES if role in READS]
    admin = AIOKafkaAdminClient(**settings.kafka_client())
    await admin.start()
    try:
        owners = {role: await _owners(admin, f"{settings.group}-{role}") for role in roles}
        done = {role: await _done(admin, f"{settings.group}-{role}") for role in roles}
    finally:
        await admin.close()
    ends = await _bounds(settings, [topic for role in roles for topic in READS[role]])
    found = []
    for role in roles:
        lag: dict[int, int] = {}
        for place, (first, end) in ends.items():
            if place.topic in READS[role]:
                waiting = max(end - max(done[role].get(place, first), first), 0)
                lag[place.partition] = lag.get(place.partition, 0) + waiting
        found.append(Group(role=role, owners=owners[role], lag=lag, known=bool(owners[role] or done[role])))
    return [group for group in found if group.known or group.role not in OPTIONAL]


async def _owners(admin: AIOKafkaAdminClient, name: str) -> dict[int, str]:
    """Lane -> the client that has it; nothing while the group is empty, or shares its lanes out anew."""
    owners: dict[int, str] = {}
    for response in await admin.describe_consumer_groups([name]):
        for _error, _name, _state, _type, _protocol, members, *_more in response.groups:
            for _member_id, client_id, _host, _metadata, assignment, *_rest in members:
                if not assignment:
                    continue
                for place in ConsumerProtocolMemberAssignment.decode(assignment).partitions():
                    owners[place.partition] = client_id
    return owners


async def _done(admin: AIOKafkaAdminClient, name: str) -> dict[TopicPartition, int]:
    found = await admin.list_consumer_group_offsets(name)
    return {place: committed.offset for place, committed in found.items() if committed.offset >= 0}


async def _bounds(settings: Settings, topics: Sequence[str]) -> dict[TopicPartition, tuple[int, int]]:
    """First and end offset of every partition of the topics."""
    there = await topics_there(settings, tuple(topics))
    places = [TopicPartition(topic, n) for topic, facts in there.items() for n in range(facts.partitions)]
    async with reader(settings.kafka_client()) as consumer:
        first, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        return {place: (first[place], end[place]) for place in places}
