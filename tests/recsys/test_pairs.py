"""What the hypernetwork learns from: purchases, and the catalogue for tastes that nobody had."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from recsys.candidates import ItemIndex
from recsys.errors import SettingsError
from recsys.pairs import of_the_catalogue, pairs
from recsys.tastes import Tastes
from tests.recsys.shop import make_catalogue, make_shoppers

CATALOGUE = make_catalogue()
INDEX = ItemIndex.build(CATALOGUE)


def normalised(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


WORDS = Tastes.of_words(CATALOGUE, 5.0)
SHOPPERS = make_shoppers(
    CATALOGUE, [["Coffee-0", "Coffee-1", "Coffee-2"], ["Garden-2", "Garden-5"], ["Garden-1"]]
)


def test_purchases_come_first_and_the_catalogue_makes_its_share():
    made = pairs(SHOPPERS, WORDS, INDEX, 0.75, seed=1)
    assert made.purchases == 3, "the first purchase of each has nothing before it"
    assert made.titles[:3] == ["The Coffee-1", "The Coffee-2", "The Garden-5"]
    assert len(made.titles) == len(made.vectors) == 12
    alone = pairs(SHOPPERS, WORDS, INDEX, 0.0, seed=1)
    assert alone.titles == made.titles[:3]
    np.testing.assert_array_equal(alone.vectors, made.vectors[:3])


def test_who_bought_alike_items_is_asked_for_one_that_is_alike(monkeypatch):
    monkeypatch.setattr("recsys.pairs.ALIKE", 5)
    monkeypatch.setattr("recsys.pairs.NEAR", 3)
    vectors, answers = of_the_catalogue(WORDS, INDEX, 300, seed=3)
    assert len(vectors) == len(answers) == 300
    items = np.asarray(CATALOGUE.vectors)
    similar = items @ items.T
    np.fill_diagonal(similar, -np.inf)
    nearest = np.argsort(-similar, axis=1)
    for vector, answer in zip(vectors, answers, strict=True):
        themes = [
            item
            for item in np.flatnonzero((nearest[:, :3] == answer).any(axis=1))
            for one, other in product(nearest[item, :5], repeat=2)
            if np.allclose(normalised(items[[item, one, other]].mean(axis=0)), vector, atol=1e-5)
        ]
        assert themes, "an item, two of the five nearest to it, and one of the three nearest"
    again = of_the_catalogue(WORDS, INDEX, 300, seed=3)
    np.testing.assert_array_equal(again[1], answers)


@pytest.mark.parametrize("titled", [0, 1])
def test_what_has_no_title_is_neither_asked_of_nor_asked_for(titled):
    titles = [title if at < titled else "" for at, title in enumerate(CATALOGUE.titles)]
    bare = ItemIndex.build(replace(CATALOGUE, titles=titles))
    vectors, answers = of_the_catalogue(WORDS, bare, 20, seed=0)
    assert len(vectors) == len(answers) == 0


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_leaves_no_purchases_is_refused(share):
    with pytest.raises(SettingsError, match=r"personalizer\.hypernet\.catalogue"):
        pairs(SHOPPERS, WORDS, INDEX, share, seed=0)
