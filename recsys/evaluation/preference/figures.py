"""Figures of one scorer on one set of questions: strict, guess-credited, calibrated."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalizer.calibration import (
    Calibration,
    calibrate,
    coverage_curve,
    expected_calibration_error,
    softmax,
)
from recsys.arrays import Bools, Ints, Longs
from recsys.evaluation.intervals import difference_interval, mean_interval
from recsys.evaluation.metrics import Numbers

Scores = NDArray[np.float64]
COVERAGES = tuple(share / 10 for share in range(1, 11))
BINS = 10


def cleaned(scores: NDArray[np.floating]) -> Scores:
    """Put what has no score below what has one; a row without any score becomes a tie."""
    wide = np.asarray(scores, np.float64)
    real = np.isfinite(wide)
    low = np.where(real, wide, np.inf).min(axis=1, keepdims=True)
    high = np.where(real, wide, -np.inf).max(axis=1, keepdims=True)
    some = real.any(axis=1, keepdims=True)
    below = np.where(some, low - np.where(high > low, high - low, 1), 0)
    return np.where(real, wide, below)


def picks(scores: Scores, ties: Scores) -> Longs:
    """The best option of each question (N,); -1: the scorer tells none of them apart.

    Of options that share the best score a seeded hash (N, K) picks one.
    """
    top = scores.max(axis=1, keepdims=True)
    best = np.where(scores == top, ties, -1.0).argmax(axis=1)
    flat = (scores == top).all(axis=1)
    return np.where(flat, -1, best)


@dataclass(frozen=True, eq=False)
class Answered:
    """A scorer's answers to questions whose right options are known."""

    scores: Scores  # (N, K), cleaned
    right: Ints  # (N,)
    ties: Scores  # (N, K), by hash
    calibration: Calibration
    seed: int
    seconds: float = 0.0

    @cached_property
    def picked(self) -> Longs:
        """Which option it takes (N,); -1: it abstains."""
        return picks(self.scores, self.ties)

    @cached_property
    def hits(self) -> Numbers:
        """1 where it is right; an abstention is wrong (N,)."""
        hits: Numbers = (self.picked == self.right).astype(np.float64)
        return hits

    @property
    def abstains(self) -> Bools:
        """Where it tells nothing apart (N,)."""
        return np.asarray(self.picked < 0)

    @cached_property
    def shares(self) -> Scores:
        """How likely it holds each option to be, by the temperature of the validation (N, K)."""
        return softmax(self.scores, self.calibration.temperature)

    def figures(self) -> dict[str, Any]:
        """The figures whose names are a contract."""
        interval = mean_interval(self.hits, seed=self.seed)
        abstained = float(self.abstains.mean())
        return {
            "accuracy": interval.mean,
            "ci": interval.bounds,
            "guess_credited": interval.mean + abstained / self.scores.shape[1],
            "abstained": abstained,
            "ece": expected_calibration_error(self.shares, self.right, BINS),
            "seconds": round(self.seconds, 3),
        }

    def within(self, inside: Bools) -> dict[str, Any]:
        """The figures of a slice."""
        interval = mean_interval(self.hits[inside], seed=self.seed)
        return {"accuracy": interval.mean, "ci": interval.bounds}

    def minus(self, other: "Answered", inside: Bools | slice = slice(None)) -> dict[str, Any]:
        """How much more often it is right than another, on the same questions."""
        difference = difference_interval(self.hits[inside], other.hits[inside], seed=self.seed)
        return {"accuracy_diff": difference.mean, "ci": difference.bounds}

    def calibrated(self) -> dict[str, Any]:
        """Reliability by confidence, and accuracy by how many are answered."""
        sure = self.shares.max(axis=1)
        hits = (self.shares.argmax(axis=1) == self.right).astype(np.float64)
        at = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
        bins = [
            {
                "confidence": float(sure[inside].mean()),
                "accuracy": float(hits[inside].mean()),
                "n": int(inside.sum()),
            }
            for inside in (at == place for place in range(BINS))
            if inside.any()
        ]
        return {
            "temperature": self.calibration.temperature,
            "ece_before": expected_calibration_error(softmax(self.scores), self.right, BINS),
            "ece": expected_calibration_error(self.shares, self.right, BINS),
            "bins": bins,
            "coverage": self.coverage(),
        }

    def coverage(self) -> list[dict[str, float]]:
        """Accuracy of the surest tenth, two tenths and so on; who is as sure goes along."""
        curve = coverage_curve(self.shares, self.right)
        at = np.minimum(np.searchsorted(curve[:, 1], COVERAGES), len(curve) - 1)
        return [
            {"answered": float(share), "accuracy": float(accuracy), "confidence": float(sure)}
            for sure, share, accuracy in curve[at]
        ]

    def by_position(self) -> dict[str, list[float]]:
        """How often it is right, and how often it picks, by place: a bias would show."""
        places = range(self.scores.shape[1])
        here = [self.right == place for place in places]
        return {
            "accuracy": [float(self.hits[at].mean()) if at.any() else 0.0 for at in here],
            "picked": [float((self.picked == place).mean()) for place in places],
        }


def fitted(scores: NDArray[np.floating], right: Ints) -> Calibration:
    """The temperature that fits on validation questions; as they are where there are none."""
    return calibrate(cleaned(scores), right) if len(right) else Calibration()
