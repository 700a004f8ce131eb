"""Which of a shopper's purchases bear on a question: BM25 over her own titles."""

import logging
from collections.abc import Callable, Sequence

from personalizer.errors import extra

__all__ = ["Retriever", "bm25", "newest"]

Retriever = Callable[[str, Sequence[str], int], list[int]]  # (query, titles, k): places of the best


def bm25(query: str, titles: Sequence[str], k: int) -> list[int]:
    """Places of the k titles nearest to a query, best first; what ties, newest first."""
    if not titles or k <= 0:
        return []
    with extra("recsys"):  # not on a bare GPU host
        import bm25s
        import numpy as np

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for its debug lines itself
    corpus = bm25s.tokenize(list(titles), stopwords="en", show_progress=False)
    (asked,) = bm25s.tokenize([query], stopwords="en", show_progress=False, return_ids=False) or [
        []
    ]
    known = [word for word in asked if word in corpus.vocab]
    scores = np.zeros(len(titles))
    if known:
        index = bm25s.BM25(k1=1.2, b=0.75)
        index.index(corpus, show_progress=False)
        scores = index.get_scores(known)
    # places run from the oldest purchase to the newest
    order = sorted(range(len(titles)), key=lambda place: (-scores[place], -place))
    return order[:k]


def newest(_query: str, titles: Sequence[str], k: int) -> list[int]:
    """Places of the k newest titles, newest first: no search at all."""
    return list(range(len(titles)))[::-1][:k]
