"""The preference task on a release's own shoppers: what they bought next, among other products."""

import json
from typing import Any

from recsys.artifacts.store import Draft
from recsys.errors import SettingsError, TailorError
from recsys.evaluation.preference.laws import LAWS, law_named
from recsys.evaluation.preference.run import measure
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.parts import PREFERENCE
from recsys.pipeline.stage import Context


def preference(context: Context, draft: Draft) -> None:
    """Measure the laws that the settings name, and keep all figures.

    A law that nobody can be asked by is left out, with its reason: a small shop still gets its
    release.
    """
    chosen = context.settings.report.preference
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name in chosen.laws:
        _check(name)
        try:
            if RunMoments.read(context.path("features")).protocol != "temporal":
                raise TailorError("by leave-one-out nobody has a next purchase to come")
            result = measure(
                context.inputs,
                context.settings,
                name,
                most=chosen.release_shoppers,
                observer=context.observer,
            )
            found[name] = result.to_json()
        except SettingsError:
            raise
        except TailorError as error:
            left_out[name] = str(error)
            context.observer.event("preference", "left out", f"{name}: {error}")
    document = {"laws": found, "left_out": left_out}
    (draft.path / PREFERENCE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draft.describe(
        metrics={
            name: {"n": law["n"], "tailor": round(law["methods"]["tailor"]["accuracy"], 5)}
            for name, law in found.items()
        }
    )


def _check(name: str) -> None:
    """Refuse a law whose answers the release's own models have learned from."""
    if law_named(name).answer == "hidden":
        asked = [law.name for law in LAWS.values() if law.answer == "next"]
        raise SettingsError(
            f"by the law {name!r} the release would be asked about what it has learned",
            where="report.preference.laws",
            fix=f"one of {', '.join(asked)}; `tailor evaluate preference` measures {name!r}",
        )
