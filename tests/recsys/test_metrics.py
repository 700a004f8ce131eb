"""Ranking metrics: known answers, two judges from outside, and what must hold for any lists."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ir_measures import RR, P, R, nDCG
from sklearn.metrics import ndcg_score

from recsys.errors import TailorError
from recsys.evaluation import metrics

LISTS = np.array([[4, 2, 7], [4, 2, 7], [1, -1, -1], [-1, -1, -1], [5, 6, -1]], dtype=np.int32)
TARGETS = np.array([4, 7, 3, 0, -1], dtype=np.int32)
N_ITEMS = 12


@st.composite
def worlds(draw):
    users, width = draw(st.integers(1, 8)), draw(st.integers(1, N_ITEMS))
    rows = [draw(st.permutations(range(N_ITEMS)))[:width] for _ in range(users)]
    lists = np.array(rows, dtype=np.int32)
    for row, filled in enumerate(draw(arrays(np.int8, users, elements=st.integers(0, width)))):
        lists[row, filled:] = -1
    targets = draw(arrays(np.int32, users, elements=st.integers(-1, N_ITEMS - 1)))
    return lists, targets


def test_known_answers():
    np.testing.assert_allclose(metrics.ndcg(LISTS, TARGETS, 3), [1, 0.5, 0, 0, 0])
    np.testing.assert_allclose(metrics.hit_rate(LISTS, TARGETS, 3), [1, 1, 0, 0, 0])
    np.testing.assert_allclose(metrics.reciprocal_rank(LISTS, TARGETS, 3), [1, 1 / 3, 0, 0, 0])
    np.testing.assert_allclose(metrics.hit_rate(LISTS, TARGETS, 2), [1, 0, 0, 0, 0])


def test_an_unknown_target_does_not_match_the_padding():
    assert metrics.hit_rate(LISTS, TARGETS, 3)[4] == 0


def test_no_lists_at_all_count_zero():
    empty = np.empty((2, 0), dtype=np.int32)
    assert metrics.ndcg(empty, TARGETS[:2], 10).tolist() == [0, 0]


def test_lists_and_targets_must_fit():
    with pytest.raises(TailorError, match="don't fit"):
        metrics.ndcg(LISTS, TARGETS[:2], 3)


def test_precision_is_over_the_shown_and_recall_over_the_wanted():
    lists = np.array([[1, 2, 3, 4], [1, 2, -1, -1], [-1, -1, -1, -1]], dtype=np.int32)
    wanted = [{1, 9}, {1, 2, 3, 4}, {1}]
    np.testing.assert_allclose(metrics.precision(lists, wanted, 4), [1 / 4, 1, 0])
    np.testing.assert_allclose(metrics.recall(lists, wanted, 4), [1 / 2, 1 / 2, 0])


def test_variety():
    popularity = np.array([6, 0, 0, 0])
    lists = np.array([[0, 1], [0, -1]], dtype=np.int32)
    assert metrics.coverage(lists, 4, 2) == 0.5
    assert metrics.coverage(lists, 4, 1) == 0.25
    assert metrics.mean_popularity(lists, popularity, 2) == pytest.approx(4)
    bits = -np.log2([7 / 10, 1 / 10, 7 / 10]).mean()
    assert metrics.novelty(lists, popularity, 2) == pytest.approx(bits)


@given(worlds(), st.integers(1, N_ITEMS))
@settings(max_examples=60, deadline=None)
def test_ndcg_agrees_with_scikit_learn(world, k):
    lists, targets = world
    ours = metrics.ndcg(lists, targets, k)
    for shown, target, mine in zip(lists, targets, ours, strict=True):
        # listed items score by rank; the rest below, all apart, so that nothing ties
        scores = -np.arange(N_ITEMS, dtype=float) - 100
        listed = shown[shown >= 0]
        scores[listed] = -np.arange(len(listed), dtype=float)
        relevance = (np.arange(N_ITEMS) == target).astype(float)
        if target not in listed.tolist():
            assert mine == 0
        else:
            assert mine == pytest.approx(ndcg_score([relevance], [scores], k=k))


def judged(lists, wanted, k):
    """What ir-measures says of each shopper: {measure: (U,)}; no run or no target counts 0."""
    run = {
        str(u): {str(item): -float(place) for place, item in enumerate(row) if item >= 0}
        for u, row in enumerate(lists)
    }
    right = {str(u): {str(item): 1 for item in items} for u, items in enumerate(wanted) if items}
    found = {measure: np.zeros(len(lists)) for measure in (nDCG @ k, RR @ k, R @ k, P @ k)}
    for each in ir_measures.iter_calc(list(found), right, run):
        found[each.measure][int(each.query_id)] = each.value
    return found


@given(worlds(), st.sampled_from([1, 5, 10, 20]))
@settings(max_examples=60, deadline=None)
def test_the_metrics_agree_with_ir_measures(world, k):
    lists, targets = world
    wanted = [{int(target)} - {-1} for target in targets]
    found = judged(lists, wanted, k)
    np.testing.assert_allclose(metrics.ndcg(lists, targets, k), found[nDCG @ k])
    np.testing.assert_allclose(metrics.reciprocal_rank(lists, targets, k), found[RR @ k])
    np.testing.assert_allclose(metrics.hit_rate(lists, targets, k), found[R @ k])


@given(worlds(), st.data(), st.integers(1, N_ITEMS))
@settings(max_examples=40, deadline=None)
def test_precision_and_recall_agree_with_ir_measures(world, data, k):
    lists, _ = world
    some = st.sets(st.integers(0, N_ITEMS - 1), max_size=4)
    wanted = [data.draw(some) for _ in lists]
    found = judged(lists, wanted, k)
    np.testing.assert_allclose(metrics.recall(lists, wanted, k), found[R @ k])
    # trec_eval divides by k, we by what was shown: the same for lists that are full
    shown = np.minimum((lists >= 0).sum(axis=1), k)
    np.testing.assert_allclose(metrics.precision(lists, wanted, k) * shown, found[P @ k] * k)


@given(worlds(), st.integers(1, N_ITEMS))
@settings(max_examples=60, deadline=None)
def test_what_holds_for_any_lists(world, k):
    lists, targets = world
    ndcg, hits = metrics.ndcg(lists, targets, k), metrics.hit_rate(lists, targets, k)
    rr = metrics.reciprocal_rank(lists, targets, k)
    assert ((rr <= ndcg) & (ndcg <= hits) & (hits <= 1)).all()
    assert (hits <= metrics.hit_rate(lists, targets, k + 1)).all()  # longer lists never lose
    sets = [{int(t)} - {-1} for t in targets]
    np.testing.assert_array_equal(metrics.recall(lists, sets, k), hits)
    assert (metrics.precision(lists, sets, k) <= hits).all()


@given(worlds())
@settings(max_examples=30, deadline=None)
def test_the_order_of_shoppers_changes_nothing(world):
    lists, targets = world
    order = np.random.default_rng(0).permutation(len(lists))
    np.testing.assert_array_equal(
        metrics.ndcg(lists, targets, 5)[order], metrics.ndcg(lists[order], targets[order], 5)
    )
