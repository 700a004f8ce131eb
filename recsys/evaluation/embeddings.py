"""What the candidates lose without an embedding: the sources that search by it are left out."""

from dataclasses import replace
from typing import Any

from recsys.arrays import Ints
from recsys.evaluation.case import Case
from recsys.evaluation.intervals import difference_interval
from recsys.evaluation.metrics import hit_rate
from recsys.ladder import Rung
from recsys.recommend import Recommender


def without_each(recommender: Recommender, case: Case, pools: Ints, *, seed: int) -> dict[str, Any]:
    """Recall of the pools (U, P) of all sources, and by embedding how much is lost without it."""
    size = pools.shape[1]
    whole, lost = hit_rate(pools, case.targets, size), {}
    for name in sorted({source.embedding for source in recommender.sources} - {""}):
        rest = [source for source in recommender.sources if source.embedding != name]
        bare = replace(recommender, sources=rest, ranker=None, reranker=None, decision=None)
        found = bare.recommend(case.shoppers, size, highest=Rung.RETRIEVAL).items
        interval = difference_interval(whole, hit_rate(found, case.targets, size), seed=seed)
        lost[name] = {"lost": interval.mean, "ci": interval.bounds}
    return {"k": size, "recall": float(whole.mean()), "without": lost}
