"""Matrix factorisation for implicit feedback (Hu, Koren & Volinsky 2008), by `implicit`."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import Bools, Floats
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import bought, faded, silenced, sold
from recsys.shoppers import Shoppers

with extra("recsys"):
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse
    from threadpoolctl import threadpool_limits


@register
@dataclass(frozen=True, eq=False)
class Als(Baseline):
    """Alternating least squares; a shopper's factors are solved for from her own history."""

    name: ClassVar[str] = "als"
    model: Any
    sold: Bools  # (I,)
    decay: float = 0.6

    @classmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Factorise on one thread: only then is the outcome the same for a seed."""
        sweeps = 15

        def swept(done: int, *_: Any) -> None:
            if progress:
                progress(done + 1, sweeps)

        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=256,
                regularization=10.0,
                alpha=20.0,
                iterations=sweeps,
                num_threads=1,
                random_state=seed,
            )
            matrix = sparse.csr_matrix(bought(known, len(catalogue)))
            model.fit(matrix, show_progress=False, callback=swept)
        return cls(model, sold(known, len(catalogue)))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Solve for each shopper, then multiply row by row: alone it must come out the same."""
        if not len(shoppers):
            return np.empty((0, len(self.sold)), np.float32)
        history = sparse.csr_matrix(faded(shoppers, len(self.sold), self.decay))
        with threadpool_limits(1, "blas"):
            users = self.model.recalculate_user(np.arange(len(shoppers)), history)  # (U, F)
            scores = np.matmul(self.model.item_factors, users[:, :, None])[..., 0]
        return silenced(scores, shoppers, self.sold)
