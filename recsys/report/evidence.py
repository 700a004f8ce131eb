"""What a run measured on its way, for the report: from manifests, tables and the database."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from features.materialize import summary
from recsys.artifacts import Artifact
from recsys.pipeline.moments import RunMoments
from recsys.results import quality, records
from recsys.settings import Settings
from recsys.tables import read_json

Inputs = Mapping[str, Artifact]

DRIFT = ("psi", "ks", "change of nulls")
TOLD = 12  # drifts, the largest first
_DAY = timedelta(days=1)
_BLEND = "blend.json"


def ablations(inputs: Inputs) -> dict[str, Any]:
    """What the adapter is worth without the shopper's own vector, and the weights tried.

    Loss per token on pairs held out; the difference is how much worse the other vector does.
    """
    proof = inputs["hypernet"].manifest.metrics.get("proof")
    blend = read_json(inputs["blend"].path / _BLEND)
    return {
        "proof": proof,
        "weight": blend["weight"],
        "left_out": blend.get("why", ""),
        "weights_tried": [
            {"weight": float(weight), "ndcg": value} for weight, value in blend["ndcg"].items()
        ],
    }


def freshness(inputs: Inputs, settings: Settings) -> list[dict[str, Any]]:
    """Rows, newest row and age of every view of the moment that serves, and the age allowed."""
    moments = RunMoments.read(inputs["features"].path)
    name = moments.names[-1]
    now: datetime = getattr(moments, name)
    folders = [inputs["features"].path / name, inputs["embeddings"].path / name]
    folders += [inputs["profiles"].path] if "profiles" in inputs else []
    found = []
    for folder in folders:
        for view in sorted(each for each in folder.iterdir() if each.is_dir()):
            rows, latest = _summary(str(view))
            if rows is None or latest is None:
                continue
            allowed = _allowed(view.name, settings)
            age = max(now - latest, timedelta(0))
            found.append(
                {
                    "view": view.name,
                    "rows": rows,
                    "latest": latest,
                    "age_days": age / _DAY,
                    "max_age_days": None if allowed is None else allowed / _DAY,
                    "stale": allowed is not None and age > allowed,
                }
            )
    return found


def _summary(folder: str) -> tuple[int | None, datetime | None]:
    try:
        return summary(folder)
    except (KeyError, ValueError, OSError):  # a table beside the views, without a time of its own
        return None, None


def _allowed(view: str, settings: Settings) -> timedelta | None:
    from features.repo.views import SPECS

    return settings.features.store.max_age_of(view) if view in SPECS else None


def drift(engine: Engine, inputs: Inputs) -> dict[str, Any] | None:
    """What the quality watch measured of these features; None where nothing is noted."""
    checks = quality.latest(engine, inputs["quality"].version) if "quality" in inputs else []
    if not checks:
        return None
    moved = sorted((one for one in checks if one.measure in DRIFT), key=lambda one: -one.value)
    return {
        "checks": len(checks),
        "compared": bool(inputs["quality"].manifest.metrics.get("compared")),
        "breached": [_told(one) for one in checks if one.breached],
        "largest": [_told(one) for one in moved[:TOLD]],
    }


def _told(check: quality.Check) -> dict[str, Any]:
    told = check._asdict()
    del told["made_at"]
    return told


def costs(inputs: Inputs, evaluation: Mapping[str, Any], hour_price: float) -> dict[str, Any]:
    """Seconds per 1,000 shoppers of every way to lists, and of the profiles."""
    n = evaluation["n_users"]
    methods = {
        name: 1000 * method["seconds_score"] / n
        for name, method in evaluation["methods"].items()
        if method.get("seconds_score") is not None
    }
    return {
        "lists": methods,
        "profiles": _profile_costs(inputs),
        "hour_price": hour_price,
        "priced": {name: seconds / 3600 * hour_price for name, seconds in methods.items()},
    }


def _profile_costs(inputs: Inputs) -> dict[str, float] | None:
    told = inputs["profiles"].manifest.metrics if "profiles" in inputs else {}
    written = told.get("written", 0) + told.get("updated", 0)
    if not written:
        return None
    return {name: 1000 * told[name] / written for name in ("seconds", "calls", "tokens")}


def trend(engine: Engine) -> list[dict[str, Any]]:
    """The headline numbers of the releases so far, oldest first."""
    return [
        {"release": release, "created_at": at, "headline": numbers}
        for release, at, numbers in records.headlines(engine)
    ]


def parameters(inputs: Inputs) -> dict[str, Any]:
    """Every setting that a part of the release depends on."""
    merged: dict[str, Any] = {}
    for artifact in inputs.values():
        merged |= {k: v for k, v in artifact.manifest.parameters.items() if k != "raw"}
    return dict(sorted(merged.items()))
