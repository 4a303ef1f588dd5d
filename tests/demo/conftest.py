"""The policy that the repository ships."""

from pathlib import Path

import pytest

from dispatch.config import load_config


@pytest.fixture(scope="session")
def policy():
    """The campus of ``config/``."""
    return load_config(Path(__file__).parents[2] / "config")
