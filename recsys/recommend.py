"""The one way from shoppers to lists: batch, service, evaluation and command line all call it.

Candidates are pooled, ranked, and the head of the list is reordered by the language model. What
fails lowers the answers it concerns by one rung of the ladder, and the list says so.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Objects
from recsys.candidates.base import CandidateSource
from recsys.candidates.personas import Personas, nearest_of
from recsys.candidates.pool import Pool, build_pool, by_votes, pool_of
from recsys.candidates.popular import Popular
from recsys.decision import HIGHEST, Decision
from recsys.evaluation.metrics import Numbers
from recsys.ladder import Rung, Why
from recsys.lists import Draft, Lists
from recsys.parallel import ordered
from recsys.ranker.features import Shelf, build_features, feature_names
from recsys.ranker.model import Ranker
from recsys.rerank import GRID, BlendFit, Reranker, ndcg_of_one
from recsys.settings import Settings
from recsys.shoppers import Shoppers
from recsys.tastes import Tastes

Watch = Callable[[str], AbstractContextManager[Any]]


def _unwatched(_: str) -> AbstractContextManager[Any]:
    return nullcontext()


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
    personas: Personas | None = None
    decision: Decision | None = None  # what serves whom; None: nothing is held back
    tastes: Tastes | None = None  # what the reranker is told by; None: the taste in words

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
            draft = self.draft(shoppers.take(rows), k, highest=Rung.RANKER)
            told, _ = self._told(draft)
            for weight in grid:
                tried = replace(draft)
                tried.reorder(draft.blended(told, weight), Rung.ADAPTED_LM)
                gains[weight].append(ndcg_of_one(tried.items, targets[rows], k))
        return BlendFit.choose({weight: np.concatenate(each) for weight, each in gains.items()})

    def _answer(self, shoppers: Shoppers, k: int, highest: Rung, explain: bool) -> Lists:
        """Answer those with a history as was decided for them, the others with what is popular."""
        if highest is Rung.POPULAR:
            return self.impersonal(shoppers, k, Why.AS_ASKED).lists(k, explain)
        known, decided = shoppers.lengths > 0, self.decided(shoppers)
        order = [np.flatnonzero(~known)]
        drafts = [self.impersonal(shoppers.take(order[0]), k, Why.NO_HISTORY)]
        for rung in Rung:
            rows = np.flatnonzero(known & (decided == rung))
            if len(rows):
                order.append(rows)
                drafts.append(self.draft(shoppers.take(rows), k, highest=highest))
        lists = Lists.join([draft.lists(k, explain) for draft in drafts])
        return lists.take(np.argsort(np.concatenate(order)))

    def decided(self, shoppers: Shoppers) -> Objects:
        """The highest rung that may serve each shopper (U,), by what the release decided."""
        if self.decision is None:
            return np.array([HIGHEST] * len(shoppers), object)
        return self.decision.rungs(shoppers.lengths)

    def taste_of(self, shoppers: Shoppers) -> Floats:
        """What the reranker is told of shoppers (U, D)."""
        return shoppers.vectors if self.tastes is None else self.tastes.of(shoppers)

    @cached_property
    def popular(self) -> Popular:
        """What sells: the last rung of the ladder."""
        return Popular.of(self.shelf.stats)

    def impersonal(
        self, shoppers: Shoppers, k: int, why: Why, *, allowed: Bools | None = None
    ) -> Draft:
        """Give everybody what is popular, and say why."""
        popular = self.popular if allowed is None else self.popular.among(allowed)
        pool = build_pool(shoppers, [popular], k)
        draft = Draft.of(shoppers, [popular], pool, Rung.POPULAR)
        draft.why[:] = why
        return draft

    def by_persona(
        self, shoppers: Shoppers, k: int, why: Why, *, allowed: Bools | None = None
    ) -> Draft:
        """Show what the shopper's group likes; who is in none gets what is popular."""
        if self.personas is None:
            return self.impersonal(shoppers, k, Why.NO_PERSONA, allowed=allowed)
        sources = [self.personas, self.popular]
        mask = self.options.mask_history
        pool = build_pool(shoppers, sources, k, mask_history=mask, allowed=allowed)
        draft = Draft.of(shoppers, sources, pool, Rung.PERSONA)
        draft.why[:] = why
        nobody = nearest_of(shoppers.vectors, self.personas.centres) == PAD
        draft.rung[nobody], draft.why[nobody] = Rung.POPULAR, Why.NO_PERSONA
        return draft

    def _persona_serves(self, shoppers: Shoppers, highest: Rung) -> Why | None:
        """Say why the group's list is given in place of her own, if so."""
        if highest is Rung.PERSONA:
            return Why.AS_ASKED
        if self.personas is None or self.decision is None:
            return None
        some = Rung.PERSONA in self.decision.in_use  # else nobody needs to be looked at
        better = some and (self.decided(shoppers) == Rung.PERSONA).any()
        return Why.GROUP_IS_BETTER if better else None

    def draft(
        self,
        shoppers: Shoppers,
        k: int,
        *,
        highest: Rung = Rung.ADAPTED_LM,
        allowed: Bools | None = None,
        given: Ints | None = None,
        watch: Watch = _unwatched,
    ) -> Draft:
        """Order the candidates of shoppers with a history, all of whom the same was decided for.

        `allowed` (I,) leaves items out before anything is ordered; `given` items (U, P) are
        ordered in place of candidates; `watch` times the stages.
        """
        if given is None and (why := self._persona_serves(shoppers, highest)):
            return self.by_persona(shoppers, k, why, allowed=allowed)
        size, mask = max(self.options.pool, k), self.options.mask_history
        try:
            with watch("retrieval"):
                pool = (
                    build_pool(shoppers, self.sources, size, mask_history=mask, allowed=allowed)
                    if given is None
                    else by_votes(pool_of(shoppers, self.sources, given))
                )
        except Exception as error:  # the ladder: lower by one rung, say why
            fallback = self.impersonal if self.personas is None else self.by_persona
            draft = fallback(shoppers, k, Why.RETRIEVAL_FAILED, allowed=allowed)
            draft.failed(Why.RETRIEVAL_FAILED, error)
            return draft
        draft = Draft.of(shoppers, self.sources, pool, Rung.RETRIEVAL)
        with watch("ranker"):
            ranked = self._rank(draft, pool, highest)
        if ranked:
            with watch("rerank"):
                self._rerank(draft, highest)
        return draft

    def _rank(self, draft: Draft, pool: Pool, highest: Rung) -> bool:
        """Order the pool by the ranker; False where it stays in the order of retrieval."""
        if self.ranker is None or not highest.allows(Rung.RANKER):
            draft.why[:] = Why.NO_RANKER if self.ranker is None else Why.AS_ASKED
            return False
        try:
            features = build_features(draft.shoppers, pool, self.shelf)
            draft.reorder(self.ranker.predict(features), Rung.RANKER)
        except Exception as error:
            draft.failed(Why.RANKER_FAILED, error)
            return False
        draft.rung[:] = Rung.RANKER
        return True

    def _rerank(self, draft: Draft, highest: Rung) -> None:
        """Let the language model reorder the head of the lists."""
        kept = self._kept_as_ranked(highest, draft.shoppers)
        if kept:
            draft.why[:] = kept
            return
        try:
            told, sure = self._told(draft)
        except Exception as error:
            draft.failed(Why.RERANKER_FAILED, error)
            return
        draft.reorder(draft.blended(told, self.blend_weight), Rung.ADAPTED_LM)
        draft.rung[sure] = Rung.ADAPTED_LM
        draft.why[~sure] = Why.RERANKER_UNSURE

    def _kept_as_ranked(self, highest: Rung, shoppers: Shoppers) -> Why | None:
        """Say why the language model is not even asked, if so."""
        if highest is not Rung.ADAPTED_LM:
            return Why.AS_ASKED
        if self.blend_weight == 0:
            return Why.NOT_HELPFUL
        if self.reranker is None or not self.options.rerank:
            return Why.NO_RERANKER
        held_back = (self.decided(shoppers) != HIGHEST).any()
        return Why.NOT_HELPFUL_HERE if held_back else None

    def _told(self, draft: Draft) -> tuple[Floats, Bools]:
        """Ask the reranker for the heads (U, K), and see of which shoppers it is sure (U,)."""
        assert self.reranker is not None
        head = draft.items[:, : self.options.rerank]
        vectors = self.taste_of(draft.shoppers)
        told = np.asarray(self.reranker.score(vectors, head), np.float32)
        if told.shape != head.shape:
            raise ValueError(f"scores of shape {told.shape} for items of shape {head.shape}")
        adapted: Bools = np.any(vectors, axis=1)  # else nothing to adapt to
        sure: Bools = np.all((head == PAD) | np.isfinite(told), axis=1) & adapted
        return np.where(sure[:, None] & (head != PAD), told, 0).astype(np.float32), sure
