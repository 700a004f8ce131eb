"""A world of two tastes: the sign of one direction of a shopper's vector tells what she buys."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIM = 16
WORDS = {
    "bath": ("rose soap", "bath salt", "lavender oil", "shower gel", "body lotion", "hand cream"),
    "tool": (
        "steel hammer",
        "cordless drill",
        "hex wrench",
        "wood saw",
        "bolt cutter",
        "pipe clamp",
    ),
}
SIZES = ("mini", "small", "large", "family pack")


@dataclass(frozen=True)
class TwoTastes:
    titles: list[str]
    taste: NDArray[np.int64]  # (I,) of each title: 0 or 1

    def shoppers(self, count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Vectors (N, D) of length one, and the tastes (N,) they tell."""
        rng = np.random.default_rng(seed)
        tastes = rng.integers(0, 2, count)
        vectors = rng.normal(size=(count, DIM)) * 0.3
        vectors[:, 0] = np.where(tastes == 0, 1.0, -1.0)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32), tastes

    def purchases(self, tastes: NDArray[np.int64], seed: int) -> list[str]:
        """One title for each shopper, of her taste."""
        rng = np.random.default_rng(seed)
        return [self.titles[rng.choice(np.flatnonzero(self.taste == t))] for t in tastes]


def two_tastes() -> TwoTastes:
    pairs = [
        (f"{word} {size}", t)
        for t, ws in enumerate(WORDS.values())
        for word in ws
        for size in SIZES
    ]
    return TwoTastes([title for title, _ in pairs], np.array([t for _, t in pairs]))
