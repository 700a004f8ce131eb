"""What changed between the reports of two releases: figures, slices, settings, parts.

Where both asked the same shoppers for the same items, differences are paired; else the two
intervals stand side by side, and nothing is claimed from them.
"""

from collections.abc import Mapping
from typing import Any

from recsys.evaluation.intervals import difference_interval
from recsys.report.published import ReleaseReport

_NOTHING: dict[str, Any] = {}


def compare(before: ReleaseReport, after: ReleaseReport) -> dict[str, Any]:
    """Tell everything that changed from one to the other."""
    one, two = before.content, after.content
    k = two["evaluation"]["k"]
    pairs, paired = _paired(before, after, two["evaluation"]["seed"])
    return {
        "before": before.release,
        "after": after.release,
        "verdicts": [one["verdict"]["text"], two["verdict"]["text"]],
        "shoppers": [one["evaluation"]["n_users"], two["evaluation"]["n_users"]],
        "paired_shoppers": pairs,
        "figures": _figures(one["evaluation"], two["evaluation"], k, paired),
        "slices": _slices(one["evaluation"], two["evaluation"], k),
        "decision": _changed(_served(one), _served(two)),
        "settings": _changed(_more(one, "settings"), _more(two, "settings")),
        "lineage": _changed(one["run"].get("lineage", {}), two["run"].get("lineage", {})),
    }


def _paired(
    before: ReleaseReport, after: ReleaseReport, seed: int
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Paired differences by method, over shoppers asked the same by both."""
    one, two = before.gains, after.gains
    if one is None or two is None:
        return 0, {}
    rows, others = one.paired(two)
    if not len(rows):
        return 0, {}
    found = {}
    for name in two.methods:
        if name in one.methods:
            ours, theirs = two.methods[name][others], one.methods[name][rows]
            told = difference_interval(ours, theirs, seed=seed)
            found[name] = {"difference": told.mean, "ci": told.bounds}
    return len(rows), found


def _figures(
    one: Mapping[str, Any], two: Mapping[str, Any], k: int, paired: Mapping[str, Any]
) -> list[dict[str, Any]]:
    names = dict.fromkeys([*one["methods"], *two["methods"]])
    ndcg = f"ndcg@{k}"
    return [
        {
            "method": name,
            "before": _of(one["methods"].get(name), ndcg),
            "before_ci": _of(one["methods"].get(name), f"{ndcg}_ci"),
            "after": _of(two["methods"].get(name), ndcg),
            "after_ci": _of(two["methods"].get(name), f"{ndcg}_ci"),
            "paired": paired.get(name),
        }
        for name in names
    ]


def _of(told: Mapping[str, Any] | None, key: str) -> Any:
    return told.get(key) if told else None


def _slices(one: Mapping[str, Any], two: Mapping[str, Any], k: int) -> list[dict[str, Any]]:
    """What serves, by slice: NDCG and the difference to popularity, then and now."""
    then, now = (each["methods"][each["headline"]].get("slices", {}) for each in (one, two))
    return [
        {
            "slice": name,
            "before": _of(then.get(name), f"ndcg@{k}"),
            "before_ci": _of(then.get(name), f"ndcg@{k}_ci"),
            "after": _of(now.get(name), f"ndcg@{k}"),
            "after_ci": _of(now.get(name), f"ndcg@{k}_ci"),
        }
        for name in dict.fromkeys([*then, *now])
    ]


def _served(content: Mapping[str, Any]) -> dict[str, Any]:
    decision = _more(content, "decision")
    if not decision:
        return {}
    slices = {name: part["choice"]["rung"] for name, part in decision["slices"].items()}
    return {"everyone": decision["default"]["rung"], **slices}


def _more(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    told: dict[str, Any] = content.get("more", _NOTHING).get(key) or {}
    return told


def _changed(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Keys whose values differ: [then, now]; None where there was none."""
    return {
        key: [one.get(key), two.get(key)]
        for key in dict.fromkeys([*one, *two])
        if one.get(key) != two.get(key)
    }
