import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.cli import main
from recsys.cli.output import errors, out
from recsys.explaining import explained
from recsys.pipeline import parts
from recsys.published import Published
from recsys.ranker import Labels, feature_names, in_words, train, training_set
from recsys.recommend import Options, Recommender
from recsys.settings import RankerSettings
from tests.recsys.shop import DEVICE, REFILL, item_name, make_shop, make_shoppers

WHO = [[item_name(0, 6), item_name(0, 9), item_name(0, DEVICE)]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def recommender(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    options = Options(pool=12)
    data = training_set(shop.shoppers, labels, shop.sources, shop.shelf, size=options.pool)
    ranker = train([data], RankerSettings(rounds=30, least_rows=5), seed=1)
    return Recommender(shop.shelf, shop.sources, ranker, options=options)


@pytest.fixture
def tailor(shop, recommender, monkeypatch, capsys):
    """Run the command on a release that consists of the tiny shop."""
    release = SimpleNamespace(id="r1")
    published = SimpleNamespace(release=release, refused={}, artifacts={})
    shoppers = make_shoppers(shop.catalogue, [*WHO, []])
    monkeypatch.setattr(Published, "open", lambda _settings: published)
    monkeypatch.setattr(parts, "catalogue_of", lambda _inputs: shop.catalogue)
    monkeypatch.setattr(parts, "shoppers_at", lambda *_: shoppers)
    monkeypatch.setattr(parts, "two_stage_at", lambda *_: recommender, raising=False)
    out.cache_clear()
    errors.cache_clear()

    def run(*words):
        code = main(["explain", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_contributions_and_base_add_up_to_the_score_of_every_candidate(shop, recommender):
    shopper = make_shoppers(shop.catalogue, WHO)
    ranked = recommender.recommend(shopper, recommender.options.pool)
    for rank, item in enumerate(ranked.items[0]):
        found, _ = explained(recommender, shopper, int(item))
        assert found.rank == rank
        assert found.score == ranked.scores[0, rank]
        total = found.base + sum(one.contribution for one in found.contributions)
        assert total == pytest.approx(found.score, abs=1e-5)


def test_the_document_names_sources_with_reasons_and_features_with_words(tailor):
    code, said, _ = tailor("u0", item_name(0, REFILL), "--json")
    told = json.loads(said)
    assert code == 0
    assert list(told) == [
        "user", "item", "title", "release", "rank", "score", "base", "sources", "contributions",
    ]  # fmt: skip
    assert (told["title"], told["release"], told["rank"]) == ("The Coffee-1", "r1", 1)
    after = next(one for one in told["sources"] if one["source"] == "neighbours")
    assert after["rank"] == 1
    assert after["because"] == "often bought after The Coffee-0"
    assert told["contributions"]
    for one in told["contributions"]:
        assert set(one) == {"feature", "value", "contribution", "words"}
        assert one["value"] is None or math.isfinite(one["value"])


def test_a_person_reads_rank_reasons_and_sentences(tailor):
    code, said, _ = tailor("u0", item_name(0, REFILL))
    assert code == 0
    assert "The Coffee-1 (Coffee-1) for u0: rank 1 of the candidates" in said
    assert "often bought after The Coffee-0" in said
    assert "base" in said


def test_what_was_not_pooled_is_an_answer_with_the_sources_that_have_it(tailor, shop, recommender):
    pooled = recommender.recommend(make_shoppers(shop.catalogue, WHO), 12).items[0]
    absent = next(i for i in range(len(shop.catalogue)) if i not in pooled)
    code, said, _ = tailor("u0", shop.catalogue.item_ids[absent], "--json")
    told = json.loads(said)
    assert code == 1
    assert told["rank"] is told["score"] is told["base"] is None
    assert told["contributions"] == []
    ranks = {one["source"]: one["rank"] for one in told["sources"]}
    assert 1 < ranks["similar_to_taste"] <= len(shop.catalogue)
    code, said, _ = tailor("u0", shop.catalogue.item_ids[absent])
    assert code == 1
    assert "not among the candidates" in said
    assert "12 candidates were pooled without it" in said


@pytest.mark.parametrize(
    ("user", "item", "complaint"),
    [
        ("u0", "gone", "no item 'gone'"),
        ("nobody", "Coffee-1", "no purchase of shopper 'nobody'"),
        ("u1", "Coffee-1", "no purchase of shopper 'u1'"),
    ],
)
def test_who_or_what_is_unknown_is_said_in_one_line(tailor, user, item, complaint):
    code, said, told = tailor(user, item)
    assert (code, said) == (1, "")
    assert complaint in told
    assert "release r1" in told


def test_every_feature_of_today_has_a_sentence():
    for name in feature_names(["repeat", "popular"]):
        assert in_words(name, 0.5) != name.replace("_", " ")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("score_similar_to_last", 0.25, "similar to last gives it 0.25"),
        ("score_repeat", math.nan, "repeat has nothing to say of it"),
        ("score_repeat", 0.0, "repeat has nothing to say of it"),
        ("image_similarity", 0.5, "image similarity 0.5"),
        ("item_log_purchases", math.log1p(12), "the item was sold 12 times"),
        ("item_shelf_days", 12345.0, "the item's shelf days: 12,345"),
        ("item_log_sold_90d", math.log1p(3), "the item was sold 3 times in 90 days"),
        (
            "item_season",
            0.125,
            "share 0.125 of last year's sales of it fell into these two months",
        ),
        ("item_mean_rating", math.nan, "not known: item mean rating"),
        ("shopper_days", 28.0, "the shopper bought on 28 different days"),
        ("shopper_distinct_brands", 7.0, "the shopper bought 7 different brands"),
        ("shopper_purchases_30d", 2.0, "the shopper bought 2 times in 30 days"),
        ("shopper_mood", 1.0, "the shopper's mood: 1"),
        ("days_since_brand", 3.0, "last bought of this brand 3 days ago"),
        (
            "parent_category_lately",
            0.5,
            "share 0.5 of her latest purchases is of this parent category",
        ),
        ("price_ratio", math.log(2), "costs 2 times what she usually pays"),
        ("something_new", 1.0, "something new"),
    ],
)
def test_a_feature_in_words(name, value, words):
    assert in_words(name, value) == words


@given(
    st.one_of(st.text(), st.sampled_from(feature_names(["repeat"]))),
    st.floats(width=32, allow_nan=True, allow_infinity=True),
)
def test_words_never_fail(name, value):
    assert isinstance(in_words(name, value), str)
