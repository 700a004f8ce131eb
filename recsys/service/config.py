"""Settings of the service, composed into the one tree by `recsys.settings`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from features.settings import Part

Milliseconds = Annotated[int, Field(ge=1)]


class DeadlineSettings(Part):
    """How long a stage may take before the answer goes down the ladder without it."""

    total_ms: Milliseconds = Field(
        1_000, description="milliseconds for a list; later, the published or popular one is given"
    )
    lookup_ms: Milliseconds = Field(100, description="milliseconds for the online store")
    rerank_ms: Milliseconds = Field(
        250, description="milliseconds for the language model, here or over HTTP"
    )


class BreakerSettings(Part):
    """When a part that fails is left alone for a while."""

    failures: int = Field(5, ge=1, description="failures in a row after which it is not asked")
    seconds: float = Field(5.0, gt=0, description="how long, before one request tries it again")


class LimitSettings(Part):
    """What one caller may ask for."""

    body_bytes: int = Field(1_048_576, ge=1, description="size of a request at most")
    rate: float = Field(
        200.0, ge=0, description="requests a second by one key, or one address; 0: any number"
    )
    burst: int = Field(400, ge=1, description="requests at once before the rate counts")
    at_once: int = Field(
        64, ge=1, description="requests worked on or waiting in one worker; more are sent away"
    )


class ServiceSettings(Part):
    """The online service."""

    host: str = Field("127.0.0.1", description="address it listens at")
    port: int = Field(8000, ge=0, le=65_535, description="port it listens at")
    workers: int = Field(1, ge=1, description="processes; they share the artifacts' memory maps")
    keys: Literal["auto", "always"] = Field(
        "auto", description="when an API key is needed; auto: unless bound to this machine alone"
    )
    threads: int = Field(2, ge=1, description="lists made at once in one worker")
    poll_seconds: float = Field(
        1.0, gt=0, description="how often it looks for a new release, and for changed keys"
    )
    hash_users: bool = Field(True, description="whether shoppers' ids are hashed in the log")
    cors_origins: tuple[str, ...] = Field(
        (), description="origins whose pages may call it from a browser; none by default"
    )
    out_of_stock: Path | None = Field(
        None,
        description="file of ids of items that are out of stock, one a line, read when changed",
    )
    rerank: Literal["auto", "never"] = Field(
        "auto", description="whether the language model is asked where it is known to help"
    )
    torch_threads: int = Field(2, ge=1, description="threads of the language model in a worker")
    deadlines: DeadlineSettings = DeadlineSettings()
    breaker: BreakerSettings = BreakerSettings()
    limits: LimitSettings = LimitSettings()
