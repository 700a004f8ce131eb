"""Vectors rounded to bytes: what is found by them is what all of them would give."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.arrays import PAD
from recsys.candidates.inner import inner_products
from recsys.candidates.rounded import Rounded


def exact(vectors, query, k):
    """All scores, sorted: most first, equals by row."""
    scores = inner_products(vectors, np.arange(len(vectors))[None], query[None])[0]
    best = np.lexsort((np.arange(len(vectors)), -scores))[:k]
    return best, scores[best]


def assert_exact(vectors, queries, k):
    found, scores = Rounded.of(vectors).search(queries, k)
    assert (found.dtype, scores.dtype) == (np.int32, np.float32)
    for query, rows, values in zip(queries, found, scores, strict=True):
        best, score = exact(vectors, query, k)
        assert rows.tolist() == best.tolist()
        assert values.tolist() == score.tolist()


def test_each_vector_is_whole_numbers_times_its_largest_part():
    vectors = np.array([[1.27, -0.5], [0, 0], [-12.7, 0.04]], np.float32)
    rounded = Rounded.of(vectors)
    assert rounded.numbers.tolist() == [[127, -50], [0, 0], [-127, 0]]
    np.testing.assert_allclose(rounded.steps, [0.01, 1, 0.1], rtol=1e-6)
    # what rounding took: nothing, nothing, .04; and what the sums may lose
    np.testing.assert_allclose(rounded.off, [0, 0, 0.04], atol=2e-5)


@settings(deadline=None)
@given(
    seed=st.integers(0, 9_999),
    dim=st.sampled_from([1, 3, 16, 40]),
    k=st.integers(1, 60),
    length=st.sampled_from([1e-44, 1e-30, 1.0, 1e6]),
)
@example(seed=0, dim=16, k=50, length=1e-38)
def test_the_best_are_those_of_all_in_any_length_and_company(seed, dim, k, length):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(50, dim)) * rng.choice([0, 1e-3, 1], size=(50, 1)) * length
    vectors[7:12] = vectors[3]  # equals
    vectors[20:30] = vectors[4] * (1 + rng.normal(size=(10, dim)) * 1e-6)  # and nearly so
    queries = np.concatenate((rng.normal(size=(3, dim)), vectors[3:5], np.zeros((1, dim))))
    assert_exact(vectors.astype(np.float32), queries.astype(np.float32), k)


def test_hardly_more_is_scored_than_is_asked_for():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(5_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = vectors[:8].mean(axis=0)
    rounded = Rounded.of(vectors)
    scores = (rounded.numbers @ query) * rounded.steps
    off = rounded.off * np.linalg.norm(query)
    border = np.sort(scores - off)[-100]
    assert 100 <= np.count_nonzero(scores + off >= border) < 200
    assert_exact(vectors, query[None], 100)


def test_a_search_beside_other_work_finds_what_it_finds_alone():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(2_000, 24)).astype(np.float32)
    rounded = Rounded.of(vectors)
    begun = [rounded.begin(query, 30) for query in vectors[:40]]
    for query, one in zip(vectors, begun, strict=False):
        found, scores = one()
        best, score = exact(vectors, query, 30)
        assert (found.tolist(), scores.tolist()) == (best.tolist(), score.tolist())


@pytest.mark.parametrize("queries", [0, 2])
def test_nothing_to_ask_or_to_find_is_answered_with_nothing(queries):
    none = np.empty((0, 4), np.float32)
    found, scores = Rounded.of(none).search(np.ones((queries, 4), np.float32), 5)
    assert found.shape == scores.shape == (queries, 0)


def test_a_query_of_no_numbers_finds_nothing():
    vectors = np.eye(4, dtype=np.float32)
    found, _ = Rounded.of(vectors).search(np.full((1, 4), np.nan, np.float32), 2)
    assert found.tolist() == [[PAD, PAD]]
