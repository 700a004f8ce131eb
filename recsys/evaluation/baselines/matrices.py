"""Histories as sparse matrices of shoppers and items, and sparse scores as dense ones."""

from typing import Any

import numpy as np

from recsys.arrays import Bools, Floats
from recsys.shoppers import Shoppers
from recsys.sparse import matrix


def bought(shoppers: Shoppers, n_items: int) -> Any:
    """1 where a shopper ever bought an item: CSR (U, I)."""
    found = _matrix(shoppers, np.ones(len(shoppers.items), np.float32), n_items)
    found.data[:] = 1
    return found


def faded(shoppers: Shoppers, n_items: int, decay: float) -> Any:
    """Histories in which a purchase counts `decay` for each later one: CSR (U, I).

    Purchases of one second count the same, whatever order they stand in.
    """
    return _matrix(shoppers, np.float32(decay) ** shoppers.later[0].astype(np.float32), n_items)


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
    owner = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
    return matrix(owner, shoppers.items, weights, (len(shoppers), n_items))
