"""The report: all methods measured on what shoppers bought after the models were trained."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from recsys.arrays import PAD, Ints
from recsys.artifacts.store import Draft
from recsys.errors import extra
from recsys.evaluation.bias import biases
from recsys.evaluation.case import Case
from recsys.evaluation.embeddings import without_each
from recsys.evaluation.harness import evaluate, funnel
from recsys.evaluation.metrics import ndcg
from recsys.ladder import Rung
from recsys.lists import Lists
from recsys.pipeline import champion
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.lists import recommender_at
from recsys.pipeline.stages.models import weighing
from recsys.recommend import Recommender
from recsys.report import evidence
from recsys.report.examples import chosen, examples
from recsys.report.shoppers import HEADLINE, Gains, digest, write_gains
from recsys.results import database
from recsys.tables import read_json, read_table

with extra("report"):
    from recsys.report.build import build

# the methods of the report, by the highest rung each may reach; then what serves, as it was decided
METHODS = {
    "popular": Rung.POPULAR,
    "persona": Rung.PERSONA,
    "retrieval": Rung.RETRIEVAL,
    "ranker": Rung.RANKER,
    "adapted": Rung.ADAPTED_LM,
}
PREFERENCE = "preference"
_K = 10
_WIDTH = 20  # the longest list that is measured


def report(context: Context, draft: Draft) -> None:
    """Measure all methods on shoppers who chose nothing of the release."""
    inputs, settings = context.inputs, context.settings
    case, measured_on = _case(context)
    recommender = recommender_at(context, "eval", case.catalogue)
    made, seconds = _all_methods(context, recommender, case)
    items = {name: lists.items[:, :_WIDTH] for name, lists in made.items()}
    evaluation = _evaluation(case, recommender, items, seconds, settings.seed)
    gains = {name: ndcg(each, case.targets, _K) for name, each in items.items()}
    evaluation["funnel"] = _funnel(recommender, case, made)
    probe, live = case.probe(settings.seed), champion.compare(context, case, gains[HEADLINE], _K)
    engine, pools = database.of(settings), made["retrieval"].items
    more = {
        "live": asdict(live) if live else None,
        "minimum_effect": settings.report.minimum_effect,
        "decision": read_json(inputs["decision"].path / "decision.json"),
        "preference": _preference(context),
        "bias": biases(items, case.targets, case.popularity, case.catalogue.prices, _K),
        "ablations": evidence.ablations(inputs)
        | {"embeddings": without_each(recommender, case, pools, seed=settings.seed)},
        "drift": evidence.drift(engine, inputs),
        "freshness": evidence.freshness(inputs, settings),
        "costs": evidence.costs(inputs, evaluation, settings.report.hour_price),
        "trend": evidence.trend(engine),
        "settings": evidence.parameters(inputs),
    }
    about = _about(context, draft.manifest.version) | {"leak": probe, "measured_on": measured_on}
    shown = _examples(context, recommender, case, made)
    build(evaluation, about, shown, draft.path, more)
    write_gains(_gains(case, gains), draft.path)
    headline = _headline(evaluation, probe)
    draft.describe(metrics={"headline": headline, champion.LIVE: live.release if live else ""})


def _case(context: Context) -> tuple[Case, str]:
    """Who is measured: nobody who decided what serves."""
    everyone = Case.of(context.inputs, "report")
    deciding, _ = weighing(context.inputs, everyone.catalogue, context.settings)
    case = everyone.without([str(user) for user in deciding.user_ids])
    left = len(everyone.shoppers) - len(case.shoppers)
    if not left and len(deciding):
        return case, "all shoppers, those who decided what serves among them: nobody else is left"
    return case, f"shoppers who decided nothing; {left:,} who did are left out"


def _arms(recommender: Recommender) -> dict[str, tuple[Recommender, Rung]]:
    """Every rung for everyone, then what serves; rungs that are the same method come once."""
    free = replace(recommender, decision=None)
    arms = {name: (free, rung) for name, rung in METHODS.items()}
    if not recommender.blend_weight:
        del arms["adapted"]  # without a weight it is the ranker
    if recommender.personas is None:
        del arms["persona"]
    return arms | {HEADLINE: (recommender, Rung.ADAPTED_LM)}


def _all_methods(
    context: Context, recommender: Recommender, case: Case
) -> tuple[dict[str, Lists], dict[str, float]]:
    """Lists of every method; retrieval's and the ranker's as long as the steps they feed."""
    options, arms = recommender.options, _arms(recommender)
    longer = {"retrieval": options.pool, "ranker": max(_WIDTH, options.rerank)}
    made, seconds = {}, {}
    for done, (name, (maker, rung)) in enumerate(arms.items(), start=1):
        began = time.monotonic()
        made[name] = maker.recommend(case.shoppers, longer.get(name, _WIDTH), highest=rung)
        seconds[name] = round(time.monotonic() - began, 3)
        context.observer.progress("report", done, len(arms))
    return made, seconds


def _evaluation(
    case: Case,
    recommender: Recommender,
    items: Mapping[str, Ints],
    seconds: Mapping[str, float],
    seed: int,
) -> dict[str, Any]:
    return evaluate(
        items,
        case.targets,
        popularity=case.popularity,
        n_items=len(case.catalogue),
        seed=seed,
        slices=case.slices() | case.more_slices(recommender.personas),
        seconds_score=seconds,
        headline=HEADLINE,
        against=("ranker", "retrieval"),
        k=_K,
    )


def _funnel(
    recommender: Recommender, case: Case, lists: Mapping[str, Lists]
) -> list[dict[str, Any]]:
    """Recall on the way: the whole pool, the head the model reorders, the final list."""
    head = max(recommender.options.rerank, _K)
    steps = {
        "candidates": lists["retrieval"].items,
        "ranker": lists["ranker"].items[:, :head],
        HEADLINE: lists[HEADLINE].items[:, :_K],
    }
    return funnel(steps, case.targets)


def _examples(
    context: Context, recommender: Recommender, case: Case, made: Mapping[str, Lists]
) -> list[dict[str, Any]]:
    """Make the lists of the shoppers that are shown once more, with reasons."""
    serving = made[HEADLINE].items[:, :_K]
    found = (serving == case.targets[:, None]).any(axis=1) & (case.targets != PAD)
    rows = chosen(case.shoppers, case.targets, found, context.settings.report.examples)
    shown = case.only(rows)
    lists = {
        name: maker.recommend(shown.shoppers, _WIDTH, highest=rung, explain=True)
        for name, (maker, rung) in _arms(recommender).items()
    }
    pool = made["retrieval"].items[rows]
    return examples(shown, lists, pool, profiles=_profiles(context), k=_K)


def _gains(case: Case, gains: Mapping[str, Any]) -> Gains:
    catalogue = case.catalogue
    return Gains(
        [digest(str(user)) for user in case.shoppers.user_ids],
        ["" if item == PAD else catalogue.item_ids[item] for item in case.targets],
        gains,
    )


def _preference(context: Context) -> dict[str, Any] | None:
    """The figures of the preference task, where a stage made them."""
    made = context.inputs.get(PREFERENCE)
    return read_json(made.path / "preference.json") if made else None


def _profiles(context: Context) -> dict[str, str]:
    """What was written of each shopper, as of the moment that serves."""
    made = context.inputs.get("profiles")
    if made is None or not (made.path / "user_profile").exists():
        return {}
    table = read_table(made.path / "user_profile", ["user_id", "profile"])
    return dict(zip(table["user_id"].to_pylist(), table["profile"].to_pylist(), strict=True))


def _about(context: Context, version: str) -> dict[str, Any]:
    """What the report is about: data, moments, and the versions everything was made from."""
    ingested = context.inputs["tables"].manifest.metrics
    moments = RunMoments.read(context.inputs["features"].path)
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
