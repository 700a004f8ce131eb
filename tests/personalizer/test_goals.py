"""What is learned from a purchase: its title, or to tell it from others."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from personalizer.errors import TrainingError
from personalizer.train import goal_of, train
from personalizer.train.goals import Choose, Tell
from tests.personalizer.conftest import HYPERNET

CHOOSING = dataclasses.replace(HYPERNET, others=3)


@pytest.fixture(scope="module")
def bought(world):
    return world.purchases(world.shoppers(40, seed=50)[1], seed=51)


@pytest.fixture(scope="module")
def choose(trained, world, bought):
    return goal_of(trained.lm, bought, world.titles, CHOOSING)


def test_without_a_shelf_or_others_the_title_is_told(trained, world, bought):
    assert isinstance(goal_of(trained.lm, bought, (), CHOOSING), Tell)
    alone = dataclasses.replace(CHOOSING, others=0)
    assert isinstance(goal_of(trained.lm, bought, world.titles, alone), Tell)
    assert isinstance(goal_of(trained.lm, bought, world.titles, CHOOSING), Choose)


def test_what_was_bought_stands_first_among_others_of_the_shelf(trained, world, bought, choose):
    rows = np.arange(8)
    places = choose.drawn(rows, np.random.default_rng(0))
    assert places.shape == (8, 4)
    texts = [trained.lm.tokenizer.decode(choose.titles.ids[p, 1:]) for p in places[:, 0]]
    assert [text.startswith(title) for text, title in zip(texts, bought[:8], strict=True)] == [
        True
    ] * 8
    assert set(places[:, 1:].ravel().tolist()) <= set(range(len(world.titles)))


def test_others_are_of_like_length(trained):
    shelf = ["soap " * words + letter for words in range(1, 21) for letter in "abcdefghijklmnop"]
    goal = goal_of(trained.lm, ["soap soap soap x", "soap " * 18 + "x"], shelf, CHOOSING)
    for row in (0, 1):
        lengths = goal.titles.lengths[goal.drawn(np.array([row]), np.random.default_rng(0))]
        assert np.ptp(lengths) <= 6


def test_a_model_without_adapters_can_only_guess(trained, choose):
    losses = choose.judge(trained.lm, np.arange(40))
    np.testing.assert_allclose(losses.numpy(), math.log(4), rtol=1e-4)


def test_the_same_rows_are_judged_alike(trained, world, choose):
    hypernet, vectors = trained.hypernet, torch.from_numpy(world.shoppers(40, seed=50)[0])
    told = []
    with torch.no_grad():
        for _ in range(2):
            with hypernet.attach(trained.lm.model).use(hypernet(vectors)):
                told.append(choose.judge(trained.lm, np.arange(40)))
    assert torch.equal(*told)


def test_a_shelf_that_is_too_small_is_refused(trained, bought):
    with pytest.raises(TrainingError, match="a shelf of 3 titles"):
        goal_of(trained.lm, bought, [bought[0], "a", "b", " "], CHOOSING)


def test_training_learns_to_choose(trained):
    assert trained.training["loss_adapted"] < 0.8 * trained.training["loss_base"]
    assert trained.hypernet.config.minus == "bare"


def test_a_hypernetwork_that_learned_to_tell_titles_says_so(trained, world):
    vectors, tastes = world.shoppers(40, seed=20)
    titles = world.purchases(tastes, seed=21)
    told, _ = train(trained.lm, vectors, titles, dataclasses.replace(HYPERNET, steps=2), seed=0)
    assert told.config.minus == "nobody"
