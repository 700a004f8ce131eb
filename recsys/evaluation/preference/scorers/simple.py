"""Scorers that know nothing of the shopper, or one thing only."""

import hashlib
from abc import abstractmethod

import numpy as np

from recsys.arrays import PAD, Floats
from recsys.evaluation.preference.answers import category_codes
from recsys.evaluation.preference.scorers.base import Scorer, Scores, register
from recsys.evaluation.preference.view import View


@register
class Random(Scorer):
    """A seeded hash of shopper and item."""

    name = "random"
    told = "a hash: chance"

    def score(self, view: View) -> Scores:
        """Draw by hash, so that an option's place says nothing."""
        ids = view.catalogue.item_ids
        return np.array(
            [
                [_share(f"{view.seed}:{user}:{ids[item]}") for item in row]
                for user, row in zip(view.shoppers.user_ids, view.options, strict=True)
            ],
            np.float64,
        ).reshape(view.options.shape)


def _share(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / (1 << 64)


@register
class Popularity(Scorer):
    """What is bought most."""

    name = "popularity"
    told = "purchases, whoever made them"

    def score(self, view: View) -> Scores:
        """Purchases without the answers."""
        return view.sold[view.options].astype(np.float64)


@register
class CategoryOverlap(Scorer):
    """How often the shopper bought from the option's category."""

    name = "category_overlap"
    told = "share of the history in the option's category"

    def score(self, view: View) -> Scores:
        """At the level by which the task tells categories apart."""
        return self.at(view, view.level)

    def at(self, view: View, level: int | str) -> Scores:
        """At any level."""
        codes = category_codes(view.catalogue.categories, level)
        hers = np.zeros((len(view.shoppers), int(codes.max(initial=0)) + 2))  # the last: unknown
        rows, items = view.pairs()
        np.add.at(hers, (rows, codes[items]), 1)
        hers[:, PAD] = 0
        return np.take_along_axis(hers, codes[view.options], 1) / np.maximum(
            view.shoppers.lengths[:, None], 1
        )


class _BySimilarity(Scorer):
    """Cosines of an option and the purchases, by the text encoder."""

    def score(self, view: View) -> Scores:
        """One shopper after another: histories differ in length."""
        vectors, found = view.catalogue.vectors, np.full(view.options.shape, np.nan)
        for row, options in enumerate(view.options):
            history = view.shoppers.history(row)
            if len(history):
                found[row] = self._one(vectors[options] @ vectors[history].T)
        return found

    @abstractmethod
    def _one(self, near: Floats) -> Floats:
        """Scores of the options (K,) from their cosines with the purchases (K, H)."""


@register
class MiniLmBest(_BySimilarity):
    """The purchase that an option reads most like."""

    name = "minilm_best"
    told = "text likeness to the nearest purchase"

    def _one(self, near: Floats) -> Floats:
        best: Floats = near.max(axis=1)
        return best


@register
class MiniLmMean(_BySimilarity):
    """All purchases alike."""

    name = "minilm_mean"
    told = "mean text likeness to the purchases"

    def _one(self, near: Floats) -> Floats:
        mean: Floats = near.mean(axis=1)
        return mean
