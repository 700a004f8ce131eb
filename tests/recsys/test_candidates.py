"""The sources keep one contract; their votes make the pool."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import VersionMismatchError
from recsys.arrays import padded, top_per_row
from recsys.candidates import (
    DEFAULT,
    SOURCES,
    CandidateSource,
    ItemIndex,
    build_pool,
    build_sources,
    ranks_of,
)
from recsys.candidates.matrices import wording
from recsys.candidates.proposals import SparseProposal, VectorProposal
from recsys.errors import ArtifactError, SettingsError
from tests.recsys.shop import (
    AS_OF,
    REFILL,
    item_name,
    make_catalogue,
    make_shop,
    make_shoppers,
    taste_of,
)

IMPERSONAL = {name for name, source in SOURCES.items() if not source.personal}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The tiny shop, of which three items are new and three at a time share a word."""
    made = make_shop(tmp_path_factory.mktemp("shop"))
    ages = made.stats.age_days.copy()
    ages[[4, 11, 20]] = [3, 30, 60]
    stats = replace(made.stats, age_days=ages)
    names = (item.split("-") for item in made.catalogue.item_ids)
    titles = [f"{taste}{int(n) // 3}" for taste, n in names]
    words = wording(replace(made.catalogue, titles=titles, brands=[None] * len(titles)))
    sold = words.scaled(np.log1p(stats.purchases))
    matrices = {**made.parts.matrices, "wording": words, "wording_sold": sold}
    parts = replace(made.parts, item_stats=stats, matrices=matrices)
    return replace(made, stats=stats, parts=parts, sources=build_sources(parts))


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


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_source_scores_items_as_it_proposes_them(shop, name):
    (source,) = build_sources(shop.parts, [name])
    proposal = source.ask(shop.shoppers)
    items, scores = proposal.top(9)
    near = 1e-5 if isinstance(proposal, VectorProposal) else 0
    again = proposal.at(items)
    assert (again.dtype, again.shape) == (np.float32, items.shape)
    assert again[items >= 0] == pytest.approx(scores[items >= 0], abs=near, rel=0)
    assert not again[items == -1].any()
    assert not proposal.at(np.full((len(items), 3), -1, np.int32)).any()
    # any item may be asked for, in any order, alone or in a batch
    size = len(shop.catalogue)
    every = np.tile(np.arange(size, dtype=np.int32)[::-1], (len(items), 1))
    wide = proposal.at(every)
    listed = np.where(items >= 0, items, 0)
    by_item = np.take_along_axis(wide[:, ::-1], listed, 1)
    assert by_item[items >= 0] == pytest.approx(scores[items >= 0], abs=near, rel=0)
    for row in range(0, len(items), 7):
        alone = source.ask(shop.shoppers.take([row])).at(every[[row]])
        assert np.array_equal(alone[0], wide[row])
    if isinstance(proposal, SparseProposal):
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


@dataclass(frozen=True)
class Lists:
    """A proposal of given rows: the scores fall from 1."""

    rows: list[list[int]]

    def top(self, k):
        items, scores = padded((len(self.rows), k))
        for row, listed in enumerate(self.rows):
            n = min(k, len(listed))
            items[row, :n], scores[row, :n] = listed[:n], 1 / (1 + np.arange(n))
        return items, scores

    def at(self, items):
        scores = np.zeros(items.shape, np.float32)
        for row, listed in enumerate(self.rows):
            for place, item in enumerate(listed):
                scores[row, items[row] == item] = 1 / (1 + place)
        return scores


@dataclass(frozen=True)
class Fixed(CandidateSource):
    """Proposes the same rows to whoever asks."""

    lists: list[list[int]]
    vote: float = 1.0
    name: str = "fixed"

    @classmethod
    def build(cls, _parts):
        return cls([])

    def ask(self, shoppers):
        return Lists(self.lists)

    def because(self, shoppers, row, item):
        return None


CATALOGUE = make_catalogue()


def test_votes_fade_with_the_rank_and_add_up():
    one = make_shoppers(CATALOGUE, [["Coffee-1"]])
    sources = [Fixed([[7, 3, 9]], 1.0, "a"), Fixed([[3, 8]], 0.5, "b"), Fixed([[6, 3]], 0.0, "c")]
    pool = build_pool(one, sources, 6)
    assert pool.sources == ("a", "b", "c")
    # 3: second of a, first of b; 7: first of a; 9: third of a; 8: second of b
    votes = [1 / 21 + 0.5 / 20, 1 / 20, 1 / 22, 0.5 / 21]
    assert pool.items.tolist() == [[3, 7, 9, 8, -1, -1]]
    assert pool.votes[0, :4] == pytest.approx(votes)
    assert np.isneginf(pool.votes[0, 4:]).all()
    # all of it is scored by everyone, also by whom doesn't vote: c's own 6 is not in the pool
    told = [[1 / 2, 1, 1 / 2], [1, 0, 0], [1 / 3, 0, 0], [0, 1 / 2, 0], [0] * 3, [0] * 3]
    assert pool.scores.shape == (1, 6, 3)
    assert pool.scores[0] == pytest.approx(np.array(told))
    assert [items.tolist()[0][:3] for items in pool.proposed[:2]] == [[7, 3, 9], [3, 8, -1]]
    assert pool.proposed[2].shape == (1, 0)
    assert pool.real.tolist() == [[True] * 4 + [False] * 2]


def test_the_pool_keeps_the_best_and_breaks_ties_by_position():
    one = make_shoppers(CATALOGUE, [["Coffee-1"]])
    sources = [Fixed([[9, 4, 5]]), Fixed([[2, 4, 6]])]
    assert build_pool(one, sources, 4).items.tolist() == [[4, 2, 9, 5]]
    assert build_pool(one, sources, 2).items.tolist() == [[4, 2]]


def test_a_mask_is_of_ones_own_history():
    """What she bought and nobody voted for is not looked for in the next shopper's row."""
    catalogue = CATALOGUE
    ids = catalogue.item_ids
    shoppers = make_shoppers(catalogue, [[ids[3], ids[12]], [ids[1]], []])
    pool = build_pool(shoppers, [Fixed([[2, 3, 9], [2, 1, 9], [3, 2]])], 3, mask_history=True)
    assert pool.items.tolist() == [[2, 9, -1], [2, 9, -1], [3, 2, -1]]
    assert pool.votes[0, :2] == pytest.approx([1 / 20, 1 / 22]), "masked, it keeps its rank"
    assert pool.proposed[0][0, :3].tolist() == [2, 3, 9]


def test_some_pools_can_be_taken():
    shoppers = make_shoppers(CATALOGUE, [["Coffee-1"]] * 3)
    pool = build_pool(shoppers, [Fixed([[1], [2, 3], [4]]), Fixed([[], [9], []], 0.0)], 2)
    some = pool.take(np.array([2, 1]))
    assert some.items.tolist() == [[4, -1], [2, 3]]
    assert np.array_equal(some.scores, pool.scores[[2, 1]])
    assert np.array_equal(some.votes, pool.votes[[2, 1]])
    assert [len(items) for items in some.proposed] == [2, 2]
    assert some.proposed[0][0, 0] == 4
    assert some.sources == pool.sources


def test_ranks_are_places_among_the_proposals():
    proposed = (np.array([[5, 3, -1], [4, -1, -1]], np.int32), np.empty((2, 0), np.int32))
    ranks = ranks_of(proposed, np.array([[3, 5, -1], [5, 4, -1]], np.int32))
    none = np.nan
    expected = [[[1, none], [0, none], [none] * 2], [[none] * 2, [0, none], [none] * 2]]
    assert np.array_equal(ranks, np.array(expected, np.float32), equal_nan=True)


LISTS = st.lists(st.lists(st.integers(0, 29), unique=True, max_size=12), min_size=3, max_size=3)
VOTERS = st.lists(st.tuples(LISTS, st.sampled_from([0.0, 0.1, 0.5, 1.0])), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(VOTERS, st.integers(1, 30), st.booleans())
def test_the_pool_is_that_of_a_plain_count(voters, size, masked):
    shoppers = make_shoppers(CATALOGUE, [["Coffee-1", "Garden-2"], [], ["Coffee-3"]])
    pool = build_pool(shoppers, [Fixed(*voter) for voter in voters], size, mask_history=masked)
    assert pool.items.shape == (3, size)
    for row in range(3):
        votes: dict[int, np.float32] = {}
        for lists, weight in voters:
            for rank, item in enumerate(lists[row] if weight else []):
                votes[item] = np.float32(votes.get(item, 0) + np.float32(weight / (20 + rank)))
        if masked:
            for item in shoppers.history(row):
                votes.pop(int(item), None)
        real = pool.items[row][pool.real[row]].tolist()
        found = pool.votes[row][: len(real)]
        assert len(real) == min(size, len(votes))
        assert found == pytest.approx([votes[item] for item in real], rel=1e-6)
        assert found == pytest.approx(sorted(votes.values(), reverse=True)[:size], rel=1e-6)
        assert (np.diff(found) <= 0).all()
        for place, item in enumerate(real):
            for s, (lists, _) in enumerate(voters):
                told = 1 / (1 + lists[row].index(item)) if item in lists[row] else 0
                assert pool.scores[row, place, s] == pytest.approx(told)
        assert not pool.scores[row, len(real) :].any()


@pytest.mark.parametrize("masked", [False, True])
def test_a_pool_is_the_same_alone_and_in_a_batch(shop, masked):
    together = build_pool(shop.shoppers, shop.sources, 12, mask_history=masked)
    for row in range(len(shop.shoppers)):
        alone = build_pool(shop.shoppers.take([row]), shop.sources, 12, mask_history=masked)
        assert np.array_equal(alone.items[0], together.items[row])
        assert np.array_equal(alone.votes[0], together.votes[row])
        assert np.array_equal(alone.scores[0], together.scores[row])


def test_own_purchases_count_alike_alone_and_in_a_batch(shop):
    """Many purchases of one item are a long sum: its last bit may not hang on the company."""
    often, other = ["Coffee-4"] * 40, ["Garden-2", "Garden-1", "Garden-2"]
    both = make_shoppers(shop.catalogue, [often, other])
    for source in shop.sources:
        together = source.candidates(both, 5)
        alone = source.candidates(both.take([0]), 5)
        assert np.array_equal(alone[0][0], together[0][0])
        assert np.array_equal(alone[1][0], together[1][0]), source.name


def test_what_is_masked_is_what_was_bought(shop):
    pool = build_pool(shop.shoppers, shop.sources, 30, mask_history=True)
    open_pool = build_pool(shop.shoppers, shop.sources, 30)
    for row in range(len(shop.shoppers)):
        past = set(shop.shoppers.history(row))
        assert not past & set(pool.items[row])
        assert past <= set(open_pool.items[row])


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
