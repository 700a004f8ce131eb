"""From Parquet to the online store: the latest row per key, in chunks, only what changed.

Bounded memory: keys and times of a view are held at once (some tens of bytes a row), values only a
chunk at a time. Every chunk is one transaction; a killed run leaves whole rows, and the next run
finds those that are there already.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import StoreError, extra
from features.online.base import Found, OnlineStore
from features.online.layout import Row, Stored, View, entity_keys
from features.online.values import arrow_type, encode, together
from features.repo.types import String

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

TIMES = ("event_timestamp", "created_timestamp")
_MICROS = pa.timestamp("us", tz="UTC")
_ROWS_READ = 2_048  # what is made of more is written to memory that is asked for anew each time
_SECTION = 64 << 20  # bytes

APPLY = "apply the definitions: `tailor features apply`"


@dataclass(frozen=True)
class Latest:
    """Which rows of a folder are the latest of their key within an interval."""

    view: View
    data: Any  # a pyarrow dataset
    rows: NDArray[np.bool_]  # one per row, in the order of the files

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.rows.sum())

    def chunks(self, size: int, order: Callable[[bytes], Any]) -> Iterator[list[Row]]:
        """Those rows, at most `size` at once, in an order of their keys.

        In that order within a section, as much as is held at once: a store takes neighbours faster.
        """
        at, weight = 0, 0
        section: list[Row] = []
        for batch in _scan(self.data, [self.view.join_key, *TIMES, *self.view.names]):
            wanted = batch.filter(pa.array(self.rows[at : at + len(batch)]))
            at += len(batch)
            section += rows_of(self.view, wanted)
            weight += wanted.nbytes
            if weight > _SECTION:
                yield from _in_order(section, size, order)
                section, weight = [], 0
        yield from _in_order(section, size, order)


def _in_order(rows: list[Row], size: int, order: Callable[[bytes], Any]) -> Iterator[list[Row]]:
    rows.sort(key=lambda row: order(row.key))
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def latest(view: View, folder: str, start: int, end: int) -> Latest:
    """Find the latest row per key with an event in [start, end]; of one time, what came last."""
    data = _open(view, folder)
    keys = pa.Table.from_batches(
        [*_scan(data, [view.join_key, *TIMES])], _narrow(data.schema, [view.join_key, *TIMES])
    )
    event, created = (_micros(keys[name]) for name in TIMES)
    inside = np.flatnonzero((event >= start) & (event <= end))
    known = keys[view.join_key].take(pa.array(inside))
    codes = known.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    order = np.lexsort((created[inside], event[inside], codes))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = codes[order][1:] != codes[order][:-1]
    rows = np.zeros(len(keys), dtype=bool)
    rows[inside[order[last]]] = True
    return Latest(view, data, rows)


def write(
    store: OnlineStore,
    chosen: Latest,
    size: int,
    progress: Callable[[int], None],
    *,
    replace: bool = False,
) -> int:
    """Write the chosen rows and tell how many were not there yet.

    A row that is there with the same time and values is left alone, and so is one that tells of a
    later time (a purchase pushed meanwhile), unless all are to be replaced.
    """
    written = 0
    with _only_new_garbage():
        for rows in chosen.chunks(size, store.order):
            written += write_rows(store, chosen.view, rows, replace=replace)
            progress(len(rows))
    return written


def write_rows(store: OnlineStore, view: View, rows: list[Row], *, replace: bool) -> int:
    """Write those that are not there yet, in one transaction, and tell how many they were."""
    changes = store.change(
        [view],
        [row.key for row in rows],
        lambda found: {view.name: _changed(view, rows, found, replace=replace)},
    )
    return len(changes[view.name])


@contextmanager
def _only_new_garbage() -> Iterator[None]:
    """Keep the collector from going through all of Feast again and again; a quarter of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def rows_of(view: View, table: Any) -> list[Row]:
    """Write the rows of an Arrow table as the stores keep them."""
    missing = sorted({view.join_key, *view.names} - set(table.column_names))
    if missing:
        raise StoreError(f"no column {', '.join(missing)}", where=view.name)
    columns = {name: _chunk(table[name]) for name in view.names}
    packed = together([encode(kind, columns[name]) for name, kind in view.columns.items()])
    ids = table[view.join_key].cast(arrow_type(String)).to_pylist()
    keys = entity_keys(view.join_key, ids)
    event, created = (_micros(table[name]).tolist() for name in TIMES)
    return [*map(Row, keys, event, created, packed.to_pylist())]


def _changed(view: View, rows: list[Row], found: Found, *, replace: bool) -> list[Row]:
    """Leave out the rows that are there already, and those that would go back in time."""
    if view.name not in found:
        raise StoreError("the online store has no place for it", where=view.name, fix=APPLY)
    stored = found[view.name]
    return [row for row in rows if _differs(view, row, stored.get(row.key), replace)]


def _differs(view: View, row: Row, stored: Stored | None, replace: bool) -> bool:
    if stored is None:
        return True
    if row.event != stored.event:
        return replace or row.event > stored.event
    return not stored.says(row, view)


def _open(view: View, folder: str) -> Any:
    try:
        data = ds.dataset(folder, format="parquet")
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(
            f"can't read {folder}: {error}", where=view.name, fix="compute the features again"
        ) from error
    if missing := sorted({view.join_key, *TIMES, *view.names} - set(data.schema.names)):
        raise StoreError(
            f"{folder} has no column {', '.join(missing)}",
            where=view.name,
            fix="compute the features again",
        )
    return data


def _scan(data: Any, columns: list[str]) -> Iterator[Any]:
    """Read in the order of the files' names: twice the same.

    File by file, because a dataset reads far ahead and holds several times what it hands out.
    """
    wanted = _narrow(data.schema, columns)
    for fragment in sorted(data.get_fragments(), key=lambda fragment: str(fragment.path)):
        with fragment.filesystem.open_input_file(fragment.path) as file:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS_READ, columns=columns):
                yield batch.select(columns).cast(wanted)


def _narrow(schema: Any, columns: list[str]) -> Any:
    return pa.schema([schema.field(name) for name in columns])


def _micros(column: Any) -> NDArray[np.int64]:
    moments = column.cast(_MICROS).cast(pa.int64())
    numbers: NDArray[np.int64] = pc.fill_null(moments, 0).to_numpy()
    return numbers


def _chunk(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def offline_exists(folder: str) -> bool:
    """Whether there is anything to read; of a remote folder, that is seen on reading."""
    return "://" in folder or Path(folder).is_dir()


def summary(folder: str) -> tuple[int | None, datetime | None]:
    """How many rows a folder has, and of when the latest is; nothing where there is no folder."""
    if not offline_exists(folder):
        return None, None
    data = ds.dataset(folder, format="parquet")
    moments = data.to_table(columns=["event_timestamp"])["event_timestamp"]
    newest = pc.max(moments.cast(_MICROS)).as_py()
    return len(moments), newest
