"""The report: all methods measured on what shoppers bought after the models were trained."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from recsys.arrays import Ints
from recsys.artifacts.store import Draft
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.case import Case
from recsys.evaluation.harness import evaluate, funnel
from recsys.ladder import Rung
from recsys.lists import Lists
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.lists import places, recommender_at
from recsys.recommend import Recommender
from recsys.shoppers import Shoppers

with extra("report"):
    from recsys.report.build import build

# methods of the report by the highest rung each may reach; the last is what serves
METHODS = {
    "popular": Rung.POPULAR,
    "retrieval": Rung.RETRIEVAL,
    "ranker": Rung.RANKER,
    "tailor": Rung.ADAPTED_LM,
}
_K = 10
_WIDTH = 20  # the longest list that is measured
_EXAMPLES = 3


def report(context: Context, draft: Draft) -> None:
    """Measure all methods on what shoppers bought after the models were trained."""
    seed, inputs = context.settings.seed, context.inputs
    case = Case.of(inputs, "report")
    catalogue, shoppers, targets = case.catalogue, case.shoppers, case.targets
    recommender = recommender_at(context, "eval", catalogue)
    made, seconds = _all_methods(context, recommender, shoppers)
    evaluation = evaluate(
        {name: lists.items for name, lists in made.items()},
        targets,
        popularity=case.popularity,
        n_items=len(catalogue),
        seed=seed,
        slices=case.slices(),
        seconds_score=seconds,
        headline="tailor",
        k=_K,
    )
    evaluation["funnel"] = _funnel(recommender, shoppers, made, targets)
    probe = case.probe(seed)
    moments = RunMoments.read(inputs["features"].path)
    about = _about(context, moments, draft.manifest.version) | {"leak": probe}
    examples = _examples(shoppers, made["tailor"], targets, catalogue)
    build(evaluation, about, examples, draft.path)
    draft.describe(metrics={"headline": _headline(evaluation, probe)})


def _all_methods(
    context: Context, recommender: Recommender, shoppers: Shoppers
) -> tuple[dict[str, Lists], dict[str, float]]:
    made, seconds = {}, {}
    for done, (name, rung) in enumerate(METHODS.items(), start=1):
        began = time.monotonic()
        made[name] = recommender.recommend(
            shoppers, _WIDTH, highest=rung, explain=rung is Rung.ADAPTED_LM
        )
        seconds[name] = round(time.monotonic() - began, 3)
        context.observer.progress("report", done, len(METHODS))
    return made, seconds


def _funnel(
    recommender: Recommender, shoppers: Shoppers, lists: Mapping[str, Lists], targets: Ints
) -> list[dict[str, Any]]:
    """Recall on the way: the whole pool, the head the model reorders, the final list."""
    options = recommender.options
    pool = recommender.recommend(shoppers, options.pool, highest=Rung.RETRIEVAL)
    head = recommender.recommend(shoppers, max(options.rerank, _K), highest=Rung.RANKER)
    steps = {
        "candidates": pool.items,
        "ranker": head.items,
        "tailor": lists["tailor"].items[:, :_K],
    }
    return funnel(steps, targets)


def _examples(
    shoppers: Shoppers, lists: Lists, targets: Ints, catalogue: Catalogue
) -> list[dict[str, Any]]:
    """The first shoppers in the order of a hash that have some history: not picked by result."""
    rows = np.flatnonzero(shoppers.lengths >= 4)[:_EXAMPLES]
    rows = rows if len(rows) else np.arange(min(_EXAMPLES, len(shoppers)))
    return [
        {
            "user_id": str(shoppers.user_ids[row]),
            "rung": str(lists.rung[row]),
            "why": str(lists.why[row]),
            "history": [{"title": catalogue.titles[item]} for item in shoppers.history(row)[-8:]],
            "items": [
                {
                    "title": catalogue.titles[item],
                    "score": float(score),
                    "reason": reason,
                    "bought": bool(item == targets[row]),
                }
                for item, score, reason in places(lists, row)[:_K]
            ],
        }
        for row in rows
    ]


def _about(context: Context, moments: RunMoments, version: str) -> dict[str, Any]:
    """What the report is about: data, moments, and the versions everything was made from."""
    ingested = context.inputs["tables"].manifest.metrics
    return {
        "release": f"candidate {version}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cut": {name: getattr(moments, name) for name in moments.names},
        "n_purchases": ingested["purchases"],
        "rows_read": ingested["rows"],
        "quarantined": [
            {"table": table, "reason": reason, "rows": rows}
            for table, reasons in ingested["quarantined"].items()
            for reason, rows in reasons.items()
        ],
        "reproduce": ["tailor run --reviews FILE… --items FILE… --until report"],
        "lineage": {kind: artifact.version for kind, artifact in context.inputs.items()},
        "models": {
            kind: context.inputs[kind].manifest.metrics
            for kind in ("ranker", "lm", "hypernet", "blend")
        },
    }


def _headline(evaluation: Mapping[str, Any], probe: Mapping[str, Any]) -> dict[str, Any]:
    """The few figures that go into the release and the trend."""
    return {
        f"{name} ndcg@{_K}": round(method[f"ndcg@{_K}"], 5)
        for name, method in evaluation["methods"].items()
    } | {"shoppers": evaluation["n_users"], "leak probe passed": probe["passed"]}
