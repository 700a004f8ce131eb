"""EASE^R (Steck 2019): a linear autoencoder of histories, solved in closed form."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import Bools, Floats
from recsys.catalogue import Catalogue
from recsys.errors import StageError, extra
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import bought, faded, silenced, sold
from recsys.shoppers import Shoppers

with extra("recsys"):
    from scipy.linalg import lapack

MOST_ITEMS = 20_000  # 1.6 GB a matrix, and two are needed


@register
@dataclass(frozen=True, eq=False)
class Ease(Baseline):
    """Weights between items that predict each item from all others, with ridge `penalty`."""

    name: ClassVar[str] = "ease"
    slow: ClassVar[bool] = True
    weights: Floats  # (I, I), from the bought to the predicted item
    sold: Bools  # (I,)
    decay: float = 0.6

    @classmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,  # noqa: ARG003
        progress: Progress | None = None,  # noqa: ARG003
    ) -> Self:
        """Invert the Gram matrix; refuse a catalogue it is too large for."""
        if len(catalogue) > MOST_ITEMS:
            raise StageError(
                f"a dense matrix of {len(catalogue)} x {len(catalogue)} items does not fit; "
                f"{MOST_ITEMS} items do",
                where="baseline ease",
                fix="leave this baseline out",
            )
        return cls(solve(known, len(catalogue)), sold(known, len(catalogue)))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Predict from the faded history."""
        history = faded(shoppers, len(self.sold), self.decay)
        return silenced(history @ self.weights, shoppers, self.sold)


def solve(known: Shoppers, n_items: int, penalty: float = 200.0) -> Floats:
    """Ridge regression of each item on all others: -P / diag(P), where P = (X'X + penalty)^-1."""
    matrix = bought(known, n_items)
    gram = (matrix.T @ matrix).toarray(order="F")  # LAPACK works in place on Fortran order
    gram[np.diag_indices(n_items)] += penalty
    factor, _ = lapack.spotrf(gram, lower=0, clean=1, overwrite_a=1)
    half, _ = lapack.spotri(factor, lower=0, overwrite_c=1)
    half += np.tril(half.T, -1)  # LAPACK leaves the lower triangle empty
    weights: Floats = half.T  # the same, now in C order
    weights /= -weights.diagonal().copy()
    weights[np.diag_indices(n_items)] = 0
    return weights
