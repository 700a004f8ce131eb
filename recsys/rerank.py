"""Blend the ranker's order with what the language model says, by a weight chosen on validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.evaluation.intervals import difference_interval
from recsys.evaluation.metrics import Numbers

SEED = 0  # of the resampling that tells help from luck
GRID = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)


class Reranker(Protocol):
    """Scores titles for shoppers: log-probability with the shopper's adapter minus without.

    For several threads at once.
    """

    def score(self, user_vectors: Floats, items: Ints) -> Floats:
        """Scores (U, K) of items (U, K) for taste vectors (U, D); -inf at padding (-1)."""
        ...


def standardise(scores: Floats) -> Floats:
    """Zero mean and unit deviation within each row; padding (-inf) stays, a flat row becomes 0."""
    real = np.isfinite(scores)
    count = np.maximum(real.sum(axis=1, keepdims=True), 1)
    wide = scores.astype(np.float64)  # in single precision a flat row would get a deviation
    mean = np.where(real, wide, 0).sum(axis=1, keepdims=True) / count
    centred = np.where(real, wide - mean, 0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    scaled = centred / np.where(deviation > 1e-6, deviation, np.inf)
    return np.where(real, scaled, -np.inf).astype(np.float32)


def blend(ranked: Floats, told: Floats, weight: float) -> Floats:
    """Blend two scores of the same items (U, K), each standardised within its row."""
    base = standardise(ranked)
    real = np.isfinite(base)
    extra = np.where(real, standardise(np.where(real, told, -np.inf).astype(np.float32)), 0)
    return np.where(real, base + np.float32(weight) * extra, -np.inf).astype(np.float32)


def ndcg_of_one(items: Ints, targets: Ints, k: int) -> Numbers:
    """NDCG@k (U,) of lists (U, K) with one target per shopper; no target in the list counts 0."""
    hit = (items[:, :k] == targets[:, None]) & (targets[:, None] != PAD)
    gain = 1 / np.log2(np.arange(hit.shape[1]) + 2)
    return np.asarray((hit * gain).sum(axis=1), np.float64)


@dataclass(frozen=True)
class BlendFit:
    """The chosen weight of the language model, and the NDCG of every weight tried."""

    weight: float
    ndcg: Mapping[float, float]

    @classmethod
    def choose(cls, gains: Mapping[float, Numbers]) -> "BlendFit":
        """Take the smallest weight that no other beats: 0 means that the model does not help.

        `gains` holds, by weight, a number per shopper. The best of several is partly luck: where
        the interval of its difference to none holds 0, the model is not known to help.
        """
        ndcg = {weight: float(each.mean()) if len(each) else 0.0 for weight, each in gains.items()}
        best = min(weight for weight, value in ndcg.items() if value == max(ndcg.values()))
        helps = best and difference_interval(gains[best], gains[0.0], seed=SEED).low > 0
        return cls(best if helps else 0.0, ndcg)
