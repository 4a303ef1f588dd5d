"""The real Kafka and Redis for one machine, from wheels and jars alone: no Docker, no Java, no Redis needed.

`with embedded(Path(".dispatch"), progress=print) as servers:` starts Apache Kafka 4.1.1 and Redis in
parallel (4 s; the first time ever 10 s more or so, while 44 MB of jars are fetched into the user's cache)
and stops both at the end. `servers.kafka` is `127.0.0.1:port`, `servers.redis` is
`redis://127.0.0.1:port/0`; ports are free ones, or `kafka_port=`/`redis_port=`. All data live in the folder:
a second start finds them, and a second starter beside the first is refused with the owner's pid. The calls
block; from async code use `await asyncio.to_thread(servers.start)` and `.stop`. For tests of outages
`servers.stop_redis(kill=True)`, `servers.start_redis()` and the same for Kafka keep the port;
`servers.kafka_pid` and `servers.redis_pid` are there for SIGSTOP. Both servers die with the process that
started them, even by kill -9. Topics are never created by themselves. Every failure is an EmbeddedError that
says what to do. `python -m dispatch.embedded --folder F` runs both by hand.
"""

from dispatch.embedded.errors import EmbeddedError, PortTakenError
from dispatch.embedded.jars import default_cache
from dispatch.embedded.servers import Servers, embedded

__all__ = ["EmbeddedError", "PortTakenError", "Servers", "default_cache", "embedded"]
