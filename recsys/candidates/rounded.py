"""An exact search for one query that reads a byte per number where the vectors have four.

One query takes as long as its reading, and what it reads pushes what the rest of a list needs out
of the caches. So each vector is kept a second time, rounded to bytes, with a bound on what the
rounding does to a score. What could be among the best by that bound is scored as it is.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats, Ints, padded
from recsys.candidates.inner import nearest_rows, round_rows
from recsys.compiled import as_read
from recsys.parallel import WORKERS

WORTH = range(1 << 20, 1 << 26)  # numbers in all: more than a cache holds, less than costs memory
Found = tuple[Ints, Floats]
"""Rows and their scores."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """Vectors, and each as whole numbers times a step of its own."""

    vectors: Floats  # (N, D)
    numbers: NDArray[np.int8]  # (N, D)
    steps: Floats  # (N,)
    off: Floats  # (N,): by this much at most the scores of a query of length one differ

    @classmethod
    def of(cls, vectors: Floats) -> Self:
        """Round vectors."""
        rows, dim = vectors.shape
        numbers = np.empty((rows, dim), np.int8)
        steps, off = np.empty(rows, np.float32), np.empty(rows, np.float32)
        # two sums of so many products, each rounded as it goes
        blur = (dim + 8) * float(np.finfo(np.float32).eps)
        round_rows(as_read(vectors), blur, numbers, steps, off)
        return cls(vectors, numbers, steps, off)

    def begin(self, query: Floats, k: int) -> Callable[[], Found]:
        """Start to look for a query's k best, beside what the caller does meanwhile."""
        return _beside().submit(self.best, query, k).result

    def search(self, queries: Floats, k: int) -> Found:
        """Find the k best rows of each query (Q, D) and their scores: best first, equals by row."""
        k = min(k, len(self.vectors))
        found, scores = padded((len(queries), k))
        for at, query in enumerate(queries if k else ()):
            rows, score = self.best(query, k)
            found[at, : len(rows)], scores[at, : len(rows)] = rows, score
        return found, scores

    def best(self, query: Floats, k: int) -> Found:
        """Find the k best rows of one query, or all, and their scores."""
        rounded = (self.numbers, self.steps, self.off)
        found: Found = nearest_rows(as_read(self.vectors), rounded, as_read(query), k)
        return found


@cache
def _beside() -> ThreadPoolExecutor:
    """Who looks beside the callers; it leaves the interpreter to them."""
    return ThreadPoolExecutor(WORKERS, "tailor-search")
