"""A release is asked what its shoppers bought next, before it is reported on."""

import json
from dataclasses import replace

import pytest

from personalizer.profiles.methods import METHODS
from recsys.artifacts import ArtifactStore
from recsys.errors import SettingsError
from recsys.evaluation.preference.histories import ASKED
from recsys.evaluation.preference.run import measure
from recsys.evaluation.preference.scorers.prompted import ROWS
from recsys.pipeline.observer import Silent
from recsys.pipeline.parts import PREFERENCE, temperatures
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.preference import preference
from tests import openai_server, tiny


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


@pytest.mark.spark
def test_the_ten_rows_of_the_paper_are_asked_of_a_language_model(published):
    """It writes guidance and profiles like a good model, and then always takes the first."""

    def answer(prompt: str) -> str:
        if ASKED not in prompt:
            return openai_server.plausible(prompt)
        return "I am sorry" if "buy mostly" in prompt else "The answer is [1]."

    settings = tiny.settings(published.path)
    with openai_server.serving(openai_server.Model(answer=answer)) as (url, model):
        profiles = replace(
            settings.personalizer.profiles, generator="openai", url=url, model="a-model", tries=1
        )
        personalizer = replace(settings.personalizer, profiles=profiles)
        branch = settings.report.preference.model_copy(update={"methods": ROWS})
        report = settings.report.model_copy(update={"preference": branch})
        settings = settings.model_copy(update={"report": report, "personalizer": personalizer})
        told = measure(published.result.artifacts, settings, "next-uniform", most=8).to_json()
    assert told["failed"] == {}
    assert set(told["methods"]) == {*ROWS, "tailor"}
    refused = {name for name in ROWS if told["methods"][name]["abstained"] == 1}
    assert refused == {name for name in ROWS if METHODS[name.replace("_", "-")].profile}
    first = {told["methods"][name]["accuracy"] for name in ROWS if name not in refused}
    assert len(first) == 1, "the first option is as often right, whatever was shown"
    assert all(told["methods"][name]["accuracy"] == 0 for name in refused)
    asked = [body["messages"][-1]["content"] for body in model.asked]
    assert any("<purchases>" in prompt for prompt in asked)
