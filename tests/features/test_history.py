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


def test_windows_gaps_and_repeats_are_those_counted_by_hand(purchases, shelf):
    more = purchases(*ROWS, "ann brush 2024-02-28", "eve soap 2023-03-01", "eve soap 2024-02-23")
    stats = table(user_purchase_stats(more, shelf, AS_OF), "user_id")
    ann, bob, eve = stats["ann"], stats["bob"], stats["eve"]
    days = (7, 30, 90, 365)
    assert [ann[f"purchases_{n}d"] for n in days] == [1, 2, 4, 4]
    # the brush has a brand and no category; the comb a category and no brand
    assert [ann[f"distinct_categories_{n}d"] for n in days] == [0, 1, 2, 2]
    assert [ann[f"distinct_brands_{n}d"] for n in days] == [1, 1, 1, 1]
    # 23 February begins the last 7 days, 1 March 2023 lies 366 days back
    assert [eve[f"purchases_{n}d"] for n in days] == [1, 1, 1, 1]
    assert (ann["repeat_share"], bob["repeat_share"], eve["repeat_share"]) == (0.25, 0, 0.5)
    assert ann["gap_variance"] == pytest.approx(((10 - 58 / 3) ** 2 + (40 - 58 / 3) ** 2
                                                 + (8 - 58 / 3) ** 2) / 3)  # fmt: skip
    assert (bob["gap_variance"], eve["gap_variance"]) == (None, None)  # one gap has no spread
    assert eve["last_purchase"] == int(day("2024-02-23").timestamp())
    assert eve["first_purchase"] == int(day("2023-03-01").timestamp())


def test_price_spread_is_that_of_the_levels(purchases, shelf):
    stats = table(user_purchase_stats(purchases(*ROWS, "bob bar 2024-01-01"), shelf, AS_OF),
                  "user_id")  # fmt: skip
    # of the two soaps bar is at 1/4 and soap at 3/4; the comb, alone, at 1/2
    assert stats["ann"]["price_level"] == pytest.approx(2 / 3)
    assert stats["ann"]["price_spread"] == pytest.approx((1 / 72) ** 0.5, abs=1e-6)
    assert (stats["bob"]["price_level"], stats["bob"]["price_spread"]) == (0.25, None)


def test_taste_weighs_names_by_how_lately_they_were_bought(purchases, shelf):
    settings = HistorySettings(taste_half_life_days=10, taste_names=2)
    stats = table(user_purchase_stats(purchases(*ROWS), shelf, AS_OF, settings), "user_id")
    ann, bob = stats["ann"], stats["bob"]
    # 50 days before her last purchase weigh 1/32, 40 days 1/16
    whole = 1 + 1 / 32 + 1 / 16
    assert ann["taste_categories"] == ["Beauty > Soap", "Beauty > Hair"]
    assert ann["taste_category_weights"] == pytest.approx([(1 + 1 / 32) / whole, 1 / 16 / whole])
    assert (ann["taste_brands"], ann["taste_brand_weights"]) == (["Lush"], [1.0])
    assert (bob["taste_categories"], bob["taste_category_weights"]) == ([], [])
    one = HistorySettings(taste_half_life_days=10, taste_names=1)
    kept = table(user_purchase_stats(purchases(*ROWS), shelf, AS_OF, one), "user_id")["ann"]
    assert kept["taste_category_weights"] == pytest.approx([(1 + 1 / 32) / whole])  # of all names


def test_what_became_known_later_is_not_seen(purchases, shelf):
    late = ("ann brush 2024-02-25 known=2024-03-05", "eve soap 2024-02-01 known=2024-03-01")
    for view in (
        lambda p, t: user_purchase_stats(p, shelf, t),
        lambda p, t: user_history(p, t, 50),
    ):
        assert table(view(purchases(*ROWS, *late), AS_OF), "user_id") == table(
            view(purchases(*ROWS), AS_OF), "user_id"
        )
    then = table(user_history(purchases(*ROWS, *late), day("2024-03-06"), 50), "user_id")
    assert then["ann"]["item_ids"] == ["soap", "comb", "soap", "brush"]  # by when it was bought
    assert then["eve"]["item_ids"] == ["soap"]


def test_a_bot_is_counted_by_its_latest_purchases_and_reported(spark, shelf, tmp_path: Path):
    bots = 50_000
    rows = spark.range(bots).selectExpr(
        "'bot' user_id",
        "if(id % 2 = 0, 'soap', 'comb') item_id",
        "timestamp_seconds(1672531200 + id * 60) event_timestamp",
        "cast(null as double) rating",
        "cast(null as double) price",
    )
    few = spark.createDataFrame(
        [("ann", item, day("2024-01-01"), None, 2.0) for item in ("soap", "comb")],
        rows.schema,
    )
    settings = HistorySettings(most_purchases=100)
    cut = Cut("serve", AS_OF, both := rows.unionByName(few), both, None)
    assert write_moment(cut, shelf, settings=settings, out=tmp_path) == 1
    stats = {row["user_id"]: row for row in
             pq.read_table(tmp_path / "serve" / "user_purchase_stats").to_pylist()}  # fmt: skip
    assert (stats["bot"]["purchases"], stats["ann"]["purchases"]) == (100, 2)
    assert stats["bot"]["mean_gap_days"] == pytest.approx(1 / 1440)
    assert stats["bot"]["gap_variance"] == 0  # the gap before the oldest that counts is not seen
    items = {row["item_id"]: row for row in
             pq.read_table(tmp_path / "serve" / "item_stats").to_pylist()}  # fmt: skip
    assert items["soap"]["purchases"] == bots / 2 + 1  # what was sold was sold


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
    moments = Moments(
        *map(day, ("2023-12-10", "2023-12-15", "2024-01-15", "2024-03-01", "2024-07-01"))
    )
    for run in ("first run", "second run"):
        bought = purchases(*more).repartition(3 if run == "second run" else 1)
        cut = temporal(bought, moments)[3]
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


def test_links_fade_where_there_is_a_clock(purchases, shelf, tmp_path: Path):
    rows = purchases(
        "ann soap 2023-12-01", "ann brush 2023-12-20", "bob soap 2023-12-01", "bob cream 2023-12-30"
    )
    as_of, settings = day("2024-01-01"), HistorySettings(pair_half_life_days=10)
    for name, clock in (("by time", True), ("left out", False)):
        cut = Cut(name, as_of, rows, rows, None, clock=clock)
        write_moment(cut, shelf, settings=settings, out=tmp_path)
    weights = {
        name: {
            row["neighbour_id"]: row["weight"]
            for row in pq.read_table(tmp_path / name / "transitions").to_pylist()
        }
        for name in ("by time", "left out")
    }
    assert weights["by time"] == pytest.approx({"brush": 1 / 3, "cream": 2 / 3}, rel=1e-5)
    assert weights["left out"] == {"brush": 0.5, "cream": 0.5}


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
