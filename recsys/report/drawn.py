"""Which plots a report has, by name; where there is nothing to draw there is none."""

from collections.abc import Mapping
from typing import Any

from recsys.evaluation.harness import BASELINE
from recsys.report.formats import number, percent
from recsys.report.plots import Difference, dot_plot, forest, line, reliability

# slices that a picture has room for
SHOWN = (
    "tie_safe", "cold", "short", "long", "head_items", "torso_items", "tail_items", "new_items",
    "ood",
)  # fmt: skip
HEADLINE = "tailor"


def drawn(content: Mapping[str, Any]) -> dict[str, str]:
    """All plots as SVG."""
    evaluation, more = content["evaluation"], content["more"]
    plots = _methods(evaluation)
    slices = _slices(evaluation)
    if slices:
        label = f"{evaluation['headline']} minus {BASELINE}, by slice, with 95 % intervals"
        plots["slices"] = forest(slices, key="slices", label=label)
    laws = ((more.get("preference") or {}).get("laws")) or {}
    for law, told in laws.items():
        plots |= _law(law, told)
    points = _trend(more.get("trend") or [], evaluation)
    if len(points) > 1:
        plots["trend"] = line(
            points, key="trend", label=f"NDCG@{evaluation['k']} of what served, by release"
        )
    return plots


def _methods(evaluation: Mapping[str, Any]) -> dict[str, str]:
    k, methods = evaluation["k"], evaluation["methods"]
    wanted = [(f"ndcg@{k}", f"NDCG@{k}", number), (f"hr@{k}", f"HR@{k}", percent)]
    return {
        title: dot_plot(
            methods,
            metric,
            headline=evaluation["headline"],
            label=f"{title} by method with 95 % intervals; the table has the numbers",
            show=show,
        )
        for metric, title, show in wanted
    }


def _slices(evaluation: Mapping[str, Any]) -> list[Difference]:
    told, k = evaluation["methods"][evaluation["headline"]].get("slices", {}), evaluation["k"]
    return [
        (name.replace("_", " "), against[f"ndcg@{k}_diff"], *against["ci"])
        for name in SHOWN
        if (against := told.get(name, {}).get("against_popular"))
    ]


def _law(law: str, told: Mapping[str, Any]) -> dict[str, str]:
    """Accuracies of a law, and how sure its headline is."""
    methods = {
        name: {"accuracy": each["accuracy"], "accuracy_ci": each["ci"]}
        for name, each in told.get("methods", {}).items()
    }
    if not methods:
        return {}
    headline = told.get("headline", HEADLINE)
    plots = {
        f"law {law}": dot_plot(
            methods,
            "accuracy",
            headline=headline,
            label=f"Accuracy by method under the law {law}, with 95 % intervals",
            show=percent,
            key=f"law-{law}",
        )
    }
    bins = told.get("calibration", {}).get(headline, {}).get("bins")
    if bins:
        plots[f"reliability {law}"] = reliability(
            bins, key=f"reliability-{law}", label=f"Accuracy by confidence under the law {law}"
        )
    return plots


def _trend(trend: list[dict[str, Any]], evaluation: Mapping[str, Any]) -> list[tuple[str, float]]:
    figure = f"{evaluation['headline']} ndcg@{evaluation['k']}"
    return [
        (str(release["created_at"])[:10], release["headline"][figure])
        for release in trend
        if figure in release["headline"]
    ]
