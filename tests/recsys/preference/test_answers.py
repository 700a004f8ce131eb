"""Who is asked about what: the paper's rules, kept on tables of known shoppers."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recsys.errors import SettingsError
from recsys.evaluation.preference.answers import Answers, Rules, category_codes, choose, level_of

ITEMS = pa.table(
    {
        "item_id": [f"{kind}{n}" for kind in "abcdef" for n in range(4)],
        "categories": [["Shop", kind.upper(), f"{kind}-leaf"] for kind in "abcdef" for _ in "1234"],
    }
)


def purchases(rows: dict[str, list[str]]) -> pa.Table:
    pairs = [(user, item) for user, items in rows.items() for item in items]
    return pa.table({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})


BROAD = ["a0", "a1", "b0", "c0", "d0", "e0"]
BOUGHT = {
    "broad": BROAD,
    "narrow": ["a0", "a1", "b0", "c0", "d0"],  # four categories
    "single": ["a0", "b0", "c0", "d0", "e0"],  # no category twice
    "again": ["a0", "a0", "b0", "c0", "d0", "e0"],  # one product twice is no second product
    "gone": ["a0", "a1", "b0", "c0", "d0", "unlisted"],
}


def test_only_who_bought_in_five_categories_and_twice_in_one_is_asked():
    found = choose(purchases(BOUGHT), ITEMS, Rules(), seed=0)
    assert found.user_ids == ["broad"]
    assert found.item_ids[0] in {"a0", "a1"}, "of the category with a sibling"


def test_a_sibling_stays_and_the_answer_goes_however_often_it_was_bought():
    table = purchases({"u": [*BROAD, "a0"], "v": ["a0", "b1"]})
    answers = Answers(["u"], ["a0"], [True])
    kept = answers.removed_from(table)
    left = {u: [] for u in "uv"}
    for row in kept.to_pylist():
        left[row["user_id"]].append(row["item_id"])
    assert left == {"u": ["a1", "b0", "c0", "d0", "e0"], "v": ["a0", "b1"]}


def test_neither_the_order_of_rows_nor_other_shoppers_change_an_answer():
    many = {f"u{n}": BROAD for n in range(40)}
    rules = Rules(test_share=0.5)
    whole = choose(purchases(many), ITEMS, rules, seed=3)
    backwards = dict(reversed([(u, items[::-1]) for u, items in list(many.items())[:20]]))
    half = choose(purchases(backwards), ITEMS, rules, seed=3)
    of = dict(zip(whole.user_ids, whole.item_ids, strict=True))
    assert {u: of[u] for u in half.user_ids} == dict(zip(half.user_ids, half.item_ids, strict=True))
    assert set(whole.item_ids) == {"a0", "a1"}, "both products are drawn"
    assert whole.test.sum() == 20
    assert choose(purchases(many), ITEMS, rules, seed=4).item_ids != whole.item_ids


def test_the_level_says_what_a_category_is():
    paths = [["Shop", "A", "x"], ["Shop", "A", "y"], ["Shop"], []]
    leaf, second, first = (category_codes(paths, level) for level in ("leaf", "2", 1))
    assert len(set(leaf[:3])) == 3
    assert second[0] == second[1] != second[2]
    assert first[0] == first[1] == first[2]
    assert leaf[3] == second[3] == first[3] == -1


@given(st.text(max_size=5))
@example("²")  # a digit, and no number
def test_a_level_is_leaf_or_a_number(text):
    if text == "leaf":
        assert level_of(text) is None
    elif text.isdigit() and text.isascii() and int(text) > 0:
        assert level_of(text) == int(text)
    else:
        with pytest.raises(SettingsError, match="category level"):
            level_of(text)
