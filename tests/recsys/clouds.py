"""Clouds of vectors for the tests of the index, and their order worked out one by one."""

import numpy as np

from recsys.candidates.inner import inner_products
from recsys.catalogue import Catalogue

DIM, ITEMS = 32, 5000
KINDS = ("exact", "ivf", "hnsw")


def cloud(items: int = ITEMS, seed: int = 0, spread: float = 0.4) -> np.ndarray:
    """Vectors in clusters, as titles of the same category are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(50, DIM))
    vectors = centres[rng.integers(50, size=items)] + rng.normal(size=(items, DIM)) * spread
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def catalogue_of(vectors: np.ndarray, prefix: str = "i") -> Catalogue:
    n = len(vectors)
    ids = [f"{prefix}{i}" for i in range(n)]
    prices = np.ones(n, np.float32)
    return Catalogue(ids, ids, [()] * n, [None] * n, prices, vectors, "tiny-1")


def brute(vectors: np.ndarray, queries: np.ndarray, k: int, ties=None) -> np.ndarray:
    ties = np.arange(len(vectors)) if ties is None else ties
    every = np.broadcast_to(np.arange(len(vectors)), (len(queries), len(vectors)))
    scores = inner_products(vectors, every, queries)  # what is nearly equal hangs on the last bits
    rows = [np.lexsort((ties, -one))[:k] for one in scores]
    return np.array(rows).reshape(len(queries), min(k, len(vectors)))


def mixtures(catalogue: Catalogue) -> np.ndarray:
    """Mixtures of items that were not drawn when the recall was measured."""
    rng = np.random.default_rng(99)
    return catalogue.vectors[rng.integers(ITEMS, size=(200, 4))].mean(axis=1)
