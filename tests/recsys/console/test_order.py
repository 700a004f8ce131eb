"""The way of a list, on a shop whose right answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import TailorError
from recsys.ladder import Rung, Why
from recsys.ranker import Labels, train, training_set
from recsys.recommend import Options, Recommender
from recsys.service.console.adapter import AS_IF, Heard, effect_of
from recsys.service.console.history import purchases_of
from recsys.service.console.order import order_of
from recsys.settings import RankerSettings
from tests.recsys.shop import DEVICE, REFILL, item_name, make_shop, make_shoppers

K = 6
WHO = [[item_name(0, 6), item_name(0, 9), item_name(0, 6), item_name(0, DEVICE)], [], ["Garden-4"]]


class Likes:
    """Says how much it likes each item, by the sign of a shopper's first number."""

    def score(self, user_vectors, items):
        signs = np.where(user_vectors[:, :1] > user_vectors[:, 1:2], 1, -1)
        return np.where(items == -1, -np.inf, items * signs).astype(np.float32)


class Broken:
    def score(self, user_vectors, items):
        raise RuntimeError("out of memory")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def recommender(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    options = Options(pool=20, rerank=8)
    data = training_set(shop.shoppers, labels, shop.sources, shop.shelf, size=options.pool)
    ranker = train([data], RankerSettings(rounds=30, least_rows=5), seed=1)
    return Recommender(shop.shelf, shop.sources, ranker, options=options)


@pytest.fixture(scope="module")
def people(shop):
    return make_shoppers(shop.catalogue, WHO)


def with_model(recommender, model, weight=1.0):
    return replace(recommender, reranker=model, blend_weight=weight)


def test_purchases_are_told_oldest_first_with_how_often_before(shop, people):
    told = purchases_of(people.take([0]), shop.catalogue)
    assert [bought.item.id for bought in told] == WHO[0]
    assert [bought.times_before for bought in told] == [0, 0, 1, 0]
    assert [round(bought.days_ago) for bought in told] == [4, 3, 2, 1]
    assert told[0].item.aisle == "Coffee"


def test_every_stage_tells_the_ranks_that_the_one_way_gives(recommender, people):
    order = order_of(recommender, people.take([0]), K)
    assert order.stages == ("retrieval", "ranker")
    for at, rung in enumerate((Rung.RETRIEVAL, Rung.RANKER)):
        ranked = recommender.recommend(people.take([0]), 20, highest=rung).items[0].tolist()
        ids = [recommender.shelf.catalogue.item_ids[item] for item in ranked]
        assert [place.ranks[at] for place in order.places] == [ids.index(i) + 1 for i in order.ids]
    assert [place.rank for place in order.places] == list(range(1, K + 1))
    assert order.places[0].change == order.places[0].ranks[0] - 1


def test_what_left_the_list_is_drawn_and_what_stayed_has_its_reason(recommender, people):
    order = order_of(recommender, people.take([0]), K)
    gone = [line for line in order.lines if not line.kept]
    assert [line.title for line in order.lines if line.kept] == [p.item.title for p in order.places]
    assert all(line.ranks[0] <= K < line.ranks[-1] for line in gone)
    refill = next(place for place in order.places if place.item.id == item_name(0, REFILL))
    assert refill.reason == "often bought after The Coffee-0"
    assert len(refill.moved) == 3
    assert ("neighbours", 1) in refill.sources


def test_sources_count_what_they_gave(recommender, people):
    order = order_of(recommender, people.take([0]), K)
    assert {row.name for row in order.sources} == {
        source.name.replace("_", " ") for source in recommender.sources if source.vote
    }
    assert all(row.listed <= row.pooled <= row.proposed for row in order.sources)
    listed = {name for place in order.places for name, _ in place.sources}
    assert {row.name for row in order.sources if row.listed} == listed


def test_a_stranger_gets_what_is_popular_and_no_stages(recommender, people):
    order = order_of(recommender, people.take([1]), K)
    assert (order.rung, order.why) == (Rung.POPULAR, Why.NO_HISTORY)
    assert order.stages == ("popular",)
    assert len(order.places) == K
    assert not order.sources
    assert all(place.change == 0 and not place.moved for place in order.places)


def test_the_adapted_model_is_a_stage_where_it_has_a_weight(recommender, people):
    order = order_of(with_model(recommender, Likes()), people.take([0]), K)
    assert order.stages == ("retrieval", "ranker", "adapted model")
    assert order.rung == Rung.ADAPTED_LM


def test_a_broken_model_leaves_the_ranker_and_says_so(recommender, people):
    order = order_of(with_model(recommender, Broken()), people.take([0]), K)
    assert order.stages == ("retrieval", "ranker")
    assert order.why == Why.RERANKER_FAILED
    assert "out of memory" in order.failures[0]


def test_with_without_and_with_anothers_adapter(recommender, people):
    hers, others = people.take([0]), people.take([2])
    effect = effect_of(with_model(recommender, Likes()), hers, others, K)
    without = recommender.recommend(hers, 8).items[0].tolist()
    at = recommender.shelf.catalogue.index
    assert [row.without for row in effect.rows] == [
        without.index(at[row.item.id]) + 1 for row in effect.rows
    ]
    assert [row.own for row in effect.rows] == list(range(1, 9))
    assert all(row.own_score == -row.other_score for row in effect.rows)
    assert effect.differ > 0
    assert not effect.as_if


def test_a_model_without_weight_is_shown_as_if_it_had_one(recommender, people):
    effect = effect_of(with_model(recommender, Likes(), 0.0), people.take([0]), people.take([2]), K)
    assert effect.as_if
    assert effect.weight == AS_IF


def test_nothing_to_compare_and_a_model_that_says_nothing(recommender, people):
    hers, stranger = people.take([0]), people.take([1])
    assert effect_of(recommender, hers, hers, K) is None
    assert effect_of(with_model(recommender, Likes()), hers, stranger, K) is None
    with pytest.raises(TailorError, match="out of memory"):
        effect_of(with_model(recommender, Broken()), hers, people.take([2]), K)


def test_what_is_heard_is_what_was_said():
    heard = Heard(Likes(), np.array([[0.0, 1.0]], np.float32))
    told = heard.score(np.array([[1.0, 0.0]], np.float32), np.array([[3, 5, -1]], np.int32))
    assert told.tolist() == [[-3.0, -5.0, -np.inf]]
    assert heard.scores == {3: -3.0, 5: -5.0}
