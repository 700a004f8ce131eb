"""A release is asked what its shoppers bought next, before it is reported on."""

import json

import pytest

from recsys.artifacts import ArtifactStore
from recsys.errors import SettingsError
from recsys.evaluation.preference.run import measure
from recsys.pipeline.observer import Silent
from recsys.pipeline.parts import PREFERENCE, temperatures
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.preference import preference
from tests import tiny


@pytest.mark.spark
def test_the_figures_of_a_release_are_kept_by_law(published):
    made = published.result.artifacts["preference"]
    told = json.loads((made.path / PREFERENCE).read_text())
    assert set(told["laws"]) == {"next"}, told["left_out"]
    law = told["laws"]["next"]
    assert law["n"] > 5
    assert law["headline"] == "tailor"
    assert {"slices", "calibration", "positions", "paired", "examples"} <= set(law)
    assert made.manifest.metrics["next"]["n"] == law["n"]
    # what the service divides by is what made the ranker's shares honest
    served = temperatures(published.result.artifacts)
    assert served["ranker"] == law["calibration"]["ranker"]["temperature"]


@pytest.mark.spark
def test_a_release_is_not_asked_what_it_has_learned(published, tmp_path):
    settings = tiny.settings(published.path)
    chosen = settings.report.preference.model_copy(update={"laws": ("uniform",)})
    report = settings.report.model_copy(update={"preference": chosen})
    settings = settings.model_copy(update={"report": report})
    context = Context(settings, ArtifactStore(published.path), Silent())
    context.inputs.update(published.result.artifacts)
    with pytest.raises(SettingsError, match="what it has learned"):
        preference(context, None)


@pytest.mark.spark
def test_every_way_of_personalising_is_measured_or_says_why_not(published):
    settings = tiny.settings(published.path)
    names = ("rag", "pag", "full_history", "mt_lora", "oppu", "prefix", "p2p_profile", "direct")
    branch = settings.report.preference.model_copy(update={"methods": names})
    report = settings.report.model_copy(update={"preference": branch})
    settings = settings.model_copy(update={"report": report})
    result = measure(published.result.artifacts, settings, "next-uniform", most=8).to_json()
    assert set(result["methods"]) | set(result["failed"]) == {*names, "tailor"}
    assert set(result["failed"]) == {"direct"}, result["failed"]
    assert all(0 <= each["accuracy"] <= 1 for each in result["methods"].values())
