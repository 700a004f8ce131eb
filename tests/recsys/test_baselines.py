from dataclasses import replace

import numpy as np
import pytest

from personalizer.errors import TrainingError
from personalizer.sasrec import SasRecConfig
from personalizer.sasrec import train as train_sasrec
from recsys.catalogue import Catalogue
from recsys.errors import SettingsError, StageError
from recsys.evaluation.baselines import (
    BASELINES,
    Bm25Content,
    Ease,
    ItemKnn,
    Popularity,
    SasRecBaseline,
    TransitionGraph,
    chosen,
)
from recsys.evaluation.baselines import ease as ease_module
from recsys.evaluation.baselines.ease import solve
from recsys.evaluation.baselines.matrices import faded
from recsys.evaluation.baselines.transition import graph
from recsys.shoppers import Shoppers
from tests.recsys.shop import (
    AS_OF,
    DEVICE,
    REFILL,
    item_name,
    make_catalogue,
    make_shoppers,
    stroll,
    taste_of,
)

TINY = SasRecConfig(
    width=16,
    blocks=1,
    length=8,
    dropout=0.1,
    epochs=40,
    learning_rate=1e-2,
    temperature=0.2,
    patience=15,
)
PERSONAL = sorted(set(BASELINES) - {"popularity"})


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue()


@pytest.fixture(scope="module")
def known(catalogue):
    """A generation before: its histories with the next purchase already made."""
    histories, then = stroll(200, seed=3)
    return make_shoppers(catalogue, [[*h, last] for h, last in zip(histories, then, strict=True)])


@pytest.fixture(scope="module")
def shoppers(catalogue):
    return make_shoppers(catalogue, [*stroll(20, seed=4)[0], ["Coffee-3"], []])


def fitted(name, known, catalogue, **options):
    extra = {"config": TINY} if name == "sasrec" else {}
    return BASELINES[name].fit(known, catalogue, **options, **extra)


@pytest.fixture(scope="module")
def models(known, catalogue):
    return {name: fitted(name, known, catalogue) for name in BASELINES}


def histories(*rows, n_items=4):
    """Shoppers from rows of (item, day)."""
    flat = [pair for row in rows for pair in row]
    return Shoppers(
        user_ids=np.array([f"u{u}" for u in range(len(rows))], object),
        indptr=np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
        items=np.array([item for item, _ in flat], np.int32),
        times=np.array([86_400 * day for _, day in flat], np.int64),
        stats={},
        vectors=np.zeros((len(rows), 2), np.float32),
        as_of=AS_OF,
    )


def shelf(titles):
    """A catalogue of which only the titles are known."""
    size = len(titles)
    return Catalogue(
        [f"i{i}" for i in range(size)],
        titles,
        [()] * size,
        [None] * size,
        np.full(size, np.nan, np.float32),
        np.zeros((size, 2), np.float32),
        "none",
    )


def test_the_names_are_kept():
    assert set(BASELINES) == {
        "popularity",
        "item_knn",
        "transition",
        "ease",
        "als",
        "bm25_content",
        "sasrec",
    }
    assert {b.name for b in BASELINES.values() if b.slow} == {"ease", "sasrec"}


def test_the_slow_run_only_when_asked_for():
    assert not any(baseline.slow for baseline in chosen())
    assert {baseline.name for baseline in chosen(["all"])} == set(BASELINES)
    assert [baseline.name for baseline in chosen(["ease", "item_knn"])] == ["ease", "item_knn"]
    with pytest.raises(SettingsError, match="unknown baseline 'oracle'"):
        chosen(["item_knn", "oracle"])


@pytest.mark.parametrize("name", sorted(BASELINES))
class TestContract:
    def test_scores_are_dense_and_never_nan(self, name, models, shoppers, catalogue):
        scores = models[name].scores(shoppers)
        assert scores.shape == (len(shoppers), len(catalogue))
        assert scores.dtype == np.float32
        assert not np.isnan(scores).any()
        assert (scores < np.inf).all()
        assert np.isfinite(scores[:-1]).any(axis=1).all(), "who has a history gets something"

    def test_who_bought_nothing_gets_nothing_personal(self, name, models, shoppers):
        nobody = models[name].scores(shoppers)[-1]
        assert np.isneginf(nobody).all() == (name != "popularity")

    @pytest.mark.parametrize("k", [1, 7, 100])
    def test_lists_are_the_best_scores(self, name, models, shoppers, catalogue, k):
        model = models[name]
        items = model.lists(shoppers, k)
        assert (items.shape, items.dtype) == ((len(shoppers), k), np.int32)
        assert (np.sort(items == -1, axis=1) == (items == -1)).all(), "padding stands last"
        for row, (listed, scores) in enumerate(zip(items, model.scores(shoppers), strict=True)):
            scores[shoppers.history(row)] = -np.inf
            best = np.lexsort((np.arange(len(catalogue)), -scores))
            best = best[np.isfinite(scores[best])][:k]
            assert np.array_equal(listed[listed >= 0], best)

    def test_history_is_masked_only_when_asked(self, name, models, catalogue):
        past = [item_name(0, n) for n in (5, 6, REFILL, DEVICE)]
        one = make_shoppers(catalogue, [past])
        masked = models[name].lists(one, 30)[0]
        whole = models[name].lists(one, 30, mask_history=False)[0]
        assert not np.isin(one.items, masked).any()
        assert np.isin(one.items, whole).any()

    def test_a_row_is_its_shoppers_alone(self, name, models, shoppers):
        model = models[name]
        together, lists = model.scores(shoppers), model.lists(shoppers, 9, chunk=5)
        for row in range(len(shoppers)):
            one = shoppers.take([row])
            assert np.array_equal(model.scores(one)[0], together[row])
            assert np.array_equal(model.lists(one, 9)[0], lists[row])

    def test_nobody_at_all(self, name, models, shoppers, catalogue):
        nobody = shoppers.take([])
        assert models[name].scores(nobody).shape == (0, len(catalogue))
        assert models[name].lists(nobody, 3).shape == (0, 3)

    def test_the_same_seed_gives_the_same(self, name, models, known, catalogue, shoppers):
        again = fitted(name, known, catalogue, seed=0).scores(shoppers)
        assert np.array_equal(again, models[name].scores(shoppers))

    def test_scoring_changes_nothing_it_was_given(self, name, models, shoppers):
        before = shoppers.items.copy(), shoppers.indptr.copy(), shoppers.times.copy()
        first = models[name].lists(shoppers, 5)
        assert np.array_equal(models[name].lists(shoppers, 5), first)
        after = shoppers.items, shoppers.indptr, shoppers.times
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# not the content: it goes by what is rare, and in these titles a number is rarer than a taste
@pytest.mark.parametrize("name", sorted(set(PERSONAL) - {"bm25_content"}))
def test_who_learns_from_purchases_stays_within_the_taste(name, models, shoppers, catalogue):
    lists = models[name].lists(shoppers, 4)
    for row, listed in enumerate(lists[:-1]):
        assert taste_of(catalogue, listed) <= taste_of(catalogue, shoppers.history(row))


@pytest.mark.parametrize("name", ["transition", "item_knn", "ease", "als", "sasrec"])
def test_the_refill_follows_the_device(name, models, catalogue):
    one = make_shoppers(catalogue, [[item_name(0, 5), item_name(0, 7), item_name(0, DEVICE)]])
    first = models[name].lists(one, 1)[0, 0]
    assert catalogue.item_ids[first] == item_name(0, REFILL)


@pytest.mark.parametrize("name", sorted(set(PERSONAL) - {"sasrec"}))
def test_what_was_bought_at_once_has_no_order(name, models, shoppers):
    at_once = replace(shoppers, times=np.zeros_like(shoppers.times))
    turned = np.concatenate([at_once.history(row)[::-1] for row in range(len(at_once))])
    scores = models[name].scores(at_once)
    np.testing.assert_allclose(
        models[name].scores(replace(at_once, items=turned)), scores, rtol=1e-4, atol=1e-5
    )


def test_histories_stay_as_they_are_where_things_are_bought_twice(catalogue):
    twice = make_shoppers(catalogue, [["Coffee-3", "Coffee-4", "Coffee-3"], ["Coffee-4"]])
    counted = faded(twice, len(catalogue), 0.5)
    assert counted.nnz == 3
    assert twice.indptr.tolist() == [0, 3, 4]
    assert (
        twice.items.tolist()
        == catalogue.positions(["Coffee-3", "Coffee-4", "Coffee-3", "Coffee-4"]).tolist()
    )


def test_popularity_counts():
    model = Popularity.fit(histories([(1, 0), (2, 1)], [(2, 0)]), shelf(["a"] * 4))
    assert model.scores(histories([])).tolist() == [[-np.inf, 1, 2, -np.inf]]


def test_a_purchase_fades_with_each_later_one():
    shoppers = histories([(0, 1), (1, 2), (2, 2), (3, 3)], [], [(0, 5), (0, 6)])
    assert shoppers.later[0].tolist() == [3, 1, 1, 0, 1, 0]
    weights = faded(shoppers, 4, 0.5).toarray()
    assert weights.tolist() == [[0.125, 0.5, 0.5, 1], [0, 0, 0, 0], [1.5, 0, 0, 0]]


def test_transitions_by_hand():
    known = histories([(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 1)], [(3, 1), (3, 2)])
    # 0 then 1, one apart; 0 then 2, two apart; 0 and 1 at once: half each way; 3 after 3: nothing
    assert graph(known, 4).toarray().tolist() == [
        [0, 1.5, 0.5, 0],
        [0.5, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert graph(known, 4, window=1).toarray()[0].tolist() == [0, 1.5, 0, 0]
    model = TransitionGraph.fit(known, shelf(["a"] * 4))
    scores = model.scores(histories([(0, 1), (1, 2)]))
    decay = model.decay
    np.testing.assert_allclose(scores[0], [0.5, 1.5 * decay, 1 + 0.5 * decay, -np.inf], rtol=1e-6)


def test_cosines_by_hand():
    known = histories([(0, 1), (1, 2)], [(0, 1), (1, 2), (2, 3)], [(2, 1), (2, 2)])
    cosines = ItemKnn.fit(known, shelf(["a"] * 4)).cosines.toarray()
    half = 1 / 2  # items 0 and 2 share one of two buyers each; 0 and 1 share both
    np.testing.assert_allclose(
        cosines, [[0, 1, half, 0], [1, 0, half, 0], [half, half, 0, 0], [0] * 4], rtol=1e-6
    )


def test_ease_is_the_ridge_regression_of_each_item_on_all_others():
    rng = np.random.default_rng(1)
    rows = [[(int(i), d) for d, i in enumerate(rng.permutation(6)[:3])] for _ in range(40)]
    matrix = np.zeros((40, 6))
    for row, history in enumerate(rows):
        matrix[row, [item for item, _ in history]] = 1
    weights = solve(histories(*rows), 6, penalty=2.0)
    for item in range(6):
        others = np.delete(np.arange(6), item)
        known = matrix[:, others]
        ridge = np.linalg.solve(known.T @ known + 2 * np.eye(5), known.T @ matrix[:, item])
        np.testing.assert_allclose(weights[others, item], ridge, atol=1e-5)
        assert weights[item, item] == 0


def test_ease_refuses_what_does_not_fit(monkeypatch):
    monkeypatch.setattr(ease_module, "MOST_ITEMS", 3)
    with pytest.raises(StageError, match="4 x 4 items does not fit; 3 items do"):
        Ease.fit(histories([(0, 1), (1, 2)]), shelf(["a"] * 4))


def test_content_goes_by_rare_words():
    titles = ["Rose soap by Ada", "rose SOAP by Bea", "soap by Cleo", "hammer"]
    model = Bm25Content.fit(histories([(0, 1)]), shelf(titles))
    assert model.lists(histories([(0, 1)]), 4).tolist() == [[1, 2, -1, -1]]


def test_bm25_weights_stay_with_their_words():
    titles = ["zinc zinc apple", "apple birch", "birch zinc maple"]
    words = Bm25Content.fit(histories([(0, 1)]), shelf(titles)).words
    by_hand = np.zeros(words.shape)
    vocabulary = sorted({word for title in titles for word in title.split()})
    mean = np.mean([len(title.split()) for title in titles])
    for row, title in enumerate(titles):
        said = title.split()
        for word in said:
            among = sum(word in other.split() for other in titles)
            rarity = np.log(1 + (3 - among + 0.5) / (among + 0.5))
            norm = 1.5 * (0.25 + 0.75 * len(said) / mean)
            count = said.count(word)
            by_hand[row, vocabulary.index(word)] = rarity * count * 2.5 / (count + norm)
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    np.testing.assert_allclose(words.toarray(), by_hand, rtol=1e-5)


def loop(users, size, seed):
    """Everyone walks the same circle of items, from somewhere."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(size, size=users)
    return ((starts[:, None] + np.arange(6)) % size).astype(np.int32)


@pytest.mark.parametrize("most", [100, 5], ids=["full softmax", "sampled softmax"])
def test_sasrec_learns_an_order(most):
    walks, size = loop(150, 12, seed=1), 12
    indptr = np.arange(0, walks.size + 1, 6)
    config = replace(TINY, full_softmax=most, negatives=6)
    model = train_sasrec(indptr, walks.ravel(), size, config, seed=1)
    asked = np.array([[3, 4, 5], [9, 10, 11]], np.int32)
    next_ = model.scores(np.array([0, 3, 6]), asked.ravel()).argmax(axis=1)
    assert next_.tolist() == [6, 0]
    assert max(model.ndcg) > 0.9


def test_sasrec_learns_no_order_of_what_was_bought_at_once():
    """Filed in one order always, either is expected after the other all the same."""
    pairs = np.tile(np.array([[0, 1], [2, 3]], np.int32), (60, 1))
    indptr, times = np.arange(0, pairs.size + 1, 2), np.zeros(pairs.size, np.int64)
    model = train_sasrec(indptr, pairs.ravel(), 4, TINY, times=times, seed=1)
    scores = model.scores(np.arange(5), np.arange(4, dtype=np.int32))
    assert scores.argmax(axis=1).tolist() == [1, 0, 3, 2]


def test_sasrec_stops_in_time_and_says_so(known, catalogue):
    config = replace(TINY, minutes=0.0)
    model = SasRecBaseline.fit(known, catalogue, config=config).model
    assert model.stopped == "out of time: 0 minutes"
    assert len(model.ndcg) == 1


def test_sasrec_stops_when_it_gets_no_better(known, catalogue):
    model = SasRecBaseline.fit(known, catalogue, config=replace(TINY, patience=1, epochs=500)).model
    assert model.stopped == "no better for 1 epochs"
    assert model.ndcg[-1] <= max(model.ndcg[:-1])


def test_sasrec_tells_its_progress(known, catalogue):
    told = []
    SasRecBaseline.fit(
        known,
        catalogue,
        config=replace(TINY, epochs=2),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


def test_sasrec_needs_someone_who_bought_twice():
    with pytest.raises(TrainingError, match="no history has two purchases"):
        train_sasrec(np.array([0, 1, 2]), np.array([0, 1], np.int32), 2)


def test_sasrec_sees_only_so_far_back(models, catalogue):
    model = models["sasrec"].model
    recent = np.arange(8, dtype=np.int32)
    longer = np.concatenate((np.array([20, 21, 22], np.int32), recent))
    assert np.array_equal(
        model.scores(np.array([0, 8]), recent), model.scores(np.array([0, 11]), longer)
    )
