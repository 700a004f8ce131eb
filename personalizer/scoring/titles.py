"""How much more likely a title is to a shopper than to nobody in particular."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

from personalizer.errors import PersonalizerError, extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.likelihood import Titles, batches_by_length
from personalizer.lm.load import LanguageModel

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["TitleScorer"]

Scores = NDArray[np.float32]
SHOPPERS = 64  # whose adapters are in memory together


class TitleScorer:
    """Scores catalogue items for shoppers by their titles.

    A score is the title's mean log-probability per token with the shopper's adapter minus what it
    is without: to the bare model, or to nobody in particular, the adapter of the zero vector
    (`HypernetConfig.minus`). An item without a title scores 0, and so does everything for a
    shopper without a history.
    """

    def __init__(
        self,
        lm: LanguageModel,
        hypernet: HyperNetwork,
        titles: Sequence[str],
        *,
        batch_tokens: int = 2048,
        minus: Literal["bare", "nobody"] | None = None,
    ) -> None:
        self._lm, self._hypernet = lm, hypernet.eval()
        self._adapted = hypernet.attach(lm.model)
        self._titles = Titles.of(lm, titles)
        self._batch_tokens, self._minus = batch_tokens, minus or hypernet.config.minus
        # what a title is without a shopper: computed once, when first asked
        self._common = np.full(len(titles), np.nan, np.float32)  # (I,)

    @torch.inference_mode()
    def score(self, user_vectors: Scores, items: NDArray[np.int32]) -> Scores:
        """Score items (U, K) for users (U, D); -1 is padding and scores -inf: (U, K)."""
        self._check(user_vectors, items)
        scores = np.full(items.shape, -np.inf, np.float32)
        with self._lm.lock:
            self._learn_common(items)
            for start in range(0, len(items), SHOPPERS):
                some = slice(start, start + SHOPPERS)
                self._score(user_vectors[some], items[some], scores[some])
        scores[np.isfinite(scores) & ~user_vectors.any(axis=1, keepdims=True)] = 0
        return scores

    def _check(self, user_vectors: Scores, items: NDArray[np.int32]) -> None:
        expected = (len(items), self._hypernet.user_dim)
        if items.ndim != 2 or user_vectors.shape != expected:
            raise PersonalizerError(
                f"vectors {user_vectors.shape} for items {items.shape}",
                where="TitleScorer.score",
                fix=f"give vectors (U, {self._hypernet.user_dim}) and items (U, K)",
            )
        if items.max(initial=-1) >= len(self._titles) or items.min(initial=0) < -1:
            raise PersonalizerError(
                f"an item is outside the catalogue of {len(self._titles)}",
                where="TitleScorer.score",
                fix="score with the catalogue the titles came from",
            )

    def _learn_common(self, items: NDArray[np.int32]) -> None:
        """Fill in the titles' log-probabilities the reference, where still unknown."""
        asked = np.unique(items[items >= 0]).astype(np.int64)
        new = asked[np.isnan(self._common[asked])]
        zero = torch.zeros(1, self._hypernet.user_dim, device=self._lm.device)
        # one adapter for all rows, or none
        nobody = self._adapted.use(self._hypernet(zero)) if self._minus == "nobody" else None
        with nobody or nullcontext():
            for batch in self._batches(new):
                nll = self._titles.nll(self._lm, new[batch])
                self._common[new[batch]] = -nll.cpu().numpy()

    def _score(self, vectors: Scores, items: NDArray[np.int32], out: Scores) -> None:
        """Fill `out` (U, K): all pairs of shopper and item, sorted by length across shoppers."""
        users, places = np.nonzero(items >= 0)  # (P,), (P,)
        rows = items[users, places].astype(np.int64)  # (P,)
        device = self._lm.device
        adapters = self._hypernet(_tensor(vectors).to(device))
        for batch in self._batches(rows):
            of = torch.from_numpy(users[batch]).to(device)  # (B,) whose adapter
            with self._adapted.use(adapters, of):
                nll = self._titles.nll(self._lm, rows[batch])
            out[users[batch], places[batch]] = -nll.cpu().numpy() - self._common[rows[batch]]

    def _batches(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Positions of rows in batches of titles of like length."""
        return list(batches_by_length(self._titles.lengths[rows] + 1, self._batch_tokens))


def _tensor(vectors: Scores) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
