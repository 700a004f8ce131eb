import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.arrays import PAD
from recsys.candidates import build_pool, build_sources
from recsys.errors import ArtifactError, StageError
from recsys.ranker import (
    Labels,
    Ranker,
    Targets,
    build_features,
    contributions,
    feature_names,
    reasons_of,
    train,
    training_set,
)
from recsys.ranker.model import ENOUGH, MORE_TAUGHT
from recsys.sales import DAY, Sales
from recsys.settings import RankerSettings
from tests.recsys.shop import AS_OF, make_shop, make_shoppers

SETTINGS = RankerSettings(rounds=30)


@cache
def the_shop():
    with TemporaryDirectory() as folder:
        return make_shop(Path(folder), users=120)


@pytest.fixture(scope="module")
def shop():
    return the_shop()


@pytest.fixture(scope="module")
def data(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    return training_set(shop.shoppers, labels, shop.sources, shop.shelf, size=20)


@pytest.fixture(scope="module")
def ranker(data):
    return train([data], SETTINGS, seed=1)


def features_of(shop, shoppers, size=20):
    pool = build_pool(shoppers, shop.sources, size)
    return pool, build_features(shoppers, pool, shop.shelf)


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
    assert row["category_share"] == row["category_lately"] == row["parent_category_share"] == 1
    assert row["days_since_category"] == 1
    assert np.isnan(row["brand_share"])  # it has no brand; nothing matches "unknown"
    assert np.isnan(row["days_since_brand"])
    assert row["max_similarity"] == pytest.approx(1, abs=1e-5)
    assert row["shopper_purchases"] == row["shopper_days"] == 4
    assert row["shopper_purchases_per_day"] == row["shopper_last_basket"] == 1
    assert row["shopper_recency_days"] == 1
    assert row["shopper_purchases_30d"] == row["shopper_purchases_365d"] == 4
    branded = pool.items[0].tolist().index(shop.catalogue.index["Coffee-3"])
    fades = {"share": 0.9, "lately": 0.7}  # Coffee-2 and Coffee-3 have a brand: third last and last
    for view, fade in fades.items():
        expected = (fade**2 + 1) / (fade**3 + fade**2 + fade + 1)
        assert features.values[branded, at[f"brand_{view}"]] == pytest.approx(expected)
    taste = shop.catalogue.vectors[pool.items[0][pool.real[0]]] @ shoppers.vectors[0]
    assert features.values[:, at["taste_similarity"]] == pytest.approx(taste, abs=1e-5)
    votes = features.values[:, at["votes"]]
    assert np.array_equal(votes, pool.votes[pool.real])
    for s, source in enumerate(pool.sources):
        told = features.values[:, at[f"score_{source}"]]
        assert np.array_equal(told, pool.scores[pool.real][:, s])


def test_what_sold_is_counted_back_from_the_moment(shop):
    """Of one item 3 sold 20 days ago, 6 sold 80 days ago, 12 sold 330 days ago."""
    today = int(AS_OF.timestamp()) // DAY
    item = shop.catalogue.index["Coffee-5"]
    days = today - np.array([20, 80, 330])
    sales = Sales.of(np.full(3, item, np.int32), days, np.array([3, 6, 12]))
    shoppers = make_shoppers(shop.catalogue, [["Coffee-5"]])
    pool = build_pool(shoppers, build_sources(shop.parts, ["repeat"]), 1)
    features = build_features(shoppers, pool, replace(shop.shelf, sales=sales))
    row = dict(zip(features.names, features.values[0].tolist(), strict=True))
    assert row["item_log_sold"] == pytest.approx(np.log1p(21))
    assert row["item_log_sold_30d"] == pytest.approx(np.log1p(3))
    assert row["item_log_sold_90d"] == pytest.approx(np.log1p(9))
    assert row["item_log_sold_365d"] == pytest.approx(np.log1p(21))
    assert row["item_trend"] == 4 / 4
    assert row["item_season"] == pytest.approx((12 + 1) / (21 + 6))
    assert (row["item_age_days"], row["item_idle_days"]) == (330, 20)
    assert row["item_log_known"] == pytest.approx(np.log1p(shop.stats.purchases[item]))


NAMES = [f"{taste}-{n}" for taste in ("Coffee", "Garden") for n in range(15)]
SOLD = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(-500, 40), st.integers(1, 5)), max_size=30
)
HISTORIES = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(SOLD, HISTORIES, st.booleans(), st.integers(0, DAY - 1))
def test_features_look_back_only(sold, histories, own, second):
    """What sells on the day of the shopper's moment or later changes nothing she is ranked by."""
    shop = the_shop()
    today = int(AS_OF.timestamp()) // DAY
    moved = AS_OF + timedelta(seconds=second)
    shoppers = replace(make_shoppers(shop.catalogue, histories), own_moments=own, as_of=moved)
    pool = build_pool(shoppers, shop.sources, 12)

    def features(rows):
        names, days, purchases = zip(*rows, strict=True) if rows else ((), (), ())
        sales = Sales.of(
            shop.catalogue.positions(names),
            today + np.array(days, np.int64),
            np.array(purchases, np.int64),
        )
        return build_features(shoppers, pool, replace(shop.shelf, sales=sales))

    everything = features(sold)
    owner = np.nonzero(everything.real)[0]
    for row, history in enumerate(histories):
        moment = today - 1 if own else today  # the last purchase was yesterday
        assert shoppers.moments[row] // DAY == moment
        assert len(history) == shoppers.lengths[row]
        past = features([sale for sale in sold if today + sale[1] < moment])
        assert np.array_equal(
            everything.values[owner == row], past.values[owner == row], equal_nan=True
        )


def test_by_her_own_moment_ages_count_from_the_day_of_the_last_purchase(shop):
    shoppers = make_shoppers(shop.catalogue, [["Coffee-5", "Coffee-2", "Coffee-3"]])
    pool = build_pool(shoppers, build_sources(shop.parts, ["repeat"]), 3)
    own = build_features(replace(shoppers, own_moments=True), pool, shop.shelf)
    at = own.names.index("days_since_bought")
    since = dict(zip(pool.items[0].tolist(), own.values[:, at].tolist(), strict=True))
    assert [since[shop.catalogue.index[f"Coffee-{n}"]] for n in (5, 2, 3)] == [2, 1, 0]


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


def test_targets_are_what_was_bought_after_the_moment(shop, tmp_path):
    hour = timedelta(hours=1)
    index = shop.catalogue.index
    twins = sorted(("Coffee-7", "Coffee-8"), key=index.__getitem__)  # bought in the same second
    bought = [
        ("u0", "Coffee-6", AS_OF + 2 * hour, True),
        ("u0", "Coffee-5", AS_OF, False),  # the first
        ("u1", "gone", AS_OF, True),  # not in the catalogue: asked, and missed
        ("u1", "Garden-1", AS_OF + hour, False),
        ("u3", twins[1], AS_OF, True),
        ("u3", twins[0], AS_OF, True),
        ("nobody", "Coffee-1", AS_OF, True),
    ]
    names = ("user_id", "item_id", "event_timestamp", "tie_safe")
    rows = [dict(zip(names, row, strict=True)) for row in bought]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part-0.parquet")
    shoppers = shop.shoppers.take([2, 0, 1, 3])
    targets = Targets.load(tmp_path, shoppers, shop.catalogue)
    assert targets.asked.tolist() == [False, True, True, True]
    assert targets.first.tolist() == [-1, index["Coffee-5"], -1, index[twins[0]]]
    assert targets.tie_safe.tolist() == [False, False, True, True]
    labels = targets.labels
    assert labels.lengths.tolist() == [0, 2, 1, 2]
    assert labels.items.tolist() == [
        index[name] for name in ("Coffee-5", "Coffee-6", "Garden-1", *twins)
    ]
    assert labels.targets.tolist() == [-1, index["Coffee-5"], index["Garden-1"], index[twins[0]]]
    items = np.tile(np.arange(-1, len(shop.catalogue), dtype=np.int32), (4, 1))
    marked = [items[row][marks > 0].tolist() for row, marks in enumerate(labels.mark(items))]
    wanted = [[], ["Coffee-5", "Coffee-6"], ["Garden-1"], twins]
    assert marked == [sorted(index[name] for name in names) for names in wanted]
    assert labels.take(np.array([3, 1])).lengths.tolist() == [2, 2]


def test_pools_without_a_label_are_left_out(shop):
    users = len(shop.shoppers)
    garden = shop.catalogue.index["Garden-4"]  # in the pool of the second, not of the first
    rows = np.array([0, 1])
    labels = Labels.of(rows, np.array([garden, garden], np.int32), np.zeros(2, np.int64), users)
    sources = build_sources(shop.parts, ["similar_to_taste"])
    data = training_set(shop.shoppers, labels, sources, shop.shelf, size=15)
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
    again = train([data], SETTINGS, seed=1)
    assert again.booster.model_to_string() == ranker.booster.model_to_string()
    assert ranker.metrics["rounds"] == SETTINGS.rounds
    assert ranker.metrics["pool_recall"] == len(data.groups) / data.asked > 0.9


def test_later_purchases_decide_when_it_is_enough(data):
    many = RankerSettings(rounds=200)
    decided = train([data], many, seed=1, deciding=data)
    assert decided.metrics["rounds"] <= 200 * MORE_TAUGHT
    assert decided.metrics["deciding_ndcg_10"] > 0.5
    # judged by noise, it stops at once
    noise = replace(data, labels=np.random.default_rng(0).permutation(data.labels))
    assert train([data], many, seed=1, deciding=noise).metrics["rounds"] < 200
    # a handful of shoppers would be noise: they decide nothing
    groups = data.groups[: ENOUGH - 1]
    rows = slice(int(groups.sum()))
    few = replace(data, values=data.values[rows], labels=data.labels[rows], groups=groups)
    undecided = train([data], SETTINGS, seed=1, deciding=few)
    assert undecided.metrics["rounds"] == SETTINGS.rounds
    assert "deciding_ndcg_10" not in undecided.metrics


def test_a_ranker_comes_back_and_refuses_other_features(shop, ranker, tmp_path):
    ranker.save(tmp_path)
    again = Ranker.load(tmp_path)
    _, features = features_of(shop, shop.shoppers)
    assert np.array_equal(again.predict(features), ranker.predict(features))
    with pytest.raises(ArtifactError, match="score_another"):
        again.check(feature_names(["another", *(source.name for source in shop.sources)]))
    with pytest.raises(ArtifactError, match="other features"):
        again.predict(replace(features, names=features.names[::-1]))
    card = (tmp_path / "features.json").read_text()
    (tmp_path / "features.json").write_text(card.replace("price_fit", "price_fat"))
    with pytest.raises(ArtifactError, match="price_fat"):
        Ranker.load(tmp_path)
    (tmp_path / "model.txt").write_text("torn")
    with pytest.raises(ArtifactError):
        Ranker.load(tmp_path)
    (tmp_path / "model.txt").unlink()
    with pytest.raises(ArtifactError, match="not a ranker"):
        Ranker.load(tmp_path)


def test_a_changed_model_is_refused_though_it_can_be_read(ranker, tmp_path):
    ranker.save(tmp_path)
    text = (tmp_path / "model.txt").read_text()
    changed = text.replace("shrinkage=0.05", "shrinkage=0.06", 1)
    assert changed != text
    (tmp_path / "model.txt").write_text(changed)
    with pytest.raises(ArtifactError, match="not the model of its card"):
        Ranker.load(tmp_path)
    card = json.loads((tmp_path / "features.json").read_text())
    del card["sha256"]
    (tmp_path / "features.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="sha256"):
        Ranker.load(tmp_path)


def test_nothing_to_learn_from_is_said(shop):
    nothing = Labels.of(
        np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int64), len(shop.shoppers)
    )
    empty = training_set(shop.shoppers, nothing, shop.sources, shop.shelf, size=20)
    with pytest.raises(StageError, match="nobody bought again"):
        train([empty], RankerSettings(), seed=0)


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
    items = np.array([[refill, one.items[0], refill, PAD]], np.int32)
    nan = np.nan
    ranks = np.array([[[0, 9], [0, nan], [nan, nan], [nan, nan]]], np.float32)
    assert reasons_of(sources, one, items, ranks) == [
        ["often bought after The Coffee-0", "popular this month", "in the catalogue"]
    ]
