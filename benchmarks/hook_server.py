"""Receivers in a process of their own: ``python -m benchmarks.hook_server PORT FILE``.

Paths under ``/hang`` never get an answer. The smallest HTTP there is, so that it is the sender that is measured. What
arrived, and when, is written to FILE when the process is asked to end: one line a message, ``seconds path``.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

from benchmarks.common import READY, die_with_parent

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
ARRIVED: list[tuple[float, str]] = []


class Receiver(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self) -> None:
        self.left = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # asyncio says less than it gives

    def data_received(self, data: bytes) -> None:
        self.left += data
        while (end := self.left.find(b"\r\n\r\n")) >= 0:
            head = self.left[:end]
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.left) < end + 4 + length:
                return
            self.left = self.left[end + 4 + length :]
            path = head.partition(b" ")[2].partition(b" ")[0].decode()
            ARRIVED.append((time.time(), path))
            if not path.startswith("/hang") and self.transport is not None:
                self.transport.write(ANSWER)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Receiver, "127.0.0.1", port, backlog=1000)
    print(READY, flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    die_with_parent()
    asyncio.run(serve(int(sys.argv[1])))
    Path(sys.argv[2]).write_text("".join(f"{at:.6f} {path}\n" for at, path in ARRIVED))


if __name__ == "__main__":
    main()
