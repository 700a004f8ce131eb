"""What the report measures of lists and whom it shows, on worlds small enough to see."""

import numpy as np
import pytest

from recsys.evaluation.bias import biases
from recsys.report.examples import chosen
from recsys.report.shoppers import Gains, digest, read_gains, write_gains
from tests.recsys.shop import make_catalogue, make_shoppers


def ints(*rows):
    return np.array(rows, np.int32)


def test_what_sells_anyway_stands_high_and_prices_are_those_that_are_known():
    sold, prices = np.array([0, 10, 20, 30]), np.array([1, 2, np.nan, 8], np.float32)
    lists = {"popular": ints([3, 2], [3, 2]), "odd": ints([0, -1], [0, 1])}
    told = biases(lists, ints(1, -1).ravel(), sold, prices, 2)
    # places in sales: 1/8, 3/8, 5/8, 7/8 of the catalogue below
    assert told["methods"]["popular"] == {"standing": 0.75, "price": 8.0, "price_median": 8.0}
    assert told["methods"]["odd"]["standing"] == pytest.approx((1 / 8 + 1 / 8 + 3 / 8) / 3)
    assert told["bought"] == {"standing": 3 / 8, "price": 2.0, "price_median": 2.0}


def test_items_that_sell_alike_stand_alike():
    told = biases({"all": ints([0, 1, 2])}, ints(0).ravel(), np.zeros(3), np.ones(3), 3)
    assert told["methods"]["all"]["standing"] == 0.5


def test_nothing_shown_leans_nowhere():
    told = biases({"none": ints([-1])}, ints(-1).ravel(), np.ones(2), np.ones(2), 1)
    assert told["methods"]["none"] == {"standing": None, "price": None, "price_median": None}


@pytest.mark.parametrize(
    ("hits", "many", "found", "missed"),
    [(10, 4, 2, 2), (1, 4, 1, 3), (19, 4, 3, 1), (10, 5, 3, 2), (20, 4, 4, 0), (0, 4, 0, 4)],
)
def test_as_many_missed_as_found_are_shown(hits, many, found, missed):
    catalogue = make_catalogue()
    shoppers = make_shoppers(catalogue, [["Coffee-1"] * 5] * 20)
    targets, hit = np.zeros(20, np.int32), np.arange(20) < hits
    rows = chosen(shoppers, targets, hit, many)
    assert (hit[rows].sum(), (~hit[rows]).sum()) == (found, missed)


def test_who_has_bought_little_is_shown_only_where_nobody_has_more():
    catalogue = make_catalogue()
    shoppers = make_shoppers(catalogue, [["Coffee-1"]] * 3 + [["Coffee-1"] * 4])
    everyone, hit = np.zeros(4, np.int32), np.zeros(4, bool)
    assert chosen(shoppers, everyone, hit, 2).tolist() == [3]
    assert chosen(shoppers.take(np.arange(3)), everyone[:3], hit[:3], 2).tolist() == [0, 1]


def test_gains_are_paired_by_shopper_and_item(tmp_path):
    def gains(*pairs):
        values = {"tailor": np.arange(len(pairs), dtype=float)}
        return Gains([digest(user) for user, _ in pairs], [item for _, item in pairs], values)

    one, two = gains(("a", "x"), ("b", "y"), ("c", "z")), gains(("c", "z"), ("b", "other"))
    rows, others = one.paired(two)
    assert (rows.tolist(), others.tolist()) == ([2], [0])
    values, at = one.of(["c", "nobody", "a"])
    assert (values.tolist(), at.tolist()) == ([2.0, 0.0], [0, 2])
    assert read_gains(tmp_path) is None
    write_gains(one, tmp_path)
    read = read_gains(tmp_path)
    assert read is not None
    assert (list(read.digests), list(read.targets)) == (list(one.digests), ["x", "y", "z"])
    assert read.methods["tailor"].tolist() == [0, 1, 2]
    assert b"nobody" not in (tmp_path / "shoppers.parquet").read_bytes()
