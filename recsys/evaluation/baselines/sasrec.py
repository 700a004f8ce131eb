"""Self-attention over the history: the trained sequence model to beat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from recsys.arrays import Bools, Floats
from recsys.catalogue import Catalogue
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import silenced, sold
from recsys.shoppers import Shoppers

if TYPE_CHECKING:
    from personalizer import sasrec


@register
@dataclass(frozen=True, eq=False)
class SasRecBaseline(Baseline):
    """SASRec; what was bought in one second is shuffled while it learns."""

    name: ClassVar[str] = "sasrec"
    slow: ClassVar[bool] = True
    model: "sasrec.SasRec"
    sold: Bools  # (I,)

    @classmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        config: "sasrec.SasRecConfig | None" = None,
    ) -> Self:
        """Train within the minutes of the configuration."""
        from personalizer import sasrec  # torch is loaded only where this baseline is asked for

        model = sasrec.train(
            known.indptr,
            known.items,
            len(catalogue),
            config,
            times=known.times,
            seed=seed,
            progress=progress,
        )
        return cls(model, sold(known, len(catalogue)))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Ask what comes next."""
        scores = self.model.scores(shoppers.indptr, shoppers.items)
        return silenced(scores, shoppers, self.sold)
