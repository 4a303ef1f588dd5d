"""``python -m tests.security.addresses``: hooks that point where none may point; one line of JSON last.

Every forbidden target is tried as a literal, behind a name, behind a name that changes its mind between two looks, and
as the place a redirect leads to. A recorder under the event loop notes each connection that is begun, to whatever
address, and lets none of the forbidden ones leave the machine. The control does the same without the guard.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp import web

from dispatch.errors import Rejected
from dispatch.hooks.addresses import Guard
from dispatch.hooks.http import UNREACHABLE, HttpClient

_V4 = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.254 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1 127.0.0.53 127.1.2.3 "
    "127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.169.253 172.16.0.1 172.31.255.254 "
    "172.17.0.1 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.254 198.18.0.1 198.19.255.254 "
    "198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255"
)
V4 = _V4.split()
_V6 = (
    ":: ::1 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 "
    "64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::10.0.0.1 100::1 2001::1 "
    "2001:0:5ef5:79fd::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 2002:c0a8:1:: "
    "3fff::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff02::1 "
    "ff05::2 ff0e::1 4000::1 5f00::1 2a00:1450:4001:81a:0:5efe:7f00:1 2606:4700::200:5efe:a00:1"
)
V6 = _V6.split()
_SPELLINGS = (
    "2130706433 0x7f000001 0x7f.1 0177.0.0.1 127.1 127.0.1 017700000001 0 0x0 3232235521 0xa9fea9fe "
    "2852039166 localhost 0xa.0.0.1 012.0.0.1 １２７.０.０.１ ①②⑦.0.0.1 [::ffff:7f00:1] [0:0:0:0:0:0:0:1]"
)
SPELLINGS = _SPELLINGS.split()
"""Ways to write an address that ends up as one of the above, or as another forbidden one."""

FORBIDDEN = [*V4, *V6]
PUBLIC = "93.184.216.34"
Infos = list[tuple[int, int, int, str, Any]]


class Recorder:
    """Notes which addresses are connected to; only those that the test itself serves are really reached."""

    def __init__(self, served: set[int]) -> None:
        self.served = served
        self.begun: Counter[str] = Counter()
        loop = asyncio.get_running_loop()
        self._real: Callable[..., Any] = loop.sock_connect
        loop.sock_connect = self._connect  # type: ignore[method-assign]

    async def _connect(self, sock: socket.socket, place: Any) -> None:
        if place[1] in self.served and place[0] == "127.0.0.1":
            await self._real(sock, place)
            return
        self.begun[str(place[0]).partition("%")[0]] += 1
        raise ConnectionRefusedError(f"recorded: {place[0]}")

    def forbidden(self) -> int:
        """How many connections were begun to anything but the one public address of the test."""
        return sum(count for text, count in self.begun.items() if text != PUBLIC)


def info(text: str, port: int) -> tuple[int, int, int, str, Any]:
    """As a name service answers."""
    v6 = ip_address(text).version == 6
    place = (text, port, 0, 0) if v6 else (text, port)
    return (socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM, 6, "", place)


class Names:
    """A name service: the host ``a-b.example`` has the addresses that were given for it, look by look."""

    def __init__(self, looks: list[list[str]]) -> None:
        self.looks = looks
        self.asked = 0

    async def __call__(self, _host: str, port: int) -> Infos:
        found = self.looks[min(self.asked, len(self.looks) - 1)]
        self.asked += 1
        return [info(text, port) for text in found]


class Unguarded(aiohttp.abc.AbstractResolver):
    """The control's name service: whatever the test says, unjudged."""

    def __init__(self, names: Names | None) -> None:
        self.names = names

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        if self.names is not None:
            infos = await self.names(host, port)
        else:
            loop = asyncio.get_running_loop()
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [
            {"hostname": host, "host": one[4][0], "port": one[4][1], "family": one[0], "proto": 0, "flags": 0}
            for one in infos
        ]

    async def close(self) -> None:
        pass


async def guarded(url: str, names: Names | None) -> str:
    """One delivery as hooks make it: ``refused``, ``unreachable``, or the answer's status."""
    port = aiohttp.client.URL(url).port or 443
    client = HttpClient(Guard(["127.0.0.1"] if ":8" in url and "hop" in url else [], [port]), timeout_s=3, lookup=names)
    try:
        answer = await client.post(url, b"{}", {})
    except Rejected:
        return "refused"
    except (*UNREACHABLE, ValueError):
        return "unreachable"
    finally:
        await client.close()
    return str(answer.status)


async def naive(url: str, names: Names | None) -> str:
    """The same as a client makes it that looks first and connects by name, and follows redirects."""
    host = aiohttp.client.URL(url).host or ""
    try:
        if names is not None and len(names.looks) > 1:
            await names(host, 443)  # the look of a guard that does not bind what it saw
        connector = aiohttp.TCPConnector(resolver=Unguarded(names), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            timeout = aiohttp.ClientTimeout(total=3)
            async with session.post(url, data=b"{}", timeout=timeout) as response:
                return str(response.status)
    except (*UNREACHABLE, ValueError):
        return "unreachable"


def written(text: str) -> str:
    return f"[{text}]" if ":" in text and not text.startswith("[") else text


async def attempt(client: Callable[..., Any], hop: int) -> dict[str, Counter[str]]:
    """All targets in all four ways; what became of each, by way."""
    came: dict[str, Counter[str]] = {way: Counter() for way in ("literal", "dns", "rebinding", "redirect")}
    for text in [*FORBIDDEN, *SPELLINGS]:
        came["literal"][await client(f"http://{written(text)}:80/hook", None)] += 1
    for text in FORBIDDEN:
        for scheme in ("http", "https"):
            came["dns"][await client(f"{scheme}://one.example/hook", Names([[text]]))] += 1
        came["dns"][await client("https://two.example/hook", Names([[PUBLIC, text]]))] += 1
        came["rebinding"][await client("https://turn.example/hook", Names([[PUBLIC], [text]]))] += 1
        where = f"http://127.0.0.1:{hop}/hop?to=http://{written(text)}:80/"
        came["redirect"][await client(where, None)] += 1
    return came


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": request.query["to"]})


async def play(client: Callable[..., Any]) -> tuple[Recorder, dict[str, Counter[str]]]:
    """One client against all targets, with a server of ours that redirects to them."""
    app = web.Application()
    app.router.add_post("/hop", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.socket()
    port = next(one for one in range(8100, 8999) if free(sock, one))
    await web.SockSite(runner, sock).start()
    try:
        recorder = Recorder({port})
        return recorder, await attempt(client, port)
    finally:
        await runner.cleanup()


def free(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def measure() -> dict[str, Any]:
    """Both clients; what they connected to."""
    recorder, came = asyncio.run(play(guarded))
    control, _ = asyncio.run(play(naive))
    bound = recorder.begun[PUBLIC]
    return {
        "targets": len(FORBIDDEN),
        "spellings": len(SPELLINGS),
        "ways": {way: dict(counts) for way, counts in came.items()},
        "tries": sum(sum(counts.values()) for counts in came.values()),
        "forbidden_connects": recorder.forbidden(),
        "connects_to_the_address_that_was_judged": bound,
        "control_forbidden_connects": control.forbidden(),
    }


def good(figures: dict[str, Any]) -> bool:
    """What must hold: nothing forbidden was reached, the control reached some, judged addresses were used."""
    return (
        figures["targets"] >= 60
        and figures["forbidden_connects"] == 0
        and figures["control_forbidden_connects"] > 0
        and figures["connects_to_the_address_that_was_judged"] == figures["targets"]
        and figures["ways"]["redirect"] == {"307": figures["targets"]}
    )


if __name__ == "__main__":
    found = measure()
    print(json.dumps(found))
    sys.exit(0 if good(found) else 1)
