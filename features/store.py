"""The Feast repository of a home: apply, materialise, publish lists, read online.

Feast does the work; this module says where its files are, keeps it quiet, leaves the caller's
Spark session as it was, and turns its failures into errors that say what to do. Freshness is not
judged here: see `features.lookup`.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from features.errors import StoreError, extra
from features.settings import StoreSettings
from features.timeline import utc

with extra("features"):
    import pyarrow as pa
    from feast import FeatureStore
    from feast.feature_view import FeatureViewState

    from features.repo.config import config, own_spark_settings, quiet, told
    from features.repo.entities import item, user
    from features.repo.services import ONLINE, feature_services
    from features.repo.views import SPECS, VIEWS, feature_views

Progress = Callable[[int, int], None]
Answer = Mapping[str, Sequence[Any]]
"""Columns of values, in the order of the shoppers asked for; `event_timestamp` among them."""

PUBLISHED = "user_recommendations"


@dataclass(frozen=True)
class ViewStatus:
    """What the registry says of a view."""

    name: str
    description: str
    offline: str
    materialized_until: datetime | None


class FeatureRepo:
    """Feast over one folder: `registry.db` and `online.db` lie in `home`."""

    def __init__(self, home: Path, settings: StoreSettings) -> None:
        self.home, self.settings = home, settings

    @cached_property
    def store(self) -> Any:
        """Feast's own object."""
        return FeatureStore(config=config(self.home.absolute(), self.settings))

    @property
    def applied(self) -> bool:
        """Whether the registry exists."""
        return (self.home / "registry.db").is_file()

    def apply(self, offline: Path) -> None:
        """Register entities, views and services over the Parquet folders in `offline`.

        A folder may still be missing here; materialising its view is what needs it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        views = feature_views(offline.absolute(), timedelta(days=self.settings.max_age_days))
        with quiet(), told(self.home, "applying the feature definitions"):
            self.store.apply([user(), item(), *views.values(), *feature_services(views)])
            with closing(sqlite3.connect(self.home / "online.db")) as online:
                online.execute("PRAGMA journal_mode=WAL")  # readers don't wait for writers
        self.__dict__.pop("_columns", None)

    def materialize(
        self,
        start: datetime,
        end: datetime,
        views: Sequence[str],
        progress: Progress | None = None,
    ) -> None:
        """Copy the latest row per key with an event in [start, end] to the online store.

        Runs in the caller's Spark session. Rows are replaced by key, so a second run over the same
        data leaves the same rows.
        """
        self.check(views)
        for done, view in enumerate(views, start=1):
            with quiet(), own_spark_settings(), told(self.home, f"materialising {view}"):
                self._ready(view)
                self.store.materialize(utc(start), utc(end), feature_views=[view])
            if progress:
                progress(done, len(views))

    def write_recommendations(self, lists: pa.Table) -> None:
        """Publish lists online, in one transaction: shoppers see the old list or the new one.

        Columns: user_id, event_timestamp, item_ids, scores, release.
        """
        needed = {"user_id", "event_timestamp", *SPECS[PUBLISHED].columns}
        if missing := sorted(needed - set(lists.column_names)):
            raise StoreError(f"the lists have no column {', '.join(missing)}", where=PUBLISHED)
        self.check([])
        if "created_timestamp" not in lists.column_names:
            lists = lists.append_column("created_timestamp", lists["event_timestamp"])
        with quiet(), told(self.home, f"publishing {PUBLISHED}"):
            self.store.write_to_online_store(PUBLISHED, df=lists.to_pandas())

    def read(self, view: str, users: Sequence[str]) -> Answer:
        """Read a view's row per shopper; `event_timestamp` is None where there is none."""
        self.check([])
        rows = [{"user_id": name} for name in users]
        with quiet(), told(self.home, f"reading {view}"):
            columns = self._columns[view]
            refs = [f"{view}:{column}" for column in columns]
            response = self.store.get_online_features(features=refs, entity_rows=rows)
            answer = response.to_dict(include_event_timestamps=True)
        known = [_moment(seconds) for seconds in answer[f"{columns[0]}__ts"]]
        return {column: answer[column] for column in columns} | {"event_timestamp": known}

    @property
    def online_views(self) -> tuple[str, ...]:
        """The views that the online feature service reads."""
        self.check([])
        with quiet(), told(self.home, f"reading the feature service {ONLINE}"):
            return tuple(self._columns)

    def status(self) -> list[ViewStatus]:
        """Tell of each registered view where its rows come from and until when they are online."""
        if not self.applied:
            return []
        with quiet(), told(self.home, "reading the registry"):
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

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        """The columns per view that the online feature service names, read once."""
        with quiet():
            service = self.store.get_feature_service(ONLINE)
        return {
            part.name: [feature.name for feature in part.features]
            for part in service.feature_view_projections
        }

    def check(self, views: Sequence[str]) -> None:
        """Refuse to work on a store that was never applied, or on views that it doesn't have."""
        if not self.applied:
            raise StoreError(
                "the feature store was never applied", where=str(self.home), fix="apply it first"
            )
        if unknown := sorted(set(views) - set(VIEWS)):
            raise StoreError(
                f"no such view: {', '.join(unknown)}", where="materialise", fix=", ".join(VIEWS)
            )

    def _ready(self, view: str) -> None:
        """Check that a view has rows to read, and take it out of the state a killed run left.

        In that state Feast would stop serving it, should this run fail as well.
        """
        known = self.store.get_feature_view(view)
        folder = known.batch_source.path
        if "://" not in folder and not Path(folder).is_dir():
            raise StoreError(f"no folder {folder}", where=view, fix="compute the features first")
        if known.state == FeatureViewState.MATERIALIZING:
            self.store.set_feature_view_state(view, FeatureViewState.AVAILABLE_ONLINE)


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
