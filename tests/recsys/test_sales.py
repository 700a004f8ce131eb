"""What sold before a moment: whole days only, in any window."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.sales import DAY, Sales
from tests.recsys.shop import make_catalogue

TODAY = 1000


def sales_of(*rows: tuple[int, int, int]) -> Sales:
    items, days, purchases = np.array(rows, np.int64).reshape(-1, 3).T
    return Sales.of(items.astype(np.int32), days, purchases)


def before(sales: Sales, items: list[list[int]], *seconds: int):
    return sales.before(np.array(items, np.int32), np.array(seconds, np.int64))


def test_windows_count_the_days_before_today():
    sales = sales_of((4, 990, 2), (4, 999, 3), (4, 600, 5), (4, 970, 7), (5, 999, 11))
    past = before(sales, [[4, 5, 6]], TODAY * DAY)
    assert past.within().tolist() == [[17, 11, 0]]
    assert past.within(365).tolist() == [[12, 11, 0]]
    assert past.within(30).tolist() == [[12, 11, 0]], "the thirtieth day before is within"
    assert past.within(29).tolist() == [[5, 11, 0]]
    assert past.within(1).tolist() == [[3, 11, 0]]
    assert past.within().dtype == np.float32


def test_the_day_of_the_moment_and_what_follows_do_not_count():
    sales = sales_of((4, TODAY, 9), (4, TODAY + 1, 9), (4, TODAY - 1, 1))
    for second in (0, 1, DAY - 1):
        assert before(sales, [[4]], TODAY * DAY + second).within().tolist() == [[1]]
    assert before(sales, [[4]], (TODAY + 1) * DAY).within().tolist() == [[10]]


def test_first_and_last_sale_are_told_in_days():
    sales = sales_of((4, 900, 1), (4, 990, 1), (4, TODAY, 1), (6, TODAY + 5, 1))
    first, last = before(sales, [[4, 5, 6]], TODAY * DAY + 7).first_and_last()
    assert first[0, 0] == 100
    assert last[0, 0] == 10
    assert np.isnan(first[0, 1:]).all(), "never sold, or only later"
    assert np.isnan(last[0, 1:]).all()


def test_each_shopper_has_a_moment_of_her_own():
    sales = sales_of((4, 900, 1), (4, 990, 2))
    past = before(sales, [[4], [4], [4]], 900 * DAY, 950 * DAY, 991 * DAY)
    assert past.within().tolist() == [[0], [1], [3]]
    assert past.within(30).tolist() == [[0], [0], [2]]


def test_a_shop_that_sold_nothing_knows_nothing():
    past = before(sales_of(), [[0, 1]], TODAY * DAY)
    assert past.within(30).tolist() == [[0, 0]]
    assert all(np.isnan(ages).all() for ages in past.first_and_last())


def test_what_left_the_catalogue_is_left_out(tmp_path):
    catalogue = make_catalogue()
    ids = [catalogue.item_ids[3], "gone", catalogue.item_ids[3]]
    table = pa.table({"item_id": ids, "day": [990, 990, 980], "purchases": [2, 50, 1]})
    pq.write_table(table, tmp_path / "part-0.parquet")
    past = before(Sales.load(tmp_path, catalogue), [list(range(len(catalogue)))], TODAY * DAY)
    assert past.within()[0].tolist() == [3.0 if i == 3 else 0.0 for i in range(len(catalogue))]
    assert past.within(10)[0, 3] == 2


SOLD = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 30), st.integers(1, 4)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(SOLD, st.integers(0, 32 * DAY), st.one_of(st.none(), st.integers(1, 40)))
def test_sales_are_those_of_a_plain_count(rows, moment, window):
    today = moment // DAY
    past = before(sales_of(*rows), [[0, 1, 2, 3]], moment)
    count, (first, last) = past.within(window), past.first_and_last()
    for item in range(4):
        sold = [(day, n) for i, day, n in rows if i == item and day < today]
        near = [n for day, n in sold if window is None or day >= today - window]
        assert count[0, item] == sum(near)
        if sold:
            assert first[0, item] == today - min(sold)[0]
            assert last[0, item] == today - max(sold)[0]
        else:
            assert np.isnan(first[0, item])
            assert np.isnan(last[0, item])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(1, 3)), max_size=12),
    st.integers(0, 70),
    st.sampled_from([None, 1, 7, 30]),
)
def test_one_moment_for_all_tells_the_same_as_moments_of_their_own(rows, day, window):
    sales, items = sales_of(*rows), [[3, 0, 9, 1]]
    together = before(sales, items, day * DAY)
    apart = before(sales, items * 2, day * DAY, (day + 1) * DAY)
    assert together.within(window)[0].tolist() == apart.within(window)[0].tolist()
    for one, other in zip(together.first_and_last(), apart.first_and_last(), strict=True):
        assert np.array_equal(one[0], other[0], equal_nan=True)
