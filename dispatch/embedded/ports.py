"""Ports on the loopback address: one that is free, and whether a given one is."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from dispatch.embedded.errors import EmbeddedError, PortTakenError

HOST = "127.0.0.1"
LOWEST = 12_000
FALLBACK_END = 30_000
TRIES = 200


def free_port() -> int:
    """Return a port that nobody listens on, below the range that outgoing connections take theirs from.

    A port of that range could be taken while its server is down, and a client that retries it can even
    connect to itself. For the same reason a port is given to one process only, until that process ends.
    """
    end = _ephemeral_start()
    for _ in range(TRIES):
        port = random.SystemRandom().randrange(LOWEST, end)
        if is_free(port) and _is_ours(port):
            return port
    raise EmbeddedError(f"No free port on {HOST} between {LOWEST} and {end} in {TRIES} tries. Stop some servers.")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, server: str) -> None:
    """Raise PortTakenError with advice if `port` is taken."""
    if not is_free(port):
        raise taken(port, server)


def taken(port: int, server: str) -> PortTakenError:
    """Describe a port that another program holds."""
    return PortTakenError(
        f"Port {port} on {HOST}, wanted by the embedded {server}, is taken by another program. "
        f"Stop that program (`ss -ltnp 'sport = :{port}'` names it), or use port 0, which takes a free one."
    )


def _is_ours(port: int) -> bool:
    """Tell whether no other process was given `port`; if so it is ours, by a lock that ends with this process."""
    folder = Path(tempfile.gettempdir()) / f"dispatch-ports-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / str(port), os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError:
        return True  # nowhere to write it down: as likely free as any other
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    return True  # the lock stays open: closing it would give the port away


def _ephemeral_start() -> int:
    try:
        start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return FALLBACK_END
    return start if start > LOWEST + TRIES else FALLBACK_END
