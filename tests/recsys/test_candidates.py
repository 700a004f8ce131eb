from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import VersionMismatchError
from recsys.arrays import padded, top_per_row
from recsys.candidates import (
    SOURCES,
    CandidateSource,
    ItemIndex,
    Transitions,
    build_pool,
    build_sources,
)
from recsys.errors import ArtifactError, SettingsError
from tests.recsys.shop import (
    DEVICE,
    REFILL,
    item_name,
    make_catalogue,
    make_shop,
    make_shoppers,
    taste_of,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("k", [1, 7, 100])
def test_every_source_keeps_the_contract(shop, name, k):
    (source,) = build_sources(shop.parts, [name])
    nobody = make_shoppers(shop.catalogue, [[]])
    items, scores = source.candidates(shop.shoppers, k)
    assert items.shape == scores.shape == (len(shop.shoppers), k)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert (items < len(shop.catalogue)).all()
    assert np.array_equal(items == -1, np.isneginf(scores))
    assert (np.sort(items == -1, axis=1) == (items == -1)).all(), "padding stands last"
    assert (scores[:, 1:] <= scores[:, :-1]).all(), "best first"
    for row, (listed, value) in enumerate(zip(items, scores, strict=True)):
        found = listed[listed >= 0]
        assert len(set(found)) == len(found)
        alone = source.candidates(shop.shoppers.take([row]), k)
        assert np.array_equal(alone[0][0], listed)
        assert np.array_equal(alone[1][0], value)
        reason = source.because(shop.shoppers, row, int(found[0]))
        assert reason
    empty = source.candidates(nobody, k)[0]
    assert (empty == -1).all() == (name != "popular")


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"popular"}))
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


def test_neighbours_come_back_mapped_and_refuse_another_catalogue(shop, tmp_path):
    shop.parts.transitions.save(tmp_path)
    again = Transitions.load(tmp_path, shop.catalogue)
    assert isinstance(again.weights, np.memmap)
    assert np.array_equal(again.items, shop.parts.transitions.items)
    device, refill = (shop.catalogue.index[item_name(0, n)] for n in (DEVICE, REFILL))
    assert again.weight(device, refill) == 1
    other = replace(shop.catalogue, item_ids=list(shop.catalogue.item_ids)[::-1])
    with pytest.raises(VersionMismatchError):
        Transitions.load(tmp_path, other)


def test_an_unknown_source_is_named(shop):
    with pytest.raises(SettingsError, match="neighbours"):
        build_sources(shop.parts, ["neighbors"])


@dataclass
class Fixed(CandidateSource):
    """Proposes the same rows to whoever asks."""

    lists: list[list[int]]
    name = "fixed"

    @classmethod
    def build(cls, _parts):
        return cls([])

    def candidates(self, shoppers, k):
        items, scores = padded((len(shoppers), k))
        for row, listed in enumerate(self.lists):
            n = min(k, len(listed))
            items[row, :n], scores[row, :n] = listed[:n], -np.arange(n)
        return items, scores

    def because(self, shoppers, row, item):
        return None


CATALOGUE = make_catalogue()
LISTS = st.lists(st.lists(st.integers(0, 29), unique=True, max_size=12), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(LISTS, min_size=1, max_size=4), st.integers(1, 20), st.booleans())
def test_the_blend_takes_turns(lists, size, masked):
    histories = [["Coffee-1", "Garden-2"], [], ["Coffee-3"]]
    shoppers = make_shoppers(CATALOGUE, histories)
    pool = build_pool(shoppers, [Fixed(part) for part in lists], size, mask_history=masked)
    for row in range(3):
        expected: list[int] = []
        for turn in range(min(size, 12)):
            for source in lists:
                if turn < len(source[row]) and source[row][turn] not in expected:
                    expected.append(source[row][turn])
        if masked:
            expected = [i for i in expected if i not in shoppers.history(row)]
        real = pool.items[row][pool.items[row] >= 0].tolist()
        assert real == expected[:size]
        for place, item in enumerate(real):
            for s, source in enumerate(lists):
                at = source[row].index(item) if item in source[row][:size] else None
                assert (pool.ranks[row, place, s] == at) or (
                    at is None and np.isnan(pool.scores[row, place, s])
                )


def test_what_is_masked_is_what_was_bought(shop):
    pool = build_pool(shop.shoppers, shop.sources, 30, mask_history=True)
    open_pool = build_pool(shop.shoppers, shop.sources, 30)
    for row in range(len(shop.shoppers)):
        past = set(shop.shoppers.history(row))
        assert not past & set(pool.items[row])
        assert past <= set(open_pool.items[row])
