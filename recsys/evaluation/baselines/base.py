"""What a baseline is, how its scores become lists, and the list of baselines."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, TypeVar

import numpy as np

from recsys.arrays import Floats, Ints, top_of_dense
from recsys.catalogue import Catalogue
from recsys.errors import SettingsError
from recsys.shoppers import Shoppers

Progress = Callable[[int, int], None]  # (done, total)


class Baseline(ABC):
    """A published method in its own right: it learns from histories and scores everything.

    A row of scores depends on its own shopper alone. Purchases of one second have no order.
    """

    name: ClassVar[str]
    slow: ClassVar[bool] = False  # True: only measured when all are asked for

    @classmethod
    @abstractmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from the purchases that statistics may use."""

    @abstractmethod
    def scores(self, shoppers: Shoppers) -> Floats:
        """Score every item for each shopper (U, I); higher is better, -inf: no opinion.

        Their histories may be longer than those the baseline has learnt from.
        """

    def lists(
        self, shoppers: Shoppers, k: int, *, mask_history: bool = True, chunk: int = 512
    ) -> Ints:
        """Find the best k of the whole catalogue (U, k); ties by position, -1 where none is left.

        `mask_history` leaves out what the shopper bought before.
        """
        found = []
        for some in shoppers.chunks(chunk):
            scores = self.scores(some)
            if mask_history:
                scores[np.repeat(np.arange(len(some)), some.lengths), some.items] = -np.inf
            found.append(top_of_dense(scores, k)[0])
        return np.concatenate(found) if found else np.empty((0, k), np.int32)


BASELINES: dict[str, type[Baseline]] = {}
Kind = TypeVar("Kind", bound=Baseline)


def register(baseline: type[Kind]) -> type[Kind]:
    """Add a baseline to those that `chosen` knows."""
    BASELINES[baseline.name] = baseline
    return baseline


def chosen(names: Sequence[str] = ()) -> list[type[Baseline]]:
    """Give the named baselines, in that order; `all` for all, nothing for all that are fast."""
    if list(names) == ["all"]:
        return list(BASELINES.values())
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise SettingsError(
            f"unknown baseline {unknown[0]!r}", fix=f"known: all, {', '.join(sorted(BASELINES))}"
        )
    return [BASELINES[name] for name in names] or [b for b in BASELINES.values() if not b.slow]
