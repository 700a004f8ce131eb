"""Online look-up with our own freshness: Feast hands out rows of any age.

Every view of a shopper comes with an outcome. Only a FRESH one carries values; a stale row counts
as missing, and says so. A store that is down is an outcome as well, never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from features.errors import StoreError
from features.repo.views import user_views
from features.store import Answer, FeatureRepo
from features.instants import utc

USERS_PER_READ = 1_000
"""SQLite takes a limited number of keys in one query."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outcome(StrEnum):
    """How a look-up of one view of one shopper ended."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class ViewRow:
    """One view of one shopper; `values` is empty unless the outcome is FRESH."""

    outcome: Outcome
    values: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    event_timestamp: datetime | None = None
    age: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True)
class ShopperRow:
    """All that the online store knows of a shopper, by view."""

    user_id: str
    views: Mapping[str, ViewRow]

    def values(self, view: str) -> Mapping[str, Any]:
        """Hand out the fresh values of a view, or nothing."""
        return self.views[view].values if view in self.views else NOTHING

    @property
    def known(self) -> bool:
        """Whether any view is fresh."""
        return any(row.outcome is Outcome.FRESH for row in self.views.values())


class Lookup:
    """Reads shoppers from the online store and judges how old what it read is."""

    def __init__(
        self, repo: FeatureRepo, max_age: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self.repo, self.max_age, self.clock = repo, max_age, clock

    def lookup(self, users: Sequence[str], now: datetime | None = None) -> list[ShopperRow]:
        """One row per shopper asked for, in their order; ages are measured at `now`."""
        moment = utc(now or self.clock())
        return [
            row
            for first in range(0, len(users), USERS_PER_READ)
            for row in self._lookup(users[first : first + USERS_PER_READ], moment)
        ]

    def _lookup(self, users: Sequence[str], now: datetime) -> list[ShopperRow]:
        views = {view: self._view(view, users, now) for view in self._views()}
        return [
            ShopperRow(name, {view: rows[index] for view, rows in views.items()})
            for index, name in enumerate(users)
        ]

    def _views(self) -> Sequence[str]:
        try:
            return self.repo.online_views
        except StoreError:
            return user_views()

    def _view(self, view: str, users: Sequence[str], now: datetime) -> list[ViewRow]:
        try:
            answer = self.repo.read(view, users)
        except StoreError as error:
            return [ViewRow(Outcome.UNAVAILABLE, reason=str(error))] * len(users)
        return [self._judge(answer, index, now) for index in range(len(users))]

    def _judge(self, answer: Answer, index: int, now: datetime) -> ViewRow:
        moment: datetime | None = answer["event_timestamp"][index]
        if moment is None:
            return ViewRow(Outcome.MISSING, reason="never written")
        age = max(
            now - moment, timedelta(0)
        )  # features of the coming midnight are as new as can be
        if age > self.max_age:
            reason = f"{_days(age)} days old, {_days(self.max_age)} allowed"
            return ViewRow(Outcome.STALE, event_timestamp=moment, age=age, reason=reason)
        values = {name: rows[index] for name, rows in answer.items() if name != "event_timestamp"}
        return ViewRow(Outcome.FRESH, MappingProxyType(values), moment, age)


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f}"
