"""Inner products of queries with some rows each: no product depends on which others are asked for.

So a query gets the same scores alone and in a batch, and equal vectors get equal ones. Rows are
read where they lie, without a copy of those that are asked for.
"""

from typing import Any

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs
from recsys.compiled import as_read, summing_freely


def inner_products(
    vectors: Floats, rows: Ints | Longs, queries: Floats, absent: float = 0.0
) -> Floats:
    """Multiply each query (Q, D) with its rows (Q, W) of the vectors; `absent` at padding."""
    if queries.shape != (len(rows), vectors.shape[1]):
        shapes = queries.shape, rows.shape, vectors.shape
        raise ValueError("queries {}, their rows {} and vectors {}".format(*shapes))
    found = np.full(rows.shape, absent, np.float32)
    _multiply(as_read(vectors), np.ascontiguousarray(rows, np.int64), as_read(queries), found)
    return found


@summing_freely
def _multiply(vectors: Any, rows: Any, queries: Any, found: Any) -> None:
    for query in range(len(rows)):
        for place in range(rows.shape[1]):
            row = rows[query, place]
            if row != PAD:
                if not 0 <= row < len(vectors):
                    raise IndexError("a row beyond the vectors")
                total = np.float32(0)
                for at in range(queries.shape[1]):
                    total += vectors[row, at] * queries[query, at]
                found[query, place] = total
