"""Inner products of queries with some rows each: no product depends on which others are asked for.

So a query gets the same scores alone and in a batch, and equal vectors get equal ones. Rows are
read where they lie, without a copy of those that are asked for.
"""

from typing import Any

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs
from recsys.compiled import as_read, summing_freely

LARGEST, TINY = 127, np.finfo(np.float32).tiny


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


@summing_freely
def round_rows(vectors: Any, blur: float, numbers: Any, steps: Any, off: Any) -> None:
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
def nearest_rows(vectors: Any, rounded: Any, query: Any, most: int) -> Any:
    """Find the best rows of a query, equals by row, and their scores.

    What rounding could have hidden is scored by its vector; all in one step, which leaves the
    interpreter to others.
    """
    numbers, steps, off = rounded
    square = np.float32(0)
    for at in range(len(query)):
        square += query[at] * query[at]
    length = np.sqrt(square)
    scores = np.empty(len(numbers), np.float32)
    _multiply_rounded(numbers, query, scores)
    for row in range(len(numbers)):
        scores[row] *= steps[row]
    border = _border(scores, length, off, most)
    reach = np.empty(len(numbers), np.int64)
    count = 0
    for row in range(len(numbers)):
        if scores[row] + length * off[row] >= border:
            reach[count] = row
            count += 1
    rows = reach[:count]
    exact = np.zeros((1, count), np.float32)
    _multiply(vectors, rows.reshape(1, count), query.reshape(1, len(query)), exact)
    order = np.argsort(-exact[0], kind="mergesort")[:most]
    return rows[order].astype(np.int32), exact[0][order]


@summing_freely
def _multiply_rounded(numbers: Any, query: Any, scores: Any) -> None:
    """Multiply all rows by the query, eight far apart at a time.

    A core fetches several pages at once, and the next one ahead of each; of one page after another
    it would wait for each, which takes twice as long where no cache holds them.
    """
    apart = len(numbers) // 8
    for row in range(apart):
        a = b = c = d = e = f = g = h = np.float32(0)
        for at in range(len(query)):
            part = query[at]
            a += numbers[row, at] * part
            b += numbers[row + apart, at] * part
            c += numbers[row + 2 * apart, at] * part
            d += numbers[row + 3 * apart, at] * part
            e += numbers[row + 4 * apart, at] * part
            f += numbers[row + 5 * apart, at] * part
            g += numbers[row + 6 * apart, at] * part
            h += numbers[row + 7 * apart, at] * part
        for place, total in enumerate((a, b, c, d, e, f, g, h)):
            scores[row + place * apart] = total
    for row in range(8 * apart, len(numbers)):
        total = np.float32(0)
        for at in range(len(query)):
            total += numbers[row, at] * query[at]
        scores[row] = total


@summing_freely
def _border(scores: Any, length: Any, off: Any, most: int) -> Any:
    """Tell what so many rows score at least, by a heap of the highest: the lowest stands first."""
    heap = np.full(most, -np.inf, np.float32)
    for row in range(len(scores)):
        low = scores[row] - length * off[row]
        if not low > heap[0]:
            continue
        place = 0
        while 2 * place + 1 < most:
            below = 2 * place + 1
            if below + 1 < most and heap[below + 1] < heap[below]:
                below += 1
            if low <= heap[below]:
                break
            heap[place], place = heap[below], below
        heap[place] = low
    return heap[0]
