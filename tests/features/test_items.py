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
