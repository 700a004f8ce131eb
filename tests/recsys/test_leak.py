"""The leak probe: each leak is planted and caught, and clean worlds of clumpy targets are quiet."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recsys.errors import TailorError
from recsys.evaluation import chance, leak
from recsys.shoppers import Shoppers

USERS, ITEMS = 1000, 400
CUT = datetime(2020, 6, 1, tzinfo=UTC)
IDS = [f"{n * 7919 % 1009:04d}" for n in range(ITEMS)]  # catalogue order tells nothing of the id
RNG = np.random.default_rng


def shoppers_of(histories, days=None):
    """Shoppers by their histories; the last purchase of each is a day before the cut."""
    lengths = [len(history) for history in histories]
    if days is None:
        days = [np.arange(-n, 0) for n in lengths]
    at = np.concatenate([np.asarray(each, np.int64) for each in days])
    return Shoppers(
        user_ids=np.array([f"u{n}" for n in range(len(histories))], dtype=object),
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        items=np.concatenate(histories).astype(np.int32),
        times=int(CUT.timestamp()) + 86_400 * at,
        stats={},
        vectors=np.zeros((len(histories), 1), np.float32),
        as_of=CUT,
    )


def clean(seed, users=USERS):
    """Skewed popularity, and every item has a next one that two thirds of its buyers take."""
    rng = RNG(seed)
    share = rng.permutation(1 / np.arange(1, ITEMS + 1))
    share /= share.sum()
    following = rng.permutation(ITEMS)
    histories = [rng.choice(ITEMS, size=rng.integers(1, 6), p=share) for _ in range(users)]
    last = np.array([history[-1] for history in histories])
    targets = np.where(
        rng.random(users) < 2 / 3, following[last], rng.choice(ITEMS, users, p=share)
    )
    return histories, targets.astype(np.int32)


def probed(histories, targets, **more):
    given = {"known": None, "item_ids": IDS, "cut": CUT, "seed": 0} | more
    return leak.probe(shoppers_of(histories), targets, **given)


def caught(found):
    assert found["passed"] == all(row["at_chance"] for row in found["orders"])
    return {row["order"] for row in found["orders"] if not row["at_chance"]}


# --- clean worlds


def test_clean_worlds_are_quiet():
    """About a dozen models, each wrong one time in a thousand: of 60 worlds one may alarm."""
    alarms = [caught(probed(*clean(seed, users=400), seed=seed)) for seed in range(60)]
    assert sum(map(bool, alarms)) <= 3


def test_a_strong_pair_side_by_side_by_accident_is_no_leak():
    """Half of the shoppers go from item 7 to item 8: one accident, not five hundred."""
    histories, targets = clean(1)
    for row in range(0, USERS, 2):
        histories[row][-1], targets[row] = 7, 8
    found = probed(histories, targets)
    beside = next(row for row in found["orders"] if row["order"].endswith("above the last item"))
    assert beside["hr"] > 0.5
    assert found["passed"]
    last = np.array([history[-1] for history in histories], np.int32)
    by_targets = chance.of_shuffled_targets(last[:, None] + np.arange(1, 11), targets, seed=0)
    assert by_targets < beside["hr"]  # the bound that cries wolf here


def test_what_the_statistics_rightly_hold_is_no_leak():
    """Others' purchases, older ones that the history was cut off from, and the history itself."""
    histories, targets = clean(2)
    longer = [
        np.r_[targets[row], history] for row, history in enumerate(histories)
    ]  # bought before
    older = [np.arange(-len(each), 0) for each in longer]
    strangers = [np.r_[history, history] for history in histories]
    both = shoppers_of(longer + strangers, older + [np.arange(-2 * len(h), 0) for h in histories])
    assert caught(probed(histories, targets, known=both)) == set()


# --- planted leaks


@pytest.mark.parametrize("name", ["catalogue index", "item id", "file order"])
@pytest.mark.parametrize("end", ["first", "last"])
def test_targets_at_one_end_of_an_order(name, end):
    filed = RNG(7).permutation(IDS).tolist()
    order = leak.orders(IDS, filed)[name]
    histories, _ = clean(3)
    targets = RNG(8).choice(order[:60] if end == "first" else order[-60:], USERS).astype(np.int32)
    assert caught(probed(histories, targets, filed=filed)) == {f"{name}, {end}"}


def test_ids_are_ordered_as_numbers_are():
    assert leak.orders(["i10", "i9", "i1"])["item id"].tolist() == [2, 1, 0]


@pytest.mark.parametrize(("step", "side"), [(1, "above"), (-1, "below")])
def test_ids_given_out_along_the_sequences(step, side):
    """For a third of the shoppers, the target is the next number, or the one before."""
    histories, targets = clean(4)
    for row in range(0, USERS, 3):
        targets[row] = np.clip(histories[row][-1] + step, 0, ITEMS - 1)
    assert caught(probed(histories, targets)) == {f"catalogue index, {side} the last item"}


@pytest.mark.parametrize("name", ["catalogue index", "item id", "file order"])
def test_shoppers_filed_in_the_order_of_their_targets(name):
    filed = RNG(9).permutation(IDS).tolist()
    order = leak.orders(IDS, filed)[name]
    histories, _ = clean(5)
    targets = order[np.sort(RNG(5).integers(ITEMS, size=USERS))]
    assert caught(probed(histories, targets, filed=filed)) == {f"row share in {name}"}


def test_a_target_numbered_as_its_row():
    histories, targets = clean(6)
    targets[::5] = np.arange(USERS)[::5] % ITEMS
    assert "row number in catalogue index" in caught(probed(histories, targets))


def with_target(histories, targets, days_after):
    """The statistics of the same shoppers, with the target left in for one of twenty."""
    items, days = [list(h) for h in histories], [list(range(-len(h), 0)) for h in histories]
    for row in range(0, len(targets), 20):
        items[row].append(targets[row])
        days[row].append(days_after)
    return shoppers_of(items, days)


@pytest.mark.parametrize("days_after", [-1, 0, 30])
def test_the_target_left_in_the_statistics(days_after):
    histories, targets = clean(7)
    known = with_target(histories, targets, days_after)
    found = caught(probed(histories, targets, known=known, cut=None))
    assert found == {"known but not in the history"}


def test_a_target_bought_before_and_left_in_once_more():
    histories, targets = clean(8)
    histories = [np.r_[history, target] for history, target in zip(histories, targets, strict=True)]
    known = with_target(histories, targets, days_after=1)
    found = probed(histories, targets, known=known, cut=None)
    assert "known but not in the history" in caught(found)


def test_purchases_after_the_cut_in_the_statistics():
    """Of other shoppers alone: no one's own target, but what everyone buys then."""
    histories, targets = clean(9)
    late = shoppers_of([[target] for target in targets], [[3]] * USERS)
    others = Shoppers(
        **{**vars(late), "user_ids": np.array([f"x{n}" for n in range(USERS)], object)}
    )
    assert caught(probed(histories, targets, known=others)) == {"known and bought after the cut"}
    later = CUT + timedelta(days=4)
    assert caught(probed(histories, targets, known=others, cut=later)) == set()


def test_the_cut_needs_a_time_zone():
    with pytest.raises(TailorError, match="time zone"):
        probed(*clean(10), cut=CUT.replace(tzinfo=None))


# --- bounds


def test_the_bound_is_the_binomial_one_where_all_items_are_alike():
    targets = np.arange(4000, dtype=np.int32) % ITEMS
    bound = chance.of_random_items(targets, ITEMS, 10, seed=0)
    assert 0.025 + 2.5 * 0.00247 < bound < 0.025 + 4 * 0.00247  # 3.1 standard errors


def test_shuffled_targets_keep_popularity_in_the_bound():
    """Lists that hold the one popular item are right as often as it is bought, knowing nothing."""
    targets = np.where(RNG(0).random(USERS) < 0.3, 5, RNG(1).integers(ITEMS, size=USERS))
    lists = np.full((USERS, 1), 5, np.int32)
    lists[::2] = -1
    bound = chance.of_shuffled_targets(lists, targets.astype(np.int32), 0)
    assert 0.15 < bound < 0.20
    assert chance.of_shuffled_targets(np.full((3, 2), -1, np.int32), targets[:3], 0) == 0


def test_shoppers_and_targets_that_are_not_there_never_hit():
    targets = np.full(USERS, -1, np.int32)
    found = probed([[]] * USERS, targets)
    assert {row["hr"] for row in found["orders"]} == {0}
    assert found["passed"]
