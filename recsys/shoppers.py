"""Shoppers in memory: histories as one ragged array, statistics and taste vectors beside it.

Batch scoring reads many from the features of a moment, the service makes one from a look-up; both
go through the same assembly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import PAD, Floats, Ints, Longs, Objects, spans
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, extra
from recsys.tables import hash_order, read_table

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc

STATS = (
    "purchases",
    "distinct_items",
    "distinct_categories",
    "distinct_brands",
    "recency_days",
    "tenure_days",
    "mean_gap_days",
    "mean_price",
    "price_level",
    "purchases_30d",
    "purchases_90d",
    "purchases_365d",
)
DAY = 86_400


@dataclass(frozen=True, eq=False)
class Shoppers:
    """U shoppers; the history of shopper u is `items[indptr[u]:indptr[u + 1]]`, oldest first."""

    user_ids: Objects  # (U,)
    indptr: Longs  # (U + 1,)
    items: Ints  # catalogue positions
    times: Longs  # epoch seconds
    stats: Mapping[str, Floats]  # name -> (U,), nan where unknown
    vectors: Floats  # (U, D), zeros where unknown
    as_of: datetime

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def lengths(self) -> Longs:
        """Purchases kept per shopper."""
        return np.diff(self.indptr)

    def history(self, row: int) -> Ints:
        """Items of one shopper, oldest first."""
        return self.items[self.indptr[row] : self.indptr[row + 1]]

    def recent(self, n: int | None = None) -> tuple[Ints, Floats]:
        """Lay out the last n items (or all), newest first, and their ages in days: both (U, n)."""
        if n is None:
            n = int(self.lengths.max(initial=0))
        at = self.indptr[1:, None] - 1 - np.arange(n)  # (U, n)
        real = at >= self.indptr[:-1, None]
        items = np.full(at.shape, PAD, np.int32)
        ages = np.full(at.shape, np.nan, np.float32)
        items[real] = self.items[at[real]]
        seconds = self.as_of.timestamp() - self.times[at[real]]
        ages[real] = np.maximum(seconds / DAY, 0)
        return items, ages

    def take(self, rows: Longs | Sequence[int] | slice) -> "Shoppers":
        """Pick some of the shoppers, in the order asked for."""
        picked = np.arange(len(self))[rows]
        counts = self.lengths[picked]
        at = spans(self.indptr[picked], counts)
        return Shoppers(
            user_ids=self.user_ids[picked],
            indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            items=self.items[at],
            times=self.times[at],
            stats={name: column[picked] for name, column in self.stats.items()},
            vectors=self.vectors[picked],
            as_of=self.as_of,
        )

    def chunks(self, size: int) -> Iterator["Shoppers"]:
        """All shoppers, a bounded number at a time."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    @classmethod
    def load(cls, moment: Path, embeddings: Path, catalogue: Catalogue) -> "Shoppers":
        """Everyone with features at a moment, in an order that carries no information."""
        history = read_table(moment / "user_history", [*_HISTORY, "event_timestamp"])
        if not history.num_rows:
            raise ArtifactError("no shopper has a history", where=str(moment))
        history = history.take(hash_order(history["user_id"].to_pylist()))
        stats = read_table(moment / "user_purchase_stats", ["user_id", *STATS])
        taste = read_table(embeddings / "user_embedding", ["user_id", "embedding", "encoder"])
        return _assemble(
            {**_aligned(history, history), **_aligned(stats, history), **_aligned(taste, history)},
            catalogue,
            _utc(history["event_timestamp"][0].as_py()),
        )

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], catalogue: Catalogue, as_of: datetime
    ) -> "Shoppers":
        """Shoppers from look-up values by feature name; what a row lacks counts as unknown."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=_SCHEMA)
        return _assemble({name: table[name] for name in _SCHEMA.names}, catalogue, _utc(as_of))


_HISTORY = ("user_id", "item_ids", "item_times")
_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("item_times", pa.list_(pa.int64())),
        ("embedding", pa.list_(pa.float32())),
        ("encoder", pa.string()),
        *((name, pa.float64()) for name in STATS),
    ]
)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _aligned(table: Any, base: Any) -> dict[str, Any]:
    """Columns of `table` in the row order of `base`; null where it lacks a shopper."""
    at = pc.index_in(base["user_id"], value_set=table["user_id"].combine_chunks())
    return {name: table[name].take(at) for name in table.column_names if name != "user_id"} | {
        "user_id": base["user_id"]
    }


def _assemble(columns: Mapping[str, Any], catalogue: Catalogue, as_of: datetime) -> Shoppers:
    """Go from columns to shoppers; items that left the catalogue leave the histories."""
    users = len(columns["user_id"])
    counts = np.asarray(pc.list_value_length(columns["item_ids"]).fill_null(0), np.int64)
    items = catalogue.positions(pc.list_flatten(columns["item_ids"]).to_pylist())
    times = np.asarray(pc.list_flatten(columns["item_times"]), np.int64)
    if len(items) != len(times):
        raise ArtifactError("histories have more items than times, or fewer", where="user_history")
    known = items != PAD
    kept = np.bincount(np.repeat(np.arange(users), counts)[known], minlength=users)
    return Shoppers(
        user_ids=np.array(columns["user_id"].to_pylist(), dtype=object),
        indptr=np.concatenate(([0], np.cumsum(kept))).astype(np.int64),
        items=items[known],
        times=times[known],
        stats={name: _floats(columns[name]) for name in STATS},
        vectors=_vectors(columns, catalogue),
        as_of=as_of,
    )


def _floats(column: Any) -> Floats:
    return np.asarray(column.cast(pa.float32(), safe=False).to_numpy(), np.float32)


def _vectors(columns: Mapping[str, Any], catalogue: Catalogue) -> Floats:
    """Taste vectors (U, D); those of another encoder are refused."""
    others = set(columns["encoder"].to_pylist()) - {catalogue.encoder, None}
    lengths = set(pc.list_value_length(columns["embedding"]).to_pylist()) - {None}
    dim = catalogue.vectors.shape[1]
    if others or not lengths <= {dim}:
        raise VersionMismatchError(
            f"taste vectors of {sorted(others) or lengths} met items of "
            f"{catalogue.encoder} ({dim} dimensions)",
            where="user_embedding",
            fix="build both with the same encoder",
        )
    vectors = np.zeros((len(columns["user_id"]), dim), np.float32)
    known = np.asarray(pc.is_valid(columns["embedding"]), bool)
    vectors[known] = np.asarray(pc.list_flatten(columns["embedding"]), np.float32).reshape(-1, dim)
    return vectors
