"""What workers say in their logs: one JSON object a line, beside what libraries print."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def logged(log: Path, event: str | None = None, *, start: int = 0) -> Iterator[dict[str, Any]]:
    """The whole lines of a log from a character on, those of one event or all; none while there is no log."""
    if not log.exists():
        return
    for line in log.read_text(errors="replace")[start:].splitlines(keepends=True):
        if line.startswith("{") and line.endswith("}\n"):
            said = json.loads(line)
            if event in {None, said["event"]}:
                yield said
