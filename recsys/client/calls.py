"""The calls of the service as values: what is sent, and what the answer is read as.

Every call can be sent twice without harm: those that change something carry what makes them the
same call. The sync and the async client differ only in how they wait.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from recsys.service.schemas import (
    BatchTold,
    EventTold,
    FeaturesTold,
    ListTold,
    PreferenceTold,
    ProfileTold,
    ReceiptTold,
    SimilarTold,
)

Answer = TypeVar("Answer", bound=BaseModel)
By = Literal["meaning", "wording", "purchases"]
Params = list[tuple[str, str | int | float | bool | None]]


class Ready(BaseModel):
    """The release that serves."""

    status: str
    release: str
    lineage_key: str


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, and the type of its answer."""

    method: str
    path: str
    answer: type[Answer]
    params: Params = field(default_factory=list)
    body: dict[str, Any] | None = None


def recommendations(
    user: str,
    *,
    k: int,
    context_item: str | None,
    exclude: Sequence[str],
    category: str | None,
    in_stock: bool,
    explain: bool,
) -> Call[ListTold]:
    """A list for one shopper."""
    params: Params = [("k", str(k)), *(("exclude", item) for item in exclude)]
    texts = {"context_item": context_item, "category": category}
    params += [(name, text) for name, text in texts.items() if text is not None]
    flags = {"in_stock": in_stock, "explain": explain}
    params += [(name, "true") for name, wanted in flags.items() if wanted]
    return Call("GET", f"/v1/recommendations/{_part(user)}", ListTold, params)


def batch(
    users: Sequence[str], *, k: int, exclude: Sequence[str], category: str | None, in_stock: bool
) -> Call[BatchTold]:
    """Lists for several shoppers, all by one release."""
    body = {
        "users": list(users),
        "k": k,
        "exclude": list(exclude),
        "category": category,
        "in_stock": in_stock,
    }
    return Call("POST", "/v1/recommendations", BatchTold, body=body)


def similar(item: str, *, k: int, by: By) -> Call[SimilarTold]:
    """Items near an item."""
    return Call("GET", f"/v1/similar/{_part(item)}", SimilarTold, [("k", str(k)), ("by", by)])


def rerank(user: str, items: Sequence[str], *, explain: bool) -> Call[ListTold]:
    """The caller's own candidates, in order."""
    body = {"user": user, "items": list(items), "explain": explain}
    return Call("POST", "/v1/rerank", ListTold, body=body)


def preference(
    user: str, options: Sequence[str], *, least_confidence: float
) -> Call[PreferenceTold]:
    """Which of some options a shopper will choose."""
    body = {"user": user, "options": list(options), "least_confidence": least_confidence}
    return Call("POST", "/v1/preference", PreferenceTold, body=body)


def features(user: str) -> Call[FeaturesTold]:
    """All that the online store knows of a shopper."""
    return Call("GET", f"/v1/features/{_part(user)}", FeaturesTold)


def profile(user: str) -> Call[ProfileTold]:
    """What was written about a shopper."""
    return Call("GET", f"/v1/profiles/{_part(user)}", ProfileTold)


def purchase(user: str, item: str, *, event_id: str | None, at: datetime | None) -> Call[EventTold]:
    """A purchase; its id is made once, so that a retry is the same purchase."""
    body = {
        "event_id": event_id or uuid.uuid4().hex,
        "user": user,
        "item": item,
        "event_timestamp": (at or datetime.now(UTC)).isoformat(),
    }
    return Call("POST", "/v1/events", EventTold, body=body)


def erase(user: str) -> Call[ReceiptTold]:
    """Erase a shopper."""
    return Call("DELETE", f"/v1/users/{_part(user)}", ReceiptTold)


def ready() -> Call[Ready]:
    """Ask which release serves."""
    return Call("GET", "/readyz", Ready)


def _part(name: str) -> str:
    return quote(name, safe="")
