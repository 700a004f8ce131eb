"""All ways of personalising on a tiny shop: the figures by the names that are a contract."""

from dataclasses import replace

import pytest

from personalizer.methods import methods
from recsys.evaluation.personal import run as evaluation
from recsys.evaluation.personal.people import part
from recsys.evaluation.personal.run import Subject, language_model, measure
from recsys.pipeline.observer import Silent
from recsys.pipeline.parts import catalogue_of, shoppers_at
from tests import tiny
from tests.conftest import Home


@pytest.fixture(scope="module")
def subject(published: Home) -> Subject:
    settings, inputs = tiny.settings(published.path), dict(published.result.artifacts)
    catalogue = catalogue_of(inputs)
    everybody = shoppers_at(inputs, "serve", catalogue)
    people = part(catalogue, everybody, half_life=5.0, most=25, seed=0)
    return Subject(catalogue, people, settings, replace(settings.personalizer.hypernet, steps=4))


@pytest.fixture(scope="module")
def told(subject, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "OPPU_SHOPPERS", 3)
        patch.setattr(evaluation, "LM_STEPS", 5)
        lm, seconds = language_model(subject, tmp_path_factory.mktemp("lm"), Silent())
        return measure(subject, lm, seconds, Silent())


def test_every_method_is_measured(told):
    assert set(told["methods"]) == set(methods())
    for name, figures in told["methods"].items():
        assert set(figures) == {"accuracy", "ci", "ms_per_question"}, name
        low, high = figures["ci"]
        assert low <= figures["accuracy"] <= high
        assert figures["ms_per_question"] > 0


def test_controls_splits_and_speed_are_there(told, subject):
    assert set(told["controls"]) == {"shuffled", "random", "zero"}
    assert {name: set(each) for name, each in told["splits"].items()} == {
        "random": {"p2p", "base"},
        "ood": {"p2p", "base"},
    }
    assert told["splits"]["random"]["p2p"]["accuracy"] == told["methods"]["p2p"]["accuracy"]
    assert set(told["batch64_ms"]) == {"p2p", "peft_adapter_names", "base"}
    assert set(told["batch64_new_users_ms"]) == {"p2p", "peft_adapter_names"}
    assert told["adapters_per_second"] > 0
    assert told["oppu_seconds_per_user"] > 0
    assert told["train_seconds"] > 0
    assert told["n_users"] == len(subject.people.asked["random"])


def test_the_language_model_never_read_a_history_of_somebody_who_is_asked(subject):
    texts = evaluation.texts_of(subject.catalogue, subject.people.teachers)
    histories = [text for text in texts if "\n" in text]
    assert len(histories) <= len(subject.people.teachers)
    assert histories
