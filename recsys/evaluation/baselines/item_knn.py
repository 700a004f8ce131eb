"""Item neighbours: what the same shoppers bought, of late above all."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import Floats
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import bought, faded, opinions
from recsys.shoppers import Shoppers

with extra("recsys"):
    from scipy import sparse


@register
@dataclass(frozen=True, eq=False)
class ItemKnn(Baseline):
    """Cosine of two items' buyers, summed over the history; an older purchase counts less."""

    name: ClassVar[str] = "item_knn"
    cosines: Any  # CSR (I, I), nothing on the diagonal
    decay: float = 0.7

    @classmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,  # noqa: ARG003
        progress: Progress | None = None,  # noqa: ARG003
    ) -> Self:
        """Count shoppers in common."""
        matrix = bought(known, len(catalogue))
        length = 1 / np.sqrt(np.maximum(matrix.sum(axis=0), 1)).astype(np.float32)
        scaled = (matrix @ sparse.diags_array(length)).tocsr()
        cosines = (scaled.T @ scaled).tocsr()
        cosines.setdiag(0)
        cosines.eliminate_zeros()
        return cls(cosines)

    def scores(self, shoppers: Shoppers) -> Floats:
        """Sum up the neighbours of the history."""
        return opinions(faded(shoppers, self.cosines.shape[0], self.decay) @ self.cosines)
