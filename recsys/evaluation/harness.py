"""Measure methods against each other, on the same shoppers and the same catalogue."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.errors import TailorError
from recsys.evaluation import metrics
from recsys.evaluation.intervals import difference_interval, mean_interval
from recsys.evaluation.metrics import Ids, Numbers

BASELINE = "popular"
# history lengths, both ends included
SLICES = {"cold": (0, 2), "short": (3, 9), "long": (10, None)}


def evaluate(
    methods: Mapping[str, Ids],
    targets: Ids,
    *,
    popularity: NDArray[Any],
    n_items: int,
    seed: int,
    seconds: Mapping[str, float] | None = None,
    history_lengths: NDArray[Any] | None = None,
    headline: str | None = None,
    protocol: str = "temporal",
    mode: str = "full catalogue",
    k: int = 10,
) -> dict[str, Any]:
    """Every method's metrics with 95 % intervals, and its paired difference to `popular`.

    `headline` is the method that the verdict is about. It is named before measuring (or is the
    last one given), not picked by its score: the best of many looks better than it is.
    """
    _refuse(methods, targets, headline)
    others = [name for name in methods if name != BASELINE]
    result = {
        "protocol": protocol,
        "mode": mode,
        "k": k,
        "seed": seed,
        "n_users": len(targets),
        "n_items": n_items,
        "headline": headline or (others or [BASELINE])[-1],
        "methods": {
            name: _accuracy(name, methods, targets, k, seed)
            | _variety(lists, popularity, n_items, k)
            | {"seconds_score": (seconds or {}).get(name)}
            for name, lists in methods.items()
        },
    }
    if history_lengths is not None:
        result["slices"] = _slices(methods, targets, history_lengths, k, seed)
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


def _refuse(methods: Mapping[str, Ids], targets: Ids, headline: str | None) -> None:
    if not len(targets):
        raise TailorError("no shopper to measure", where="evaluate", fix="widen the target window")
    for name in filter(None, [BASELINE, headline]):
        if name not in methods:
            raise TailorError(
                f"no lists of method {name!r} among {sorted(methods)}",
                where="evaluate",
                fix=f"pass the lists of {name!r} too",
            )


def _accuracy(
    name: str, methods: Mapping[str, Ids], targets: Ids, k: int, seed: int
) -> dict[str, Any]:
    """Accuracy of one method with intervals; the same seed pairs the draws of all methods."""
    values: dict[str, Numbers] = {
        f"ndcg@{k}": metrics.ndcg(methods[name], targets, k),
        f"hr@{k}": metrics.hit_rate(methods[name], targets, k),
        f"mrr@{k}": metrics.reciprocal_rank(methods[name], targets, k),
    }
    result: dict[str, Any] = {}
    for metric, each in values.items():
        interval = mean_interval(each, seed=seed)
        result |= {metric: interval.mean, f"{metric}_ci": interval.bounds}
    if name != BASELINE:
        theirs = metrics.ndcg(methods[BASELINE], targets, k)
        difference = difference_interval(values[f"ndcg@{k}"], theirs, seed=seed)
        result["against_popular"] = {
            f"ndcg@{k}_diff": difference.mean,
            "ci": difference.bounds,
        }
    return result


def _variety(lists: Ids, popularity: NDArray[Any], n_items: int, k: int) -> dict[str, Any]:
    return {
        f"coverage@{k}": metrics.coverage(lists, n_items, k),
        f"novelty@{k}": metrics.novelty(lists, popularity, k),
        f"popularity@{k}": metrics.mean_popularity(lists, popularity, k),
        "users_without_list": int(np.sum((lists[:, :k] == metrics.PADDING).all(axis=1))),
    }


def _slices(
    methods: Mapping[str, Ids], targets: Ids, lengths: NDArray[Any], k: int, seed: int
) -> dict[str, Any]:
    result = {}
    for name, (least, most) in SLICES.items():
        inside = (lengths >= least) & (lengths <= (np.inf if most is None else most))
        if not inside.any():
            continue
        part = {method: lists[inside] for method, lists in methods.items()}
        result[name] = {
            "history": f"{least} or more" if most is None else f"{least} to {most}",
            "n_users": int(inside.sum()),
            "methods": {m: _accuracy(m, part, targets[inside], k, seed) for m in part},
        }
    return result
