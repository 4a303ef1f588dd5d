"""The baseline: a plain Faust worker, settings as they come, that passes bytes from one topic to another."""

import os
import sys
from pathlib import Path

import faust

from benchmarks.common import die_with_parent

SOURCE = "bench.pass.in"
TARGET = "bench.pass.out"


def make_app(kafka: str, folder: Path) -> faust.App:
    """One agent that sends on what it reads, untouched."""
    app = faust.App("bench-pass", broker=f"kafka://{kafka}", datadir=str(folder / "faust-pass"))
    source = app.topic(SOURCE, value_serializer="raw")
    target = app.topic(TARGET, value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]  # Faust is not typed
    async def passing(stream: faust.StreamT[bytes]) -> None:
        async for value in stream:
            await target.send(value=value)

    return app


if __name__ == "__main__":
    die_with_parent()
    sys.argv[1:] = ["worker", "-l", "info", "--without-web"]
    make_app(os.environ["DISPATCH_KAFKA"], Path(os.environ["DISPATCH_DATA"])).main()
