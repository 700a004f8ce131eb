"""Measure methods against each other, on the same shoppers and the same catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Bools
from recsys.errors import TailorError
from recsys.evaluation import metrics
from recsys.evaluation.intervals import difference_interval, mean_interval
from recsys.evaluation.metrics import Ids, Numbers
from recsys.evaluation.slices import Slice, filled

BASELINE = "popular"  # of the report
CUTOFFS = (5, 10, 20)
DEPTHS = (20, 100, 200)  # where recall says what a step leaves to the next one

PerShopper = Mapping[str, Numbers]  # metric -> one number per shopper


def evaluate(
    methods: Mapping[str, Ids],
    targets: Ids,
    *,
    popularity: NDArray[Any],
    n_items: int,
    seed: int,
    slices: Mapping[str, Slice] | None = None,
    seconds_fit: Mapping[str, float] | None = None,
    seconds_score: Mapping[str, float] | None = None,
    headline: str | None = None,
    protocol: str = "temporal",
    mode: str | None = "full catalogue",
    k: int = 10,
    baseline: str = BASELINE,
    against: Sequence[str] = (),
) -> dict[str, Any]:
    """Every method's metrics with 95 % intervals and paired differences, also in each slice.

    `headline` is the method that the verdict is about. It is named before measuring (or is the
    last one given), not picked by its score: the best of many looks better than it is. A named
    headline is compared with every other method, the others with `baseline`, the one that shows
    everyone what is popular, and with `against`.
    """
    _refuse(methods, targets, [baseline, *against, *([headline] if headline else [])])
    parts = filled(slices)
    each = {name: _per_shopper(lists, targets, k) for name, lists in methods.items()}
    measured = _Measured(each, k, seed, baseline)
    result: dict[str, Any] = {
        "protocol": protocol,
        "mode": mode,
        "k": k,
        "seed": seed,
        "n_users": len(targets),
        "n_items": n_items,
        "headline": headline or ([name for name in methods if name != baseline] or [baseline])[-1],
        "methods": {},
        "slices": {
            name: {"n_users": int(part.mask.sum()), "label": part.label}
            for name, part in parts.items()
        },
    }
    for name, lists in methods.items():
        rivals = _rivals(name, methods, headline, [baseline, *against])
        result["methods"][name] = {
            **measured.overall(name),
            **_variety(lists, popularity, n_items, k),
            "seconds_fit": (seconds_fit or {}).get(name),
            "seconds_score": (seconds_score or {}).get(name),
            **measured.against(name, rivals),
            "slices": {at: measured.within(name, rivals, part.mask) for at, part in parts.items()},
        }
    return result


def funnel(steps: Mapping[str, Ids], targets: Ids) -> list[dict[str, Any]]:
    """Recall of each step on the way to the list, at the width of the step's lists."""
    return [
        {
            "step": step,
            "k": lists.shape[1],
            "recall": float(metrics.hit_rate(lists, targets, lists.shape[1]).mean()),
        }
        for step, lists in steps.items()
    ]


def _refuse(methods: Mapping[str, Ids], targets: Ids, named: Sequence[str]) -> None:
    if not len(targets):
        raise TailorError("no shopper to measure", where="evaluate", fix="widen the target window")
    for name in named:
        if name not in methods:
            raise TailorError(
                f"no lists of method {name!r} among {sorted(methods)}",
                where="evaluate",
                fix=f"pass the lists of {name!r} too",
            )


def _rivals(
    name: str, methods: Mapping[str, Ids], headline: str | None, against: Sequence[str]
) -> list[str]:
    """Whom a method is compared with."""
    rivals = [*against, *(methods if name == headline else ())]
    return [other for other in dict.fromkeys(rivals) if other != name]


def _per_shopper(lists: Ids, targets: Ids, k: int) -> dict[str, Numbers]:
    """All accuracy metrics of one method; a list shorter than the cut counts what it has."""
    values: dict[str, Numbers] = {}
    for cut in sorted({*CUTOFFS, k}):
        values[f"ndcg@{cut}"] = metrics.ndcg(lists, targets, cut)
        values[f"hr@{cut}"] = metrics.hit_rate(lists, targets, cut)
        values[f"mrr@{cut}"] = metrics.reciprocal_rank(lists, targets, cut)
    for depth in DEPTHS:
        if depth <= lists.shape[1]:  # recall of what the method never gave is no measurement
            values[f"recall@{depth}"] = metrics.hit_rate(lists, targets, depth)
    return values


@dataclass(frozen=True)
class _Measured:
    """Every method's numbers per shopper; one seed pairs the draws of all intervals."""

    each: Mapping[str, PerShopper]
    k: int
    seed: int
    baseline: str

    def overall(self, name: str) -> dict[str, Any]:
        """Means of all metrics."""
        values, k = self.each[name], self.k
        means = {metric: float(each.mean()) for metric, each in values.items()}
        return means | {
            f"{metric}_ci": mean_interval(values[metric], seed=self.seed).bounds
            for metric in (f"ndcg@{k}", f"hr@{k}", f"mrr@{k}")
        }

    def against(
        self, name: str, others: Sequence[str], inside: Bools | slice = slice(None)
    ) -> dict[str, Any]:
        """Differences of NDCG to other methods, paired over the shoppers inside."""
        metric, found = f"ndcg@{self.k}", {}
        for other in others:
            ours, theirs = self.each[name][metric][inside], self.each[other][metric][inside]
            difference = difference_interval(ours, theirs, seed=self.seed)
            found[other] = {f"{metric}_diff": difference.mean, "ci": difference.bounds}
        popular = found.get(self.baseline)
        return ({"against_popular": popular} if popular else {}) | {"against": found}

    def within(self, name: str, others: Sequence[str], inside: Bools) -> dict[str, Any]:
        """The few figures of a method that are told of a slice."""
        ndcg, hits = (self.each[name][f"{metric}@{self.k}"][inside] for metric in ("ndcg", "hr"))
        return {
            "n_users": len(ndcg),
            f"ndcg@{self.k}": float(ndcg.mean()),
            f"hr@{self.k}": float(hits.mean()),
            f"ndcg@{self.k}_ci": mean_interval(ndcg, seed=self.seed).bounds,
            **self.against(name, others, inside),
        }


def _variety(lists: Ids, popularity: NDArray[Any], n_items: int, k: int) -> dict[str, Any]:
    return {
        f"coverage@{k}": metrics.coverage(lists, n_items, k),
        f"novelty@{k}": metrics.novelty(lists, popularity, k),
        f"popularity@{k}": metrics.mean_popularity(lists, popularity, k),
        "users_without_list": int(np.sum((lists[:, :k] == metrics.PADDING).all(axis=1))),
    }
