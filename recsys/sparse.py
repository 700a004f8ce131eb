"""Sparse rows: their products, the best of each, and single values out of many.

The loops are compiled (docs/decisions/0024): a list for one shopper is many small steps, which
cost more to call than to take. One row and many take the same way, so a row comes out the same, to
the last bit, alone and among others; and other threads go on meanwhile.
"""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs, padded
from recsys.compiled import compiled
from recsys.errors import extra

with extra("recsys"):
    from scipy import sparse


class Rows(NamedTuple):
    """Sparse rows that cost next to nothing to make; columns stand in the order they were met."""

    indptr: Longs
    indices: Ints
    data: Floats
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """How many values are stored."""
        return len(self.data)

    @property
    def csr(self) -> Any:
        """The same for scipy's algebra, with columns that rise."""
        index = sparse.get_index_dtype(maxval=max(self.nnz, *self.shape))
        parts = (self.data, self.indices.astype(index), self.indptr.astype(index))
        made = sparse.csr_array(parts, shape=self.shape)
        made.sort_indices()
        return made


class Links(NamedTuple):
    """A matrix that rows are multiplied by, as compiled loops read it: all of one kind."""

    indptr: Longs
    indices: Ints
    data: Floats
    shape: tuple[int, int]

    @classmethod
    def of(cls, rows: Any) -> "Links":
        """Take scipy's rows; what is mapped into memory stays so, but for where rows begin."""
        indptr, indices, data = (
            np.ascontiguousarray(part, kind).view()
            for part, kind in zip(_parts(rows), (np.int64, np.int32, np.float32), strict=True)
        )
        for part in (indptr, indices, data):
            part.flags.writeable = False
        return cls(indptr, indices, data, rows.shape)


class _Scratch(threading.local):
    """A thread's own wide rows: zeros, which whoever writes into them leaves as zeros."""

    def __init__(self) -> None:
        self._sums, self._seen = np.zeros(0, np.float32), np.zeros(0, np.bool_)

    def of(self, width: int) -> tuple[Floats, Bools]:
        """Sums and marks, of a width at least."""
        if len(self._sums) < width:
            self._sums, self._seen = np.zeros(width, np.float32), np.zeros(width, np.bool_)
        return self._sums, self._seen


_scratch = _Scratch()


def _parts(found: Any) -> tuple[Longs, Ints, Floats]:
    return found.indptr, found.indices, found.data


def rows_of(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Rows:
    """Sparse rows from loose triples; a place that is named twice adds up, in the order given."""
    triples = (
        np.asarray(rows, np.int64),
        np.asarray(columns, np.int64),
        np.asarray(values, np.float32),
    )
    sums, seen = _scratch.of(shape[1])
    scratch = (sums[: shape[1]], seen[: shape[1]])
    indptr, indices, data = _from_triples(triples, shape[0], scratch)
    return Rows(indptr, indices, data, shape)


def matrix(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    """The same for scipy's algebra."""
    return rows_of(rows, columns, values, shape).csr


def ragged_sums(indptr: Longs, columns: Ints, values: Any, width: int) -> Rows:
    """Add up, in each ragged row, the values of a column named more than once; PAD is no column."""
    (made,) = ragged_sums_each(indptr, columns, np.asarray(values, np.float32)[None], width)
    return made


def ragged_sums_each(indptr: Longs, columns: Ints, values: Floats, width: int) -> list[Rows]:
    """The same for several values of each entry (K, N): K times the same columns, in one step."""
    indices, data = np.empty(len(columns), np.int32), np.empty(values.shape, np.float32)
    bounds = np.zeros(len(indptr), np.int64)
    sums, seen = _scratch.of(width)
    scratch = (sums[:width], seen[:width])
    end = _from_ragged((indptr, columns, values), bounds, (indices, data), scratch)
    indices, shape = indices[:end], (len(indptr) - 1, width)
    return [Rows(bounds, indices, each[:end], shape) for each in data]


def row_sums(items: Ints, values: Floats, width: int) -> Rows:
    """Add up, in each row of items (U, N), the values (N,) of the places an item stands at."""
    indptr, indices, data = _from_places(items, np.asarray(values, np.float32), _scratch.of(width))
    return Rows(indptr, indices, data, (len(items), width))


def product(left: Rows, right: Links) -> Rows:
    """Multiply sparse rows by a matrix."""
    return products([(left, right)])


def products(pairs: Sequence[tuple[Rows, Links]]) -> Rows:
    """Multiply sparse rows by a matrix each, all as wide: one product below the other.

    A step for all of them, as a list is many small ones; each row is what it would be by itself.
    """
    if any(left.shape[1] != right.shape[0] for left, right in pairs):
        raise IndexError("rows of another width than their matrix is long")
    lefts = tuple(_parts(left) for left, _ in pairs)
    rights = tuple(_parts(right) for _, right in pairs)
    width = pairs[0][1].shape[1]
    indptr, indices, data = _products(lefts, rights, _scratch.of(width))
    return Rows(indptr, indices, data, (len(indptr) - 1, width))


def top_of_rows(found: Any, k: int) -> tuple[Ints, Floats]:
    """Find the best k columns of each sparse row and their values; ties by column, also at k.

    What is not stored, and what is not above zero, is never among them.
    """
    items, scores = padded((found.shape[0], k))
    indptr, indices, data = _parts(found)
    if k:
        _best((indptr, indices, np.ascontiguousarray(data, np.float32)), items, scores)
    return items, scores


def values_at(found: Any, items: Ints) -> Floats:
    """Values (U, P) of the columns `items` (U, P) of each row; 0 where nothing is stored."""
    values = np.empty((*items.shape, 1), np.float32)
    read_planes(found, items, np.zeros(1, np.int64), values)
    return values[:, :, 0]


def read_planes(found: Any, items: Ints, planes: Longs, scores: Floats) -> None:
    """Fill planes of scores (U, P, S) in: the first U rows are of the first of `planes`, and so on.

    Each is what `values_at` says of the items (U, P).
    """
    width = found.shape[1]
    _read_planes(_parts(found), items, (planes, scores), _scratch.of(width)[0][:width])


def without(found: Any, indptr: Longs, items: Ints) -> Rows:
    """The same rows with nothing at some columns of each, given as ragged rows."""
    data, width = found.data.copy(), found.shape[1]
    left = Rows(found.indptr, found.indices, data, found.shape)
    _blank(_parts(left), indptr, items, _scratch.of(width)[1][:width])
    return left


def pruned(found: Any, k: int) -> Any:
    """Keep the best k of each row."""
    items, scores = top_of_rows(found, k)
    rows, places = np.nonzero(items != PAD)
    return matrix(rows, items[rows, places], scores[rows, places], found.shape)


# below, sparse rows are (indptr, indices, data) and a scratch is (sums, seen), as `_Scratch` says


@compiled
def _store(sparse_row: Any, start: int, end: int, scratch: Any) -> None:
    """Move the sums of some columns to where they are stored; the scratch is empty again."""
    (indices, data), (sums, seen) = sparse_row, scratch
    for place in range(start, end):
        column = indices[place]
        data[place] = sums[column]
        sums[column] = 0
        seen[column] = False


@compiled
def _met(column: int, indices: Any, end: int, seen: Any) -> int:
    """Note a column that is met for the first time; returns where the noted ones end.

    The caller adds to its sum: with the sum in here, the call is ten times slower than the rest.
    """
    if seen[column]:
        return end
    seen[column] = True
    indices[end] = column
    return end + 1


@compiled
def _from_triples(triples: Any, count: int, scratch: Any) -> Any:
    rows, columns, values = triples
    begins = np.zeros(count + 1, np.int64)
    for triple, row in enumerate(rows):  # before anything is written: nobody else looks
        if not (0 <= row < count and 0 <= columns[triple] < len(scratch[0])):
            raise IndexError("a triple beyond the shape of its matrix")
        begins[row + 1] += 1
    for row in range(count):
        begins[row + 1] += begins[row]
    order, filled = np.empty(len(rows), np.int64), begins[:-1].copy()
    sums, seen = scratch
    for triple, row in enumerate(rows):  # each row's triples, in the order given
        order[filled[row]] = triple
        filled[row] += 1
    indptr = np.zeros(count + 1, np.int64)
    indices, data, end = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32), 0
    for row in range(count):
        for triple in order[begins[row] : begins[row + 1]]:
            end = _met(columns[triple], indices, end, seen)
            sums[columns[triple]] += values[triple]
        _store((indices, data), indptr[row], end, scratch)
        indptr[row + 1] = end
    return indptr, indices[:end], data[:end]


@compiled
def _from_ragged(told: Any, bounds: Any, sparse_rows: Any, scratch: Any) -> int:
    starts, columns, values = told
    indices, data = sparse_rows
    sums, seen = scratch
    for column in columns:  # before anything is written: nobody else looks
        if not PAD <= column < len(sums):
            raise IndexError("a column beyond the width of its rows")
    end = 0
    for row in range(len(starts) - 1):
        first = end
        for place in range(starts[row], starts[row + 1]):
            if columns[place] != PAD:
                end = _met(columns[place], indices, end, seen)
        for one in range(len(values)):
            for place in range(starts[row], starts[row + 1]):
                if columns[place] != PAD:
                    sums[columns[place]] += values[one, place]
            _store((indices, data[one]), first, end, scratch)
        bounds[row + 1] = end
    return end


@compiled
def _from_places(items: Any, values: Any, scratch: Any) -> Any:
    indptr = np.zeros(len(items) + 1, np.int64)
    indices, data, end = np.empty(items.size, np.int32), np.empty(items.size, np.float32), 0
    sums, seen = scratch
    for row in range(len(items)):
        for place in range(items.shape[1]):
            if items[row, place] != PAD:
                end = _met(items[row, place], indices, end, seen)
                sums[items[row, place]] += values[place]
        _store((indices, data), indptr[row], end, scratch)
        indptr[row + 1] = end
    return indptr, indices[:end], data[:end]


@compiled
def _products(lefts: Any, rights: Any, scratch: Any) -> Any:
    sums, seen = scratch
    most = count = 0
    for one in range(len(lefts)):
        begins = rights[one][0]
        count += len(lefts[one][0]) - 1
        for entry, column in enumerate(lefts[one][1]):
            if lefts[one][2][entry] != 0:
                most += begins[column + 1] - begins[column]
    indptr = np.zeros(count + 1, np.int64)
    indices, data, end = np.empty(most, np.int32), np.empty(most, np.float32), 0
    made = 0
    for one in range(len(lefts)):
        (starts, columns, weights), (begins, items, values) = lefts[one], rights[one]
        for row in range(len(starts) - 1):
            for entry in range(starts[row], starts[row + 1]):
                weight, column = weights[entry], columns[entry]
                if weight == 0:  # of a view that leaves this purchase out
                    continue
                for at in range(begins[column], begins[column + 1]):
                    end = _met(items[at], indices, end, seen)
                    sums[items[at]] += weight * values[at]
            _store((indices, data), indptr[made], end, scratch)
            made += 1
            indptr[made] = end
    return indptr, indices[:end], data[:end]


# a value above zero is as large as its bits; with the item's distance from the last one behind
# them, a value and its item are one whole number, and the better of two is the larger
_LAST, _BITS = np.uint32(2**32 - 1), np.uint64(32)
_LEADING, _SHIFT = 1 << 11, np.uint32(20)  # of a value: its exponent and three bits more


@compiled
def _least(values: Any, bits: Any, k: int, counts: Any) -> int:
    """Tell with which leading bits k values are reached, from the largest down; 0: by none."""
    counts[:] = 0
    for place, value in enumerate(values):
        if value > 0:
            counts[bits[place] >> _SHIFT] += 1
    for leading in range(len(counts) - 1, 0, -1):
        k -= counts[leading]
        if k <= 0:
            return leading
    return 0


@compiled
def _best(found: Any, items: Any, scores: Any) -> None:
    indptr, indices, data = found
    k, bits, worth = items.shape[1], data.view(np.uint32), scores.view(np.uint32)
    counts, numbers = np.empty(_LEADING, np.int64), np.empty(len(data), np.uint64)
    for row in range(len(items)):
        start, end = indptr[row], indptr[row + 1]
        least = _least(data[start:end], bits[start:end], k, counts) if end - start > k else 0
        many = 0
        for place in range(start, end):
            if data[place] > 0 and bits[place] >> _SHIFT >= least:
                item = np.uint64(_LAST - np.uint32(indices[place]))
                numbers[many] = (np.uint64(bits[place]) << _BITS) | item
                many += 1
        some = numbers[:many]
        some.sort()
        for place in range(min(k, many)):
            number = some[many - 1 - place]
            items[row, place] = _LAST - np.uint32(number)
            worth[row, place] = number >> _BITS


@compiled
def _read_planes(found: Any, items: Any, told: Any, sums: Any) -> None:
    (indptr, indices, data), (planes, scores) = found, told
    for row in range(len(planes) * len(items)):
        plane, user = planes[row // len(items)], row % len(items)
        for place in range(indptr[row], indptr[row + 1]):
            sums[indices[place]] = data[place]
        for place in range(items.shape[1]):
            item = items[user, place]
            scores[user, place, plane] = sums[item] if 0 <= item < len(sums) else 0
        for place in range(indptr[row], indptr[row + 1]):
            sums[indices[place]] = 0


@compiled
def _blank(found: Any, starts: Any, items: Any, seen: Any) -> None:
    indptr, indices, data = found
    for row in range(len(indptr) - 1):
        gone = items[starts[row] : starts[row + 1]]
        for item in gone:
            if item < len(seen):  # what lies beyond is in no row
                seen[item] = True
        for place in range(indptr[row], indptr[row + 1]):
            if seen[indices[place]]:
                data[place] = 0
        for item in gone:
            if item < len(seen):
                seen[item] = False
