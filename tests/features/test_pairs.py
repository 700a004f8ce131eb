"""Pairs worked out by hand, and on small random worlds against the plainest Python."""

import random
from collections import defaultdict
from itertools import permutations
from math import log2, sqrt

import pytest

from features import pairs
from features.pairs import LATEST_PURCHASES, LINK, co_purchases, together, transitions
from features.settings import HistorySettings
from tests.features.shop import day, table

pytestmark = pytest.mark.spark

AS_OF = day("2024-03-01")
NEVER = 1e12
"""Days; with this half-life, links don't fade."""


def counting(window=5, top=50, half_life=NEVER):
    return HistorySettings(window=window, neighbours=top, pair_half_life_days=half_life)


def weights(frame, window=5, top=50):
    rows = table(transitions(frame, AS_OF, counting(window, top)), "item_id", "neighbour_id")
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


def test_support_tells_one_of_one_from_ten_of_ten(purchases):
    often = [f"u{n} {item} 2024-01-0{d}" for n in range(10) for item, d in (("a", 1), ("b", 2))]
    frame = purchases(*often, "ann c 2024-01-01", "ann d 2024-01-02")
    rows = table(transitions(frame, AS_OF, counting()), "item_id", "neighbour_id")
    assert rows["a", "b"] == pytest.approx({"weight": 1.0, "support": 10.0, "links": 10 * LINK})
    assert rows["c", "d"] == pytest.approx({"weight": 1.0, "support": 1.0, "links": LINK})


def near(view):
    return {pair: row["weight"] for pair, row in table(view, "item_id", "neighbour_id").items()}


def test_together_counts_shopper_days_in_both_directions(purchases):
    frame = purchases(
        "ann a 2024-01-01T00:00", "ann b 2024-01-01T23:59", "ann a 2024-01-01T12:00",
        "ann c 2024-01-02T00:00", "bob a 2024-01-05", "bob b 2024-01-05", "bob d 2024-01-05",
        "ann d 2024-03-01",
    )  # fmt: skip
    got = near(together(frame, AS_OF, counting()))
    # a with b on two days, with d on one; c, a minute past midnight, was bought alone
    assert got == pytest.approx(
        {("a", "b"): 2 / 3, ("a", "d"): 1 / 3, ("b", "a"): 2 / 3, ("b", "d"): 1 / 3,
         ("d", "a"): 1 / 2, ("d", "b"): 1 / 2}
    )  # fmt: skip
    assert "c" not in {item for pair in got for item in pair}


def test_who_buys_everything_says_little_of_what_goes_together(purchases):
    frame = purchases(
        "ann a 2023-01-01", "ann b 2024-01-01", "ann b 2024-02-01", "eve c 2024-01-01",
        *(f"bob {item} 2024-01-0{n}" for n, item in enumerate("acdefg", start=1)),
    )  # fmt: skip
    got = near(co_purchases(frame, AS_OF, counting()))
    ann, bob = 1 / log2(2 + 2), 1 / log2(2 + 6)  # ann's second b adds nothing, eve has no pair
    assert got["a", "b"] == pytest.approx(ann / sqrt((ann + 5 * bob) * ann), rel=1e-5)
    assert got["a", "c"] == pytest.approx(bob / sqrt((ann + 5 * bob) * 5 * bob), rel=1e-5)
    assert got["c", "a"] == pytest.approx(got["a", "c"])
    assert ("b", "c") not in got


@pytest.mark.parametrize("view", [together, co_purchases])
def test_ties_at_the_cut_fall_the_same_way_in_every_order(purchases, view):
    rows = [f"{user} {item} 2024-01-01" for user in "pqrs" for item in ("a", f"of-{user}")]
    kept = near(view(purchases(*rows), AS_OF, counting(top=2)))
    assert len([pair for pair in kept if pair[0] == "a"]) == 2
    assert kept == near(view(purchases(*reversed(rows)), AS_OF, counting(top=2)))


def test_a_bot_is_paired_by_its_latest_purchases_only(purchases, monkeypatch):
    monkeypatch.setattr(pairs, "LATEST_OF_ALL_PAIRS", 3)
    monkeypatch.setattr(pairs, "LATEST_PURCHASES", 2)
    frame = purchases(*(f"bot i{n} 2024-01-01T0{n}:00" for n in range(6)))
    assert {item for pair in near(co_purchases(frame, AS_OF, counting())) for item in pair} == {
        "i3", "i4", "i5",
    }  # fmt: skip
    assert set(near(together(frame, AS_OF, counting()))) == {("i4", "i5"), ("i5", "i4")}


def test_a_transition_weighs_half_of_one_a_half_life_younger(purchases):
    frame = purchases(
        "ann a 2023-11-01", "ann b 2024-02-20T23:00",
        "bob a 2024-01-01", "bob c 2024-02-10",
        "eve a 2024-01-05", "eve d 2024-01-31", "eve e 2024-02-20",
    )  # fmt: skip
    rows = table(transitions(frame, AS_OF, counting(half_life=10)), "item_id", "neighbour_id")
    # the day of the later purchase tells: b 1, c half of it, d a quarter, e half by its distance
    got = {other: row["weight"] for (item, other), row in rows.items() if item == "a"}
    assert got == pytest.approx({"b": 4 / 9, "c": 2 / 9, "d": 1 / 9, "e": 2 / 9}, rel=1e-5)
    # and it is ten days since that of b
    assert rows["a", "b"]["support"] == pytest.approx(1 / 2, rel=1e-5)
    assert rows["d", "e"]["support"] == pytest.approx(1 / 2, rel=1e-5)


def test_a_day_together_fades_and_co_purchases_by_the_later_of_both(purchases):
    frame = purchases(
        "ann a 2024-02-20T01:00", "ann b 2024-02-20T02:00", "bob a 2024-02-10", "bob c 2024-02-10"
    )
    got = near(together(frame, AS_OF, counting(half_life=10)))
    assert got["a", "b"] == pytest.approx(2 / 3)
    assert got["a", "c"] == pytest.approx(1 / 3)
    frame = purchases(
        "ann a 2024-02-10", "ann a 2020-01-01", "ann b 2024-02-20", "ann b 2024-02-01",
        "ann c 2024-02-10", "bob a 2020-01-01", "bob d 2024-02-20",
    )  # fmt: skip
    got = near(co_purchases(frame, AS_OF, counting(half_life=10)))
    ann, bob = 1 / log2(2 + 3), 1 / log2(2 + 2)
    # each item's latest purchase counts: a and c meet ten days before each of them meets b
    a, b, c, d = 1.5 * ann + bob, 2 * ann, 1.5 * ann, bob
    expected = {
        "ab": ann / sqrt(a * b), "ac": ann / 2 / sqrt(a * c), "bc": ann / sqrt(b * c),
        "ad": bob / sqrt(a * d),
    }  # fmt: skip
    assert {one + other: got[one, other] for one, other in expected} == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("view", [transitions, together, co_purchases])
def test_weights_are_the_same_whenever_they_are_asked_for(purchases, view):
    frame = purchases(
        "ann a 2023-12-01", "ann b 2023-12-01T01:00", "bob a 2024-02-10", "bob c 2024-02-10T01:00",
        "eve b 2023-11-03", "eve c 2024-01-15", "eve a 2024-01-15T03:00",
    )  # fmt: skip
    now, later = (
        near(view(frame, moment, counting(half_life=60))) for moment in (AS_OF, day("2025-07-15"))
    )
    assert len(now) >= 4
    assert later == pytest.approx(now, rel=1e-3)  # from another base, by a 256th


def test_links_faded_to_nothing_are_no_links(purchases):
    rows = ("ann a 2024-02-20", "ann b 2024-02-20", "bob a 2001-02-10", "bob c 2001-02-10")
    for view in (transitions, together, co_purchases):
        assert set(near(view(purchases(*rows), AS_OF, counting(half_life=10)))) == {
            ("a", "b"), ("b", "a"),
        }  # fmt: skip


class World:
    """A random shop, and the same three tables by loops over it."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        self.bought = [
            (f"u{dice.randrange(5)}", f"i{dice.randrange(7)}", dice.randrange(4), dice.randrange(3))
            for _ in range(30)
        ]
        self.rows = [f"{u} {i} 2024-01-0{d + 1}T00:00:0{s}" for u, i, d, s in self.bought]

    def together(self):
        days = defaultdict(set)
        for user, item, d, _ in self.bought:
            days[user, d].add(item)
        counts = self.counted((basket, 1) for basket in days.values())
        totals = self.totals(counts)
        return {(i, j): n / totals[i] for (i, j), n in counts.items()}

    def co_purchases(self):
        shoppers = defaultdict(set)
        for user, item, _, _ in self.bought:
            shoppers[user].add(item)
        counts = self.counted((basket, 1 / log2(2 + len(basket))) for basket in shoppers.values())
        totals = self.totals(counts)
        return {(i, j): n / sqrt(totals[i] * totals[j]) for (i, j), n in counts.items()}

    @staticmethod
    def counted(baskets):
        counts = defaultdict(float)
        for basket, say in baskets:
            for pair in permutations(basket, 2):
                counts[pair] += say
        return counts

    @staticmethod
    def totals(counts):
        totals = defaultdict(float)
        for (item, _), n in counts.items():
            totals[item] += n
        return totals


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("view", [together, co_purchases])
def test_pairs_are_those_of_the_plainest_loops(purchases, view, seed):
    world = World(seed)
    expected = getattr(world, view.__name__)()
    frame = purchases(*world.rows).repartition(3)
    whole = near(view(frame, AS_OF, counting()))
    assert whole == pytest.approx(expected, rel=1e-5)
    kept = near(view(frame, AS_OF, counting(top=2)))
    assert set(kept.items()) <= set(whole.items())
    for item in {pair[0] for pair in whole}:
        best = sorted((w for (i, _), w in whole.items() if i == item), reverse=True)[:2]
        assert sorted((w for (i, _), w in kept.items() if i == item), reverse=True) == best


@pytest.mark.parametrize("seed", range(3))
def test_transitions_are_those_of_the_plainest_loops(purchases, seed):
    dice = random.Random(seed)
    expected, rows = defaultdict(float), []
    for user in "pqr":
        items = [f"i{dice.randrange(5)}" for _ in range(9)]
        rows += [f"{user} {item} 2024-01-{n + 1:02}" for n, item in enumerate(items)]
        for n, item in enumerate(items):
            for d, other in enumerate(items[n + 1 : n + 4], start=1):
                if other != item:
                    expected[item, other] += 1 / d
    got = table(transitions(purchases(*rows), AS_OF, counting(window=3)), "item_id", "neighbour_id")
    assert {pair: row["support"] for pair, row in got.items()} == pytest.approx(expected)
    totals = World.totals(expected)
    shares = {(i, j): support / totals[i] for (i, j), support in expected.items()}
    assert {pair: row["weight"] for pair, row in got.items()} == pytest.approx(shares)
