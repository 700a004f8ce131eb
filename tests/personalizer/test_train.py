import dataclasses

import numpy as np
import pytest
import torch

from personalizer.errors import TrainingError
from personalizer.proof import gradient_reaches_every_user, row_independence, shuffled_loses
from personalizer.train import train
from tests.personalizer.conftest import HYPERNET

SHORT = dataclasses.replace(HYPERNET, steps=3)


@pytest.fixture(scope="module")
def pairs(world):
    vectors, tastes = world.shoppers(80, seed=20)
    return vectors, world.purchases(tastes, seed=21)


def test_training_helps_on_pairs_it_has_not_seen(trained):
    assert trained.training["loss_adapted"] < trained.training["loss_base"] - 0.05


def test_training_repeats_bit_by_bit(trained, pairs):
    first, second = (train(trained.lm, *pairs, SHORT, seed=4) for _ in range(2))
    assert first[1] == second[1]
    for one, two in zip(first[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_base_model_is_not_touched(trained, pairs):
    before = [p.clone() for p in trained.lm.model.parameters()]
    train(trained.lm, *pairs, SHORT, seed=4)
    after = trained.lm.model.parameters()
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_progress_reaches_the_end(trained, pairs):
    seen = []
    train(trained.lm, *pairs, SHORT, seed=4, progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_divergence_is_an_error_not_a_model(trained, pairs):
    wild = dataclasses.replace(HYPERNET, learning_rate=30.0, scale=50.0, steps=60)
    with pytest.raises(TrainingError, match="diverged"):
        train(trained.lm, *pairs, wild, seed=0)


def test_input_that_cannot_be_trained_on_is_refused(trained, pairs):
    vectors, titles = pairs
    with pytest.raises(TrainingError, match="vectors for"):
        train(trained.lm, vectors[:3], titles, SHORT, seed=0)
    with pytest.raises(TrainingError, match="pairs with a title"):
        train(trained.lm, vectors[:2], ["", "soap"], SHORT, seed=0)
    with pytest.raises(TrainingError, match="not finite"):
        train(trained.lm, vectors * np.float32("nan"), titles, SHORT, seed=0)


def test_fewer_pairs_than_a_batch_are_enough(trained, pairs):
    vectors, titles = pairs
    _, told = train(trained.lm, vectors[:5], titles[:5], SHORT, seed=0)
    assert told["pairs"] == 4


def test_row_i_depends_on_shopper_i_alone(trained, users):
    moved = row_independence(trained.hypernet, users)
    assert moved["own"] > 1e-3
    # products of another size may round otherwise; another's profile would show far above
    assert moved["others"] < 1e-6


def test_the_gradient_reaches_every_shopper(trained, world):
    vectors, tastes = world.shoppers(6, seed=30)
    norms = gradient_reaches_every_user(
        trained.lm, trained.hypernet, vectors, world.purchases(tastes, seed=31)
    )
    assert norms.shape == (6,)
    assert norms.min() > 1e-5


def test_someone_elses_vector_loses(trained, world):
    vectors, tastes = world.shoppers(200, seed=40)
    loss = shuffled_loses(trained.lm, trained.hypernet, vectors, world.purchases(tastes, seed=41))
    assert loss["real"] < loss["base"] - 0.05
    assert loss["real"] < loss["shuffled"] - 0.05
    assert loss["real"] < loss["zero"] - 0.05
