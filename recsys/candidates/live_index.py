"""An index that takes new items, new vectors and removals while it serves."""

import hashlib
import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.errors import VersionMismatchError
from recsys.arrays import Floats, Objects
from recsys.candidates.faiss_index import check_queries
from recsys.candidates.index_kinds import Kind, kind_for, make
from recsys.candidates.index_search import Rows, nearest
from recsys.errors import TailorError
from recsys.settings import IndexSettings

MOST_GONE = 0.2  # of all rows; more of them cost too much to skip


def tie_keys(item_ids: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """What decides between equals: the seeded hash that orders the catalogue too."""
    hashes = (hashlib.sha256(f"{seed}:{item}".encode()).digest()[:8] for item in item_ids)
    return np.array([int.from_bytes(start) for start in hashes], np.uint64)


class LiveIndex:
    """Nearest items by inner product, by item id. Held in memory, searched on the CPU.

    Each vector gets a row of its own, never used again: a changed item gets a new one, and the row
    of what is gone is skipped. A search sees each upsert or removal whole or not at all.
    """

    def __init__(self, encoder: str, dim: int, settings: IndexSettings, seed: int) -> None:
        self.encoder, self.dim, self.settings, self.seed = encoder, dim, settings, seed
        self._lock = threading.Lock()
        self._fill([], np.empty((0, dim), np.float32), "exact")

    @classmethod
    def build(
        cls,
        item_ids: Sequence[str],
        vectors: Floats,
        encoder: str,
        settings: IndexSettings | None = None,
        *,
        seed: int = 0,
    ) -> "LiveIndex":
        """Index items; an approximate index that misses too many of them is refused."""
        live = cls(encoder, vectors.shape[1], settings or IndexSettings(), seed)
        latest, vectors = live._checked(item_ids, vectors, encoder)
        live._fill(latest, vectors, kind_for(len(latest), live.settings))
        return live

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, item: str) -> bool:
        return item in self._row

    @property
    def rebuild_due(self) -> bool:
        """Whether `rebuild` would make a better index: many are gone, or another kind is due."""
        gone = self._size - len(self)
        return gone > MOST_GONE * self._size or kind_for(len(self), self.settings) != self.kind

    def rebuild(self) -> "LiveIndex":
        """Make an index of what is here now; this one serves on meanwhile."""
        with self._lock:
            item_ids, vectors = self._items()
        return LiveIndex.build(item_ids, vectors, self.encoder, self.settings, seed=self.seed)

    def upsert(self, item_ids: Sequence[str], vectors: Floats, *, encoder: str) -> None:
        """Add items, or give them other vectors; they are found at once. Of twins the last counts.

        The encoder is the version of what made the vectors.
        """
        latest, vectors = self._checked(item_ids, vectors, encoder)
        with self._lock:
            self._drop(latest)
            self._append(latest, vectors)
            self._tidy()

    def remove(self, item_ids: Iterable[str]) -> int:
        """Take items out; returns how many were there."""
        with self._lock:
            gone = self._drop(item_ids)
            self._tidy()
        return gone

    def search(self, queries: Floats, k: int) -> tuple[Objects, Floats]:
        """Find the ids of the k nearest items of each query (Q, D), best first, and their scores.

        There are fewer than k columns only if there are fewer items.
        """
        queries = check_queries(queries, self.dim)
        with self._lock:
            found, scores = nearest(self._index, self._rows(), queries, k)
            return self._ids[found], scores

    def probe(self, n: int) -> Floats:
        """Give a few of the vectors, to try a search with."""
        with self._lock:
            return self._vectors[np.flatnonzero(self._alive)[:n]]

    def _checked(
        self, item_ids: Sequence[str], vectors: Floats, encoder: str
    ) -> tuple[list[str], Floats]:
        """Each id once, and its last vector; what can't be indexed is refused."""
        if encoder != self.encoder:
            raise VersionMismatchError(
                f"vectors of encoder {encoder!r} met an index of {self.encoder!r}",
                fix="embed the items again, or build an index of the new vectors and swap",
            )
        vectors = check_queries(vectors, self.dim)
        if len(vectors) != len(item_ids):
            raise TailorError(f"{len(item_ids)} items came with {len(vectors)} vectors")
        if not np.isfinite(vectors).all():
            raise TailorError("a vector holds nan or infinity", fix="embed the items again")
        latest = {item: row for row, item in enumerate(item_ids)}
        return list(latest), vectors[list(latest.values())]

    def _fill(self, item_ids: list[str], vectors: Floats, kind: Kind) -> None:
        self._index, self.recall = make(kind, vectors, self.settings, self.seed)
        self.kind: Kind = kind
        self._row = {item: row for row, item in enumerate(item_ids)}
        self._size = len(item_ids)  # rows in use; the arrays have room for more
        self._vectors, self._ids = np.array(vectors), np.array(item_ids, object)
        self._ties = tie_keys(item_ids, self.seed)
        self._alive = np.ones(len(item_ids), bool)

    def _rows(self) -> Rows:
        used = slice(self._size)
        return Rows(self._vectors[used], self._ties[used], self._alive[used])

    def _items(self) -> tuple[list[str], Floats]:
        rows = np.fromiter(self._row.values(), np.int64, len(self._row))
        return list(self._row), self._vectors[rows]

    def _drop(self, item_ids: Iterable[str]) -> int:
        found = (self._row.pop(item, None) for item in item_ids)
        rows = np.array([row for row in found if row is not None], np.int64)
        self._alive[rows], self._ids[rows] = False, None
        if self.kind == "ivf" and len(rows):
            self._index.remove_ids(rows)  # the others keep them, and are told to skip
        return len(rows)

    def _append(self, item_ids: list[str], vectors: Floats) -> None:
        rows = np.arange(self._size, self._size + len(item_ids))
        self._make_room(self._size + len(item_ids))
        self._vectors[rows], self._ids[rows] = vectors, item_ids
        self._ties[rows], self._alive[rows] = tie_keys(item_ids, self.seed), True
        self._row.update(zip(item_ids, rows.tolist(), strict=True))
        self._size += len(item_ids)
        if self.kind == "ivf":
            self._index.add_with_ids(vectors, rows)  # it would count what is left
        else:
            self._index.add(vectors)

    def _make_room(self, rows: int) -> None:
        if rows > len(self._alive):
            more = max(rows, 2 * len(self._alive)) - len(self._alive)
            self._vectors = np.pad(self._vectors, ((0, more), (0, 0)))
            self._ids = np.pad(self._ids, (0, more))
            self._ties = np.pad(self._ties, (0, more))
            self._alive = np.pad(self._alive, (0, more))

    def _tidy(self) -> None:
        """Close the gaps of an exact index, which costs a copy; the others wait for `rebuild`."""
        if self.kind == "exact" and self._size - len(self) > MOST_GONE * self._size:
            self._fill(*self._items(), "exact")
