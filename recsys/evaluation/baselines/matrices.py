"""Histories as sparse matrices of shoppers and items, and sparse scores as dense ones."""

from typing import Any

import numpy as np

from recsys.arrays import Bools, Floats, Longs
from recsys.errors import extra
from recsys.shoppers import Shoppers

with extra("recsys"):
    from scipy import sparse


def bought(shoppers: Shoppers, n_items: int) -> Any:
    """1 where a shopper ever bought an item: CSR (U, I)."""
    matrix = _matrix(shoppers, np.ones(len(shoppers.items), np.float32), n_items)
    matrix.data[:] = 1
    return matrix


def faded(shoppers: Shoppers, n_items: int, decay: float) -> Any:
    """Histories in which a purchase counts `decay` for each later one: CSR (U, I).

    Purchases of one second count the same, whatever order they stand in.
    """
    weights = np.float32(decay) ** later(shoppers).astype(np.float32)
    return _matrix(shoppers, weights, n_items)


def later(shoppers: Shoppers) -> Longs:
    """How many purchases of the same shopper are later than each one, by time alone: (N,)."""
    size = len(shoppers.items)
    rows = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
    last = np.ones(size, bool)  # of its row and second
    last[:-1] = (np.diff(rows) != 0) | (np.diff(shoppers.times) != 0)
    ends = np.flatnonzero(last)
    end: Longs = ends[np.searchsorted(ends, np.arange(size))]
    return shoppers.indptr[1:][rows] - 1 - end


def sold(known: Shoppers, n_items: int) -> Bools:
    """Which items anybody bought: (I,)."""
    found: Bools = np.bincount(known.items, minlength=n_items) > 0
    return found


def opinions(found: Any) -> Floats:
    """Sparse scores as dense ones; where nothing stands there is no opinion."""
    found = found.tocsr()
    dense = np.full(found.shape, -np.inf, np.float32)
    rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    positive = found.data > 0
    dense[rows[positive], found.indices[positive]] = found.data[positive]
    return dense


def silenced(scores: Floats, shoppers: Shoppers, known_items: Bools) -> Floats:
    """Take back opinions on items nobody ever bought, and on shoppers without a history."""
    scores[:, ~known_items] = -np.inf
    scores[shoppers.lengths == 0] = -np.inf
    return scores


def _matrix(shoppers: Shoppers, weights: Floats, n_items: int) -> Any:
    shape = (len(shoppers), n_items)
    # a copy of all three: adding up what was bought twice writes into them
    parts = (weights, shoppers.items.copy(), shoppers.indptr.copy())
    matrix = sparse.csr_array(parts, shape=shape)
    matrix.sum_duplicates()
    return matrix
