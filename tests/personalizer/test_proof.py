import numpy as np
import pytest
from torch import nn

from personalizer.proof import cross_gradients, paired, prove
from personalizer.rival import everybodys
from personalizer.train.pairs import parted


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
    _, tastes = world.shoppers(50, seed=1)
    titles = ["", *world.purchases(tastes, seed=2)[1:]]
    learn, held = parted(titles, seed=3)
    assert len(held) == 4
    assert sorted([*learn, *held]) == list(range(1, 50)), "what has no title is in neither"
    learn, held = parted(titles, seed=3, among=20)
    assert len(held) == 1
    assert held[0] < 20
    assert sorted([*learn, *held]) == list(range(1, 50)), "the others are all learned from"


def test_an_adapter_for_everybody_is_a_rival_of_the_same_size(trained, unseen):
    """It learns what sells, which is less than what she likes."""
    vectors, titles = unseen
    _, tastes = trained.world.shoppers(300, seed=50)
    learned, shelf = trained.world.purchases(tastes, seed=51), trained.world.titles
    config = trained.hypernet.config
    rival = everybodys(trained.lm, learned, titles, config, shelf=shelf, seed=1)
    assert rival.shape == (150,)
    half = np.where(np.arange(vectors.shape[1]) % 2, vectors, 0)
    verdict = prove(
        trained.lm, trained.hypernet, vectors, titles, shelf=shelf, rivals={"mt_lora": rival},
        parts={"half": half},
    )  # fmt: skip
    assert verdict.against["mt_lora"].low > 0
    assert verdict.losses["mt_lora"] == pytest.approx(rival.mean(), abs=1e-6)
    assert set(verdict.alone) == {"half"}
    assert "half" not in verdict.against, "what a part says proves nothing"
