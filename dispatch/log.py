"""Structured logs: JSON lines, one canonical line per batch and per refused input, no personal data."""

import logging
import sys
from typing import Any

import structlog


def configure(level: str = "info", *, pretty: bool = False) -> None:
    """Send structlog and the standard library's loggers to standard error; libraries only from warnings up."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)


def get_log(name: str) -> Any:
    """The logger of one part of the engine."""
    return structlog.get_logger(part=name)
