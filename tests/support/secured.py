"""The real servers behind passwords and TLS, with certificates of an authority made for the moment."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import redis
import trustme
from cryptography.hazmat.primitives import serialization

from dispatch.embedded.kafka import Kafka
from dispatch.embedded.ports import HOST, free_port
from dispatch.embedded.redis import Redis

USER, PASSWORD = "dispatch", "kafka-s3cret"
REDIS_PASSWORD = "redis-s3cret"
CHUNK = 65_536


class SecuredKafka(Kafka):
    """A broker that clients reach by SASL_SSL at `secured`; its plain listener is for the broker itself."""

    def __init__(self, folder: Path, keystore: Path) -> None:
        super().__init__(folder)
        self.keystore = keystore
        self.secured = f"{HOST}:{free_port()}"

    def _properties(self, data: Path) -> str:
        plain = super()._properties(data)
        found = dict(line.split("=", 1) for line in plain.splitlines())
        for name in ("listeners", "advertised.listeners"):
            found[name] += f",SASL_SSL://{self.secured}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        found |= {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.keystore),
        }
        return "".join(f"{key}={value}\n" for key, value in found.items())


class TlsFront:
    """Ends TLS in front of a server that has none, as stunnel does; in a thread with a loop of its own."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._target = HOST, port
        self._context = context
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._listen())

    async def _listen(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)  # connections close on a later turn of the loop

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        await asyncio.gather(_pass(reader, up_writer), _pass(up_reader, writer), return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


@dataclass(frozen=True, kw_only=True)
class Secured:
    """Where the secured servers are, and whose word is to be trusted."""

    kafka: str
    redis: str
    cafile: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to use them."""
        return {
            "DISPATCH_KAFKA": self.kafka,
            "DISPATCH_KAFKA_SECURITY": "SASL_SSL",
            "DISPATCH_KAFKA_USERNAME": USER,
            "DISPATCH_KAFKA_PASSWORD": PASSWORD,
            "DISPATCH_KAFKA_CAFILE": str(self.cafile),
            "DISPATCH_REDIS": self.redis,
            "DISPATCH_REDIS_PASSWORD": REDIS_PASSWORD,
            "DISPATCH_REDIS_CAFILE": str(self.cafile),
        }


@contextlib.contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Kafka with SASL_SSL, and Redis with a password behind TLS."""
    authority = trustme.CA()
    cert = authority.issue_cert(HOST)
    cafile, keystore = folder / "ca.pem", folder / "kafka.pem"
    authority.cert_pem.write_to_path(str(cafile))
    keystore.write_bytes(_pkcs8(cert) + b"".join(one.bytes() for one in cert.cert_chain_pems))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    kafka, plain_redis = SecuredKafka(folder, keystore), Redis(folder, appendfsync="no")
    try:
        kafka.start()
        plain_redis.start()
        with redis.Redis.from_url(plain_redis.url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        with TlsFront(plain_redis.port, context) as front:
            yield Secured(kafka=kafka.secured, redis=f"rediss://{HOST}:{front.port}/0", cafile=cafile)
    finally:
        plain_redis.stop()
        kafka.stop()


def _pkcs8(cert: trustme.LeafCert) -> bytes:
    """The key as Java reads it."""
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None)
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*how)
