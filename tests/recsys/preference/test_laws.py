"""What every distractor law keeps to, and what each takes away."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsys.errors import SettingsError
from recsys.evaluation.preference.build import build
from recsys.evaluation.preference.laws import LAWS, Asked, Stock, law_named
from tests.recsys.preference import world
from tests.recsys.shop import make_shop, make_shoppers, taste_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("options", [4, 8])
def test_options_are_new_to_her_all_different_and_one_is_right(shop, law, options):
    made = world.asked(shop, law, options=options)
    questions, shoppers = made.questions, made.view.shoppers
    assert len(questions) > 40
    for row, items in enumerate(questions.options):
        assert len(set(items)) == options
        assert not set(items) & set(shoppers.history(row)), "nothing she bought before"
    counts = questions.positions
    assert sum(counts) == len(questions)
    assert max(counts) - min(counts) <= 1, "every place is right as often"


@pytest.mark.parametrize("law", LAWS)
def test_a_draw_depends_on_the_shopper_alone(shop, law):
    few, many = world.asked(shop, law, users=20), world.asked(shop, law, users=80)
    of = dict(zip(many.questions.user_ids, map(set, many.questions.options), strict=True))
    told = dict(zip(few.questions.user_ids, map(set, few.questions.options), strict=True))
    assert told == {user: of[user] for user in told}


def others(shop, law):
    made = world.asked(shop, law)
    right = np.arange(4) == made.questions.right[:, None]
    return made, made.questions.options[~right].reshape(-1, 3)


@pytest.mark.parametrize("law", ["uniform", "popularity", "next-uniform"])
def test_strange_distractors_are_of_categories_never_bought(shop, law):
    made, wrong = others(shop, law)
    for row, items in enumerate(wrong):
        hers = taste_of(shop.catalogue, made.view.shoppers.history(row))
        assert not hers & taste_of(shop.catalogue, items)


@pytest.mark.parametrize("law", ["same-category", "hard", "next"])
def test_distractors_of_the_category_share_the_answers(shop, law):
    made, wrong = others(shop, law)
    for answer, items in zip(made.questions.answers, wrong, strict=True):
        assert taste_of(shop.catalogue, items) == taste_of(shop.catalogue, np.array([answer]))


def test_matched_distractors_are_as_popular_as_the_answer():
    rng = np.random.default_rng(0)
    shop_codes = np.repeat(np.arange(2), 500)
    bought = rng.integers(1, 1000, 1000)
    stock = _stock(shop_codes, bought)
    draw = np.random.default_rng(1)
    for answer in range(0, 500, 50):
        items = law_named("popularity").draw(Asked(stock, answer, np.array([answer])), 3, draw)
        assert (shop_codes[items] == 1).all()
        assert (np.abs(np.log(bought[items] / bought[answer])) < 0.5).all() or bought[answer] < 20


def _stock(codes, bought):
    return Stock(SimpleNamespace(categories=[(f"c{code}",) for code in codes]), bought, "leaf")


def test_too_few_distractors_are_no_question():
    stock = _stock(np.array([0, 0, 1]), np.ones(3, np.int64))
    asked = Asked(stock, 0, np.array([0]))
    assert law_named("same-category").draw(asked, 2, np.random.default_rng(0)) is None


def test_similar_distractors_read_like_the_answer(shop):
    made, wrong = others(shop, "similar")
    vectors = shop.catalogue.vectors
    near = np.einsum("nkd,nd->nk", vectors[wrong], vectors[made.questions.answers])
    _, strange = others(shop, "uniform")
    far = np.einsum("nkd,nd->nk", vectors[strange], vectors[made.questions.answers])
    assert near.mean() > far.mean()


def test_an_unknown_law_is_told():
    with pytest.raises(SettingsError, match="uniform, popularity"):
        law_named("unfair")


def test_what_she_bought_at_any_time_is_no_wrong_option(shop):
    """The history that is told may be cut short, and the future is not told at all."""
    shoppers = make_shoppers(shop.catalogue, [["Coffee-2", "Coffee-3"]])
    ever = make_shoppers(shop.catalogue, [[f"Coffee-{n}" for n in range(2, 11)]])
    stock = Stock(shop.catalogue, np.ones(len(shop.catalogue), np.int64), "leaf")
    answers = shop.catalogue.positions(["Coffee-4"])
    law = law_named("same-category")
    made = build(law, stock, shoppers, answers, ever=ever, options=4, seed=0).questions
    others = set(made.options[0]) - {int(answers[0])}
    assert len(others) == 3
    assert not others & set(ever.items)
