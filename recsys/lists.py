"""Lists as they are made and as they are handed out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs, Objects, padded
from recsys.candidates.base import CandidateSource
from recsys.candidates.pool import Pool, ranks_of
from recsys.ladder import Rung, Why
from recsys.ranker.explain import reasons_of
from recsys.rerank import blend
from recsys.shoppers import Shoppers

_ALIGNED = ("user_ids", "items", "scores", "rung", "why")


@dataclass(frozen=True, eq=False)
class Lists:
    """A list per shopper, how it came about, and why it is no better."""

    user_ids: Objects  # (U,)
    items: Ints  # (U, k) catalogue positions, -1: padding
    scores: Floats  # (U, k) falling; they compare within a list only
    rung: Objects  # (U,) of Rung
    why: Objects  # (U,) of Why
    reasons: list[list[str]]  # per shopper and item; empty unless asked for
    failures: tuple[str, ...] = ()  # what parts said when they failed

    def __len__(self) -> int:
        return len(self.user_ids)

    @classmethod
    def join(cls, parts: Sequence["Lists"]) -> "Lists":
        """Put the lists of several groups of shoppers together."""
        arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _ALIGNED}
        said = dict.fromkeys(failure for part in parts for failure in part.failures)
        return cls(**arrays, reasons=[r for p in parts for r in p.reasons], failures=tuple(said))

    def take(self, rows: Longs) -> "Lists":
        """Pick some of the lists, in the order asked for."""
        arrays = {name: getattr(self, name)[rows] for name in _ALIGNED}
        reasons = [self.reasons[row] for row in rows] if self.reasons else []
        return Lists(**arrays, reasons=reasons, failures=self.failures)


@dataclass(eq=False)
class Draft:
    """Lists in the making: candidates in the best order reached so far."""

    shoppers: Shoppers
    sources: Sequence[CandidateSource]
    items: Ints  # (U, P) best first
    proposed: Sequence[Ints]  # per source: its proposals, best first
    scores: Floats  # (U, P) falling
    rung: Objects
    why: Objects
    failures: list[str] = field(default_factory=list)
    orders: dict[Rung, Ints] = field(default_factory=dict)  # items (U, P) as left by each

    @classmethod
    def of(
        cls, shoppers: Shoppers, sources: Sequence[CandidateSource], pool: Pool, rung: Rung
    ) -> "Draft":
        """Start from the order of the pool."""
        rungs = np.array([rung] * len(shoppers), dtype=object)  # np.full would make them str
        why = np.array([Why.BEST] * len(shoppers), dtype=object)
        made = cls(shoppers, sources, pool.items, pool.proposed, pool.votes, rungs, why)
        made.orders[rung] = pool.items
        return made

    def reorder(self, scores: Floats, by: Rung) -> None:
        """Sort every list by new scores (U, P) of its items; equals keep the order they had."""
        order = np.argsort(-scores, axis=1, kind="stable")
        rows = np.arange(len(order))[:, None]
        self.items, self.scores = self.items[rows, order], scores[rows, order]
        self.orders[by] = self.items

    def blended(self, told: Floats, weight: float) -> Floats:
        """Score the head of every list by the blend with `told` (U, K), the rest below it."""
        head = self.scores[:, : told.shape[1]]
        tail = self.scores[:, told.shape[1] :]
        mixed = blend(head, told, weight)
        lowest = np.where(np.isfinite(mixed), mixed, np.inf).min(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            below = lowest + (tail - head[:, -1:])  # a full head ends in its lowest score
        below = np.where(np.isfinite(tail), below, -np.inf)
        return np.concatenate((mixed, below), axis=1).astype(np.float32)

    def failed(self, why: Why, error: Exception) -> None:
        """Stay on this rung because the next part failed; keep what it said."""
        why = getattr(error, "why", why)  # it may know better: too slow, or not even asked
        self.why[:] = why
        self.failures.append(f"{why}: {type(error).__name__}: {error}")

    def lists(self, k: int, explain: bool) -> Lists:
        """Hand out the best k."""
        items, scores = padded((len(self.shoppers), k))
        width = min(k, self.items.shape[1])
        items[:, :width], scores[:, :width] = self.items[:, :width], self.scores[:, :width]
        empty = (items == PAD).all(axis=1)
        self.why[empty] = Why.NO_CANDIDATES
        reasons = (
            reasons_of(
                self.sources,
                self.shoppers,
                items[:, :width],
                ranks_of(self.proposed, items[:, :width]),
            )
            if explain
            else []
        )
        return Lists(
            self.shoppers.user_ids,
            items,
            scores,
            self.rung,
            self.why,
            reasons,
            tuple(self.failures),
        )
