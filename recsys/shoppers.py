"""Shoppers in memory: histories as one ragged array, statistics and taste vectors beside it.

Batch scoring reads many from the features of a moment, the service makes one from a look-up; both
go through the same assembly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import PAD, Floats, Ints, Longs, Objects, spans
from recsys.catalogue import Catalogue
from recsys.compiled import compiled
from recsys.errors import ArtifactError, extra
from recsys.sparse import Rows, ragged_sums_each
from recsys.tables import WHOLE, Shard, hash_order, read_shard, read_table

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
DAY, HISTORY = 86_400, "user_history"
FADES = {"recent": 0.7, "whole": 0.9}  # what a purchase keeps of its weight with each later one
HALF_LIFE = 180.0  # days: after them a purchase is half as likely to be made again
VIEWS = (*FADES, "last", "aged")


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
    # by leave-one-out nobody has a clock: a shopper's moment is the day of her last purchase
    own_moments: bool = False

    def __len__(self) -> int:
        return len(self.user_ids)

    @cached_property
    def lengths(self) -> Longs:
        """Purchases kept per shopper."""
        return self.indptr[1:] - self.indptr[:-1]

    def history(self, row: int) -> Ints:
        """Items of one shopper, oldest first."""
        return self.items[self.indptr[row] : self.indptr[row + 1]]

    @cached_property
    def moments(self) -> Longs:
        """Up to when the shop may be looked at for each shopper (U,), in epoch seconds."""
        moments = np.full(len(self), int(self.as_of.timestamp()), np.int64)
        if self.own_moments:
            some = self.lengths > 0
            moments[some] = self.times[self.indptr[1:][some] - 1] // DAY * DAY
        return moments

    @property
    def later(self) -> tuple[Longs, Longs]:
        """For each purchase: purchases of strictly later time, and of strictly later days."""
        return self._past.purchases, self._past.days

    @property
    def ages(self) -> Floats:
        """How many days ago each purchase was (N,)."""
        return self._past.ages

    @cached_property
    def _past(self) -> "_Past":
        """Look back at all purchases, once for whoever asks."""
        count = len(self.items)
        made = _Past(
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.empty(count, np.float32),
            np.empty((len(VIEWS), count), np.float32),
        )
        _look_back(self.indptr, self.times, self.moments, tuple(made))
        return made

    def profile(self, kind: str, items: int) -> Rows:
        """Weigh each shopper's purchases over the catalogue: sparse rows (U, items).

        `recent` fades quickly, `whole` slowly, by how many purchases are strictly later; `aged`
        halves with every half-life; `last` holds the purchases of the last day, each an equal
        share. All are made at once, as many sources ask for the same.
        """
        if items not in self._profiles:
            made = ragged_sums_each(self.indptr, self.items, self._past.weights, items)
            self._profiles[items] = dict(zip(VIEWS, made, strict=True))
        return self._profiles[items][kind]

    @cached_property
    def _profiles(self) -> dict[int, dict[str, Rows]]:
        return {}

    def recent(self, n: int) -> Ints:
        """Lay out the last n items, newest first (U, n)."""
        items = np.full((len(self), n), PAD, np.int32)
        _lay_out(self.indptr, self.items, items)
        return items

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
            own_moments=self.own_moments,
        )

    def chunks(self, size: int) -> Iterator["Shoppers"]:
        """All shoppers, a bounded number at a time."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    @classmethod
    def load(
        cls,
        moment: Path,
        embeddings: Path,
        catalogue: Catalogue,
        *,
        own_moments: bool = False,
        shard: Shard = WHOLE,
    ) -> "Shoppers":
        """Everyone with features at a moment, in an order that carries no information.

        Or one of several shards: that order cut in pieces, without holding the others.
        """
        history = read_shard(moment / "user_history", [*_HISTORY, "event_timestamp"], shard)
        if not history.num_rows and shard == WHOLE:
            raise ArtifactError("no shopper has a history", where=str(moment))
        history = history.take(hash_order(history["user_id"].to_pylist()))
        stats = read_shard(moment / "user_purchase_stats", ["user_id", *STATS], shard)
        taste = read_shard(
            embeddings / "user_embedding", ["user_id", "embedding", "encoder"], shard
        )
        columns = [_aligned(table, history) for table in (history, stats, taste)]
        as_of = _as_of(history, moment)
        found = _assemble(columns[0] | columns[1] | columns[2], catalogue, as_of)
        return replace(found, own_moments=own_moments)

    @classmethod
    def from_purchases(cls, table: Any, catalogue: Catalogue, as_of: datetime) -> "Shoppers":
        """Shoppers with all purchases of a table as their histories, and nothing looked up.

        Purchases of one second stand in the order of the catalogue, a seeded hash.
        """
        coded = table["user_id"].combine_chunks().dictionary_encode()
        users = np.array(coded.dictionary.to_pylist(), dtype=object)
        items = catalogue.positions(table["item_id"].to_pylist())
        times = table["event_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64)
        owner = np.asarray(coded.indices, np.int64)
        known = items != PAD
        owner, items, times = owner[known], items[known], times[known]
        order = np.lexsort((items, times, owner))
        counts = np.bincount(owner, minlength=len(users))
        return cls(
            user_ids=users,
            indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            items=items[order],
            times=times[order],
            stats={name: np.full(len(users), np.nan, np.float32) for name in STATS},
            vectors=np.zeros((len(users), catalogue.vectors.shape[1]), np.float32),
            as_of=_utc(as_of),
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any], catalogue: Catalogue, as_of: datetime) -> "Shoppers":
        """Make one shopper: what `from_rows` makes of her row, without the detour over a table."""
        ids, times = row.get("item_ids") or (), row.get("item_times") or ()
        if len(ids) != len(times):
            raise ArtifactError("a history has more items than times, or fewer", where=HISTORY)
        bought = [catalogue.index.get(item, PAD) for item in ids]
        if PAD in bought:  # what left the catalogue leaves the history
            times = [time for time, item in zip(times, bought, strict=True) if item != PAD]
            bought = [item for item in bought if item != PAD]
        dim, embedding = catalogue.vectors.shape[1], row.get("embedding")
        if embedding is None:
            vectors = np.zeros((1, dim), np.float32)
        else:
            _check_encoder({row.get("encoder")}, {len(embedding)}, catalogue)
            vectors = np.array([embedding], np.float32)
        stats = [np.nan if (value := row.get(name)) is None else value for name in STATS]
        return cls(
            user_ids=np.array([row["user_id"]], dtype=object),
            indptr=np.array([0, len(bought)], np.int64),
            items=np.array(bought, np.int32),
            times=np.array(times, np.int64),
            stats=dict(zip(STATS, np.array(stats, np.float32)[:, None], strict=True)),
            vectors=vectors,
            as_of=_utc(as_of),
        )

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], catalogue: Catalogue, as_of: datetime
    ) -> "Shoppers":
        """Shoppers from look-up values by feature name; what a row lacks counts as unknown."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=_SCHEMA)
        return _assemble({name: table[name] for name in _SCHEMA.names}, catalogue, _utc(as_of))


def _as_of(history: Any, moment: Path) -> datetime:
    """The moment of the features; an empty shard takes it from the others."""
    if not history.num_rows:
        history = read_table(moment / "user_history", ["event_timestamp"])
    return _utc(history["event_timestamp"][0].as_py())


@compiled
def _lay_out(indptr: Any, items: Any, laid: Any) -> None:
    for row in range(len(laid)):
        end = indptr[row + 1]
        for place in range(min(laid.shape[1], end - indptr[row])):
            laid[row, place] = items[end - 1 - place]


class _Past(NamedTuple):
    """What is known of N purchases by looking back from each shopper's moment."""

    purchases: Longs  # (N,) of strictly later time
    days: Longs  # (N,) of strictly later purchases
    ages: Floats  # (N,) days ago
    weights: Floats  # (V, N) in each of the views


_RECENT, _WHOLE = FADES.values()


@compiled
def _look_back(indptr: Any, times: Any, moments: Any, past: Any) -> None:
    """Fill in what is known of purchases, in the order of `VIEWS`."""
    later, days, ages, weights = past
    for row, moment in enumerate(moments):
        start, end = indptr[row], indptr[row + 1]
        basket = 0
        for at in range(end - 1, start - 1, -1):
            if at + 1 < end:
                same = times[at] == times[at + 1]
                later[at] = later[at + 1] if same else end - 1 - at
                days[at] = days[at + 1] + (times[at] // DAY != times[at + 1] // DAY)
            basket += days[at] == 0
            ages[at] = max((moment - times[at]) / DAY, 0)
        for at in range(start, end):
            weights[0, at] = _RECENT ** later[at]
            weights[1, at] = _WHOLE ** later[at]
            weights[2, at] = (days[at] == 0) / basket
            weights[3, at] = 2 ** (-ages[at] / HALF_LIFE)


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
        raise ArtifactError("histories have more items than times, or fewer", where=HISTORY)
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


def _check_encoder(
    encoders: set[str | None], lengths: set[int | None], catalogue: Catalogue
) -> None:
    others, dim = encoders - {catalogue.encoder, None}, catalogue.vectors.shape[1]
    if others or not lengths <= {dim}:
        raise VersionMismatchError(
            f"taste vectors of {sorted(map(str, others)) or lengths} met items of "
            f"{catalogue.encoder} ({dim} dimensions)",
            where="user_embedding",
            fix="build both with the same encoder",
        )


def _vectors(columns: Mapping[str, Any], catalogue: Catalogue) -> Floats:
    """Taste vectors (U, D); those of another encoder are refused."""
    lengths = set(pc.list_value_length(columns["embedding"]).to_pylist()) - {None}
    dim = catalogue.vectors.shape[1]
    _check_encoder(set(columns["encoder"].to_pylist()), lengths, catalogue)
    vectors = np.zeros((len(columns["user_id"]), dim), np.float32)
    known = np.asarray(pc.is_valid(columns["embedding"]), bool)
    vectors[known] = np.asarray(pc.list_flatten(columns["embedding"]), np.float32).reshape(-1, dim)
    return vectors
