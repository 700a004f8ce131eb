"""The ranker's trees, asked for all candidates at once, against LightGBM itself."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.ranker.trees import MOST_LEAVES, TILE, Trees


def learned(seed=0, *, leaves=31, rounds=20, missing=0.2, categories="auto", **parameters):
    """A booster of made-up features, some values of which are not there."""
    rng = np.random.default_rng(seed)
    rows = spread(rng, 2_000, missing)
    wanted = np.nan_to_num(rows[:, 0]) * 3 + np.nan_to_num(rows[:, 1]) ** 2 + rng.normal(size=2_000)
    told = {"num_leaves": leaves, "min_data_in_leaf": 2, "verbosity": -1, "seed": seed}
    told |= {"objective": "regression", "deterministic": True, **parameters}
    if categories != "auto":
        rows[:, categories] = np.abs(rows[:, categories])
    return lgb.train(told, lgb.Dataset(rows, wanted, categorical_feature=categories), rounds)


def spread(rng, many, missing):
    """Numbers with many of a kind, zeros, infinities, and gaps."""
    rows = rng.normal(size=(many, 6)).astype(np.float32)
    rows[:, 2] = rng.integers(-2, 3, many)
    rows[:, 3] *= np.float32(1e30)
    rows[rng.random(rows.shape) < 0.05] = 0
    rows[rng.random(rows.shape) < missing] = np.nan
    return rows


def test_one_tree_by_hand():
    rows = np.array([[0.0], [1.0], [2.0], [np.nan]] * 50, np.float32)
    wanted = np.array([0.0, 5.0, 9.0, 3.0] * 50)
    plain = {"min_data_in_leaf": 1, "learning_rate": 1.0, "boost_from_average": False}
    booster = lgb.train({"verbosity": -1, **plain}, lgb.Dataset(rows, wanted), 1)
    trees = Trees.of(booster)
    assert len(trees.splits) == 2  # one tree, and where it ends
    assert trees.score(rows[:4]) == pytest.approx([0, 5, 9, 3])


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 1_000),
    leaves=st.sampled_from([2, 3, 31, MOST_LEAVES]),
    learned_from=st.sampled_from([0.0, 0.3]),
    many=st.sampled_from([1, 7, TILE, TILE + 3]),
)
@example(seed=0, leaves=31, learned_from=0.0, many=200)
def test_scores_are_lightgbms_to_the_last_bit(seed, leaves, learned_from, many):
    booster = learned(seed, leaves=leaves, missing=learned_from)
    rows = spread(np.random.default_rng(seed + 1), many, 0.3)
    rows[rows == rows.max()] = np.inf
    assert np.array_equal(Trees.of(booster).score(rows), booster.predict(rows))


def test_a_value_at_the_bound_goes_left():
    booster = learned()
    trees = Trees.of(booster)
    rows = np.zeros((len(trees.bounds), 6), np.float32)
    assert np.any(np.abs(trees.bounds) < 1e-30), "zero, to LightGBM, is a stretch of its own"
    rows[np.arange(len(rows)), trees.features] = trees.bounds
    with np.errstate(over="ignore"):
        above = np.where(rows == 0, rows, np.nextafter(rows, np.float32(np.inf)))
    for each in (rows, above):
        assert np.array_equal(trees.score(each), booster.predict(each))
    assert not np.array_equal(trees.score(rows), trees.score(above))


def test_trees_that_never_split_have_one_answer():
    booster = lgb.train(
        {"verbosity": -1}, lgb.Dataset(np.zeros((50, 2), np.float32), np.arange(50.0)), 3
    )
    rows = np.ones((4, 2), np.float32)
    assert np.array_equal(Trees.of(booster).score(rows), booster.predict(rows))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"leaves": MOST_LEAVES * 2}, id="many leaves"),
        pytest.param({"zero_as_missing": True}, id="zeros that are gaps"),
        pytest.param({"categories": [2], "missing": 0.0}, id="categories"),
    ],
)
def test_other_kinds_are_left_to_lightgbm(told):
    assert Trees.of(learned(**told)) is None
