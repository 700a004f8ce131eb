"""A conditional logit: which of a question's options is chosen, from scores of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalizer.calibration import softmax
from recsys.arrays import Ints
from recsys.errors import extra
from recsys.evaluation.preference.figures import cleaned

with extra("recsys"):
    from scipy.optimize import minimize

Scores = NDArray[np.float64]
PENALTY = 1.0  # on squared weights, against a sum over questions


def standardised(scores: NDArray[np.floating]) -> Scores:
    """Zero mean and unit deviation within each question (N, K); a flat one becomes 0."""
    wide = cleaned(scores)
    centred = wide - wide.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.where(spread > 1e-9, centred / np.maximum(spread, 1e-9), 0)


@dataclass(frozen=True, eq=False)
class ConditionalLogit:
    """One weight per score."""

    weights: Scores  # (C,)

    def utilities(self, values: Scores) -> Scores:
        """Weighted sum of each option's scores: (N, K) from (N, K, C)."""
        found: Scores = values @ self.weights
        return found

    @classmethod
    def fit(cls, values: Scores, right: Ints, penalty: float = PENALTY) -> "ConditionalLogit":
        """Find the weights of the greatest likelihood, slightly pulled towards none."""
        rows = np.arange(len(values))
        chosen = values[rows, right]  # (N, C)

        def loss(weights: Scores) -> tuple[float, Scores]:
            utilities = values @ weights
            shares = softmax(utilities)
            told = np.log(np.maximum(shares[rows, right], 1e-300)).sum()
            slope = (shares[..., None] * values).sum(axis=(0, 1)) - chosen.sum(axis=0)
            return penalty / 2 * weights @ weights - told, slope + penalty * weights

        start = np.zeros(values.shape[2])
        return cls(np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x))
