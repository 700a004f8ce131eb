"""The feature store of a home: apply, materialise, publish lists, read online, erase.

Feast holds the definitions and the registry, and reads everything that is written here; rows are
written and read by `features.online`, past Feast, many times faster. Light to import: Feast
loads when the registry is asked. Freshness is not judged here: see `features.lookup`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from features.errors import StoreError, extra
from features.instants import from_micros, to_micros, utc
from features.materialize import APPLY, Latest, latest, offline_exists, rows_of, write, write_rows
from features.online.base import OnlineStore
from features.online.connect import connect, in_time, place, secrets
from features.online.deadline import Asking
from features.online.layout import entity_key, entity_keys
from features.online.sqlite import remove_former
from features.repo.config import config, own_spark_settings, quiet, registry_url, told
from features.repo.entities import item, user
from features.repo.loading import load
from features.repo.services import feature_services
from features.repo.views import PUBLISHED, VIEWS, feature_views, layout, user_views
from features.settings import StoreSettings

with extra("features"):
    import pyarrow as pa

Progress = Callable[[int, int], None]
Answer = Mapping[str, Sequence[Any]]
"""Columns of values, in the order of the shoppers asked for; `event_timestamp` among them."""


@dataclass(frozen=True)
class ViewStatus:
    """What the registry says of a view."""

    name: str
    description: str
    offline: str
    materialized_until: datetime | None


class FeatureRepo:
    """The store over one folder: what is not on a server lies in `home`.

    If `shipped`, Feast has its own SQLite store instead of ours, which only Feast reads and writes:
    to compare with.
    """

    def __init__(self, home: Path, settings: StoreSettings, *, shipped: bool = False) -> None:
        self.home, self.settings, self._shipped = home, settings, shipped

    @cached_property
    def store(self) -> Any:
        """Feast's own object."""
        return load().FeatureStore(
            config=config(self.home.absolute(), self.settings, shipped=self._shipped)
        )

    @cached_property
    def online(self) -> OnlineStore:
        """The online store, for one thread at a time."""
        return connect(self.home.absolute(), self.settings)

    def in_time(self) -> Asking:
        """How to ask the online store within the deadline, for several threads at once."""
        return in_time(self.home.absolute(), self.settings, self.place_or_setting)

    @property
    def place(self) -> str:
        """Where the online store is, without what is secret."""
        return place(self.settings, self.home)

    @cached_property
    def place_or_setting(self) -> str:
        """The same where the setting may be wrong: then its name."""
        try:
            return self.place
        except StoreError as error:
            return error.where

    @property
    def applied(self) -> bool:
        """Whether the registry exists; one on a server is asked only when it is needed."""
        return self._registry is None or self._registry.is_file()

    @cached_property
    def _registry(self) -> Path | None:
        """The file of the registry, where it is one."""
        url = registry_url(self.home, self.settings)
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None

    @cached_property
    def _secrets(self) -> list[str]:
        return secrets(self.settings)

    def apply(self, offline: Path) -> None:
        """Register entities, views and services over the Parquet folders in `offline`.

        A folder may still be missing here; materialising its view is what needs it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self.asking("applying the feature definitions"):
            views = feature_views(offline.absolute(), self.settings.max_age_of)
            self.store.apply([user(), item(), *views.values(), *feature_services(views)])
            if self.settings.online == "sqlite":
                remove_former(self.home)

    def materialize(
        self,
        start: datetime,
        end: datetime,
        views: Sequence[str],
        progress: Progress | None = None,
        *,
        replace: bool = False,
    ) -> int:
        """Copy the latest row per key with an event in [start, end] to the online store.

        Tells how many rows were written: those that are there already with the same time and
        values are not, nor those with a later row online, unless `replace` says so. Killed, it
        leaves whole rows, and a second run writes the rest.
        """
        self.check(views)
        chosen = [self._latest(view, start, end) for view in views]
        total, done, written = sum(each.count for each in chosen), 0, 0

        def step(rows: int) -> None:
            nonlocal done
            done += rows
            if progress:
                progress(done, total)

        for view, rows in zip(views, chosen, strict=True):
            with self.asking(f"materialising {view}"):
                written += write(self.online, rows, self.settings.chunk_rows, step, replace=replace)
                self.store.registry.apply_materialization(
                    self.store.get_feature_view(view),
                    self.settings.project,
                    utc(start),
                    utc(end),
                )
        return written

    def materialize_by_feast(
        self,
        start: datetime,
        end: datetime,
        views: Sequence[str],
        progress: Progress | None = None,
    ) -> int:
        """Do the same as Feast ships it, in the caller's Spark session: to compare with.

        Tells how many rows there were to write.
        """
        self.check(views)
        count = 0
        for done, view in enumerate(views, start=1):
            count += self._latest(view, start, end).count
            with own_spark_settings(), self.asking(f"materialising {view}"):
                self._ready(view)
                self.store.materialize(utc(start), utc(end), feature_views=[view])
            if progress:
                progress(done, len(views))
        return count

    def write_recommendations(self, lists: pa.Table) -> int:
        """Publish lists online, and tell how many were not there: each shopper sees old or new.

        Columns: user_id, event_timestamp, item_ids, scores, release. What is published now replaces
        what was published before, whatever time either tells of.
        """
        view = layout(PUBLISHED)
        needed = {"user_id", "event_timestamp", *view.names}
        if missing := sorted(needed - set(lists.column_names)):
            raise StoreError(f"the lists have no column {', '.join(missing)}", where=PUBLISHED)
        self.check([])
        if "created_timestamp" not in lists.column_names:
            lists = lists.append_column("created_timestamp", lists["event_timestamp"])
        written, size = 0, self.settings.chunk_rows
        with self.telling(f"publishing {PUBLISHED}"):
            for first in range(0, len(lists), size):
                rows = rows_of(view, lists.slice(first, size))
                written += write_rows(self.online, view, rows, replace=True)
        return written

    def read(self, view: str, users: Sequence[str]) -> Answer:
        """Read a view's row per shopper; `event_timestamp` is None where there is none."""
        self.check([view])
        wanted = layout(view)
        keys = entity_keys(wanted.join_key, users)
        with self.telling(f"reading {view}"):
            found = self.online.read([wanted], list(dict.fromkeys(keys)))
        if view not in found:
            raise StoreError("the online store has no place for it", where=view, fix=APPLY)
        stored = found[view]
        rows = [stored.get(key) for key in keys]
        values = [wanted.decoded(row.messages if row else {}) for row in rows]
        events = [from_micros(row.event) if row else None for row in rows]
        return {name: [row[name] for row in values] for name in wanted.names} | {
            "event_timestamp": events
        }

    def read_by_feast(self, view: str, users: Sequence[str]) -> Answer:
        """Read the same as Feast does it: to compare with."""
        self.check([view])
        names = layout(view).names
        rows = [{layout(view).join_key: name} for name in users]
        with self.asking(f"reading {view}"):
            response = self.store.get_online_features(
                features=[f"{view}:{name}" for name in names], entity_rows=rows
            )
            answer = response.to_dict(include_event_timestamps=True)
        known = [_moment(seconds) for seconds in answer[f"{names[0]}__ts"]]
        return {name: answer[name] for name in names} | {"event_timestamp": known}

    def erase(self, name: str) -> dict[str, int]:
        """Remove a shopper from every view online; tells how many features of each were there."""
        self.check([])
        views = [layout(view) for view in user_views()]
        with self.telling("erasing a shopper"):
            removed = self.online.erase(views, entity_key("user_id", name))
        return {view: count for view, count in removed.items() if count}

    def status(self) -> list[ViewStatus]:
        """Tell of each registered view where its rows come from and until when they are online."""
        if not self.applied:
            return []
        with self.asking("reading the registry"):
            views = {view.name: view for view in self.store.list_feature_views()}
        return [
            ViewStatus(
                name=name,
                description=views[name].description,
                offline=views[name].batch_source.path,
                materialized_until=max(
                    (until for _, until in views[name].materialization_intervals), default=None
                ),
            )
            for name in VIEWS
            if name in views
        ]

    def check(self, views: Sequence[str]) -> None:
        """Refuse to work on a store that was never applied, or on views that it doesn't have."""
        if not self.applied:
            raise StoreError(
                "the feature store was never applied", where=str(self.home), fix="apply it first"
            )
        if unknown := sorted(set(views) - set(VIEWS)):
            raise StoreError(
                f"no such view: {', '.join(unknown)}", where="feature store", fix=", ".join(VIEWS)
            )

    @contextmanager
    def telling(self, doing: str) -> Iterator[None]:
        """Tell what goes wrong without what is secret; for several threads at once."""
        with told(self.place_or_setting, doing, self._secrets):
            yield

    @contextmanager
    def asking(self, doing: str) -> Iterator[None]:
        """The same where Feast is asked: it is loaded, and kept quiet."""
        with self.telling(doing):
            self.store  # noqa: B018  # it sets filters of warnings, which quiet would take back
            with quiet():
                yield

    def _latest(self, view: str, start: datetime, end: datetime) -> Latest:
        with self.asking(f"reading {view}"):
            folder = self.store.get_feature_view(view).batch_source.path
            if not offline_exists(folder):
                raise StoreError(
                    f"no folder {folder}", where=view, fix="compute the features first"
                )
            return latest(layout(view), folder, to_micros(start), to_micros(end))

    def _ready(self, view: str) -> None:
        """Take a view out of the state that a killed run of Feast's left.

        In that state Feast would stop serving it, should this run fail as well.
        """
        from feast.feature_view import FeatureViewState

        if self.store.get_feature_view(view).state == FeatureViewState.MATERIALIZING:
            self.store.set_feature_view_state(view, FeatureViewState.AVAILABLE_ONLINE)


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
