import numpy as np
import pytest
import torch
from torch import nn

from personalizer.proof import cross_gradients, paired, prove
from personalizer.train.pairs import held_out


@pytest.fixture(scope="module")
def unseen(world):
    vectors, tastes = world.shoppers(150, seed=40)
    return vectors, world.purchases(tastes, seed=41)


def test_a_trained_hypernetwork_is_proved(trained, unseen):
    verdict = prove(trained.lm, trained.hypernet, *unseen, shelf=trained.world.titles)
    assert verdict.proved, verdict.why
    assert set(verdict.against) == {"shuffled", "random", "zero", "base"}
    assert verdict.against["shuffled"].low > 0.05
    assert verdict.cross_gradient == 0
    assert verdict.least_gradient > 0
    document = verdict.document()
    assert document["against"]["shuffled"]["mean"] == pytest.approx(
        document["losses"]["shuffled"] - document["losses"]["real"], abs=1e-5
    )


def test_one_that_tells_nobody_apart_is_refused(trained, unseen, fresh):
    verdict = prove(trained.lm, fresh, *unseen)
    assert not verdict.proved
    assert "shuffled does not lose" in verdict.why or "gradient" in verdict.why
    assert verdict.against["shuffled"].mean == pytest.approx(0, abs=1e-6)


def test_one_that_is_right_about_everybody_and_nobody_is_refused(trained, unseen):
    """Vectors that say nothing of what is bought: real and shuffled are alike."""
    vectors, titles = unseen
    mute = np.random.default_rng(0).permutation(vectors)
    verdict = prove(trained.lm, trained.hypernet, mute, titles)
    assert not verdict.proved
    assert "does not lose" in verdict.why


def test_a_rival_that_is_as_good_is_an_objection(trained, unseen):
    verdict = prove(trained.lm, trained.hypernet, *unseen, rivals={"mt_lora": np.zeros(150)})
    assert not verdict.proved
    assert verdict.why.startswith("mt_lora does not lose")


class FirstForAll(nn.Module):
    """A broken one: every row gets the first shopper's adapter."""

    def __init__(self, network):
        super().__init__()
        self.network, self.config = network, network.config

    def forward(self, users):
        return self.network(users[:1].expand_as(users))

    def attach(self, model):
        return self.network.attach(model)


def test_the_first_shoppers_adapter_for_all_is_seen(trained, unseen):
    broken = FirstForAll(trained.hypernet)
    assert cross_gradients(broken, unseen[0][:4]) > 1e-3
    assert cross_gradients(trained.hypernet, unseen[0][:4]) == 0
    verdict = prove(trained.lm, broken, *unseen)
    assert "depends on another's" in verdict.why


def test_paired_differences_by_hand():
    worse, better = np.array([3.0, 1.0] * 50), np.array([2.0, 1.0] * 50)
    interval = paired(worse, better, seed=0)
    assert interval.mean == 0.5
    # the standard error of a hundred draws of 0 or 1 is .05
    assert interval.low == pytest.approx(0.4, abs=0.02)
    assert interval.high == pytest.approx(0.6, abs=0.02)


def test_what_is_held_out_is_what_training_leaves_out(world):
    vectors, tastes = world.shoppers(50, seed=1)
    titles = ["", *world.purchases(tastes, seed=2)[1:]]
    some, told = held_out(vectors, titles, seed=3)
    assert len(some) == len(told) == 4
    for vector, title in zip(some, told, strict=True):
        row = int(np.flatnonzero((vectors == vector).all(axis=1))[0])
        assert titles[row] == title
    assert torch.is_tensor(torch.from_numpy(some))
