"""Inner products: what they are, and that neither company nor order changes a bit of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.candidates.inner import inner_products


def test_each_query_meets_its_own_rows_and_padding_what_is_absent():
    vectors = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    rows = np.array([[2, 0, -1], [-1, 1, 1]], np.int32)
    queries = np.array([[1, 10], [2, 0.5]], np.float32)
    assert inner_products(vectors, rows, queries).tolist() == [[65, 21, 0], [0, 8, 8]]
    lowest = inner_products(vectors, rows, queries, -np.inf)
    assert lowest.tolist() == [[65, 21, -np.inf], [-np.inf, 8, 8]]


@pytest.mark.parametrize("dim", [1, 7, 16, 100, 384])
@settings(deadline=None)
@given(seed=st.integers(0, 999))
def test_a_product_is_the_same_to_the_last_bit_in_any_company(dim, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, dim)).astype(np.float32)
    vectors[7] = vectors[3]
    queries = rng.normal(size=(3, dim)).astype(np.float32)
    rows = rng.integers(0, 40, (3, 9))
    together = inner_products(vectors, rows, queries)
    np.testing.assert_allclose(together, np.einsum("qwd,qd->qw", vectors[rows], queries), atol=1e-4)
    for query in range(3):
        for place in range(9):
            one = rows[query, place].reshape(1, 1)
            alone = inner_products(vectors, one, queries[query : query + 1])
            assert alone[0, 0] == together[query, place]
    same = inner_products(vectors, np.array([[3, 7]]), queries[:1])
    assert same[0, 0] == same[0, 1]
    read_only, other_place = vectors.copy(), np.empty((41, dim), np.float32)
    read_only.flags.writeable = False
    other_place[1:] = vectors
    for elsewhere, first in ((read_only, 0), (other_place, 1)):
        assert np.array_equal(inner_products(elsewhere, rows + first, queries), together)


def test_what_does_not_fit_is_refused_and_not_read():
    vectors, queries = np.ones((4, 3), np.float32), np.ones((1, 3), np.float32)
    for row in (4, -2):
        with pytest.raises(IndexError):
            inner_products(vectors, np.array([[row]]), queries)
    with pytest.raises(ValueError, match="vectors"):
        inner_products(vectors, np.array([[0]]), np.ones((1, 2), np.float32))
