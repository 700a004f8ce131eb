"""Online look-up with our own freshness: the store hands out rows of any age.

Every view of a shopper comes with an outcome. Only a FRESH one carries values; a stale row counts
as missing, and says so. A store that is down or slow is an outcome as well, never an exception.
Imports no Feast.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from features.errors import FeaturesError, SlowStoreError
from features.instants import from_micros, to_micros
from features.materialize import APPLY
from features.online.base import Found, OnlineStore
from features.online.deadline import Here
from features.online.layout import Stored, View, entity_keys
from features.repo.views import SPECS, layout, user_views
from features.store import FeatureRepo

USERS_PER_READ = 1_000
HISTORY = "user_history"
VERSION = "encoder"
"""The column of an embedding that tells what made it."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
_MICROSECOND = timedelta(microseconds=1)


class Outcome(StrEnum):
    """How a look-up of one view of one shopper ended."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    REFUSED = "refused"  # an embedding of another version than is asked for
    SLOW = "slow"
    UNAVAILABLE = "unavailable"


class Known(StrEnum):
    """What a look-up found of a shopper, all views together."""

    WHOLE = "whole"
    PARTLY = "partly"  # some views are missing, stale or refused
    EMPTY_HISTORY = "empty history"
    UNKNOWN = "unknown"
    SLOW = "slow"
    UNAVAILABLE = "unavailable"


class ViewRow:
    """One view of one shopper; `values` is empty unless the outcome is FRESH."""

    __slots__ = ("_now", "_read", "_reason", "_stored", "_view", "outcome")

    def __init__(
        self,
        outcome: Outcome,
        reason: str = "",
        stored: Stored | None = None,
        view: View | None = None,
        now: int = 0,
    ) -> None:
        self.outcome, self._reason = outcome, reason
        self._stored, self._view, self._now = stored, view, now
        self._read: Mapping[str, Any] | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """The features by name; read from what was stored when first asked for."""
        if self.outcome is not Outcome.FRESH or self._view is None or self._stored is None:
            return NOTHING
        if self._read is None:
            self._read = MappingProxyType(self._view.decoded(self._stored.messages))
        return self._read

    def some(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Only some of the features: the others stay unread, which saves their time."""
        if self.outcome is not Outcome.FRESH or self._view is None or self._stored is None:
            return NOTHING
        return self._view.some(self._stored.messages, names)

    @property
    def event_timestamp(self) -> datetime | None:
        """The moment that the row tells of."""
        return from_micros(self._stored.event) if self._stored else None

    @property
    def age(self) -> timedelta | None:
        """How long ago that was; features of the coming midnight are as new as can be."""
        return max(self._now - self._stored.event, 0) * _MICROSECOND if self._stored else None

    @property
    def reason(self) -> str:
        """Why there are no values."""
        return self._reason.format(age=_days(self.age)) if self.age is not None else self._reason


_NEVER = ViewRow(Outcome.MISSING, "never written")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked of a view: how old it may be, in microseconds, and who made its embedding."""

    view: View
    name: str
    oldest: int
    late: str
    version: str | None


@dataclass(slots=True)
class ShopperRow:
    """All that the online store knows of a shopper, by view."""

    user_id: str
    views: Mapping[str, ViewRow]

    def values(self, view: str) -> Mapping[str, Any]:
        """Hand out the fresh values of a view, or nothing."""
        return self.views[view].values if view in self.views else NOTHING

    def some(self, view: str, names: Sequence[str]) -> Mapping[str, Any]:
        """Hand out some fresh values of a view alone, or nothing."""
        return self.views[view].some(names) if view in self.views else NOTHING

    @property
    def known(self) -> bool:
        """Whether any view is fresh."""
        return any(row.outcome is Outcome.FRESH for row in self.views.values())

    @property
    def found(self) -> Known:
        """What was found, in one word."""
        outcomes = {row.outcome for row in self.views.values()}
        if outcomes <= {Outcome.SLOW, Outcome.UNAVAILABLE}:
            return Known.SLOW if Outcome.SLOW in outcomes else Known.UNAVAILABLE
        if outcomes == {Outcome.MISSING}:
            return Known.UNKNOWN
        history = self.views.get(HISTORY)
        if history and history.outcome is Outcome.FRESH and not history.values["item_ids"]:
            return Known.EMPTY_HISTORY
        return Known.WHOLE if outcomes == {Outcome.FRESH} else Known.PARTLY


class Lookup:
    """Reads shoppers from the online store and judges how old what it read is.

    For several threads at once. `versions` says, by view, which encoder's embeddings are wanted.
    """

    def __init__(
        self,
        repo: FeatureRepo,
        max_age: timedelta | None,
        clock: Callable[[], datetime],
        *,
        versions: Mapping[str, str] = NOTHING,
        views: Sequence[str] = (),
    ) -> None:
        self.repo, self.clock = repo, clock
        self._wanted = [self._of(name, max_age, versions) for name in views or user_views()]
        self._views = [wanted.view for wanted in self._wanted]
        self._by_name = {wanted.name: wanted for wanted in self._wanted}
        self._asking = repo.in_time()

    @property
    def here(self) -> bool:
        """Whether the store is asked in the caller's own thread, as one that keeps its deadline."""
        return isinstance(self._asking, Here)

    def lookup(self, users: Sequence[str], now: datetime | None = None) -> list[ShopperRow]:
        """One row per shopper asked for, in their order; ages are measured at `now`."""
        moment = to_micros(now or self.clock())
        return [
            row
            for first in range(0, len(users), USERS_PER_READ)
            for row in self._lookup(users[first : first + USERS_PER_READ], moment)
        ]

    def close(self) -> None:
        """Let go of the connections."""
        self._asking.close()

    def _lookup(self, users: Sequence[str], now: int) -> list[ShopperRow]:
        keys = entity_keys("user_id", users)
        try:
            self.repo.check([])
            found = self._asking.ask(lambda store: self._read(store, keys))
        except SlowStoreError as error:
            return self._none(users, Outcome.SLOW, str(error))
        except FeaturesError as error:
            return self._none(users, Outcome.UNAVAILABLE, str(error))
        answer = _Answer(self._by_name, found, now)
        return [
            ShopperRow(user, _Judged(answer, key)) for user, key in zip(users, keys, strict=True)
        ]

    def _read(self, store: OnlineStore, keys: Sequence[bytes]) -> Found:
        with self.repo.telling("looking up"):
            return store.read(self._views, list(dict.fromkeys(keys)))

    def _of(self, name: str, max_age: timedelta | None, versions: Mapping[str, str]) -> _Wanted:
        oldest = self.repo.settings.max_age_of(name) if max_age is None else max_age
        version = versions.get(name) if VERSION in SPECS[name].columns else None
        late = f"{{age}} days old, {_days(oldest)} allowed"
        return _Wanted(layout(name), name, oldest // _MICROSECOND, late, version)

    def _none(self, users: Sequence[str], outcome: Outcome, reason: str) -> list[ShopperRow]:
        row = ViewRow(outcome, reason.replace("{", "{{").replace("}", "}}"))
        return [ShopperRow(user, {view.name: row for view in self._views}) for user in users]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a store answered of many shoppers, and what was asked of it."""

    wanted: Mapping[str, _Wanted]
    found: Found
    now: int


class _Judged(Mapping[str, ViewRow]):
    """The views of one shopper, each judged when it is first asked for."""

    __slots__ = ("_answer", "_judged", "_key")

    def __init__(self, answer: _Answer, key: bytes) -> None:
        self._answer, self._key = answer, key
        self._judged: dict[str, ViewRow] | None = None

    def __getitem__(self, name: str) -> ViewRow:
        if self._judged is None:
            self._judged = {}
        if (row := self._judged.get(name)) is None:
            answer = self._answer
            row = _judge(answer.wanted[name], answer.found, self._key, answer.now)
            self._judged[name] = row
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer.wanted)

    def __len__(self) -> int:
        return len(self._answer.wanted)


def _judge(wanted: _Wanted, found: Found, key: bytes, now: int) -> ViewRow:
    """Tell of one view of one shopper."""
    if wanted.name not in found:
        return ViewRow(Outcome.UNAVAILABLE, f"not in the online store; {APPLY}")
    stored = found[wanted.name].get(key)
    if stored is None:
        return _NEVER
    if stored.event < now - wanted.oldest:
        return ViewRow(Outcome.STALE, wanted.late, stored, wanted.view, now)
    row = ViewRow(Outcome.FRESH, "", stored, wanted.view, now)
    return _of_version(row, wanted.version) if wanted.version else row


def _of_version(row: ViewRow, wanted: str) -> ViewRow:
    """Refuse an embedding that another encoder made: it can't be compared with the index."""
    made_by = row.some((VERSION,)).get(VERSION)
    if made_by == wanted:
        return row
    reason = f"made by {made_by}, but the index by {wanted}"
    return ViewRow(Outcome.REFUSED, reason, row._stored, row._view, row._now)


def _days(age: timedelta | None) -> str:
    return f"{(age or timedelta(0)) / timedelta(days=1):.1f}"
