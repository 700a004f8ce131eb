import numpy as np
import pytest

from personalizer.errors import PersonalizerError, WeightsError
from personalizer.hypernet import HyperNetwork
from personalizer.lora import Shapes
from personalizer.scoring import TitleScorer


@pytest.fixture(scope="module")
def scorer(trained):
    return TitleScorer(trained.lm, trained.hypernet, [*trained.world.titles, ""])


def one_of_each_taste(world, count, seed):
    """Items (N, 2): first one of taste 0, then one of taste 1."""
    rng = np.random.default_rng(seed)
    each = [rng.choice(np.flatnonzero(world.taste == t), count) for t in (0, 1)]
    return np.stack(each, axis=1).astype(np.int32)


def accuracy(scorer, vectors, tastes, items):
    return float((scorer.score(vectors, items).argmax(axis=1) == tastes).mean())


def test_she_is_offered_what_she_likes_and_a_stranger_is_not(scorer, world):
    vectors, tastes = world.shoppers(200, seed=50)
    items = one_of_each_taste(world, 200, seed=51)
    assert accuracy(scorer, vectors, tastes, items) > 0.9
    other = np.random.default_rng(0).permutation(200)
    assert 0.35 < accuracy(scorer, vectors[other], tastes, items) < 0.65


def test_padding_scores_minus_infinity_and_no_title_scores_nothing(scorer, world, users):
    items = np.array([[0, -1, len(world.titles)]] * 4, np.int32)
    scores = scorer.score(users, items)
    assert scores.dtype == np.float32
    assert np.isneginf(scores[:, 1]).all()
    assert (scores[:, 2] == 0).all()
    assert np.isfinite(scores[:, 0]).all()


def test_a_shoppers_scores_do_not_depend_on_who_else_is_there(scorer, world):
    vectors, _ = world.shoppers(70, seed=60)  # more than are in memory together
    items = np.random.default_rng(1).integers(-1, len(world.titles), (70, 6)).astype(np.int32)
    together = scorer.score(vectors, items)
    for row in (0, 3, 69):
        alone = scorer.score(vectors[row : row + 1], items[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_the_order_of_candidates_does_not_matter(scorer, world, users):
    items = np.stack([np.random.default_rng(s).permutation(20) for s in range(4)]).astype(np.int32)
    forward = scorer.score(users, items)
    np.testing.assert_allclose(scorer.score(users, items[:, ::-1])[:, ::-1], forward, atol=1e-5)


def test_small_batches_change_nothing(trained, scorer, world, users):
    items = np.tile(np.arange(12, dtype=np.int32), (4, 1))
    small = TitleScorer(trained.lm, trained.hypernet, world.titles, batch_tokens=16)
    np.testing.assert_allclose(small.score(users, items), scorer.score(users, items), atol=1e-5)


def test_before_training_every_score_is_zero(trained, fresh, world, users):
    items = np.tile(np.arange(5, dtype=np.int32), (4, 1))
    scores = TitleScorer(trained.lm, fresh, world.titles).score(users, items)
    np.testing.assert_allclose(scores, 0, atol=1e-5)


def test_a_shopper_without_a_history_changes_no_order(scorer, world):
    items = np.arange(len(world.titles), dtype=np.int32)[None]
    scores = scorer.score(np.zeros((1, 16), np.float32), items)
    np.testing.assert_allclose(scores, 0, atol=1e-5)


def test_nobody_and_nothing_are_fine(scorer, users):
    assert scorer.score(users[:0], np.zeros((0, 3), np.int32)).shape == (0, 3)
    assert scorer.score(users, np.zeros((4, 0), np.int32)).shape == (4, 0)
    assert np.isneginf(scorer.score(users, np.full((4, 2), -1, np.int32))).all()


def test_input_that_does_not_fit_is_refused(scorer, world, users):
    with pytest.raises(PersonalizerError, match="outside the catalogue"):
        scorer.score(users, np.full((4, 1), 999, np.int32))
    with pytest.raises(PersonalizerError, match="vectors"):
        scorer.score(users[:2], np.zeros((4, 1), np.int32))
    with pytest.raises(PersonalizerError, match="vectors"):
        scorer.score(users[:, :3], np.zeros((4, 1), np.int32))


def test_a_hypernetwork_of_another_model_is_refused(trained):
    other = HyperNetwork(
        trained.hypernet.config, 16, Shapes(5, {"q_proj": (8, 8), "v_proj": (8, 8)})
    )
    with pytest.raises(WeightsError, match="made for"):
        TitleScorer(trained.lm, other, ["soap"])


def test_a_score_is_set_against_the_bare_model_or_against_nobody(trained, world, users):
    items = np.tile(np.arange(3, dtype=np.int32), (4, 1))
    titles = world.titles[:3]
    bare, nobody = (
        TitleScorer(trained.lm, trained.hypernet, titles, minus=minus).score(users, items)
        for minus in ("bare", "nobody")
    )
    # what training moved for everybody stays in: the same for every shopper
    common = bare - nobody
    assert np.abs(common).max() > 0.01
    np.testing.assert_allclose(common, common[:1].repeat(4, axis=0), atol=1e-5)


def test_the_reference_is_what_training_was_set_against(trained, world, users):
    items = np.tile(np.arange(3, dtype=np.int32), (4, 1))
    plain = TitleScorer(trained.lm, trained.hypernet, world.titles[:3])
    minus = trained.hypernet.config.minus
    told = TitleScorer(trained.lm, trained.hypernet, world.titles[:3], minus=minus)
    np.testing.assert_array_equal(plain.score(users, items), told.score(users, items))


def test_nothing_is_said_for_a_shopper_of_whom_nothing_is_known(trained, world):
    scorer = TitleScorer(trained.lm, trained.hypernet, world.titles[:3], minus="bare")
    items = np.array([[0, 1, 2, -1]], np.int32)
    told = scorer.score(np.zeros((1, 16), np.float32), items)
    np.testing.assert_array_equal(told, [[0, 0, 0, -np.inf]])
