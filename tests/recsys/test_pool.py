"""The votes of the sources make the pool."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.arrays import padded
from recsys.candidates import CandidateSource, build_pool, faiss_index, ranks_of
from recsys.candidates.base import DEPTH
from tests.recsys.shop import make_catalogue, make_shoppers, make_worded_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_worded_shop(tmp_path_factory.mktemp("shop"))


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


@pytest.mark.parametrize("backwards", [False, True])
def test_sources_asked_together_say_what_each_says_alone(shop, backwards):
    sources = shop.sources[::-1] if backwards else shop.sources
    assert {bool(source.vote) for source in sources} == {False, True}
    pool = build_pool(shop.shoppers, sources, 12)
    for at, source in enumerate(sources):
        alone = source.ask(shop.shoppers)
        assert np.array_equal(pool.scores[:, :, at], alone.at(pool.items)), source.name
        expected = alone.top(DEPTH)[0] if source.vote else np.empty((len(shop.shoppers), 0))
        assert np.array_equal(pool.proposed[at], expected), source.name


@pytest.mark.parametrize("cores", [1, 2])
def test_a_search_that_goes_on_beside_changes_no_pool(tmp_path, monkeypatch, cores):
    """Large indexes are searched beside the other sources, small ones by FAISS alone."""
    shop = make_worded_shop(tmp_path)
    alone = [shop.shoppers.take([row]) for row in range(len(shop.shoppers))]
    expected = [build_pool(one, shop.sources, 12) for one in alone]
    searched = [source.ask(alone[0]) for source in shop.sources if source.turn < 2]
    assert [proposal.begun for proposal in searched] == [None, None]
    monkeypatch.setattr(faiss_index, "WORTH", range(1, 1 << 26))
    monkeypatch.setattr(faiss_index, "WORKERS", cores)
    for proposal in searched:
        vars(proposal.index).pop("_rounded")  # it was found not to be worth it
    assert all(source.ask(alone[0]).begun for source in shop.sources if source.turn < 2)
    for one, pool in zip(alone, expected, strict=True):
        again = build_pool(one, shop.sources, 12)
        assert np.array_equal(again.items, pool.items)
        assert np.array_equal(again.votes, pool.votes)
        assert np.array_equal(again.scores, pool.scores)
        for mine, theirs in zip(again.proposed, pool.proposed, strict=True):
            assert np.array_equal(mine, theirs)


def test_what_is_masked_is_what_was_bought(shop):
    pool = build_pool(shop.shoppers, shop.sources, 30, mask_history=True)
    open_pool = build_pool(shop.shoppers, shop.sources, 30)
    for row in range(len(shop.shoppers)):
        past = set(shop.shoppers.history(row))
        assert not past & set(pool.items[row])
        assert past <= set(open_pool.items[row])
