"""HTTP for hooks: to judged addresses alone, without redirects, cookies or proxies, bounded in time and in size."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from dispatch.errors import Rejected
from dispatch.hooks.addresses import ForbiddenAddressError, Guard, Lookup, look_up

MAX_ANSWER_BYTES: Final = 16 * 1024
"""How much of an answer is read if nobody says otherwise; the rest is not waited for."""
USER_AGENT: Final = "workorder-dispatch"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver said: its status, its ``Retry-After`` as it was sent, and the beginning of its body."""

    status: int
    retry_after: str | None = None
    body: bytes = b""


@lru_cache(maxsize=64)
def tls_of(cafile: str | None) -> ssl.SSLContext:
    """What certificates are checked against: the system's authorities, or those of a file. Reading them takes 40 ms."""
    return ssl.create_default_context(cafile=cafile)


class HttpClient:
    """One hook's connections, kept alive between deliveries."""

    def __init__(
        self,
        guard: Guard,
        *,
        timeout_s: float,
        cafile: str | None = None,
        lookup: Lookup | None = None,
        answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """``timeout_s`` is for a whole exchange, connecting included. ``lookup`` stands in for the name service."""
        self._answer_bytes = answer_bytes
        self._guard = guard
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._tls = tls_of(cafile)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="names")
        self._lookup = lookup or partial(look_up, threads=self._threads)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send, and read the beginning of the answer; a 3xx is an answer like any other.

        Raises ForbiddenAddressError, TimeoutError, OSError and aiohttp's ClientError.
        """
        target = URL(url)
        self._check(target)
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        async with self._connected().post(target, data=body, headers=sent, allow_redirects=False) as response:
            answer = Answer(
                status=response.status,
                retry_after=response.headers.get("Retry-After"),
                body=await _beginning(response, self._answer_bytes),
            )
            if not response.content.at_eof():
                response.close()  # nobody wants the rest, so the connection cannot be used again
            return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, target: URL) -> None:
        """What can be said without the name service. aiohttp does not ask a resolver for literal addresses."""
        if target.scheme not in {"http", "https"} or not target.host or target.port is None:
            raise ForbiddenAddressError("forbidden-address", "only http and https have an address", "url")
        if target.port not in self._guard.ports:
            raise ForbiddenAddressError("forbidden-port", f"port {target.port} is not on the hook's list", "url")
        try:
            ip_address(target.host.partition("%")[0])
        except ValueError:
            return
        self._guard.check(target.host, target.port)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Judged(self._guard, self._lookup),
                use_dns_cache=False,
                limit=0,
                ssl=self._tls,
                socket_factory=self._open,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _open(self, info: Any) -> socket.socket:
        """The last look, at the very address of the connection; whatever came here unjudged ends here."""
        family, kind, protocol, _name, sockaddr = info
        try:
            self._guard.check(str(sockaddr[0]), int(sockaddr[1]))
        except Rejected as error:
            raise OSError(str(error)) from None
        return socket.socket(family, kind, protocol)


class _Judged(AbstractResolver):
    """Answers with addresses that have been judged, and never asks twice for one connection."""

    def __init__(self, guard: Guard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 -- aiohttp's signature
    ) -> list[ResolveResult]:
        targets = await self._guard.resolve(host, port, self._lookup)
        return [
            ResolveResult(
                hostname=host,
                host=target.sockaddr[0],
                port=target.sockaddr[1],
                family=target.family,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for target in targets
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _beginning(response: aiohttp.ClientResponse, most: int) -> bytes:
    read = bytearray()
    while len(read) < most:
        part = await response.content.read(most - len(read))
        if not part:
            break
        read += part
    return bytes(read)


UNREACHABLE: Final = (OSError, asyncio.TimeoutError, aiohttp.ClientError)
"""What :meth:`HttpClient.post` raises when a receiver does not answer as it should."""
