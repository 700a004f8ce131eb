from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.candidates import build_pool, build_sources
from recsys.errors import ArtifactError, StageError
from recsys.ranker import (
    Labels,
    Ranker,
    build_features,
    contributions,
    feature_names,
    reason_of,
    train,
    training_set,
)
from recsys.settings import RankerSettings
from tests.recsys.shop import AS_OF, make_shop, make_shoppers

SETTINGS = RankerSettings(rounds=30)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), users=120)


@pytest.fixture(scope="module")
def data(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    parts = {"catalogue": shop.catalogue, "stats": shop.stats, "size": 20}
    return training_set(shop.shoppers, labels, shop.sources, **parts)


@pytest.fixture(scope="module")
def ranker(data):
    return train(data, SETTINGS, seed=1)


def features_of(shop, shoppers, size=20):
    pool = build_pool(shoppers, shop.sources, size)
    return pool, build_features(shoppers, pool, shop.catalogue, shop.stats)


def test_features_say_what_they_are_named(shop):
    shoppers = make_shoppers(shop.catalogue, [["Coffee-5", "Coffee-2", "Coffee-5", "Coffee-3"]])
    pool, features = features_of(shop, shoppers)
    assert features.names == feature_names(pool.sources)
    at = {name: column for column, name in enumerate(features.names)}
    place = pool.items[0].tolist().index(shop.catalogue.index["Coffee-5"])
    row = dict(zip(features.names, features.values[place], strict=True))
    assert row["bought_before"] == 2
    assert row["days_since_bought"] == 2
    assert row["days_since_bought_in_gaps"] == 0.5  # the mean gap of this shopper is 4 days
    assert row["category_share"] == 1
    assert row["days_since_category"] == 1
    assert row["brand_share"] == 0  # it has no brand; nothing matches "unknown"
    assert np.isnan(row["days_since_brand"])
    assert row["max_similarity"] == pytest.approx(1, abs=1e-5)
    assert row["shopper_purchases"] == 4
    branded = pool.items[0].tolist().index(shop.catalogue.index["Coffee-3"])
    assert features.values[branded, at["brand_share"]] == 0.5
    taste = shop.catalogue.vectors[pool.items[0][pool.real[0]]] @ shoppers.vectors[0]
    assert features.values[:, at["taste_similarity"]] == pytest.approx(taste, abs=1e-5)


def test_a_shopper_without_anything_has_unknowns_not_zeros(shop):
    pool, features = features_of(shop, make_shoppers(shop.catalogue, [[]]))
    row = dict(zip(features.names, features.values[0], strict=True))
    unknown = ("taste_similarity", "max_similarity", "mean_similarity", "days_since_bought")
    assert pool.real.any()
    assert all(np.isnan(row[name]) for name in unknown)
    assert row["bought_before"] == 0


def test_no_feature_depends_on_position_or_company(shop):
    some = shop.shoppers.take([3, 8, 5])
    _, together = features_of(shop, some)
    alone = [features_of(shop, some.take([row]))[1].values for row in range(3)]
    assert np.array_equal(together.values, np.concatenate(alone), equal_nan=True)


def test_labels_are_purchases_of_the_window(shop, tmp_path):
    day = timedelta(days=1)
    bought = [
        ("u0", "Coffee-4", AS_OF - day),  # history
        ("u0", "Coffee-6", AS_OF + 2 * day),
        ("u0", "Coffee-5", AS_OF),  # the first of the window
        ("u1", "Garden-1", AS_OF + 9 * day),  # after the window
        ("u2", "gone", AS_OF),  # not in the catalogue
        ("nobody", "Coffee-1", AS_OF),
    ]
    names = ("user_id", "item_id", "event_timestamp")
    rows = [dict(zip(names, row, strict=True)) for row in bought]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part-0.parquet")
    shoppers = shop.shoppers.take([2, 0, 1])
    labels = Labels.load(tmp_path, shoppers, shop.catalogue, AS_OF, AS_OF + 5 * day)
    assert labels.lengths.tolist() == [0, 2, 0]
    assert labels.targets.tolist() == [-1, shop.catalogue.index["Coffee-5"], -1]
    pool = build_pool(shoppers, shop.sources, 20)
    marked = {shop.catalogue.item_ids[i] for i in pool.items[labels.mark(pool.items) > 0]}
    assert marked <= {"Coffee-5", "Coffee-6"}
    assert not labels.mark(pool.items)[[0, 2]].any()


def test_pools_without_a_label_are_left_out(shop):
    users = len(shop.shoppers)
    garden = shop.catalogue.index["Garden-4"]  # in the pool of the second, not of the first
    rows = np.array([0, 1])
    labels = Labels.of(rows, np.array([garden, garden], np.int32), np.zeros(2, np.int64), users)
    sources = build_sources(shop.parts, ["similar_to_taste"])
    parts = {"catalogue": shop.catalogue, "stats": shop.stats, "size": 15}
    data = training_set(shop.shoppers, labels, sources, **parts)
    assert (len(data.groups), data.asked) == (1, 2)
    assert data.labels.sum() == 1


def test_the_ranker_puts_the_next_purchase_up(shop, ranker):
    pool, features = features_of(shop, shop.shoppers)
    ranked = ranker.predict(features)
    blind = np.where(pool.real, -np.arange(20), -np.inf)

    def mean_rank(scores):
        hit = pool.items == shop.targets[:, None]
        value = np.where(hit, scores, -np.inf).max(axis=1)
        return (scores > value[:, None]).sum(axis=1)[hit.any(axis=1)].mean()

    assert mean_rank(ranked) < mean_rank(blind) / 2
    assert np.array_equal(np.isneginf(ranked), ~pool.real)


def test_training_is_the_same_again(data, ranker):
    again = train(data, SETTINGS, seed=1)
    assert again.booster.model_to_string() == ranker.booster.model_to_string()
    assert ranker.metrics["held_out_ndcg_10"] > 0.5


def test_a_ranker_comes_back_and_refuses_other_features(shop, ranker, tmp_path):
    ranker.save(tmp_path)
    again = Ranker.load(tmp_path)
    _, features = features_of(shop, shop.shoppers)
    assert np.array_equal(again.predict(features), ranker.predict(features))
    with pytest.raises(ArtifactError, match="rank_other"):
        again.check(feature_names(["other"]))
    with pytest.raises(ArtifactError, match="other features"):
        again.predict(replace(features, names=features.names[::-1]))
    card = (tmp_path / "features.json").read_text()
    (tmp_path / "features.json").write_text(card.replace("price_fit", "price_fat"))
    with pytest.raises(ArtifactError, match="price_fat"):
        Ranker.load(tmp_path)
    (tmp_path / "model.txt").write_text("torn")
    with pytest.raises(ArtifactError):
        Ranker.load(tmp_path)


def test_nothing_to_learn_from_is_said(shop):
    nothing = Labels.of(
        np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int64), len(shop.shoppers)
    )
    with pytest.raises(StageError, match="nobody bought again"):
        training_set(
            shop.shoppers,
            nothing,
            shop.sources,
            catalogue=shop.catalogue,
            stats=shop.stats,
            size=20,
        )


def test_contributions_add_up_to_the_score(shop, ranker):
    shoppers = shop.shoppers.take([4, 6])
    _, features = features_of(shop, shoppers)
    score = ranker.predict(features)[1, 2]
    told = contributions(ranker, features, 1, 2, top=len(features.names))
    row = features.real[0].sum() + 2
    base = ranker.booster.predict(features.values[row : row + 1], pred_contrib=True)[0, -1]
    assert base + sum(c.contribution for c in told) == pytest.approx(float(score), abs=1e-4)
    sizes = [abs(c.contribution) for c in told]
    assert sizes == sorted(sizes, reverse=True)
    assert all(c.feature in features.names for c in told)


def test_a_personal_reason_comes_before_a_popular_one(shop):
    one = make_shoppers(shop.catalogue, [["Coffee-5", "Coffee-0"]])
    refill = shop.catalogue.index["Coffee-1"]
    sources = build_sources(shop.parts, ["popular", "neighbours"])
    said = reason_of(sources, one, 0, refill, np.array([0, 9], np.float32))
    assert said == "often bought after The Coffee-0"
    only_popular = np.array([0, np.nan], np.float32)
    assert reason_of(sources, one, 0, one.items[0], only_popular) == "popular this month"
