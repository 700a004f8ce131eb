"""What the hypernetwork is told of a shopper, from one source or both."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.candidates import ItemMatrix, LinkVectors
from recsys.sparse import matrix
from recsys.tastes import Tastes
from tests.recsys.shop import make_catalogue, make_shoppers

CATALOGUE = make_catalogue()
SHOPPERS = make_shoppers(
    CATALOGUE,
    [["Coffee-0", "Coffee-1", "Garden-3"], ["Garden-2", "Coffee-5"], ["Garden-1"]],
)
WORDS = Tastes.of_words(CATALOGUE, 5.0)


@pytest.fixture(scope="module")
def links() -> LinkVectors:
    size = len(CATALOGUE)
    rows, columns = np.nonzero(~np.eye(size, dtype=bool))
    weights = np.random.default_rng(1).integers(0, 5, len(rows))
    found = ItemMatrix(matrix(rows, columns, weights, (size, size)), CATALOGUE.fingerprint)
    return LinkVectors.learn(found, CATALOGUE, seed=1)


@pytest.fixture(params=["collaborative", "both"])
def tastes(request, links) -> Tastes:
    return WORDS.linked(request.param, links)


def test_words_alone_are_the_taste_as_it_is_looked_up():
    assert WORDS.of(SHOPPERS) is SHOPPERS.vectors
    assert WORDS.dim == SHOPPERS.vectors.shape[1]
    assert WORDS.alone(SHOPPERS.vectors) == {}


def test_before_a_purchase_she_is_who_she_was_without_it(tastes):
    before = tastes.before(SHOPPERS)
    was = make_shoppers(CATALOGUE, [["Coffee-0", "Coffee-1"]])
    # the looked-up taste of these shoppers is a plain mean: only the links can be compared
    linked = tastes.links.shape[1]
    np.testing.assert_allclose(before[2, -linked:], tastes.of(was)[0, -linked:], atol=1e-6)
    assert not before[0].any(), "nothing is known before the first"
    assert before.shape == (6, tastes.dim)


def test_both_stand_side_by_side_and_either_can_be_left_alone(links):
    both, linked = WORDS.linked("both", links), WORDS.linked("collaborative", links)
    told = both.of(SHOPPERS)
    np.testing.assert_allclose(told[:, : WORDS.dim], SHOPPERS.vectors, atol=1e-6)
    np.testing.assert_array_equal(told[:, WORDS.dim :], linked.of(SHOPPERS))
    alone = both.alone(told)
    assert not alone["text"][:, WORDS.dim :].any()
    assert not alone["collaborative"][:, : WORDS.dim].any()
    np.testing.assert_array_equal(alone["text"] + alone["collaborative"], told)
    assert linked.alone(linked.of(SHOPPERS)) == {}


def test_what_was_trained_with_is_read_back_for_the_items_there_are_now(tastes, tmp_path):
    tastes.save(tmp_path, CATALOGUE)
    same = Tastes.load(tmp_path, CATALOGUE, 5.0)
    np.testing.assert_array_equal(same.of(SHOPPERS), tastes.of(SHOPPERS))

    order = np.random.default_rng(2).permutation(len(CATALOGUE))[:-1]
    new = [*(CATALOGUE.item_ids[at] for at in order), "New-1"]
    later = replace(CATALOGUE, item_ids=new, vectors=np.vstack([CATALOGUE.vectors[order]] * 2)[:30])
    moved = Tastes.load(tmp_path, later, 5.0)
    assert moved.source == tastes.source
    np.testing.assert_array_equal(moved.links[:-1], tastes.links[order])
    assert not moved.links[-1].any(), "what came since says nothing"


def test_beside_a_hypernetwork_of_words_alone_nothing_is_written(tmp_path):
    WORDS.save(tmp_path, CATALOGUE)
    assert list(tmp_path.iterdir()) == []
    assert Tastes.load(tmp_path, CATALOGUE, 5.0).source == "text"
