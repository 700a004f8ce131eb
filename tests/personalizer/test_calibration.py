import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from personalizer.calibration import (
    Calibration,
    calibrate,
    coverage_curve,
    expected_calibration_error,
    softmax,
)
from personalizer.errors import PersonalizerError

# right seven times in nine at a score difference of one, and half right in the tenth that is added:
# three in four, so that log 3 / T must be the difference
SCORES = np.array([[1.0, 0.0]] * 9)
RIGHT = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1])


def test_the_temperature_makes_confidence_what_it_should_be():
    fit = calibrate(SCORES, RIGHT)
    assert fit.temperature == pytest.approx(1 / np.log(3), rel=1e-6)
    assert fit.confidence(SCORES) == pytest.approx(np.full(9, 0.75))
    assert fit.error_before == pytest.approx(7 / 9 - 1 / (1 + np.exp(-1)))
    assert fit.error_after == pytest.approx(7 / 9 - 0.75)


@pytest.mark.parametrize("many", [1, 9, 999])
def test_answers_that_were_all_right_are_no_certainty(many):
    """Of one more question any option may have been right."""
    scores = np.array([[1.0, 0.0, -np.inf]] * many)
    fit = calibrate(scores, np.zeros(many, int))
    assert fit.confidence(scores) == pytest.approx((many + 0.5) / (many + 1))


def test_the_error_by_hand():
    # bin .9-1: two answers of .95, one right; bin .5-.6: one answer of .55, wrong
    shares = np.array([[0.95, 0.05], [0.05, 0.95], [0.55, 0.45]])
    assert expected_calibration_error(shares, np.array([0, 0, 1])) == pytest.approx(
        (abs(1.9 - 1) + 0.55) / 3
    )


def test_the_curve_and_the_threshold_by_hand():
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.6, 0.4]])
    right = np.array([0, 0, 1, 1])
    curve = coverage_curve(shares, right)
    np.testing.assert_allclose(curve, [[0.9, 0.25, 1], [0.8, 0.75, 2 / 3], [0.6, 1, 0.5]])
    scores = np.log(shares)
    fit = calibrate(scores, right, accuracy=0.6)
    # the two of .8 are answered together: two of three are right
    assert fit.answers(scores).tolist() == [0, 0, 0, -1]
    assert calibrate(scores, right).answers(scores).tolist() == [0, 0, 0, 0]
    none = calibrate(scores, np.array([1, 1, 1, 1]), accuracy=0.9)
    assert none.answers(scores).tolist() == [-1] * 4


def test_who_is_no_option_gets_no_share():
    shares = softmax(np.array([[0.0, -np.inf, 0.0], [-np.inf, -np.inf, -np.inf]]))
    np.testing.assert_allclose(shares, [[0.5, 0, 0.5], [0, 0, 0]])


@given(
    hnp.arrays(np.float64, (12, 4), elements=st.floats(-20, 20)),
    hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
@settings(max_examples=60, deadline=None)
def test_no_temperature_nearby_is_better(scores, right):
    fit = calibrate(scores, right)

    def loss(temperature):
        lost = -np.log(softmax(scores, temperature) + 1e-300)
        return lost[np.arange(12), right].sum() + lost.mean()  # the question that is added

    for factor in (0.8, 1.25):
        other = np.clip(fit.temperature * factor, 1e-3, 1e3)
        assert loss(fit.temperature) <= loss(other) + 1e-5
    assert 0 <= fit.error_after <= 1


@pytest.mark.parametrize(
    ("scores", "right"),
    [
        (np.zeros((0, 4)), np.zeros(0, int)),
        (np.zeros((2, 4)), np.array([0, 4])),
        (np.zeros((2, 4)), np.array([0])),
        (np.full((1, 2), np.nan), np.array([0])),
    ],
)
def test_what_cannot_be_calibrated_is_refused(scores, right):
    with pytest.raises(PersonalizerError):
        calibrate(scores, right)


def test_uncalibrated_everything_is_answered():
    assert Calibration().answers(np.array([[0.0, 0.1]])).tolist() == [1]
