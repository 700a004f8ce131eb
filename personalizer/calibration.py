"""How sure an answer may be of itself: temperature, expected calibration error, abstaining."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalizer.errors import PersonalizerError

__all__ = ["Calibration", "calibrate", "coverage_curve", "expected_calibration_error", "softmax"]

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
COLDEST, HOTTEST = 1e-3, 1e3


def softmax(scores: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Shares (U, K) that scores (U, K) give their options; -inf is no option and gets none."""
    wide = np.asarray(scores, np.float64) / temperature
    top = wide.max(axis=1, keepdims=True)
    powers = np.exp(wide - np.where(np.isfinite(top), top, 0))
    total = powers.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = powers / np.where(total > 0, total, 1)
    return shares


@dataclass(frozen=True)
class Calibration:
    """What turns scores into confidence, and the confidence below which no answer is given."""

    temperature: float = 1.0
    threshold: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0

    def confidence(self, scores: Floats) -> NDArray[np.float64]:
        """How likely each shopper's best option (U,) is the right one."""
        sure: NDArray[np.float64] = softmax(scores, self.temperature).max(axis=1, initial=0.0)
        return sure

    def answers(self, scores: Floats) -> NDArray[np.int64]:
        """The best option of each (U,), -1 where it would be too unsure."""
        sure = self.confidence(scores) >= self.threshold
        return np.where(sure, np.argmax(scores, axis=1), -1).astype(np.int64)


def calibrate(scores: Floats, right: Ints, *, accuracy: float | None = None) -> Calibration:
    """Fit on validation questions (U, K) and their right options (U,).

    The threshold is the lowest at which those that are answered are right at least as often as
    `accuracy` says; without it every question is answered.
    """
    _check(scores, right)
    temperature = _temperature(scores, right)
    return Calibration(
        temperature,
        _threshold(softmax(scores, temperature), right, accuracy),
        expected_calibration_error(softmax(scores), right),
        expected_calibration_error(softmax(scores, temperature), right),
    )


def _check(scores: Floats, right: Ints) -> None:
    rows, many = scores.shape if scores.ndim == 2 else (0, 0)
    if rows == 0 or right.shape != (rows,) or right.min() < 0 or right.max() >= many:
        raise PersonalizerError(
            f"scores {scores.shape} with answers {right.shape}",
            where="calibration",
            fix="give scores (U, K) and the right option of each",
        )
    if np.isnan(scores).any() or not np.isfinite(scores[np.arange(rows), right]).all():
        raise PersonalizerError("a score is not a number", where="calibration")


def _temperature(scores: Floats, right: Ints) -> float:
    """Find the temperature of the least log loss; it is convex in its inverse: halve the slope.

    One more question is taken into account, of which each option is right as often as any other:
    else a few questions, all of them answered right, would make every answer a certainty.
    """
    wide = np.asarray(scores, np.float64)
    options = np.isfinite(wide)
    finite = np.where(options, wide, 0)
    hits = finite[np.arange(len(wide)), right].sum()
    even = (finite.sum(axis=1) / options.sum(axis=1)).mean()
    wanted = (hits + even) / (len(wide) + 1)

    def slope(inverse: float) -> float:
        return float((softmax(wide, 1 / inverse) * finite).sum(axis=1).mean() - wanted)

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(1 / (low * high) ** 0.5)


def expected_calibration_error(shares: Floats, right: Ints, bins: int = 10) -> float:
    """Mean distance of confidence from accuracy, over bins of confidence of equal width."""
    sure = shares.max(axis=1)
    hits = shares.argmax(axis=1) == right
    bin_of = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(bin_of, weights=sure - hits, minlength=bins)  # sums
    return float(np.abs(gaps).sum() / len(right))


def coverage_curve(shares: Floats, right: Ints) -> NDArray[np.float64]:
    """(confidence, share answered, accuracy among them), surest first; equals go together."""
    sure = shares.max(axis=1)
    hits = (shares.argmax(axis=1) == right)[order := np.argsort(-sure, kind="stable")]
    last = np.flatnonzero(np.diff(sure[order], append=-1.0) != 0)
    answered = last + 1
    accuracy = np.cumsum(hits)[last] / answered
    curve: NDArray[np.float64] = np.stack(
        [sure[order][last], answered / len(right), accuracy], axis=1
    )
    return curve


def _threshold(shares: Floats, right: Ints, accuracy: float | None) -> float:
    if accuracy is None:
        return 0.0
    curve = coverage_curve(shares, right)
    enough = curve[curve[:, 2] >= accuracy]
    # nothing reaches it: answer nothing
    return float(enough[-1, 0]) if len(enough) else float("inf")
