"""An exact search for one query that reads a byte per number where the vectors have four.

One query takes as long as its reading, and what it reads pushes what the rest of a list needs out
of the caches. So each vector is kept a second time, rounded to bytes, with a bound on what the
rounding does to a score. What could be among the best by that bound is scored as it is.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats, Ints, padded
from recsys.candidates.inner import inner_products
from recsys.compiled import as_read, summing_freely

WORTH = range(1 << 20, 1 << 26)  # numbers in all: more than a cache holds, less than costs memory
LARGEST, TINY = 127, np.finfo(np.float32).tiny


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
        _round(as_read(vectors), blur, numbers, steps, off)
        return cls(vectors, numbers, steps, off)

    def search(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the k best rows of each query (Q, D) and their scores: best first, equals by row."""
        k = min(k, len(self.vectors))
        found, scores = padded((len(queries), k))
        for at, query in enumerate(queries if k else ()):
            rows = self._among(query, k)
            score = inner_products(self.vectors, rows[None], query[None])[0]
            best = np.argsort(-score, kind="stable")[:k]
            found[at, : len(best)], scores[at, : len(best)] = rows[best], score[best]
        return found, scores

    def _among(self, query: Floats, k: int) -> NDArray[np.int64]:
        """Find the rows that could be among the k best of a query, and hardly any others."""
        bounds = np.empty((2, len(self.vectors)), np.float32)
        _bound(self.numbers, self.steps, self.off, as_read(query), bounds)
        lowest, highest = bounds
        return np.flatnonzero(highest >= np.partition(lowest, -k)[-k])


@summing_freely
def _round(vectors: Any, blur: float, numbers: Any, steps: Any, off: Any) -> None:
    """Fill in numbers, steps and bounds; `blur` is what sums lose of a product of lengths."""
    for row in range(len(vectors)):
        largest = np.float32(0)
        for at in range(vectors.shape[1]):
            largest = max(largest, abs(vectors[row, at]))
        step = np.float32(largest / LARGEST)
        if step < TINY:  # next to nothing: all of it is taken for rounding
            step = np.float32(1)
        lost = length = 0.0
        for at in range(vectors.shape[1]):
            number = np.int8(round(vectors[row, at] / step))
            numbers[row, at] = number
            lost += (float(vectors[row, at]) - float(number) * float(step)) ** 2
            length += float(vectors[row, at]) ** 2
        steps[row], off[row] = step, np.sqrt(lost) + blur * np.sqrt(length)


@summing_freely
def _bound(numbers: Any, steps: Any, off: Any, query: Any, bounds: Any) -> None:
    """Tell between what the score of each row lies."""
    square = np.float32(0)
    for at in range(len(query)):
        square += query[at] * query[at]
    length = np.sqrt(square)
    for row in range(len(numbers)):
        total = np.float32(0)
        for at in range(len(query)):
            total += np.float32(numbers[row, at]) * query[at]
        score, apart = total * steps[row], length * off[row]
        bounds[0, row], bounds[1, row] = score - apart, score + apart
