"""Transitions worked out by hand."""

import pytest

from features.pairs import LATEST_PURCHASES, transitions
from tests.features.shop import day, table

pytestmark = pytest.mark.spark

AS_OF = day("2024-03-01")


def weights(frame, window=5, top=50):
    rows = table(transitions(frame, AS_OF, window, top), "item_id", "neighbour_id")
    return {pair: row["weight"] for pair, row in rows.items()}


def test_nearer_purchases_weigh_more_and_an_items_weights_add_up_to_one(purchases):
    got = weights(purchases("ann a 2024-01-01", "ann b 2024-01-02", "ann c 2024-01-03"))
    # from a: b at distance 1 (weight 1), c at distance 2 (weight 1/2); from b: c alone
    assert got == pytest.approx({("a", "b"): 2 / 3, ("a", "c"): 1 / 3, ("b", "c"): 1.0})


def test_the_window_ends_the_links(purchases):
    got = weights(purchases("ann a 2024-01-01", "ann b 2024-01-02", "ann c 2024-01-03"), window=1)
    assert set(got) == {("a", "b"), ("b", "c")}


def test_bought_at_the_same_time_counts_half_in_both_directions(purchases):
    rows = ("ann a 2024-01-01", "ann b 2024-01-01", "bob a 2024-01-01", "bob c 2024-01-02")
    got = weights(purchases(*rows))
    assert got == weights(purchases(*reversed(rows)))
    # from a: b by half a link, c by a whole one
    assert got == pytest.approx({("a", "b"): 1 / 3, ("b", "a"): 1.0, ("a", "c"): 2 / 3})


def test_shoppers_are_kept_apart_and_repeats_are_no_neighbours(purchases):
    got = weights(purchases("ann a 2024-01-01", "ann a 2024-01-02", "bob b 2024-01-03"))
    assert got == {}


def test_only_the_heaviest_are_kept_and_ties_fall_the_same_way_in_every_order(purchases):
    rows = [f"{user} {item} {when}" for user, other in zip("pqrs", "bcde", strict=True)
            for item, when in (("a", "2024-01-01"), (other, "2024-01-02"))]  # fmt: skip
    kept = weights(purchases(*rows), top=2)
    assert len(kept) == 2
    assert set(kept.values()) == {0.25}
    assert kept == weights(purchases(*reversed(rows)), top=2)


def test_the_future_changes_nothing(purchases):
    past = ("ann a 2024-01-01", "ann b 2024-01-02")
    assert weights(purchases(*past, "ann c 2024-03-01")) == weights(purchases(*past))


def test_a_reseller_counts_with_the_latest_purchases_only(purchases):
    many = [f"ann i{n} 2023-01-01T{n // 60:02}:{n % 60:02}" for n in range(LATEST_PURCHASES + 7)]
    got = weights(purchases(*many), window=1)
    assert len(got) == LATEST_PURCHASES - 1
    assert ("i7", "i8") in got
    assert ("i6", "i7") not in got
