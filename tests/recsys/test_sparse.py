"""Sparse rows: the best of each, single values, and the same sums alone and in company."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.sparse import (
    Links,
    Rows,
    matrix,
    product,
    products,
    pruned,
    ragged_sums,
    row_sums,
    top_of_rows,
    values_at,
    without,
)

WIDTH = 12
# few different values: many ties, also at the border, and some that are not above zero
ROWS = st.lists(
    st.dictionaries(st.integers(0, WIDTH - 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])),
    min_size=1,
    max_size=5,
)


def rows_of(told: list[dict[int, float]]):
    triples = [(row, column, v) for row, held in enumerate(told) for column, v in held.items()]
    rows, columns, values = zip(*triples, strict=True) if triples else ((), (), ())
    return matrix(rows, columns, values, (len(told), WIDTH))


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(1, WIDTH + 2))
def test_the_best_are_those_of_a_plain_sort(told, k):
    items, scores = top_of_rows(rows_of(told), k)
    assert items.shape == scores.shape == (len(told), k)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    for row, held in enumerate(told):
        best = sorted((-v, column) for column, v in held.items() if v > 0)[:k]
        padding = k - len(best)
        assert items[row].tolist() == [column for _, column in best] + [-1] * padding
        assert scores[row].tolist() == [-v for v, _ in best] + [-np.inf] * padding


@settings(deadline=None)
@given(
    seed=st.integers(0, 9_999),
    k=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1e-6, 1.0, 40.0]),
)
def test_the_best_of_long_rows_are_found_whatever_their_size(seed, k, spread):
    """Values nearly equal, and values from the smallest to beyond the largest."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore", under="ignore"):
        values = np.exp(rng.normal(size=300) * spread).astype(np.float32)
    values[rng.integers(300, size=20)] = rng.choice([0, -1, np.inf, 1e-45, 3e-39], 20)
    values[rng.integers(300, size=20)] = values[0]
    columns = rng.permutation(1_000)[:300].astype(np.int32)
    found = Rows(np.array([0, 300]), columns, values, (1, 1_000))
    best = np.lexsort((columns, -values))
    best = best[values[best] > 0][:k]
    items, scores = top_of_rows(found, k)
    assert items[0, : len(best)].tolist() == columns[best].tolist()
    assert scores[0, : len(best)].tolist() == values[best].tolist()


def test_of_those_tied_for_the_last_place_the_first_columns_stay():
    found = rows_of([dict.fromkeys((9, 3, 7, 1), 1.0) | {5: 2.0}])
    assert top_of_rows(found, 3)[0].tolist() == [[5, 1, 3]]


@settings(max_examples=200, deadline=None)
@given(ROWS, st.data())
def test_values_are_found_where_they_stand(told, data):
    asked = np.array(
        [data.draw(st.lists(st.integers(-1, WIDTH - 1), min_size=4, max_size=4)) for _ in told],
        np.int32,
    )
    values = values_at(rows_of(told), asked)
    assert values.dtype == np.float32
    assert values.tolist() == [
        [held.get(column, 0.0) for column in wanted.tolist()]
        for held, wanted in zip(told, asked, strict=True)
    ]


@settings(max_examples=200, deadline=None)
@given(ROWS, st.data())
def test_what_is_left_out_is_left_out_of_its_own_row_only(told, data):
    """Columns beyond the matrix lie in no row, not in the next one."""
    gone = [data.draw(st.lists(st.integers(0, 3 * WIDTH), max_size=5)) for _ in told]
    indptr = np.cumsum([0, *map(len, gone)])
    flat = np.array([column for columns in gone for column in columns], np.int32)
    before = rows_of(told)
    left = without(before, indptr, flat)
    for row, held in enumerate(told):
        best = sorted((-v, c) for c, v in held.items() if v > 0 and c not in gone[row])
        expected = [column for _, column in best] + [-1] * (WIDTH - len(best))
        assert top_of_rows(left, WIDTH)[0][row].tolist() == expected
    assert (before != rows_of(told)).nnz == 0, "the given rows stay as they are"


def test_a_place_named_twice_adds_up():
    made = matrix([1, 0, 1], [2, 4, 2], [1.5, 1, 2], (3, 5))
    assert made.toarray().tolist() == [[0, 0, 0, 0, 1], [0, 0, 3.5, 0, 0], [0] * 5]
    assert made.data.dtype == np.float32
    assert matrix([], [], [], (2, 3)).toarray().tolist() == [[0] * 3] * 2
    assert matrix([], [], [], (0, 0)).nnz == 0


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(-1, WIDTH - 1), st.sampled_from([0.5, 1.0, 2.0])))))
def test_ragged_rows_add_up_and_leave_padding_out(told):
    indptr = np.cumsum([0, *map(len, told)])
    columns = np.array([column for row in told for column, _ in row], np.int32)
    found = ragged_sums(indptr, columns, [value for row in told for _, value in row], WIDTH)
    expected = np.zeros((len(told), WIDTH), np.float32)
    for row, entries in enumerate(told):
        for column, value in entries:
            if column >= 0:
                expected[row, column] += value
    assert found.csr.toarray().tolist() == expected.tolist()


@pytest.mark.parametrize("column", [-2, WIDTH])
def test_a_column_beyond_the_width_is_refused_and_spoils_nothing(column):
    with pytest.raises(IndexError):
        ragged_sums(np.array([0, 2]), np.array([1, column], np.int32), [1, 1], WIDTH)
    assert ragged_sums(np.array([0, 1]), np.array([1], np.int32), [1], WIDTH).nnz == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_row_adds_up_alike_alone_and_in_company(seed):
    """The last bit of a sum hangs on its order; that may not hang on the other rows."""
    values = np.random.default_rng(seed).random(50).astype(np.float32)
    place = np.zeros(50, np.int64)
    alone = matrix(place, place + 5, values, (1, 9))
    together = matrix(
        np.append(place, [1, 1]), np.append(place + 5, [7, 3]), np.append(values, [1, 1]), (2, 9)
    )
    assert alone.data[0] == together.data[0]


def test_pruned_rows_keep_their_best():
    kept = pruned(rows_of([{0: 1.0, 3: 2.0, 5: 0.5, 7: 1.0}, {2: 1.0}]), 2).toarray()
    assert np.flatnonzero(kept[0]).tolist() == [0, 3]
    assert np.flatnonzero(kept[1]).tolist() == [2]


def as_rows(made) -> Rows:
    """The same as is made for a list."""
    return Rows(made.indptr.astype(np.int64), made.indices.astype(np.int32), made.data, made.shape)


def links(seed: int, users: int = 40, items: int = 300):
    """Histories (U, I) and what they lead to (I, I), at random."""
    rng = np.random.default_rng(seed)
    bought = matrix(
        rng.integers(0, users, 500), rng.integers(0, items, 500), rng.random(500), (users, items)
    )
    leads = matrix(
        rng.integers(0, items, 9_000), rng.integers(0, items, 9_000), rng.random(9_000),
        (items, items),
    )  # fmt: skip
    return bought, leads


def test_a_product_is_that_of_algebra():
    bought, leads = links(1)
    made = product(as_rows(bought), Links.of(leads))
    np.testing.assert_allclose(made.csr.toarray(), (bought @ leads).toarray(), rtol=1e-5)
    assert product(as_rows(bought[:0]), Links.of(leads)).nnz == 0


def test_products_are_each_by_itself_one_below_the_other():
    pairs = [(as_rows(bought), Links.of(leads)) for bought, leads in map(links, range(3))]
    whole = products(pairs)
    each = [product(*pair) for pair in pairs]
    assert whole.indices.tolist() == [item for one in each for item in one.indices.tolist()]
    assert whole.data.tolist() == [value for one in each for value in one.data.tolist()]
    assert np.diff(whole.indptr).tolist() == [n for one in each for n in np.diff(one.indptr)]
    with pytest.raises(IndexError, match="width"):
        products([*pairs, (pairs[0][0], Links.of(matrix([0], [0], [1], (5, 5))))])


def test_links_that_are_mapped_into_memory_stay_there(tmp_path):
    _, leads = links(2)
    np.save(tmp_path / "data.npy", leads.data)
    leads.data = np.load(tmp_path / "data.npy", mmap_mode="r")
    assert np.shares_memory(Links.of(leads).data, leads.data)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_is_the_same_alone_among_others_and_beside_other_threads(seed):
    """To the last bit: a list must not hang on who else is served."""
    bought, matrix_ = links(seed)
    leads = Links.of(matrix_)
    together = top_of_rows(product(as_rows(bought), leads), 20)
    asked = np.tile(np.arange(300, dtype=np.int32), (40, 1))
    values = values_at(product(as_rows(bought), leads), asked)

    def alone(row: int):
        made = product(as_rows(bought[[row]]), leads)
        return top_of_rows(made, 20), values_at(made, asked[:1])

    with ThreadPoolExecutor(4) as pool:
        for row, ((items, scores), told) in enumerate(pool.map(alone, range(40))):
            assert items[0].tobytes() == together[0][row].tobytes()
            assert scores[0].tobytes() == together[1][row].tobytes()
            assert told[0].tobytes() == values[row].tobytes()


def test_votes_add_up_by_place_and_padding_votes_for_nothing():
    items = np.array([[3, 1, -1, 3], [-1, -1, 0, -1]], np.int32)
    votes = row_sums(items, [1.0, 0.5, 9.0, 0.25], 5)
    assert votes.csr.toarray().tolist() == [[0, 0.5, 0, 1.25, 0], [9, 0, 0, 0, 0]]


@pytest.mark.parametrize(("row", "column"), [(2, 0), (-1, 0), (0, 5), (0, -1)])
def test_a_triple_beyond_the_shape_is_refused_and_spoils_nothing(row, column):
    """Compiled code looks after itself: past the end of an array there is somebody else's."""
    with pytest.raises(IndexError, match="beyond"):
        matrix([0, row], [1, column], [1.0, 1.0], (2, 5))
    assert matrix([0], [1], [2.0], (2, 5)).toarray().tolist() == [[0, 2, 0, 0, 0], [0] * 5]
