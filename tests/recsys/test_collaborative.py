"""Vectors learned from what is bought near each other."""

from dataclasses import replace

import numpy as np
import pytest

from features.errors import VersionMismatchError
from recsys.candidates import ItemMatrix, LinkVectors
from recsys.errors import ArtifactError
from recsys.shoppers import Shoppers
from recsys.sparse import matrix
from tests.recsys.shop import AS_OF, make_catalogue, make_shoppers

CATALOGUE = make_catalogue()
COFFEE = np.array([item.startswith("Coffee") for item in CATALOGUE.item_ids])
LONELY = CATALOGUE.index["Garden-14"]


def bought_together(seed: int = 0) -> ItemMatrix:
    """Each item is bought near most others of its taste, and one near nothing."""
    rng = np.random.default_rng(seed)
    size = len(CATALOGUE)
    pairs = (COFFEE[:, None] == COFFEE) & (rng.random((size, size)) < 0.7)
    pairs[LONELY] = pairs[:, LONELY] = False
    np.fill_diagonal(pairs, val=False)
    rows, columns = np.nonzero(pairs)
    support = rng.integers(1, 5, len(rows))
    return ItemMatrix(matrix(rows, columns, support, (size, size)), CATALOGUE.fingerprint)


@pytest.fixture(scope="module")
def learned() -> LinkVectors:
    return LinkVectors.learn(bought_together(), CATALOGUE, seed=3)


def test_items_bought_together_end_up_near(learned):
    """The text's vectors have no part in it."""
    near = learned.queries @ learned.index.catalogue.vectors.T  # (I, I)
    linked = np.arange(len(CATALOGUE)) != LONELY
    for item in np.flatnonzero(linked):
        same = near[item, linked & (COFFEE[item] == COFFEE)]
        other = near[item, linked & (COFFEE[item] != COFFEE)]
        assert same.mean() > other.mean() + 0.1
    found, _ = learned.index.search(learned.queries[linked], 10)
    assert (COFFEE[found] == COFFEE[linked, None]).mean() > 0.95


def test_queries_have_length_one_and_answers_at_most(learned):
    lengths = np.linalg.norm(learned.queries, axis=1)
    assert lengths[np.arange(len(lengths)) != LONELY] == pytest.approx(1, abs=1e-5)
    answers = np.linalg.norm(learned.index.catalogue.vectors, axis=1)
    assert answers.max() == pytest.approx(1, abs=1e-6)
    assert learned.queries.shape == (*answers.shape, len(CATALOGUE) // 4)


def test_an_item_without_links_says_nothing_and_answers_to_nothing(learned):
    assert np.abs(learned.index.catalogue.vectors[LONELY]).max() < 1e-5
    only = make_shoppers(CATALOGUE, [[CATALOGUE.item_ids[LONELY], "Coffee-4"], ["Coffee-4"]])
    both = learned.vectors(only)
    assert not learned.vectors(make_shoppers(CATALOGUE, [[]])).any()
    assert np.linalg.norm(both, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_same_seed_learns_the_same(learned):
    again = LinkVectors.learn(bought_together(), CATALOGUE, seed=3)
    assert np.array_equal(again.queries, learned.queries)
    assert np.array_equal(again.index.catalogue.vectors, learned.index.catalogue.vectors)
    other = LinkVectors.learn(bought_together(seed=1), CATALOGUE, seed=3)
    assert not np.array_equal(other.queries, learned.queries)


def test_they_come_back_and_refuse_another_catalogue(learned, tmp_path):
    learned.save(tmp_path)
    again = LinkVectors.load(tmp_path, CATALOGUE)
    assert np.array_equal(again.queries, learned.queries)
    for a, b in zip(
        again.index.search(again.queries, 5),
        learned.index.search(learned.queries, 5),
        strict=True,
    ):
        assert np.array_equal(a, b)
    other = replace(CATALOGUE, item_ids=list(CATALOGUE.item_ids)[::-1])
    with pytest.raises(VersionMismatchError, match="another catalogue"):
        LinkVectors.load(tmp_path, other)
    (tmp_path / "answers.npy").write_bytes(b"torn")
    with pytest.raises(ArtifactError):
        LinkVectors.load(tmp_path, CATALOGUE)


def test_what_was_just_bought_counts_most_and_equals_in_time_weigh_the_same(learned):
    a, b = (CATALOGUE.index[name] for name in ("Coffee-4", "Garden-4"))

    def vector(*times: int):
        row = {"user_id": "x", "item_ids": ["Coffee-4", "Garden-4"], "item_times": list(times)}
        return learned.vectors(Shoppers.from_rows([row], CATALOGUE, AS_OF))[0]

    later = learned.queries[a] * 2 ** (-1 / 2) + learned.queries[b]  # half of it every 2 purchases
    assert vector(10, 20) == pytest.approx(later / np.linalg.norm(later), abs=1e-5)
    level = learned.queries[a] + learned.queries[b]
    assert vector(20, 20) == pytest.approx(level / np.linalg.norm(level), abs=1e-5)


@pytest.mark.parametrize("items", [1, 3])
def test_a_shop_of_few_items_has_vectors_too(items):
    few = replace(
        CATALOGUE, **{
            name: list(getattr(CATALOGUE, name))[:items]
            for name in ("item_ids", "titles", "categories", "brands")
        }, prices=CATALOGUE.prices[:items], vectors=CATALOGUE.vectors[:items],
    )  # fmt: skip
    nothing = ItemMatrix(matrix([], [], [], (items, items)), few.fingerprint)
    learned = LinkVectors.learn(nothing, few)
    assert learned.queries.shape == (items, 1)
    assert np.isfinite(learned.queries).all()
    assert np.isfinite(learned.index.catalogue.vectors).all()
