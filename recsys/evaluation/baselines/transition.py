"""What is bought after what: a directed graph of items."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import Floats, Ints
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import faded, opinions
from recsys.shoppers import Shoppers

with extra("recsys"):
    from scipy import sparse


@register
@dataclass(frozen=True, eq=False)
class TransitionGraph(Baseline):
    """Weights of what follows, summed over the history; an older purchase counts less."""

    name: ClassVar[str] = "transition"
    weights: Any  # CSR (I, I), from an item to what follows it
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
        """Add up what stands close behind in the histories."""
        return cls(graph(known, len(catalogue)))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Follow every purchase."""
        return opinions(faded(shoppers, self.weights.shape[0], self.decay) @ self.weights)


def graph(known: Shoppers, n_items: int, window: int = 5) -> Any:
    """Weights from each item to those up to `window` purchases later, 1 / distance: CSR (I, I)."""
    parts = [_steps(known, distance) for distance in range(1, window + 1)]
    sources, items, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    total = sparse.coo_array((weights, (sources, items)), shape=(n_items, n_items)).tocsr()
    total.sum_duplicates()
    return total


def _steps(known: Shoppers, distance: int) -> tuple[Ints, Ints, Floats]:
    """(from, to, weight) of all pairs that far apart.

    Bought in the same second, either may have been the first: half the weight each way.
    """
    rows = np.repeat(np.arange(len(known)), known.lengths)
    first, second = slice(None, -distance), slice(distance, None)
    pair = (rows[first] == rows[second]) & (known.items[first] != known.items[second])
    source, item = known.items[first][pair], known.items[second][pair]
    at_once = (known.times[first] == known.times[second])[pair]
    weight = np.where(at_once, 0.5, 1.0).astype(np.float32) / np.float32(distance)
    return (
        np.concatenate((source, item[at_once])),
        np.concatenate((item, source[at_once])),
        np.concatenate((weight, weight[at_once])),
    )
