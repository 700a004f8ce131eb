"""The one way from shoppers to lists: batch, service, evaluation and command line all call it.

Candidates are pooled, ranked, and the head of the list is reordered by the language model. What
fails lowers the answers it concerns by one rung of the ladder, and the list says so.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints
from recsys.candidates.base import CandidateSource
from recsys.candidates.pool import Pool, build_pool
from recsys.candidates.popular import Popular
from recsys.evaluation.metrics import Numbers
from recsys.ladder import Rung, Why
from recsys.lists import Draft, Lists
from recsys.parallel import ordered
from recsys.ranker.features import Shelf, build_features, feature_names
from recsys.ranker.model import Ranker
from recsys.rerank import GRID, BlendFit, Reranker, ndcg_of_one
from recsys.settings import Settings
from recsys.shoppers import Shoppers

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Options:
    """Sizes of the steps."""

    pool: int = 200
    rerank: int = 20
    mask_history: bool = False
    chunk: int = 128

    @classmethod
    def of(cls, settings: Settings) -> "Options":
        """Take the sizes from the settings."""
        return cls(
            pool=settings.candidates.pool,
            rerank=settings.lists.rerank,
            mask_history=settings.candidates.mask_history,
        )


@dataclass(frozen=True, eq=False)
class Recommender:
    """All parts of a release, ready to answer."""

    shelf: Shelf
    sources: Sequence[CandidateSource]
    ranker: Ranker | None = None
    reranker: Reranker | None = None
    blend_weight: float = 0.5
    options: Options = Options()

    def __post_init__(self) -> None:
        if self.ranker:
            self.ranker.check(feature_names([source.name for source in self.sources]))

    def recommend(
        self,
        shoppers: Shoppers,
        k: int,
        *,
        highest: Rung = Rung.ADAPTED_LM,
        explain: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Lists:
        """Make a list of k items, best first, for every shopper."""
        parts: list[Lists] = []
        done = 0
        for part in self.stream(shoppers, k, highest=highest, explain=explain):
            parts.append(part)
            done += len(part)
            if progress:
                progress(done, len(shoppers))
        return Lists.join(parts or [self._answer(shoppers, k, highest, explain)])

    def stream(
        self,
        shoppers: Shoppers,
        k: int,
        *,
        highest: Rung = Rung.ADAPTED_LM,
        explain: bool = False,
    ) -> Iterator[Lists]:
        """Make the same lists a chunk of shoppers at a time, in bounded memory."""
        if len(shoppers) <= self.options.chunk:
            yield self._answer(shoppers, k, highest, explain)
            return
        yield from ordered(
            lambda chunk: self._answer(chunk, k, highest, explain),
            shoppers.chunks(self.options.chunk),
        )

    def fit_blend(
        self, shoppers: Shoppers, targets: Ints, k: int = 10, grid: Sequence[float] = GRID
    ) -> BlendFit:
        """Choose the reranker's weight on validation shoppers and their next purchases (U,).

        Only shoppers with a history and a target (not -1) count. A failing reranker raises here.
        """
        asked = np.flatnonzero((targets != PAD) & (shoppers.lengths > 0))
        gains: dict[float, list[Numbers]] = {weight: [np.empty(0)] for weight in grid}
        for start in range(0, len(asked), self.options.chunk):
            rows = asked[start : start + self.options.chunk]
            draft = self._personal(shoppers.take(rows), k, Rung.RANKER)
            told, _ = self._told(draft)
            for weight in grid:
                tried = replace(draft)
                tried.reorder(draft.blended(told, weight))
                gains[weight].append(ndcg_of_one(tried.items, targets[rows], k))
        return BlendFit.choose({weight: np.concatenate(each) for weight, each in gains.items()})

    def _answer(self, shoppers: Shoppers, k: int, highest: Rung, explain: bool) -> Lists:
        """Answer those with a history personally, the others with what is popular."""
        if highest is Rung.POPULAR:
            return self._impersonal(shoppers, k, Why.AS_ASKED).lists(k, explain)
        known = shoppers.lengths > 0
        some, others = np.flatnonzero(known), np.flatnonzero(~known)
        lists = Lists.join(
            [
                self._personal(shoppers.take(some), k, highest).lists(k, explain),
                self._impersonal(shoppers.take(others), k, Why.NO_HISTORY).lists(k, explain),
            ]
        )
        return lists.take(np.argsort(np.concatenate((some, others))))

    @cached_property
    def _popular(self) -> Popular:
        return Popular.of(self.shelf.stats)

    def _impersonal(self, shoppers: Shoppers, k: int, why: Why) -> Draft:
        pool = build_pool(shoppers, [self._popular], k)
        draft = Draft.of(shoppers, [self._popular], pool, Rung.POPULAR)
        draft.why[:] = why
        return draft

    def _personal(self, shoppers: Shoppers, k: int, highest: Rung) -> Draft:
        size = max(self.options.pool, k)
        try:
            pool = build_pool(shoppers, self.sources, size, mask_history=self.options.mask_history)
        except Exception as error:  # the ladder: lower by one rung, say why
            draft = self._impersonal(shoppers, k, Why.RETRIEVAL_FAILED)
            draft.failed(Why.RETRIEVAL_FAILED, error)
            return draft
        draft = Draft.of(shoppers, self.sources, pool, Rung.RETRIEVAL)
        if self._rank(draft, pool, highest):
            self._rerank(draft, highest)
        return draft

    def _rank(self, draft: Draft, pool: Pool, highest: Rung) -> bool:
        """Order the pool by the ranker; False where it stays in the order of retrieval."""
        if self.ranker is None or not highest.allows(Rung.RANKER):
            draft.why[:] = Why.NO_RANKER if self.ranker is None else Why.AS_ASKED
            return False
        try:
            features = build_features(draft.shoppers, pool, self.shelf)
            draft.reorder(self.ranker.predict(features))
        except Exception as error:
            draft.failed(Why.RANKER_FAILED, error)
            return False
        draft.rung[:] = Rung.RANKER
        return True

    def _rerank(self, draft: Draft, highest: Rung) -> None:
        """Let the language model reorder the head of the lists."""
        kept = self._kept_as_ranked(highest)
        if kept:
            draft.why[:] = kept
            return
        try:
            told, sure = self._told(draft)
        except Exception as error:
            draft.failed(Why.RERANKER_FAILED, error)
            return
        draft.reorder(draft.blended(told, self.blend_weight))
        draft.rung[sure] = Rung.ADAPTED_LM
        draft.why[~sure] = Why.RERANKER_UNSURE

    def _kept_as_ranked(self, highest: Rung) -> Why | None:
        """Say why the language model is not even asked, if so."""
        if highest is not Rung.ADAPTED_LM:
            return Why.AS_ASKED
        if self.reranker is None or not self.options.rerank:
            return Why.NO_RERANKER
        return Why.NOT_HELPFUL if self.blend_weight == 0 else None

    def _told(self, draft: Draft) -> tuple[Floats, Bools]:
        """Ask the reranker for the heads (U, K), and see of which shoppers it is sure (U,)."""
        assert self.reranker is not None
        head = draft.items[:, : self.options.rerank]
        with _ONE_AT_A_TIME:  # a model holds the adapters of one batch
            told = np.asarray(self.reranker.score(draft.shoppers.vectors, head), np.float32)
        if told.shape != head.shape:
            raise ValueError(f"scores of shape {told.shape} for items of shape {head.shape}")
        adapted: Bools = np.any(draft.shoppers.vectors, axis=1)  # else nothing to adapt to
        sure: Bools = np.all((head == PAD) | np.isfinite(told), axis=1) & adapted
        return np.where(sure[:, None] & (head != PAD), told, 0).astype(np.float32), sure
