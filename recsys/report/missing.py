"""What a report does not have: one line per section that says why, so that none vanishes."""

from collections.abc import Mapping
from typing import Any

ONE_SOURCE = "it was trained with one source; `personalizer.hypernet.embedding` takes both"
NOT_MADE = "this release has no preference task, the stage that makes it did not run"


def missing(content: Mapping[str, Any]) -> dict[str, str]:
    """Why, by section, for those without data."""
    evaluation, run, more = content["evaluation"], content["run"], content["more"]
    preference = more.get("preference")
    laws = (preference or {}).get("laws") or {}
    lines = {
        "slices": "no slices were measured" if not evaluation.get("slices") else "",
        "funnel": "no steps were measured" if not evaluation.get("funnel") else "",
        "decision": "" if more.get("decision") else "nothing was decided: nothing is held back",
        "preference": "" if laws else NOT_MADE,
        "calibration": _of_preference(laws, "calibration"),
        "positions": _of_preference(laws, "positions"),
        "bias": "" if more.get("bias") else "it was not measured",
        "leak": "" if run.get("leak") else "no probe was run",
        "drift": _drift(more.get("drift")),
        "freshness": "" if more.get("freshness") else "no view of the features was looked at",
        "costs": "" if more.get("costs") else "nothing was timed",
        "examples": "" if content["examples"] else "none were asked for (`report.examples`)",
        "trend": _trend(more.get("trend")),
        "input": "" if run.get("rows_read") or run.get("quarantined") else "no counts were kept",
        **_ablations(more.get("ablations"), laws),
    }
    return {section: why for section, why in lines.items() if why}


def _of_preference(laws: Mapping[str, Any], key: str) -> str:
    if not laws:
        return NOT_MADE
    return "" if any(law.get(key) for law in laws.values()) else "the preference task kept none"


def _drift(drift: Mapping[str, Any] | None) -> str:
    if drift is None:
        return "the results database has nothing that the quality watch measured of these features"
    if not drift["compared"]:
        return f"nothing was live to drift from; all {drift['checks']} checks were of these alone"
    return ""


def _trend(trend: Any) -> str:
    return "" if trend and len(trend) > 1 else "a history takes two releases"


def _ablations(ablations: Mapping[str, Any] | None, laws: Mapping[str, Any]) -> dict[str, str]:
    proof = (ablations or {}).get("proof")
    tried = (ablations or {}).get("weights_tried")
    joined = any(law.get("ablations") for law in laws.values())
    return {
        "proof": "" if proof else "no proof is in the manifest of the hypernetwork",
        "weights": "" if tried else "no weight was tried: the hypernetwork is not proved",
        "summary": "" if joined else NOT_MADE,
        "embedding": "" if (ablations or {}).get("embeddings") else "it was not measured",
        "adapter_embedding": "" if (proof or {}).get("alone") else ONE_SOURCE,
    }
