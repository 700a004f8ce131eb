"""What the hypernetwork learns from: purchases, and the catalogue for tastes that nobody had."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.candidates import ItemIndex
from recsys.pairs import NEAR, of_the_catalogue, pairs
from recsys.tastes import Tastes
from tests.recsys.shop import make_catalogue, make_shoppers, taste_of

CATALOGUE = make_catalogue()
INDEX = ItemIndex.build(CATALOGUE)
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


def test_an_item_leads_to_one_of_those_nearest_to_it_and_never_to_itself():
    vectors, answers = of_the_catalogue(WORDS, INDEX, 500, seed=3)
    assert len(vectors) == 500
    similar = np.asarray(CATALOGUE.vectors) @ CATALOGUE.vectors.T
    led = 0
    for vector, answer in zip(vectors, answers, strict=True):
        item = int((CATALOGUE.vectors @ vector).argmax())
        nearest = [near for near in np.argsort(-similar[item]) if near != item][:NEAR]
        assert answer in nearest
        led += taste_of(CATALOGUE, np.array([item, answer])) in ({"Coffee"}, {"Garden"})
    assert led == 500
    again = of_the_catalogue(WORDS, INDEX, 500, seed=3)
    np.testing.assert_array_equal(again[1], answers)


@pytest.mark.parametrize("titled", [0, 1])
def test_what_has_no_title_is_neither_asked_of_nor_asked_for(titled):
    titles = [title if at < titled else "" for at, title in enumerate(CATALOGUE.titles)]
    bare = ItemIndex.build(replace(CATALOGUE, titles=titles))
    vectors, answers = of_the_catalogue(WORDS, bare, 20, seed=0)
    assert len(vectors) == len(answers) == 0
