"""Structured logs: JSON lines, one canonical line per batch and per refused input, no personal data."""

import logging
import sys
from typing import Any

import msgspec
import structlog

QUIET = {
    "aiokafka": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka.consumer.group_coordinator": logging.CRITICAL,  # says "not available" a hundred times on a first start
    "aiokafka.consumer.fetcher": logging.CRITICAL,
}
"""Libraries speak from here up; what matters of it comes back as an error that is logged once."""


def _json(line: Any, default: Any) -> str:
    return msgspec.json.encode(line, enc_hook=default).decode()


def configure(level: str = "info", *, pretty: bool = False) -> None:
    """Send structlog and the standard library's loggers to standard error; libraries only from warnings up."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_json)
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
    handler = logging.StreamHandler(sys.stderr)
    foreign: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=foreign))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)


def get_log(name: str) -> Any:
    """The logger of one part of the engine."""
    return structlog.get_logger(part=name)
