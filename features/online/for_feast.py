"""Our SQLite store as an online store of Feast's: what Feast writes and reads goes through here.

Feast finds it by the name that `features.online.connect` puts into its configuration. Only Feast
imports this, because it imports Feast.
"""

from collections.abc import Callable, Sequence, Set
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from features.errors import StoreError, extra
from features.instants import from_micros, to_micros
from features.materialize import APPLY
from features.online.base import Changes, Found
from features.online.deadline import Here
from features.online.layout import Row, Stored, View
from features.online.sqlite import SqliteStore
from features.online.values import NULL, entry
from features.repo.types import String

with extra("features"):
    from feast import Entity, FeatureView, RepoConfig
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.infra.online_stores.online_store import OnlineStore
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value
    from feast.repo_config import FeastConfigBaseModel

Written = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Read = tuple[datetime | None, dict[str, Value] | None]


class SqliteRowsOnlineStoreConfig(FeastConfigBaseModel):
    """What Feast has to know."""

    type: Literal["features.online.for_feast.SqliteRowsOnlineStore"]
    path: str


class SqliteRowsOnlineStore(OnlineStore):
    """A row per entity in SQLite, for Feast; for several threads at once."""

    _connections: Here | None = None

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows, one transaction; features that are not given stay as they are."""
        view, given = _view(table), {_key(config, one[0]): one for one in data}

        def decide(found: Found) -> Changes:
            if view.name not in found:
                raise StoreError("no place for it", where=view.name, fix=APPLY)
            stored = found[view.name]
            return {
                view.name: [
                    _row(view, key, one, stored[key].messages if key in stored else {})
                    for key, one in given.items()
                ]
            }

        self._asking(config).ask(lambda store: store.change([view], [*given], decide))
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Read]:
        """Read rows, in the order asked for."""
        view, keys = _view(table), [_key(config, key) for key in entity_keys]
        asked = [*dict.fromkeys(keys)]
        found = self._asking(config).ask(lambda store: store.read([view], asked))
        rows, wanted = found.get(view.name, {}), {*(requested_features or view.names)}
        return [_read(rows.get(key), wanted) for key in keys]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make a place for the views that are there, and remove those that are no more."""
        with closing(_store(config)) as store:
            store.prepare([*map(_view, tables_to_keep)])
            store.drop([*map(_view, tables_to_delete)])

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Remove the file."""
        self._asking(config).close()
        for end in ("", "-wal", "-shm"):
            Path(f"{config.online_store.path}{end}").unlink(missing_ok=True)

    def _asking(self, config: RepoConfig) -> Here:
        if self._connections is None:
            self._connections = Here(lambda: _store(config))
        return self._connections


def _store(config: RepoConfig) -> SqliteStore:
    return SqliteStore(config.project, Path(config.online_store.path))


def _view(table: FeatureView) -> View:
    """The names of a view; the types don't matter here, values stay messages."""
    names = [field.name for field in table.features]
    return View(table.name, " ".join(table.join_keys), dict.fromkeys(names, String))


def _key(config: RepoConfig, key: EntityKey) -> bytes:
    return bytes(serialize_entity_key(key, config.entity_key_serialization_version))


def _read(stored: Stored | None, wanted: Set[str]) -> Read:
    if stored is None:
        return None, None
    messages = stored.messages.items()
    values = {name: Value.FromString(message) for name, message in messages if name in wanted}
    return from_micros(stored.event), values


def _row(view: View, key: bytes, given: Written, before: dict[str, bytes]) -> Row:
    _, values, event, created = given
    after = before | {name: value.SerializeToString() for name, value in values.items()}
    packed = b"".join(entry(after.get(name, NULL)) for name in view.names)
    return Row(key, _micros(event), _micros(created or event), packed)


def _micros(moment: datetime) -> int:
    """Feast's naive moments are in UTC."""
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
