"""The top of a dense score block: exactly what a full sort gives, ties and all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from recsys.arrays import top_of_dense

INF = np.inf


def by_full_sort(scores, k):
    """The slow way: sort each row by (score falling, position)."""
    items = np.full((len(scores), k), -1)
    for row, each in enumerate(scores):
        ranked = [
            i for i in sorted(range(len(each)), key=lambda i: (-each[i], i)) if each[i] > -INF
        ]
        items[row, : len(ranked[:k])] = ranked[:k]
    return items


def test_ties_at_the_border_go_to_the_first_positions():
    scores = np.array([[1, 3, 1, 1, 2, 1]], np.float32)
    items, found = top_of_dense(scores, 4)
    assert items.tolist() == [[1, 4, 0, 2]]
    assert found.tolist() == [[3, 2, 1, 1]]


def test_what_is_not_scored_is_padding():
    items, found = top_of_dense(np.array([[-INF, 0, -INF], [-INF] * 3], np.float32), 2)
    assert items.tolist() == [[1, -1], [-1, -1]]
    assert found.tolist() == [[0, -INF], [-INF, -INF]]


def test_a_list_longer_than_the_catalogue_is_padded():
    items, _ = top_of_dense(np.array([[1, 2]], np.float32), 4)
    assert items.tolist() == [[1, 0, -1, -1]]


def test_no_shoppers_have_no_lists():
    items, found = top_of_dense(np.empty((0, 5), np.float32), 3)
    assert items.shape == found.shape == (0, 3)


@pytest.mark.parametrize("as_mask", [True, False])
def test_the_history_is_left_out_and_the_scores_stay(as_mask):
    scores = np.tile(np.arange(4, dtype=np.float32), (3, 1))
    indptr, history = np.array([0, 2, 2, 3]), np.array([3, 1, 0], np.int32)
    mask = np.zeros((3, 4), bool)
    mask[[0, 0, 2], history] = True
    items, _ = top_of_dense(scores, 3, mask if as_mask else (indptr, history))
    assert items.tolist() == [[2, 0, -1], [3, 2, 1], [3, 2, 1]]
    assert (scores == np.arange(4)).all()


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.sampled_from([-INF, -1.0, -0.0, 0.0, 0.5, 2.0]),  # few values, many ties
    ),
    st.integers(1, 14),
)
@settings(max_examples=150, deadline=None)
def test_it_is_what_a_full_sort_gives(scores, k):
    np.testing.assert_array_equal(top_of_dense(scores, k)[0], by_full_sort(scores, k))
