"""What every scorer keeps to: rows and places are independent, and nobody sees the answer."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import SettingsError
from recsys.evaluation.preference.figures import cleaned, picks
from recsys.evaluation.preference.harness import Harness
from recsys.evaluation.preference.joined import HEADLINE, join
from recsys.evaluation.preference.probes import probe
from recsys.evaluation.preference.scorers import SCORERS, chosen
from recsys.evaluation.preference.scorers.base import Scorer
from recsys.evaluation.preference.scorers.prompted import ROWS, choice_of, choices
from tests.recsys.preference import world
from tests.recsys.shop import make_shop

BY_ITSELF = [
    name
    for name, kind in SCORERS.items()
    if not kind.model and name not in {"ranker", "sasrec", "als"}
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def asked(shop):
    return world.asked(shop, "similar")


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_row_depends_on_its_own_question_and_a_score_on_no_place(asked, name):
    scorer = SCORERS[name]()
    whole = cleaned(scorer.score(asked.view))
    assert whole.shape == asked.view.options.shape
    some = asked.view.take(np.array([7, 3]))
    assert np.allclose(cleaned(scorer.score(some)), whole[[7, 3]], atol=1e-5)
    turned = replace(asked.view, options=np.ascontiguousarray(asked.view.options[:, ::-1]))
    assert np.allclose(cleaned(scorer.score(turned)), whole[:, ::-1], atol=1e-5)


def accuracy(asked, name):
    ties = SCORERS["random"]().score(asked.view)
    return float(
        (picks(cleaned(SCORERS[name]().score(asked.view)), ties) == asked.questions.right).mean()
    )


def test_the_category_gives_the_answer_away_under_uniform_and_never_under_its_own(shop):
    uniform, own = world.asked(shop, "uniform"), world.asked(shop, "same-category")
    assert accuracy(uniform, "category_overlap") == 1
    assert accuracy(own, "category_overlap") == 0, "it can't tell them apart, and abstains"
    for made, told in ((uniform, 1), (own, None)):
        probes = probe(made.view, made.questions)
        assert ("category_overlap" in probes["above_chance"]) == (told is not None)


def test_who_follows_links_finds_the_refill(shop):
    made = world.asked(shop, "same-category")
    assert accuracy(made, "transition") > 0.5
    assert accuracy(made, "random") < 0.5


def test_probes_tell_what_the_options_alone_give_away(shop):
    made = world.asked(shop, "same-category")
    found = probe(made.view, made.questions)
    assert found["chance"] == 0.25
    assert found["position"] <= 0.27
    assert {"popularity_most", "length_longest", "price_lowest", "position_4"} <= set(
        found["guessers"]
    )


def test_the_joined_model_beats_its_parts_and_says_what_each_adds(shop):
    harness = Harness(world.task(shop, "same-category"), seed=1)
    harness.all(chosen(["popularity", "transition", "minilm_best"]), lambda _: None)
    ablations = join(harness)
    told = {name: each.hits.mean() for name, each in harness.scored.test.items()}
    assert told[HEADLINE] >= max(told.values()) - 0.05
    assert told[HEADLINE] > told["popularity"]
    assert {"plain_sum", "tailor_without_trees"} <= set(ablations)
    assert "tailor_without_model" not in ablations, "there is no model here"
    assert harness.weights["trees"] != 0


def test_a_scorer_that_fails_or_can_not_is_left_out_and_says_why(shop):
    class Broken(Scorer):
        name, told = "broken", "breaks"

        def score(self, view):
            raise ValueError("out of order")

    harness = Harness(world.task(shop, "same-category"), seed=1)
    scored = harness.all([Broken, *chosen(["p2p", "ranker", "popularity", "direct"])], print)
    assert list(scored.test) == ["popularity"]
    assert scored.failed["broken"] == "out of order"
    assert {"p2p", "ranker", "direct"} <= set(scored.failed)


def test_scorers_are_chosen_by_name():
    assert {kind.name for kind in chosen()} >= {"random", "bm25", "p2p", "base"}
    assert not {kind.name for kind in chosen()} & set(ROWS)
    assert len(chosen(["all"])) == len(SCORERS)
    assert len(ROWS) == 10
    with pytest.raises(SettingsError, match="unknown scorer"):
        chosen(["oracle"])


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("[2]", 1),
        ("The person would buy [3], the cream of 50 ml.", 2),
        ("4", 3),
        ("Option 1.", 0),
        ("I'm sorry, I can't tell; perhaps [1].", None),
        ("Either [1] or [2].", None),
        ("[7]", None),
        ("Hard to say.", None),
        ("", None),
    ],
)
def test_a_choice_is_read_from_words_or_is_none(text, choice):
    assert choice_of(text, 4) == choice


def test_who_names_nothing_abstains():
    found = cleaned(choices(["[1]", "sorry"], 4))
    assert picks(found, np.ones((2, 4))).tolist() == [0, -1]
