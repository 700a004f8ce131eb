"""The nearest rows of queries: FAISS proposes, exact scores decide, a fixed order breaks ties.

FAISS's own scores differ in the last bits between one query and many, and it breaks ties as it
likes. So more than k are fetched and scored again, each by itself: a query gets the same answer
alone and in a batch, and equal vectors get equal scores.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import PAD, Bools, Floats, Ints, Longs, padded
from recsys.candidates.index_device import on_gpu
from recsys.candidates.inner import inner_products
from recsys.errors import extra

with extra("recsys"):
    import faiss

SLACK = 64  # fetched beyond k: what could tie with the k-th is nearly always among them
WIDEST = 2048  # a GPU gives no more
# FAISS's scores are nearer than this to ours, for vectors of length 1
ROUNDING = np.float32(1e-5)
FEW, THREADS = 32, faiss.omp_get_max_threads()
_GPU = threading.Lock()  # FAISS's GPU indexes answer one thread at a time


@dataclass(frozen=True, eq=False)
class Rows:
    """What is searched: the vector of each row, which comes first of equals, which are gone."""

    vectors: Floats  # (N, D)
    ties: NDArray[np.uint64] | None = None  # (N,); none: by row
    alive: Bools | None = None  # (N,); none: all

    def __len__(self) -> int:
        return len(self.vectors) if self.alive is None else int(np.count_nonzero(self.alive))

    def best(self, fetched: Longs, queries: Floats, k: int) -> tuple[Ints, Floats]:
        """Order fetched rows (Q, W) by exact score and keep k; what is gone becomes padding."""
        scores = inner_products(self.vectors, fetched, queries, -np.inf)
        if self.alive is not None:
            scores[~self.alive[fetched]] = -np.inf
        order = self._order(fetched, scores)[:, :k]
        scores = np.take_along_axis(scores, order, 1)
        found = np.take_along_axis(fetched, order, 1)
        return np.where(np.isneginf(scores), PAD, found).astype(np.int32), scores

    def scan(self, query: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the k best rows of one query by looking at all."""
        scores = inner_products(self.vectors, np.arange(len(self.vectors))[None], query[None])[0]
        if self.alive is not None:
            scores[~self.alive] = -np.inf
        border = np.partition(scores, -k)[-k]
        rows = np.flatnonzero(scores >= border)
        rows = rows[self._order(rows, scores[rows])][:k]
        return rows.astype(np.int32), scores[rows]

    def _order(self, rows: Longs, scores: Floats) -> Longs:
        ties = rows if self.ties is None else self.ties[rows]
        order: Longs = np.lexsort((ties, -scores))
        return order


def nearest(index: Any, rows: Rows, queries: Floats, k: int) -> tuple[Ints, Floats]:
    """Find the k best rows of each query (Q, D) and their scores; fewer only if there are fewer.

    A query is asked again, wider, while what lies beyond the fetched could tie with its k-th, or
    while too much of the fetched is gone. If that doesn't end, all rows are looked at.
    """
    k = min(k, len(rows))
    found, scores = padded((len(queries), k))
    open_, width = np.arange(len(queries) if k else 0), k + SLACK
    blur = ROUNDING * np.linalg.norm(queries, axis=1)
    while len(open_):
        asked = queries[open_]
        value, fetched = fetch(index, asked, min(width, index.ntotal))
        found[open_], scores[open_] = rows.best(fetched, asked, k)
        width = fetched.shape[1]
        last = scores[open_, -1]
        whole = width >= index.ntotal
        settled = np.isfinite(last) & (whole | (last > value[:, -1] + blur[open_]))
        open_ = open_[~settled]
        if whole or width >= WIDEST:
            break
        width *= 4
    for row in open_:
        found[row], scores[row] = rows.scan(queries[row], k)
    return found, scores


def fetch(index: Any, queries: Floats, width: int) -> tuple[Floats, Longs]:
    """Ask FAISS: scores and rows, both (Q, width), best first; -1 where it found no more."""
    # threads that wait for each other cost more than they bring to a few queries
    faiss.omp_set_num_threads(1 if len(queries) < FEW else THREADS)
    if on_gpu(index):
        with _GPU:
            return _pair(index.search(queries, min(width, WIDEST)))
    if has_lists(index):
        return _pair(index.search_preassigned(queries, width, *_lists(index, queries)))
    return _pair(index.search(queries, width))


def has_lists(index: Any) -> bool:
    """Whether an index of the CPU reads lists around centroids."""
    return isinstance(index, faiss.IndexIVF)


def _lists(index: Any, queries: Floats) -> tuple[Longs, Floats]:
    """The lists each query reads. FAISS's own choice depends on the batch at near-ties."""
    quantizer: Any = faiss.downcast_index(index.quantizer)
    flat = faiss.rev_swig_ptr(quantizer.get_xb(), index.nlist * index.d)
    scores = np.vecdot(flat.reshape(index.nlist, index.d), queries[:, None])  # (Q, lists)
    chosen = np.argsort(-scores, axis=1, kind="stable")[:, : index.nprobe]
    return chosen, np.take_along_axis(scores, chosen, 1)


def _pair(found: tuple[Floats, Longs]) -> tuple[Floats, Longs]:
    return found[0], found[1]
