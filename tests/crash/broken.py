"""Workers that are broken on purpose, one way each, so that the checks are known to see it."""

from typing import Any

from dispatch.settings import Settings


def breakage(name: str, settings: Settings) -> dict[str, Any]:
    """Break this process in the named way; further arguments for ``create_app``. An empty name breaks nothing."""
    return BREAKAGES[name](settings) if name else {}


BREAKAGES: dict[str, Any] = {}
