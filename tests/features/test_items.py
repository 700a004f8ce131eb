import numpy as np
import pytest

from features.items import item_days, item_stats
from tests.features.shop import day, table

pytestmark = pytest.mark.spark

AS_OF = day("2024-03-01")
SOAPS = ["Beauty", "Soap"]


@pytest.fixture
def shelf(items):
    return items(
        cheap=(SOAPS, None, 1.0),
        middle=(SOAPS, None, 2.0),
        same=(SOAPS, None, 2.0),
        dear=(SOAPS, None, 9.0),
        alone=(["Beauty", "Hair"], None, 7.0),
        unpriced=(SOAPS, None, None),
    )


def test_sales_are_those_counted_by_hand(purchases, shelf):
    stats = table(
        item_stats(
            purchases(
                "ann cheap 2023-03-02 rating=5",
                "ann cheap 2024-01-15 rating=2",
                "bob cheap 2024-02-25",
                "bob cheap 2024-03-01 rating=1",
            ),
            shelf,
            AS_OF,
        ),
        "item_id",
    )
    assert set(stats) == {"cheap"}
    cheap = stats["cheap"]
    assert (cheap["purchases"], cheap["buyers"]) == (3, 2)
    assert (cheap["purchases_30d"], cheap["purchases_90d"]) == (1, 2)
    assert cheap["mean_rating"] == 3.5
    assert cheap["age_days"] == 365
    assert cheap["event_timestamp"] == AS_OF.replace(tzinfo=None)


def test_price_level_is_the_mid_rank_among_items_bought_before(purchases, shelf):
    past = [f"ann {i} 2024-01-01" for i in ("cheap", "middle", "same", "alone", "unpriced")]
    stats = table(item_stats(purchases(*past, "bob dear 2024-03-01"), shelf, AS_OF), "item_id")
    levels = {item: row["price_level"] for item, row in stats.items()}
    # of three soaps: one cheaper than the two at the same price; `dear` is not yet known
    assert levels["cheap"] == pytest.approx((0 + 1 / 3) / 2)
    assert levels["middle"] == levels["same"] == pytest.approx((1 / 3 + 1) / 2)
    assert levels["alone"] == 0.5
    assert levels["unpriced"] is None


def test_item_days_count_by_the_utc_day(purchases):
    rows = ("ann a 2024-01-01T23:59:59", "bob a 2024-01-01", "bob a 2024-01-02", "ann b 1969-12-31")
    frame = purchases(*rows, "ann b 2024-03-01")
    days = table(item_days(frame, AS_OF), "item_id", "day")
    # 1 January 2024 is day 19,723 since 1970
    assert {key: row["purchases"] for key, row in days.items()} == {
        ("a", 19_723): 2, ("a", 19_724): 1, ("b", -1): 1,
    }  # fmt: skip


def test_trend_repeats_and_ranks_are_those_counted_by_hand(purchases, shelf):
    rows = (
        *("ann cheap 2023-12-10", "ann cheap 2024-01-15", "bob cheap 2024-02-25"),
        *("eve cheap 2024-02-26", "eve dear 2023-03-01", "ann middle 2024-02-01"),
    )
    stats = table(item_stats(purchases(*rows), shelf, AS_OF), "item_id")
    cheap, dear = stats["cheap"], stats["dear"]
    assert [cheap[f"purchases_{n}d"] for n in (7, 30, 90, 365)] == [2, 2, 4, 4]
    assert dear["purchases_365d"] == 0  # 366 days back
    assert cheap["repeat_rate"] == pytest.approx(1 / 3)  # ann, of three buyers
    # 2 in the last 30 days, 2 in the 60 before, which is 1 in 30: (2 + 1) / (1 + 1)
    assert cheap["trend"] == pytest.approx(np.log2(3 / 2))
    assert dear["trend"] == 0
    assert dear["first_seen"] == int(day("2023-03-01").timestamp())
    # of the three soaps that were bought: 1.0, 2.0, 9.0
    assert [stats[i]["price_rank"] for i in ("cheap", "middle", "dear")] == [1, 2, 3]


def test_a_sale_that_became_known_later_is_not_counted(purchases, shelf):
    late = purchases("ann cheap 2024-02-01", "bob cheap 2024-02-02 known=2024-03-01")
    assert table(item_stats(late, shelf, AS_OF), "item_id")["cheap"]["purchases"] == 1
    assert len(table(item_days(late, AS_OF), "item_id", "day")) == 1
    assert table(item_stats(late, shelf, day("2024-03-02")), "item_id")["cheap"]["purchases"] == 2
