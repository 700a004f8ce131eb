"""Histories worked out by hand: the numbers below are counted, not copied from a run."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.cuts import Cut, temporal
from features.errors import QualityError
from features.history import user_history, user_purchase_stats, write_moment
from features.moments import Moments
from features.settings import HistorySettings
from tests.features.shop import day, table

pytestmark = pytest.mark.spark

AS_OF = day("2024-03-01")
ROWS = (
    "ann soap 2024-01-01 price=2",
    "ann comb 2024-01-11",
    "ann soap 2024-02-20 price=4",
    "bob brush 2023-12-01",
)
FUTURE = ("ann comb 2024-03-01", "bob soap 2024-06-01 price=99", "eve comb 2024-04-01")


@pytest.fixture
def shelf(items):
    return items(
        soap=(["Beauty", "Soap"], "Lush", 3.0),
        bar=(["Beauty", "Soap"], "Dove", 1.0),
        comb=(["Beauty", "Hair"], None, 5.0),
        brush=([], "Lush", None),
    )


def test_stats_are_those_counted_by_hand(purchases, shelf):
    stats = table(user_purchase_stats(purchases(*ROWS), shelf, AS_OF), "user_id")
    ann = stats["ann"]
    assert ann["purchases"] == 3
    assert ann["distinct_items"] == 2
    assert ann["distinct_categories"] == 2
    assert ann["distinct_brands"] == 1
    assert ann["recency_days"] == 10  # 20 February to 1 March 2024, a leap year
    assert ann["tenure_days"] == 60
    assert ann["mean_gap_days"] == 25  # 10 days, then 40
    assert ann["mean_price"] == pytest.approx((2 + 5 + 4) / 3)  # the list price where none is given
    assert ann["price_level"] == 0.5  # nobody bought `bar`: soap and comb have no peers yet
    assert (ann["purchases_30d"], ann["purchases_90d"], ann["purchases_365d"]) == (1, 3, 3)


def test_what_is_not_known_is_null_and_not_zero(purchases, shelf):
    bob = table(user_purchase_stats(purchases(*ROWS), shelf, AS_OF), "user_id")["bob"]
    assert bob["mean_gap_days"] is None
    assert bob["mean_price"] is None
    assert bob["price_level"] is None
    assert bob["distinct_categories"] == 0
    assert (bob["purchases_90d"], bob["purchases_365d"]) == (0, 1)


def test_history_keeps_the_latest_oldest_first(purchases):
    history = table(user_history(purchases(*ROWS), AS_OF, 2), "user_id")
    assert history["ann"]["item_ids"] == ["comb", "soap"]
    assert history["ann"]["item_times"] == [
        int(day("2024-01-11").timestamp()),
        int(day("2024-02-20").timestamp()),
    ]
    assert history["ann"]["history_hash"] != history["bob"]["history_hash"]


def test_a_tie_at_the_cut_is_not_broken_by_the_files_order(purchases):
    one = purchases("ann soap 2024-01-01", "ann comb 2024-01-01", "ann brush 2024-01-01")
    other = purchases("ann brush 2024-01-01", "ann comb 2024-01-01", "ann soap 2024-01-01")
    kept = [
        set(table(user_history(p, AS_OF, 2), "user_id")["ann"]["item_ids"]) for p in (one, other)
    ]
    assert kept[0] == kept[1]


def test_the_future_changes_nothing(purchases, shelf):
    past, all_of_it = purchases(*ROWS), purchases(*ROWS, *FUTURE)
    for view in (
        lambda p: user_purchase_stats(p, shelf, AS_OF),
        lambda p: user_history(p, AS_OF, 50),
    ):
        assert table(view(past), "user_id") == table(view(all_of_it), "user_id")


VIEWS = (
    "user_purchase_stats", "user_history", "item_stats", "item_days", "transitions", "together",
    "co_purchases",
)  # fmt: skip


def test_writing_a_moment_again_gives_the_same_rows_in_the_same_order(
    purchases, shelf, tmp_path: Path
):
    more = (*ROWS, "bob soap 2023-12-01", "bob soap 2023-12-02", *FUTURE, "ann soap 2024-03-01")
    moments = Moments(*map(day, ("2023-12-15", "2024-01-15", "2024-03-01", "2024-07-01")))
    for run in ("first run", "second run"):
        bought = purchases(*more).repartition(3 if run == "second run" else 1)
        cut = temporal(bought, moments)[2]
        write_moment(cut, shelf, settings=HistorySettings(), out=tmp_path / run)
    for folder in (*(f"eval/{view}" for view in VIEWS), "targets/eval"):
        first, second = (
            pq.read_table(tmp_path / run / folder) for run in ("first run", "second run")
        )
        assert len(first) > 0
        assert first.equals(second)
    assert sorted(path.name for path in (tmp_path / "first run" / "eval").iterdir()) == sorted(
        VIEWS
    )


def test_shoppers_follow_from_the_histories_and_items_from_what_is_known(
    purchases, shelf, tmp_path: Path, spark
):
    histories, known = purchases(*ROWS), purchases(*ROWS[:1], "eve brush 2024-01-01")
    cut = Cut("eval", AS_OF, histories, known, None)
    write_moment(cut, shelf, settings=HistorySettings(), out=tmp_path)
    seen = {
        view: set(pq.read_table(tmp_path / "eval" / view)[key].to_pylist())
        for view in VIEWS
        for key in [view.split("_")[0] + "_id" if view[:4] in {"user", "item"} else "item_id"]
    }
    assert seen["user_purchase_stats"] == seen["user_history"] == {"ann", "bob"}
    assert seen["item_stats"] == seen["item_days"] == {"soap", "brush"}
    assert seen["transitions"] == seen["together"] == seen["co_purchases"] == set()
    assert not (tmp_path / "targets").exists()
    # what was held in memory is let go
    assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()


def test_a_moment_without_time_zone_is_refused(purchases):
    with pytest.raises(QualityError, match="time zone"):
        user_history(purchases(*ROWS), AS_OF.replace(tzinfo=None), 5)


def test_the_files_order_does_not_arrange_what_was_bought_at_once(purchases):
    rows = [f"ann item{n} 2024-01-03" for n in range(6)]
    lists = {
        tuple(
            table(user_history(purchases(*order), day("2024-01-09"), 50), "user_id")["ann"][
                "item_ids"
            ]
        )
        for order in (rows, rows[::-1], rows[3:] + rows[:3])
    }
    assert len(lists) == 1
