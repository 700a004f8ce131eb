"""The sources keep one contract."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from features.errors import VersionMismatchError
from recsys.arrays import top_per_row
from recsys.candidates import (
    DEFAULT,
    SOURCES,
    ItemIndex,
    build_sources,
)
from recsys.candidates.popular import popularity
from recsys.candidates.proposals import LinkedProposal, SparseProposal
from recsys.errors import ArtifactError, SettingsError
from tests.recsys.shop import (
    AS_OF,
    REFILL,
    item_name,
    make_shoppers,
    make_worded_shop,
    taste_of,
)

IMPERSONAL = {name for name, source in SOURCES.items() if not source.personal}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_worded_shop(tmp_path_factory.mktemp("shop"))


def test_every_source_but_the_fused_stands_in_the_default():
    assert set(DEFAULT) == set(SOURCES) - {"fused"}
    assert len(set(DEFAULT)) == len(DEFAULT)
    assert {"popular", "fresh"} == IMPERSONAL
    assert all(source.vote >= 0 for source in SOURCES.values())


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("k", [1, 7, 100])
def test_every_source_keeps_the_contract(shop, name, k):
    (source,) = build_sources(shop.parts, [name])
    assert source.name == name
    items, scores = source.candidates(shop.shoppers, k)
    assert items.shape == scores.shape == (len(shop.shoppers), k)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert (items < len(shop.catalogue)).all()
    answered = (items >= 0).any(axis=1)
    if name == "neighbours_of_neighbours_of_last":  # from the device it is one step, to the refill
        assert 0 < answered.sum() < len(answered)
    else:
        assert answered.all(), "everyone here gives it something to go by"
    assert np.array_equal(items == -1, np.isneginf(scores))
    assert (np.sort(items == -1, axis=1) == (items == -1)).all(), "padding stands last"
    assert (scores[:, 1:] <= scores[:, :-1]).all(), "best first"
    tied = (scores[:, 1:] == scores[:, :-1]) & (items[:, 1:] >= 0)
    assert (items[:, 1:] > items[:, :-1])[tied].all(), "ties by position"
    for row, (listed, value) in enumerate(zip(items, scores, strict=True)):
        found = listed[listed >= 0]
        assert len(set(found)) == len(found)
        alone = source.candidates(shop.shoppers.take([row]), k)
        assert np.array_equal(alone[0][0], listed)
        assert np.array_equal(alone[1][0], value)


def test_favourites_are_the_best_sellers_of_what_is_bought_most(shop):
    (source,) = build_sources(shop.parts, ["favourites"])
    sold, catalogue = np.log1p(popularity(shop.parts.item_stats)), shop.catalogue
    found = source.ask(shop.shoppers).rows.csr.toarray()
    for row in range(len(shop.shoppers)):
        past, expected = shop.shoppers.history(row), np.zeros(len(catalogue))
        for codes in (catalogue.leaf_codes, catalogue.brand_codes):
            bought = Counter(code for code in codes[past].tolist() if code >= 0)
            for code, times in sorted(bought.items(), key=lambda one: (-one[1], one[0]))[:3]:
                shelf = sorted(np.flatnonzero(codes == code), key=lambda item: (-sold[item], item))
                expected[shelf[:100]] += sold[shelf[:100]] * times / len(past)
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)
    assert found.any()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_source_scores_items_as_it_proposes_them(shop, name):
    (source,) = build_sources(shop.parts, [name])
    proposal = source.ask(shop.shoppers)
    items, scores = proposal.top(9)
    again = proposal.at(items)
    assert (again.dtype, again.shape) == (np.float32, items.shape)
    assert np.array_equal(again[items >= 0], scores[items >= 0])
    assert not again[items == -1].any()
    assert not proposal.at(np.full((len(items), 3), -1, np.int32)).any()
    # any item may be asked for, in any order, alone or in a batch
    size = len(shop.catalogue)
    every = np.tile(np.arange(size, dtype=np.int32)[::-1], (len(items), 1))
    wide = proposal.at(every)
    listed = np.where(items >= 0, items, 0)
    by_item = np.take_along_axis(wide[:, ::-1], listed, 1)
    assert np.array_equal(by_item[items >= 0], scores[items >= 0])
    for row in range(0, len(items), 7):
        alone = source.ask(shop.shoppers.take([row])).at(every[[row]])
        assert np.array_equal(alone[0], wide[row])
    if isinstance(proposal, SparseProposal | LinkedProposal):
        everything = proposal.top(size)[0]
        for row, proposed in enumerate(everything):
            assert set(np.flatnonzero(wide[row, ::-1])) == set(proposed[proposed >= 0])


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_first_proposal_has_a_reason(shop, name):
    (source,) = build_sources(shop.parts, [name])
    items, _ = source.candidates(shop.shoppers, 1)
    for row in np.flatnonzero(items[:, 0] >= 0):
        item, past = int(items[row, 0]), shop.shoppers.history(row)
        reason = source.because(shop.shoppers, row, item)
        assert reason, "there are words for it"
        if " The " in reason:
            own = [place for place in past if reason.endswith(shop.catalogue.label(int(place)))]
            assert own, "a purchase it names is one of her own"
            assert item not in own, "and not the item itself"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_who_gives_nothing_to_go_by_gets_nothing(shop, name):
    (source,) = build_sources(shop.parts, [name])
    company = make_shoppers(shop.catalogue, [["Coffee-4"], [], ["Garden-4", "Garden-5"]])
    for shoppers, row in ((make_shoppers(shop.catalogue, [[]]), 0), (company, 1)):
        proposal = source.ask(shoppers)
        items, _scores = proposal.top(5)
        assert (items[row] == -1).all() == (name not in IMPERSONAL)
        if name not in IMPERSONAL:
            every = np.tile(np.arange(30, dtype=np.int32), (len(shoppers), 1))
            assert not proposal.at(every)[row].any()
    nobody = shop.shoppers.take([])
    assert source.candidates(nobody, 5)[0].shape == (0, 5)
    assert source.ask(nobody).at(np.empty((0, 4), np.int32)).shape == (0, 4)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - IMPERSONAL))
def test_personal_sources_stay_within_the_taste(shop, name):
    (source,) = build_sources(shop.parts, [name])
    items, _ = source.candidates(shop.shoppers, 4)
    for row, listed in enumerate(items):
        assert taste_of(shop.catalogue, listed) <= taste_of(
            shop.catalogue, shop.shoppers.history(row)
        )


def test_the_refill_follows_the_device(shop):
    (source,) = build_sources(shop.parts, ["neighbours"])
    one = make_shoppers(shop.catalogue, [["Garden-5", "Coffee-0"]])
    items, _ = source.candidates(one, 5)
    assert shop.catalogue.item_ids[items[0, 0]] == item_name(0, REFILL)
    assert source.because(one, 0, int(items[0, 0])) == "often bought after The Coffee-0"


def test_repeat_says_when(shop):
    (source,) = build_sources(shop.parts, ["repeat"])
    one = make_shoppers(shop.catalogue, [["Coffee-5", "Coffee-6", "Coffee-5", "Coffee-7"]])
    items, _ = source.candidates(one, 5)
    names = [shop.catalogue.item_ids[i] for i in items[0] if i >= 0]
    assert names == ["Coffee-5", "Coffee-7", "Coffee-6"]
    assert source.because(one, 0, int(items[0, 0])) == "bought before, last 2 days ago"
    assert source.because(one, 0, shop.catalogue.index["Garden-1"]) is None


def test_popular_orders_by_30_days_then_90_then_ever(shop):
    zero = np.zeros(len(shop.catalogue), np.float32)
    ever, quarter, month = zero.copy(), zero.copy(), zero.copy()
    ever[[3, 4, 5, 6]] = [9, 5, 5, 1]
    quarter[[4, 5, 6]] = [4, 5, 1]
    month[6] = 1
    stats = replace(shop.stats, purchases=ever, purchases_90d=quarter, purchases_30d=month)
    (source,) = build_sources(replace(shop.parts, item_stats=stats), ["popular"])
    items, _ = source.candidates(shop.shoppers, 6)
    assert items[0].tolist() == [6, 5, 4, 3, -1, -1]
    said = [source.because(shop.shoppers, 0, i) for i in (6, 5, 3, 0)]
    assert said == [
        "popular this month",
        "popular in the last three months",
        "popular in this shop",
        None,
    ]


def test_ties_break_by_catalogue_position():
    rows, items = np.zeros(4, np.int64), np.array([5, 2, 9, 2], np.int32)
    best, scores = top_per_row(rows, items, np.array([2, 1, 2, 1], np.float32), (1, 4))
    assert best.tolist() == [[2, 5, 9, -1]]
    assert scores[0, :3].tolist() == [2, 2, 2]


def test_the_index_comes_back_and_refuses_another_encoder(shop, tmp_path):
    index = ItemIndex.build(shop.catalogue)
    index.save(tmp_path)
    again = ItemIndex.load(tmp_path, shop.catalogue)
    query = shop.catalogue.vectors[:3]
    for a, b in zip(index.search(query, 5), again.search(query, 5), strict=True):
        assert np.array_equal(a, b)
    exact = np.argsort(-(query @ shop.catalogue.vectors.T), axis=1)[:, :5]
    assert np.array_equal(index.search(query, 5)[0], exact)
    with pytest.raises(VersionMismatchError):
        ItemIndex.load(tmp_path, replace(shop.catalogue, encoder="tiny-2"))
    (tmp_path / "items.faiss").write_bytes(b"torn")
    with pytest.raises(ArtifactError):
        ItemIndex.load(tmp_path, shop.catalogue)


def test_an_unknown_source_is_named(shop):
    with pytest.raises(SettingsError, match="neighbours"):
        build_sources(shop.parts, ["neighbors"])


def test_own_purchases_count_alike_alone_and_in_a_batch(shop):
    """Many purchases of one item are a long sum: its last bit may not hang on the company."""
    often, other = ["Coffee-4"] * 40, ["Garden-2", "Garden-1", "Garden-2"]
    both = make_shoppers(shop.catalogue, [often, other])
    for source in shop.sources:
        together = source.candidates(both, 5)
        alone = source.candidates(both.take([0]), 5)
        assert np.array_equal(alone[0][0], together[0][0])
        assert np.array_equal(alone[1][0], together[1][0]), source.name


def test_fresh_is_new_and_sells(shop):
    sold = np.zeros(len(shop.catalogue), np.float32)
    age = np.full(len(shop.catalogue), np.nan, np.float32)
    sold[[2, 5, 7, 8]], age[[2, 5, 6, 7, 8]] = [10, 4, 90, 4], [9, 1, 1, 61, 1]
    stats = replace(shop.stats, purchases=sold, age_days=age)
    (source,) = build_sources(replace(shop.parts, item_stats=stats), ["fresh"])
    items, scores = source.candidates(shop.shoppers, 4)
    assert items[0].tolist() == [5, 8, 2, -1], "by purchases a day; old and unsold ones are not in"
    assert scores[0, :3].tolist() == [2, 2, 1]
    assert [source.because(shop.shoppers, 0, i) for i in (5, 6, 7)] == [
        "new in the shop",
        None,
        None,
    ]


def test_links_are_weighed_by_how_late_the_purchases_are(shop):
    """Each later purchase takes from the weight of what came before it."""
    one = make_shoppers(shop.catalogue, [["Coffee-5", "Coffee-0"]])
    a, b = one.history(0)
    rows = shop.parts.matrices["transitions"].rows.toarray()
    every = np.arange(len(shop.catalogue), dtype=np.int32)[None]
    for name, weights in (
        ("neighbours", (0.7, 1)),
        ("neighbours_of_all", (0.9, 1)),
        ("neighbours_of_last", (0, 1)),
    ):
        (source,) = build_sources(shop.parts, [name])
        expected = weights[0] * rows[a] + weights[1] * rows[b]
        assert source.ask(one).at(every)[0] == pytest.approx(expected, abs=1e-6)


def test_a_shopper_without_taste_is_told_by_what_she_bought(shop):
    (source,) = build_sources(shop.parts, ["collaborative"])
    row = {"user_id": "x", "item_ids": ["Coffee-5"], "item_times": [int(AS_OF.timestamp()) - 9]}
    one = type(shop.shoppers).from_rows([row], shop.catalogue, AS_OF)
    items, _ = source.candidates(one, 4)
    assert taste_of(shop.catalogue, items[0]) == {"Coffee"}
