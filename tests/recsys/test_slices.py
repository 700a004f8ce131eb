"""Who stands in which slice, on a world small enough to see."""

import numpy as np

from recsys.evaluation.slices import (
    Slice,
    by_category,
    by_history,
    by_novelty,
    by_persona,
    by_popularity,
    filled,
    standard_slices,
)

# thirds of 18 purchases: item 3 alone; items 1 and 4; items 0, 2 and 5. Item 6 was never bought
BOUGHT = np.array([2, 3, 2, 6, 3, 2, 0], np.float32)


def rows(part: Slice):
    return np.flatnonzero(part.mask).tolist()


def ints(*values):
    return np.array(values, np.int32)


def test_history_lengths_part_everyone():
    slices = by_history(np.array([0, 2, 3, 9, 10, 400]))
    assert {name: rows(part) for name, part in slices.items()} == {
        "cold": [0, 1],
        "short": [2, 3],
        "long": [4, 5],
    }
    assert [part.label for part in slices.values()] == [
        "0 to 2 purchases",
        "3 to 9 purchases",
        "10 or more purchases",
    ]


def test_thirds_of_the_purchases_part_the_known_targets():
    slices = by_popularity(ints(0, 1, 2, 3, 4, 5, 6, -1), BOUGHT)
    assert {name: rows(part) for name, part in slices.items()} == {
        "head_items": [3],
        "torso_items": [1, 4],
        "tail_items": [0, 2, 5],
        "new_items": [6],
    }


def test_each_third_holds_about_a_third_of_the_purchases():
    rng = np.random.default_rng(0)
    bought = rng.permutation(10_000 // np.arange(1, 3001))
    slices = by_popularity(np.arange(3000, dtype=np.int32), bought)
    thirds = [bought[slices[f"{name}_items"].mask] for name in ("head", "torso", "tail")]
    assert all(abs(each.sum() / bought.sum() - 1 / 3) < 0.05 for each in thirds)
    assert thirds[0].min() >= thirds[1].max()
    assert thirds[1].min() >= thirds[2].max()


def test_where_nothing_was_bought_everything_is_new():
    slices = by_popularity(ints(0, 1, -1), np.zeros(2))
    assert {name for name, part in slices.items() if part.mask.any()} == {"new_items"}
    assert rows(slices["new_items"]) == [0, 1]


def test_the_commonest_second_levels_of_targets():
    paths = [("Beauty", "Skin", "Soap"), ("Beauty", "Hair"), ("Beauty",), (), ("Beauty", "Nails")]
    targets = ints(1, 0, 0, 2, 3, 4, -1, 1, 1)
    slices = by_category(targets, paths, most=2)
    assert list(slices) == ["category: Hair", "category: Skin"]
    assert rows(slices["category: Hair"]) == [0, 7, 8]
    assert rows(slices["category: Skin"]) == [1, 2]


def test_the_standard_slices_are_all_of_these():
    slices = standard_slices(
        np.array([1, 20]),
        ints(3, 6),
        BOUGHT,
        [("Shop", f"Kind {n}") for n in range(7)],
        tie_safe=np.array([True, False]),
    )
    assert rows(slices["tie_safe"]) == rows(slices["cold"]) == rows(slices["head_items"]) == [0]
    assert rows(slices["category: Kind 6"]) == rows(slices["new_items"]) == [1]
    assert "tie_safe" not in standard_slices(np.array([1]), ints(3), BOUGHT, [()] * 7)
    assert set(filled(slices)) == set(slices) - {"short", "torso_items", "tail_items"}
    assert filled(None) == {}


def test_beyond_a_taste_is_a_category_she_never_bought_from():
    paths = [("Shop", "Tea"), ("Shop", "Tea"), ("Shop", "Ink"), ("Shop",), ()]
    owner, items = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 2, 2, 3])
    # tea again; tea after ink; an item that is not there; one without a category
    assert rows(by_novelty(owner, items, ints(1, 0, -1, 4), paths)["ood"]) == [1]
    assert rows(by_novelty(owner, items, ints(2, 2, 1, 2), paths)["ood"]) == [0, 2, 3]


def test_groups_of_taste_are_told_by_what_they_like():
    slices = by_persona(np.array([0, -1, 1, 0]), ["Tea and Ink", "Soap"])
    assert {name: rows(part) for name, part in slices.items()} == {
        "persona: 1": [0, 3], "persona: 2": [2]
    }  # fmt: skip
    assert slices["persona: 1"].label == "a group that likes Tea and Ink"
    assert by_persona(np.array([-1]), []) == {}
