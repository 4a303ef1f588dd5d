"""``advice.yaml`` as typed data: a larger model behind an endpoint, asked for hints about what triage cannot place.

It stands beside the policy, and a folder without it asks nobody. The key never stands in it, only the name of the
environment variable that holds it.
"""

from typing import Annotated, Literal

from pydantic import Field

from dispatch.models.hooks import Breaker, HttpHook, Url, Variable
from dispatch.models.policy_base import DurationS, Name

RESERVED = frozenset({"model", "messages", "response_format", "stream", "n", "tools"})
"""Fields of a request that ``options`` cannot set."""
_OPTIONS: dict[str, bool | int | float | str] = {"temperature": 0, "max_tokens": 400}


class AdviceDocument(HttpHook):
    """``advice.yaml``, whole.

    ``name`` is what events call the endpoint. ``timeout`` is for a whole exchange, ``per_hour`` and ``per_day`` for all
    workers together. Reports that were opened longer than ``max_age`` ago are not asked about, nor are those of which
    triage was surer than ``up_to_permille``. ``answer`` is what the endpoint knows to be asked for; ``options`` go
    into the request as they are.
    """

    name: Name
    url: Url
    model: Annotated[str, Field(pattern=r"^\S+$", max_length=200)]
    api_key_env: Variable | None = None
    concurrency: int = Field(default=4, ge=1, le=100)
    timeout: Annotated[DurationS, Field(ge=1, le=120)] = 8
    per_hour: int = Field(default=60, ge=1, le=1_000_000)
    per_day: int = Field(default=500, ge=1, le=1_000_000)
    max_age: Annotated[DurationS, Field(ge=1, le=86_400)] = 1800
    up_to_permille: int = Field(default=1000, ge=0, le=1000)
    answer: Literal["json_schema", "json_object", "text"] = "json_schema"
    options: dict[str, bool | int | float | str] = Field(default_factory=lambda: dict(_OPTIONS))
    breaker: Breaker = Breaker()
