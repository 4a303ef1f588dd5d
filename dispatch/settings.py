"""The settings of a process: the only reader of the environment. The config folder is read by ``dispatch.config``."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from dispatch.errors import ConfigError

Role = Literal["intake", "desk", "clock", "notify", "advise"]
Language = Literal["zh", "en"]
ROLES: tuple[Role, ...] = ("intake", "desk", "clock", "notify", "advise")
PREFIX = "DISPATCH_"
PASSWORDS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
"""The mechanisms of SASL that ask for a name and a password."""


class Settings(BaseModel):
    """What a process needs to know. Each field is read from ``DISPATCH_<FIELD>`` in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka: str = "127.0.0.1:9092"
    redis: str = "redis://127.0.0.1:6379/0"
    config: Path = Path("config")
    data: Path = Path(".dispatch")
    cache: Path | None = None
    partitions: int = Field(default=8, ge=1, le=1000)
    replication: int = Field(default=1, ge=1, le=9)
    group: str = "dispatch"
    instance: str | None = None
    clock: str | None = None
    future_tolerance_s: int = Field(default=300, ge=0)
    batch_records: int = Field(default=256, ge=1, le=2000)
    queue_records: int = Field(default=2000, ge=1)
    session_timeout_ms: int = Field(default=10_000, ge=1000)
    web_port: int | None = Field(default=None, ge=0, le=65535)
    web_host: str = "127.0.0.1"
    traces: bool = False
    triage_model: Path | None = None
    triage_shadow: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str = "PLAIN"
    kafka_username: str | None = Field(default=None, validate_default=True)
    kafka_password: SecretStr | None = Field(default=None, validate_default=True)
    kafka_cafile: Path | None = None
    kafka_certfile: Path | None = None
    kafka_keyfile: Path | None = None
    redis_password: SecretStr | None = None
    redis_cafile: Path | None = None

    @field_validator("kafka_username", "kafka_password")
    @classmethod
    def _who(cls, value: object, info: ValidationInfo) -> object:
        security = str(info.data.get("kafka_security", ""))
        if value is None and security.startswith("SASL") and info.data.get("kafka_sasl_mechanism") in PASSWORDS:
            raise ValueError(f"needed with {security}")
        return value

    @field_validator("kafka_cafile", "kafka_certfile", "kafka_keyfile", "redis_cafile")
    @classmethod
    def _file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        if value is not None and info.field_name == "redis_cafile" and not _is_tls(info.data.get("redis")):
            raise ValueError("without TLS it would not be used: write DISPATCH_REDIS as rediss://host:port/0")
        return value

    def kafka_client(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes: addresses, TLS and SASL."""
        client: dict[str, Any] = {"bootstrap_servers": self.kafka, "security_protocol": self.kafka_security}
        if "SSL" in self.kafka_security.split("_")[-1]:
            context = ssl.create_default_context(cafile=str(self.kafka_cafile) if self.kafka_cafile else None)
            if self.kafka_certfile:
                context.load_cert_chain(
                    str(self.kafka_certfile), str(self.kafka_keyfile) if self.kafka_keyfile else None
                )
            client["ssl_context"] = context
        if self.kafka_security.startswith("SASL"):
            client["sasl_mechanism"] = self.kafka_sasl_mechanism
            client["sasl_plain_username"] = self.kafka_username
            client["sasl_plain_password"] = self.kafka_password.get_secret_value() if self.kafka_password else None
        return client

    def redis_options(self) -> dict[str, Any]:
        """What the Redis client takes beside its address."""
        options: dict[str, Any] = {}
        if self.redis_password:
            options["password"] = self.redis_password.get_secret_value()
        if self.redis_cafile:
            options["ssl_ca_certs"] = str(self.redis_cafile)
        return options


def _is_tls(redis: object) -> bool:
    return str(redis).startswith("rediss://")


def read_settings(environ: Mapping[str, str] = os.environ, **given: Any) -> Settings:
    """The settings from the environment, with what a caller gives on top.

    Raises ConfigError that names the variable. An unknown ``DISPATCH_…`` variable is an error, for it is a typo.
    """
    found = {
        name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX) and value
    }
    try:
        return Settings.model_validate({**found, **{name: value for name, value in given.items() if value is not None}})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError("environment", None, f"{name}: {first['msg']}", "see docs/operations.md") from None


def read_secrets(
    wanted: Mapping[str, str], environ: Mapping[str, str] = os.environ, *, of: str = "the hook"
) -> dict[str, str]:
    """The values of secrets. ``wanted``: name of a variable -> the hook (or what ``of`` says) that needs it.

    Raises ConfigError that names the first one that is missing, and never a value.
    """
    for name, who in wanted.items():
        if not environ.get(name):
            raise ConfigError("environment", None, f"{name} is not set", f"a secret of {of} {who!r}")
    return {name: environ[name] for name in wanted}


def language(environ: Mapping[str, str] = os.environ) -> Language:
    """The language of the environment's locale (``LC_ALL``, ``LC_MESSAGES``, ``LANG``): Chinese, else English."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"
