"""What is done to the servers: a Redis that is killed and whose file loses its tail, as in a power cut."""

import random
from pathlib import Path

from dispatch.embedded import Servers

TAIL_BYTES = 8 * 1024 * 1024
MARK = b"*1\r\n$5\r\nMULTI\r\n"


def cut_redis(servers: Servers, rng: random.Random) -> int:
    """Kill Redis, take its last saves away, and start it again; how many territories' saves were lost."""
    servers.stop_redis(kill=True)
    lost = cut_tail(servers.folder / "redis" / "appendonly.aof", rng)
    servers.start_redis()
    return lost


def cut_tail(file: Path, rng: random.Random) -> int:
    """Cut the file before the n-th last save of a territory, n from 1 to 5, sometimes in the middle of a command.

    A save is a Lua script's effects, one MULTI with the territory's ``meta`` in it. Redis leaves out a command that
    is not whole (``aof-load-truncated``).
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - TAIL_BYTES))
        base, tail = stream.tell(), stream.read()
    starts: list[int] = []
    at = tail.find(MARK)
    while at >= 0:
        after = tail.find(MARK, at + 1)
        if b"}:meta\r\n" in tail[at : after if after >= 0 else len(tail)]:
            starts.append(at)
        at = after
    wanted = min(rng.randint(1, 5), len(starts))
    if wanted == 0:
        return 0
    ragged = rng.choice((0, 0, 3, 200))
    with file.open("r+b") as stream:
        stream.truncate(min(base + starts[-wanted] + ragged, size))
    return wanted
