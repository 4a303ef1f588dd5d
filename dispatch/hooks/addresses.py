"""Which addresses a hook may connect to: public ones, and what the config names. Pure but for the name service.

A name is resolved once, every address it has is judged, and the connection goes to one of those very addresses.
Python's ``is_global`` is no help here: it accepts wrappers such as 6to4 and NAT64 around private addresses.
Sources: IANA's special-purpose address registries for IPv4 and IPv6, and what clouds publish on metadata services.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, NamedTuple

from dispatch.errors import Rejected

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Infos = list[tuple[int, int, int, str, Any]]
Lookup = Callable[[str, int], Awaitable[Infos]]

_V4: Final = (
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "a metadata service"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "protocol assignments"),
    ("192.52.193.0/24", "protocol assignments"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "protocol assignments"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_V6: Final = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("::ffff:0:0:0/96", "IPv4-translated"),
    ("::/96", "IPv4-compatible"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("2001::/32", "Teredo"),
    ("2001:db8::/32", "documentation"),
    ("2001::/23", "protocol assignments"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "protocol assignments"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
FORBIDDEN: Final[tuple[tuple[Network, str], ...]] = tuple((ip_network(text), why) for text, why in (*_V4, *_V6))
"""Networks that no hook connects to unless the config names them, and why."""


class ForbiddenAddressError(Rejected):
    """A hook must not connect there. Codes: ``forbidden-address``, ``forbidden-port``, ``unknown-host``."""


class Target(NamedTuple):
    """One judged address: ``family`` and ``sockaddr`` as the socket module has them."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def why_forbidden(address: Address) -> str | None:
    """Why nobody should connect to an address by default; None when it is public."""
    for network, why in FORBIDDEN:
        if address.version == network.version and address in network:
            return why
    if isinstance(address, IPv6Address):
        if address not in _PUBLIC_V6:
            return "not global unicast"
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "ISATAP"
    return None


class Guard:
    """What one hook may connect to: public addresses and those ``allowed`` by name, on the given ports."""

    def __init__(self, allowed: Iterable[str] = (), ports: Iterable[int] = (443,)) -> None:
        """``allowed``: addresses or networks, as text. ValueError for what is neither."""
        self.allowed: tuple[Network, ...] = tuple(ip_network(text) for text in allowed)
        self.ports = frozenset(ports)

    def check(self, text: str, port: int) -> None:
        """ForbiddenAddressError unless one may connect to this address (a literal, perhaps with a zone) and port."""
        if port not in self.ports:
            raise ForbiddenAddressError("forbidden-port", f"port {port} is not on the hook's list", "url")
        address = ip_address(text.partition("%")[0])
        if any(address.version == network.version and address in network for network in self.allowed):
            return
        if (why := why_forbidden(address)) is not None:
            raise ForbiddenAddressError("forbidden-address", f"{address} is {why}", "url")

    async def resolve(self, host: str, port: int, lookup: Lookup | None = None) -> list[Target]:
        """All addresses of a host, looked up once. One that is forbidden spoils the others: the name is not to be had.

        Raises ForbiddenAddressError; OSError when the name service does not answer.
        """
        infos = await (lookup or look_up)(host, port)
        targets = [Target(family, sockaddr) for family, _kind, _protocol, _name, sockaddr in infos]
        if not targets:
            raise ForbiddenAddressError("unknown-host", "the host has no address", "url")
        for target in targets:
            self.check(target.sockaddr[0], target.sockaddr[1])
        return list(dict.fromkeys(targets))


async def look_up(host: str, port: int, *, threads: Executor | None = None) -> Infos:
    """The system's name service; with threads of one's own, one that hangs delays nobody else."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(threads, ask)
    return [(int(family), int(kind), protocol, name, place) for family, kind, protocol, name, place in found]
