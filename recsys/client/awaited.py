"""The async client. The same calls, awaited."""

import asyncio
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


class AsyncClient:
    """Calls the service without holding up the event loop.

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
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=timeout, transport=transport
        )

    async def recommendations(
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
        return await self._send(
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

    async def recommendations_of(
        self,
        users: Sequence[str],
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        category: str | None = None,
        in_stock: bool = False,
    ) -> BatchTold:
        """Give lists for several shoppers (100 at most), all by one release."""
        return await self._send(
            calls.batch(users, k=k, exclude=exclude, category=category, in_stock=in_stock)
        )

    async def similar(self, item: str, *, k: int = 10, by: By = "meaning") -> SimilarTold:
        """Give items near an item, in meaning, in wording, or by who buys both."""
        return await self._send(calls.similar(item, k=k, by=by))

    async def rerank(self, user: str, items: Sequence[str], *, explain: bool = False) -> ListTold:
        """Put your own candidates into the order that is best for a shopper."""
        return await self._send(calls.rerank(user, items, explain=explain))

    async def preference(
        self, user: str, options: Sequence[str], *, least_confidence: float = 0.0
    ) -> PreferenceTold:
        """Say how likely a shopper is to choose each of some items, among themselves."""
        return await self._send(calls.preference(user, options, least_confidence=least_confidence))

    async def features(self, user: str) -> FeaturesTold:
        """Tell all that the online store knows of a shopper, and how old it is."""
        return await self._send(calls.features(user))

    async def profile(self, user: str) -> ProfileTold:
        """Tell what was written about a shopper from her history."""
        return await self._send(calls.profile(user))

    async def purchase(
        self, user: str, item: str, *, event_id: str | None = None, at: datetime | None = None
    ) -> EventTold:
        """Send a purchase; the same `event_id` again changes nothing, and is told so."""
        return await self._send(calls.purchase(user, item, event_id=event_id, at=at))

    async def erase(self, user: str) -> ReceiptTold:
        """Erase a shopper from every store; needs a key of scope `admin`."""
        return await self._send(calls.erase(user))

    async def ready(self) -> Ready:
        """Tell which release serves; raises `DownError` as long as none does."""
        return await self._send(calls.ready())

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, call: Call[Answer]) -> Answer:
        tried = 0
        while True:
            outcome = await self._once(call)
            wait = self.policy.wait(tried, outcome)
            if wait is None:
                return read(call, outcome, self.url)
            await asyncio.sleep(wait)
            tried += 1

    async def _once(self, call: Call[Answer]) -> "httpx.Response | httpx.TransportError":
        try:
            return await self._http.request(
                call.method, call.path, params=call.params, json=call.body
            )
        except httpx.TransportError as error:
            return error
