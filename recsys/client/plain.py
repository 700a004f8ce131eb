"""The plain client. One for a process is enough: it is for several threads at once."""

import time
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from recsys.client import calls
from recsys.client.calls import By, Call, Ready
from recsys.client.policy import Policy, read
from recsys.errors import extra
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

with extra("client"):
    import httpx

Answer = TypeVar("Answer", bound=BaseModel)


class Client:
    """Calls the service and waits for its answers.

    `timeout` is in seconds and of one try; what `policy` says is tried again. `transport` is
    httpx's, for tests and proxies.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str = "",
        timeout: float = 2.0,
        policy: Policy | None = None,
        transport: Any = None,
    ) -> None:
        self.url, self.policy = url.rstrip("/"), policy or Policy()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, transport=transport
        )

    def recommendations(
        self,
        user: str,
        *,
        k: int = 10,
        context_item: str | None = None,
        exclude: Sequence[str] = (),
        category: str | None = None,
        in_stock: bool = False,
        explain: bool = False,
    ) -> ListTold:
        """Give the best items for a shopper now; the answer says what made them."""
        return self._send(
            calls.recommendations(
                user,
                k=k,
                context_item=context_item,
                exclude=exclude,
                category=category,
                in_stock=in_stock,
                explain=explain,
            )
        )

    def recommendations_of(
        self,
        users: Sequence[str],
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        category: str | None = None,
        in_stock: bool = False,
    ) -> BatchTold:
        """Give lists for several shoppers (100 at most), all by one release."""
        return self._send(
            calls.batch(users, k=k, exclude=exclude, category=category, in_stock=in_stock)
        )

    def similar(self, item: str, *, k: int = 10, by: By = "meaning") -> SimilarTold:
        """Give items near an item, in meaning, in wording, or by who buys both."""
        return self._send(calls.similar(item, k=k, by=by))

    def rerank(self, user: str, items: Sequence[str], *, explain: bool = False) -> ListTold:
        """Put your own candidates into the order that is best for a shopper."""
        return self._send(calls.rerank(user, items, explain=explain))

    def preference(
        self, user: str, options: Sequence[str], *, least_confidence: float = 0.0
    ) -> PreferenceTold:
        """Say how likely a shopper is to choose each of some items, among themselves."""
        return self._send(calls.preference(user, options, least_confidence=least_confidence))

    def features(self, user: str) -> FeaturesTold:
        """Tell all that the online store knows of a shopper, and how old it is."""
        return self._send(calls.features(user))

    def profile(self, user: str) -> ProfileTold:
        """Tell what was written about a shopper from her history."""
        return self._send(calls.profile(user))

    def purchase(
        self, user: str, item: str, *, event_id: str | None = None, at: datetime | None = None
    ) -> EventTold:
        """Send a purchase; the same `event_id` again changes nothing, and is told so."""
        return self._send(calls.purchase(user, item, event_id=event_id, at=at))

    def erase(self, user: str) -> ReceiptTold:
        """Erase a shopper from every store; needs a key of scope `admin`."""
        return self._send(calls.erase(user))

    def ready(self) -> Ready:
        """Tell which release serves; raises `DownError` as long as none does."""
        return self._send(calls.ready())

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: Call[Answer]) -> Answer:
        tried = 0
        while True:
            outcome = self._once(call)
            wait = self.policy.wait(tried, outcome)
            if wait is None:
                return read(call, outcome, self.url)
            time.sleep(wait)
            tried += 1

    def _once(self, call: Call[Answer]) -> "httpx.Response | httpx.TransportError":
        try:
            return self._http.request(call.method, call.path, params=call.params, json=call.body)
        except httpx.TransportError as error:
            return error
