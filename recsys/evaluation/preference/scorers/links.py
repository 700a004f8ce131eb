"""Scorers that follow what is bought together: our own parts, and the published baselines."""

from typing import ClassVar

import numpy as np

from recsys.arrays import PAD
from recsys.evaluation.baselines import BASELINES
from recsys.evaluation.preference.scorers.base import Scorer, Scores, register
from recsys.evaluation.preference.view import View

CHUNK = 512


class _Source(Scorer):
    """A candidate source as a scorer: what it says of the options."""

    sources: ClassVar[tuple[str, ...]]

    def score(self, view: View) -> Scores:
        """Add up what the sources say."""
        return sum(
            (view.feature(f"score_{name}").astype(np.float64) for name in self.sources),
            start=np.zeros(view.options.shape),
        )


@register
class CoPurchase(_Source):
    """What the same shoppers buy."""

    name = "co_purchase"
    told = "bought by the same shoppers"
    sources = ("co_purchases_of_all",)


@register
class Transition(_Source):
    """What was bought after her purchases."""

    name = "transition"
    told = "bought next by others"
    sources = ("neighbours",)


@register
class Collaborative(_Source):
    """Learned vectors of what is bought near each other."""

    name = "collaborative"
    told = "vectors learned from what is bought near each other"
    sources = ("collaborative",)


@register
class RankerScorer(Scorer):
    """The ranker of the lists, as it was trained."""

    name = "ranker"
    told = "the LightGBM ranker of the lists"

    def score(self, view: View) -> Scores:
        """Its scores of the options."""
        return view.ranked.astype(np.float64)

    def unable(self, view: View) -> str:
        """It takes a ranker."""
        return "" if view.ranker else "no ranker here"


class _Baseline(Scorer):
    """A published method of the ranking, scoring the options alone."""

    baseline: ClassVar[str]
    slow = True

    def score(self, view: View) -> Scores:
        """Learn from what is known, then score."""
        kind = BASELINES[self.baseline]
        model = kind.fit(view.known, view.catalogue, seed=view.seed)
        parts = [np.empty((0, view.options.shape[1]))]
        for start in range(0, len(view.options), CHUNK):
            some = slice(start, start + CHUNK)
            scores = model.scores(view.shoppers.take(some))
            found = np.take_along_axis(scores, view.options[some], 1).astype(np.float64)
            parts.append(np.where(view.options[some] == PAD, -np.inf, found))
        return np.concatenate(parts)


@register
class Bm25(_Baseline):
    """Titles, categories and brands in the same words."""

    name = "bm25"
    told = "the words of title, category and brand, by BM25"
    baseline = "bm25_content"
    slow = False


@register
class ItemKnn(_Baseline):
    """Neighbours by the cosine of their buyers."""

    name = "item_knn"
    told = "neighbours by the cosine of their buyers"
    baseline = "item_knn"


@register
class Als(_Baseline):
    """Matrix factorisation."""

    name = "als"
    told = "matrix factorisation by alternating least squares"
    baseline = "als"


@register
class Ease(_Baseline):
    """A linear autoencoder."""

    name = "ease"
    told = "a linear autoencoder of histories"
    baseline = "ease"


@register
class SasRec(_Baseline):
    """A trained sequence model."""

    name = "sasrec"
    told = "self-attention over the history"
    baseline = "sasrec"
