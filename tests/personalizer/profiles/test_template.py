"""The sentences without a model: plain, specific, and true of the history."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalizer.profiles.generators import Request, TemplateGenerator
from personalizer.profiles.history import History, Item
from personalizer.profiles.sensitive import ATTRIBUTES, Policy
from tests.personalizer.profiles.shops import (
    CREAM,
    DRYER,
    FIGURE_4,
    ITEMS,
    POLISH,
    SERUM,
    SHAMPOO,
    WASH,
    history,
)


def told(of: History, stage: str = "profile", style: str = "guided", **policy: object) -> str:
    generator = TemplateGenerator(Policy(**policy))
    return generator.answer([Request(stage, "", of, style=style)])[0].text


def test_the_papers_example_is_digested_as_well_as_the_paper_does() -> None:
    digest = told(History.of_titles(FIGURE_4), "digest", allow=frozenset(ATTRIBUTES))
    assert digest == (
        "Laundry Bluing, Baby Monitors, Gum, Party Supplies, Pasta, Foot Care, Dish Soap"
    )


def test_a_category_that_tells_of_children_is_told_by_its_harmless_words() -> None:
    digest = told(History.of_titles(FIGURE_4), "digest")
    assert "Video Monitors" in digest
    assert "Baby" not in digest


def test_the_papers_example_is_profiled_by_what_the_paper_names() -> None:
    profile = told(History.of_titles(FIGURE_4))
    for kind in ("household goods", "dish soap", "laundry bluing", "gum", "pasta"):
        assert kind in profile
    assert "every" not in profile, "nobody knows when these were bought"


def test_loyalty_price_and_rhythm_are_told_where_they_stand_out() -> None:
    profile = told(history(CREAM, SERUM, WASH, CREAM, SERUM, every=31))
    assert "Lirelle" in profile
    assert "about once a month" in profile
    assert any(words in profile for words in ("upper end", "pays more", "dearer", "pay more"))


def test_the_cheap_choice_is_told_as_such_and_no_brand_is_claimed_without_loyalty() -> None:
    profile = told(history(SHAMPOO, POLISH, SHAMPOO, POLISH, every=200))
    assert any(words in profile for words in ("low end", "cheaper", "little per item"))
    assert "Lirelle" not in profile


def test_buying_the_same_again_is_told() -> None:
    profile = told(history(WASH, WASH, WASH, DRYER, every=200))
    assert "the same face cleansers, three times so far" in profile


def test_a_change_of_interest_is_told() -> None:
    old, new = [CREAM, SERUM, WASH, CREAM], [SHAMPOO, DRYER, SHAMPOO]
    profile = told(history(*old, *new, every=11))
    assert "skin care" in profile
    assert "hair care" in profile
    assert any(word in profile for word in ("Lately", "latest", "Recently"))


def test_full_baskets_are_told() -> None:
    assert "one go" in told(history(CREAM, POLISH, DRYER, SHAMPOO, every=0))


def test_names_ids_and_order_of_reading_change_nothing() -> None:
    one = told(history(*ITEMS, user="ann"))
    renamed = [Item(f"x{n}", i.title, i.categories, i.brand, i.price_level) for n, i in
               enumerate(ITEMS)]  # fmt: skip
    assert told(history(*renamed, user="zoe")) == one


def test_behaviour_names_no_product_category_or_brand() -> None:
    for n in range(40):
        mixed = random.Random(n).choices(ITEMS, k=8)
        text = told(history(*mixed), style="behaviour").lower()
        names = [item.brand.lower() for item in ITEMS if item.brand]
        kinds = ["cream", "serum", "cleanser", "polish", "shampoo", "dryer", "skin", "hair", "nail"]
        assert not [word for word in names + kinds if word in text]
        assert text.endswith(".")


def test_shoppers_who_differ_are_told_in_different_forms() -> None:
    texts = [told(history(*random.Random(n).choices(ITEMS, k=7))) for n in range(60)]
    openings = {" ".join(text.split()[:2]) for text in texts}
    assert len(set(texts)) >= 55
    assert len(openings) >= 8


def test_nothing_known_is_said_as_such() -> None:
    assert "Nothing" in told(history(Item("a", ""), Item("b", "")))


@given(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=50), st.integers(0, 400))
def test_any_history_gives_whole_short_sentences(items: list[Item], every: int) -> None:
    of = history(*items, every=every)
    for style in ("guided", "behaviour"):
        text = told(of, style=style)
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text
        assert ", ." not in text
        assert len(text.split()) <= 90
    kinds = told(of, "digest").split(", ")
    assert len(kinds) == len({i.categories[-1] for i in items})
    assert all(len(kind.split()) < 10 for kind in kinds)


def test_tweets_are_told_by_what_stands_out() -> None:
    loud = History(
        "a", texts=("I HATE computer problems", "DONE. GOING to SLEEP now", "what a DAY")
    )
    short = History("b", texts=("omg thx u r gr8", "idk lol brb", "pls dm me btw"))
    for of, aspect in ((loud, "Capitalization"), (short, "Abbreviation")):
        request = Request("digest", "", of, task="tweet")
        assert aspect in TemplateGenerator().answer([request])[0].text
    profile = TemplateGenerator().answer([Request("profile", "", loud, task="tweet")])[0].text
    assert "capitals" in profile


def test_comments_tell_no_sensitive_aspect() -> None:
    of = History(
        "a", texts=("i love hiking a lot!", "my cat and my wife say hi!", "my kids laugh!")
    )
    digest = TemplateGenerator().answer([Request("digest", "", of, task="dialogue")])[0].text
    assert "pets: cat" in digest
    assert "kids" not in digest


@pytest.mark.parametrize(
    "module", ["personalizer.profiles.generators", "personalizer.profiles.methods"]
)
def test_it_loads_without_torch(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules and 'httpx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
