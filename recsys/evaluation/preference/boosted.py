"""Boosted trees over what the ranker sees of a question's options.

Of each feature they also see how an option stands among the others: a question is about the
difference. They learn by LightGBM's listwise loss, the cross entropy of a question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats, Ints, Longs
from recsys.errors import extra

with extra("recsys"):
    import lightgbm as lgb

Scores = NDArray[np.float64]
FOLDS = 3
ROUNDS = 200
SMALL = 20_000  # options: for fewer, handing work from thread to thread costs more than it saves


def relative(values: Floats) -> Floats:
    """Features of options (N, K, F) and their distance to the question's mean: (N, K, 2F)."""
    real = np.isfinite(values)
    sums = np.where(real, values, 0).sum(axis=1, keepdims=True)
    mean = sums / np.maximum(real.sum(axis=1, keepdims=True), 1)
    return np.concatenate((values, values - mean), axis=2).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Boosted:
    """A trained booster."""

    booster: Any

    @classmethod
    def fit(cls, values: Floats, right: Ints, seed: int) -> "Boosted":
        """Learn from questions (N, K, F) and their right options."""
        many, width, _ = values.shape
        data = lgb.Dataset(
            relative(values).reshape(many * width, -1),
            (np.arange(width) == right[:, None]).ravel().astype(np.float32),
            group=np.full(many, width),
        )
        return cls(lgb.train(_parameters(seed, many * width), data, ROUNDS))

    def score(self, values: Floats) -> Scores:
        """Score options (N, K)."""
        many, width, _ = values.shape
        if not many:
            return np.zeros((0, width))
        told = self.booster.predict(relative(values).reshape(many * width, -1))
        return np.asarray(told, np.float64).reshape(many, width)


def out_of_fold(values: Floats, right: Ints, seed: int) -> Scores:
    """Score each question by trees that learned from the others."""
    scores = np.zeros(values.shape[:2])
    for inside in folds(len(values), seed):
        others = np.setdiff1d(np.arange(len(values)), inside)
        scores[inside] = Boosted.fit(values[others], right[others], seed).score(values[inside])
    return scores


def folds(many: int, seed: int) -> Sequence[Longs]:
    """Rows in parts of like size, drawn."""
    order = np.random.default_rng([seed, 3]).permutation(many)
    return [part.astype(np.int64) for part in np.array_split(order, min(FOLDS, many)) if len(part)]


def _parameters(seed: int, rows: int) -> dict[str, Any]:
    return {
        "objective": "rank_xendcg",
        "num_leaves": 15,
        "learning_rate": 0.05,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "min_data_in_leaf": max(5, min(100, rows // 50)),
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2 if rows > SMALL else 1,
        "verbosity": -1,
    }
