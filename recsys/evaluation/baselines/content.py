"""Items that read like those bought: BM25 over title, category and brand."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import Floats
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.evaluation.baselines.matrices import faded, opinions
from recsys.shoppers import Shoppers

with extra("recsys"):
    from scipy import sparse
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize


@register
@dataclass(frozen=True, eq=False)
class Bm25Content(Baseline):
    """Cosine of two items' weighted words, summed over the history; older ones count less."""

    name: ClassVar[str] = "bm25_content"
    words: Any  # CSR (I, V), BM25 weights with rows of length one
    decay: float = 0.7

    @classmethod
    def fit(
        cls,
        known: Shoppers,  # noqa: ARG003
        catalogue: Catalogue,
        *,
        seed: int = 0,  # noqa: ARG003
        progress: Progress | None = None,  # noqa: ARG003
    ) -> Self:
        """Read the catalogue; purchases teach this one nothing."""
        counts = CountVectorizer(analyzer=re.compile(r"\w+").findall).fit_transform(
            _texts(catalogue)
        )
        return cls(sparse.csr_array(normalize(bm25(counts))))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Go from the history to its words, and from there to all items."""
        history = faded(shoppers, self.words.shape[0], self.decay)
        return opinions(history @ self.words @ self.words.T)


def bm25(counts: Any, k1: float = 1.5, b: float = 0.75) -> Any:
    """Okapi BM25 weight of each word of each document: CSR (I, V)."""
    counts = sparse.csr_array(counts, dtype=np.float32, copy=True)
    counts.sort_indices()  # on a copy: sorted later, they would leave the weights behind
    size = counts.shape[0]
    lengths = counts.sum(axis=1)
    documents = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log1p((size - documents + 0.5) / (documents + 0.5)).astype(np.float32)
    norm = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1e-6))
    heard = np.repeat(norm, np.diff(counts.indptr)).astype(np.float32)
    worth = rarity[counts.indices] * counts.data * (k1 + 1) / (counts.data + heard)
    return sparse.csr_array((worth, counts.indices, counts.indptr), shape=counts.shape)


def _texts(catalogue: Catalogue) -> list[str]:
    return [
        " ".join((title, *path, brand or "")).lower()
        for title, path, brand in zip(
            catalogue.titles, catalogue.categories, catalogue.brands, strict=True
        )
    ]
