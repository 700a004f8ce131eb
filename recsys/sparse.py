"""Sparse rows: the best of each, and single values out of many."""

from typing import Any, NamedTuple

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs, padded, spans
from recsys.errors import extra

with extra("recsys"):
    from scipy import sparse


WIDE = 1 << 17


def matrix(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    """Sparse rows from loose triples; a place that is named twice adds up.

    It adds up in the order given, which scipy's own way doesn't keep: a row must come out the same,
    to the last bit, alone and among others.
    """
    keys = np.asarray(rows, np.int64) * shape[1] + np.asarray(columns, np.int64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    sums = np.asarray(values, np.float32)[order]
    if len(first):
        sums = np.add.reduceat(sums, first)
    rows, columns = np.divmod(keys[first], shape[1]) if shape[1] else (keys[first], keys[first])
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=shape[0]))))
    index = sparse.get_index_dtype(maxval=max(len(sums), *shape))
    made = sparse.csr_array((sums, columns.astype(index), indptr.astype(index)), shape=shape)
    made.has_canonical_format = True
    return made


class Row(NamedTuple):
    """One sparse row, for those who need no algebra: making it costs next to nothing."""

    indices: Longs
    data: Floats
    shape: tuple[int, int]
    wide: Floats  # every column, also where nothing is stored

    @property
    def indptr(self) -> Longs:
        """Where the row begins and ends."""
        return np.array([0, len(self.data)], np.int64)

    @property
    def nnz(self) -> int:
        """How many values are stored."""
        return len(self.data)


def product(left: Any, right: Any) -> Any:
    """Multiply sparse rows by a matrix; columns rise in each row.

    One row takes a shorter way to the same sums, to the last bit: both add up in the order of the
    entries. A catalogue so large that a row of it is no small matter takes scipy's way.
    """
    if left.shape[0] != 1 or right.shape[1] > WIDE:
        found = left @ right
        found.sort_indices()
        return found
    starts = right.indptr[left.indices].astype(np.int64)
    counts = right.indptr[left.indices + 1] - starts
    at = spans(starts, counts)
    sums = np.zeros(right.shape[1], np.float32)
    np.add.at(sums, right.indices[at], np.repeat(left.data, counts) * right.data[at])
    columns = np.flatnonzero(sums != 0)  # numpy finds booleans ten times faster
    return Row(columns, sums[columns], (1, right.shape[1]), sums)


def top_of_rows(found: Any, k: int) -> tuple[Ints, Floats]:
    """Find the best k columns of each sparse row and their values; ties by column, also at k.

    What is not stored, and what is not above zero, is never among them.
    """
    items, scores = padded((found.shape[0], k))
    for row in range(found.shape[0]):
        span = slice(found.indptr[row], found.indptr[row + 1])
        values, columns = found.data[span], found.indices[span]
        border = np.float32(0)
        if len(values) > k:
            border = max(border, np.partition(values, -k)[-k])
        near = np.flatnonzero((values >= border) & (values > 0))
        near = near[np.lexsort((columns[near], -values[near]))][:k]
        items[row, : len(near)], scores[row, : len(near)] = columns[near], values[near]
    return items, scores


def values_at(found: Any, items: Ints) -> Floats:
    """Values (U, P) of the columns `items` (U, P) of each row; 0 where nothing is stored."""
    if isinstance(found, Row):
        return np.where(items == PAD, np.float32(0), found.wide[items])
    wide = np.zeros(items.shape, np.float32)
    width = found.shape[1]
    if not found.nnz or not items.size:
        return wide
    keys = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr)) * width + found.indices
    asked = np.arange(len(items))[:, None] * width + np.maximum(items, 0)
    at = np.minimum(np.searchsorted(keys, asked.ravel()), len(keys) - 1).reshape(items.shape)
    known = (keys[at] == asked) & (items != PAD)
    wide[known] = found.data[at[known]]
    return wide


def without(found: Any, indptr: Longs, items: Ints) -> Any:
    """The same rows without some columns of each, given as ragged rows."""
    width = found.shape[1]
    rows = np.repeat(np.arange(found.shape[0]), np.diff(indptr))
    keys = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr)) * width
    there = items < width  # what lies beyond would be taken for a place in the next row
    gone = np.isin(keys + found.indices, rows[there] * width + items[there])
    left = found.copy()
    left.data = np.where(gone, np.float32(0), left.data)
    return left


def pruned(found: Any, k: int) -> Any:
    """Keep the best k of each row."""
    items, scores = top_of_rows(found, k)
    rows, places = np.nonzero(items != PAD)
    return matrix(rows, items[rows, places], scores[rows, places], found.shape)
