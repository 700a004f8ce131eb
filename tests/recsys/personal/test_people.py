"""Who is held out, and that nothing told of her is as late as what she is asked about."""

import numpy as np
import pytest

from recsys.arrays import PAD
from recsys.errors import StageError
from recsys.evaluation.personal import people
from recsys.evaluation.preference.laws import Stock
from tests.recsys.shop import PER_TASTE, item_name, make_catalogue, make_shoppers


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue()


def garden(*numbers):
    return [item_name(1, n) for n in numbers]


def coffee(*numbers):
    return [item_name(0, n) for n in numbers]


def before_of(shoppers, catalogue):
    return people.prefix_vectors(
        shoppers.indptr, shoppers.items, shoppers.times, np.asarray(catalogue.vectors), 5.0
    )


def latest(shoppers, catalogue):
    stock = Stock(catalogue, np.ones(len(catalogue), np.int64), "leaf")
    return people.latest(shoppers, stock, before_of(shoppers, catalogue))


def test_the_latest_first_purchase_of_a_kind_she_knew_is_asked_about(catalogue):
    shoppers = make_shoppers(
        catalogue,
        [
            [*coffee(1, 2), *garden(5)],  # the garden is new to her: coffee 2 it is
            [*coffee(1), *garden(5)],  # nothing of a kind she knew
            [*coffee(1, 2, 1)],  # bought again is no question
            [],
        ],
    )
    at = latest(shoppers, catalogue)
    assert at.tolist() == [1, PAD, shoppers.indptr[2] + 1, PAD]


def test_purchases_at_one_time_do_not_tell_of_each_other(catalogue):
    shoppers = make_shoppers(catalogue, [coffee(1, 2)])
    shoppers.times[:] = shoppers.times[0]
    assert latest(shoppers, catalogue).tolist() == [PAD]


def test_a_history_is_cut_to_what_is_strictly_earlier(catalogue):
    shoppers = make_shoppers(catalogue, [coffee(1, 2, 3, 4)])
    shoppers.times[2] = shoppers.times[1]
    cut = people.before_question(
        shoppers, np.array([0]), np.array([2]), np.ones((1, 8), np.float32)
    )
    assert [catalogue.item_ids[item] for item in cut.history(0)] == coffee(1)


@pytest.fixture(scope="module")
def parted(catalogue):
    rng = np.random.default_rng(3)
    histories = [
        [item_name(row % 2, n) for n in rng.permutation(PER_TASTE)[:6]] for row in range(160)
    ]
    shoppers = make_shoppers(catalogue, histories)
    return shoppers, people.part(catalogue, shoppers, half_life=5.0, most=30, seed=0)


def test_nobody_who_is_asked_teaches(parted):
    shoppers, made = parted
    asked = [set(group.shoppers.user_ids) for group in made.asked.values()]
    assert all(len(each) >= people.LEAST for each in asked)
    everybody = set.union(*asked)
    assert len(everybody) == sum(map(len, asked))
    assert not everybody & set(made.teachers.user_ids)
    assert len(everybody) + len(made.teachers) == len(shoppers)


def test_the_other_options_are_of_kinds_she_never_bought(parted, catalogue):
    shoppers, made = parted
    row_of = {user: row for row, user in enumerate(shoppers.user_ids)}
    codes = catalogue.leaf_codes
    for group in made.asked.values():
        questions = group.questions
        for row, user in enumerate(questions.user_ids):
            history = shoppers.history(row_of[user])
            answer = questions.answers[row]
            others = np.delete(questions.options[row], questions.right[row])
            assert answer in history
            assert answer not in group.shoppers.history(row)
            assert not set(codes[others]) & set(codes[history])


def test_too_few_shoppers_are_refused(catalogue):
    shoppers = make_shoppers(catalogue, [coffee(1, 2)] * 12)
    with pytest.raises(StageError, match="12 shoppers bought twice"):
        people.part(catalogue, shoppers, half_life=5.0, most=30, seed=0)
