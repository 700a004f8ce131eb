"""Strict and guess-credited accuracy, ties, coverage and calibration, on answers known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from personalizer.calibration import Calibration
from recsys.evaluation.preference.figures import Answered, cleaned, fitted, picks

TIES = np.array([[0.1, 0.9, 0.5, 0.3]] * 4)


def answered(scores, right):
    scores = np.array(scores, float)
    return Answered(cleaned(scores), np.array(right), TIES[: len(scores)], Calibration(), 0)


def test_an_abstention_is_wrong_and_credited_with_a_guess():
    told = answered([[4, 1, 2, 3], [1, 2, 9, 0], [5, 5, 5, 5], [np.nan] * 4], [0, 0, 0, 0])
    figures = told.figures()
    assert told.picked.tolist() == [0, 2, -1, -1]
    assert figures["accuracy"] == 0.25
    assert figures["abstained"] == 0.5
    assert figures["guess_credited"] == pytest.approx(0.25 + 0.5 / 4)
    assert set(figures) == {"accuracy", "ci", "guess_credited", "abstained", "ece", "seconds"}


def test_of_the_best_that_tie_the_hash_picks_and_never_the_place():
    scores = cleaned(np.array([[3.0, 3.0, 1.0, 0.0]]))
    assert picks(scores, TIES[:1]).tolist() == [1]
    assert picks(scores[:, ::-1], TIES[:1, ::-1]).tolist() == [2]


def test_what_has_no_score_is_below_all_that_have():
    scores = cleaned(np.array([[-np.inf, 2.0, 1.0, np.nan]]))
    assert np.isfinite(scores).all()
    assert scores[0, [0, 3]].max() < 1.0


def test_a_perfect_scorer_is_sure_and_calibrated():
    rng = np.random.default_rng(0)
    right = rng.integers(0, 4, 400)
    scores = (np.arange(4) == right[:, None]) * 1.0
    told = Answered(scores, right, rng.random((400, 4)), fitted(scores, right), 0)
    assert told.figures()["accuracy"] == 1
    assert told.figures()["ece"] < 0.01
    assert told.coverage()[0]["accuracy"] == 1
    assert told.by_position()["accuracy"] == [1, 1, 1, 1]


def test_a_scorer_that_is_sure_when_it_is_right_gains_by_answering_less():
    rng = np.random.default_rng(1)
    right = rng.integers(0, 4, 4000)
    strength = rng.uniform(0, 6, 4000)
    scores = rng.normal(size=(4000, 4)) + (np.arange(4) == right[:, None]) * strength[:, None]
    told = Answered(scores, right, rng.random((4000, 4)), fitted(scores[:2000], right[:2000]), 0)
    curve = told.coverage()
    assert curve[0]["accuracy"] > curve[-1]["accuracy"] + 0.1
    assert curve[-1]["answered"] == 1
    assert told.calibrated()["ece"] <= told.calibrated()["ece_before"] + 0.02


@given(
    arrays(np.float64, (6, 3), elements=st.floats(-5, 5) | st.sampled_from([np.nan, -np.inf])),
    arrays(np.int64, 6, elements=st.integers(0, 2)),
)
def test_figures_stay_within_their_bounds(scores, right):
    ties = np.random.default_rng(0).random((6, 3))
    told = Answered(cleaned(scores), right, ties, Calibration(), 0)
    figures = told.figures()
    low, high = figures["ci"]
    assert 0 <= low <= figures["accuracy"] <= high <= 1
    assert figures["accuracy"] <= figures["guess_credited"] <= 1
    assert figures["accuracy"] + figures["abstained"] <= 1 + 1e-9
    assert np.allclose(told.shares.sum(axis=1), 1)
