"""Embeddings with vectors one can add in the head."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import decay
from features.embeddings import (
    catalogue_order,
    embed_items,
    item_text,
    prefix_vectors,
    user_vectors,
    write_user_embeddings,
)
from features.errors import QualityError, VersionMismatchError
from tests.features.shop import day

AS_OF = day("2024-03-01")
AXES = np.eye(3, dtype=np.float32)


def csr(*histories: list[tuple[int, int]]):
    """Histories as (item, time) pairs."""
    flat = [entry for history in histories for entry in history]
    indptr = np.cumsum([0, *(len(h) for h in histories)])
    items = np.array([i for i, _ in flat], dtype=np.int32)
    return indptr, items, np.array([t for _, t in flat], dtype=np.int64)


def unit(*values: float) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


def test_the_latest_purchase_weighs_most():
    got = user_vectors(*csr([(0, 10), (1, 20), (2, 30)]), AXES, half_life=1)
    assert got[0] == pytest.approx(unit(0.25, 0.5, 1))


def test_purchases_made_at_the_same_time_weigh_the_same_in_any_order():
    one = user_vectors(*csr([(0, 10), (1, 20), (2, 20)]), AXES, half_life=1)
    other = user_vectors(*csr([(0, 10), (2, 20), (1, 20)]), AXES, half_life=1)
    assert one[0] == pytest.approx(unit(0.25, 1, 1))
    assert one[0] == pytest.approx(other[0])


def test_empty_and_unknown_histories_are_zeros():
    got = user_vectors(*csr([], [(-1, 5)], [(1, 5), (-1, 6)], []), AXES, half_life=5)
    assert got.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert got.dtype == np.float32


def test_before_a_purchase_only_strictly_earlier_ones_count():
    got = prefix_vectors(*csr([(0, 10), (1, 20), (2, 20), (0, 30)], [(1, 5)]), AXES, half_life=1)
    assert got[0].tolist() == [0, 0, 0]
    assert got[1].tolist() == got[2].tolist() == [1, 0, 0]  # not the one bought with it
    assert got[3] == pytest.approx(unit(0.25, 1, 1))
    assert got[4].tolist() == [0, 0, 0]


HISTORY = st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 4)), max_size=9).map(
    lambda entries: sorted(entries, key=lambda entry: entry[1])
)


@given(st.lists(HISTORY, min_size=1, max_size=5), st.sampled_from([0.5, 1.0, 5.0]))
def test_a_prefix_is_the_vector_of_the_shopper_as_it_was(histories, half_life):
    vectors = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    got = prefix_vectors(*csr(*histories), vectors, half_life)
    at_the_time = [[e for e in h if e[1] < time] for h in histories for _, time in h]
    assert got.shape == (len(at_the_time), 4)
    if at_the_time:
        expected = user_vectors(*csr(*at_the_time), vectors, half_life)
        assert got == pytest.approx(expected, abs=1e-4)


@given(st.lists(HISTORY, min_size=1, max_size=6))
def test_a_shoppers_vector_does_not_depend_on_who_else_is_asked_for(histories):
    vectors = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    together = user_vectors(*csr(*histories), vectors, 2.0)
    alone = np.concatenate([user_vectors(*csr(history), vectors, 2.0) for history in histories])
    assert together == pytest.approx(alone, abs=1e-6)


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    histories = [[(int(rng.integers(3)), t) for t in range(n)] for n in (0, 3, 9, 1, 0, 4)]
    whole = user_vectors(*csr(*histories), AXES, 2.0)
    prefixes = prefix_vectors(*csr(*histories), AXES, 2.0)
    monkeypatch.setattr(decay, "ENTRIES_PER_CHUNK", 4)
    assert np.array_equal(user_vectors(*csr(*histories), AXES, 2.0), whole)
    assert np.array_equal(prefix_vectors(*csr(*histories), AXES, 2.0), prefixes)


def test_catalogue_order_depends_on_the_seed_and_not_on_the_input():
    ids = [f"item{n}" for n in range(20)]
    assert catalogue_order(ids, 1) == catalogue_order(ids[::-1], 1)
    assert sorted(catalogue_order(ids, 1)) == sorted(ids)
    assert catalogue_order(ids, 1) != catalogue_order(ids, 2)
    assert catalogue_order(ids, 1) != ids


def test_an_item_is_told_by_its_title_and_narrowest_category():
    assert item_text("Rose soap ", ["Beauty", "Soap"]) == "Rose soap. Soap"
    assert item_text("Rose soap", []) == "Rose soap"
    assert item_text("", []) == ""


def shelf() -> pa.Table:
    return pa.table(
        {
            "item_id": ["soap", "comb", "nameless"],
            "title": ["Soap", "Comb", ""],
            "categories": pa.array([["Bath"], ["Hair"], []], pa.list_(pa.string())),
        }
    )


def by_first_letter(texts) -> np.ndarray:
    return np.array([[3.0, 0, 0] if text.startswith("S") else [0, 4.0, 0] for text in texts])


def embed(out: Path) -> np.ndarray:
    return embed_items(shelf(), by_first_letter, "letters-1", seed=7, as_of=AS_OF, out=out)


def test_items_are_written_in_catalogue_order_with_their_version(tmp_path: Path):
    out = tmp_path / "my embeddings"
    embed(out)
    order = pq.read_table(out / "item_ids.parquet")["item_id"].to_pylist()
    assert order == catalogue_order(["soap", "comb", "nameless"], 7)
    vectors = dict(zip(order, np.load(out / "items.npy").tolist(), strict=True))
    assert vectors == {"soap": [1, 0, 0], "comb": [0, 1, 0], "nameless": [0, 0, 0]}
    assert json.loads((out / "encoder.json").read_text()) == {"encoder": "letters-1", "dim": 3}
    view = pq.read_table(out / "item_embedding")
    assert view["item_id"].to_pylist() == order
    assert view["event_timestamp"].to_pylist() == [AS_OF] * 3
    assert view["embedding"].to_pylist() == [vectors[item] for item in order]


def test_shoppers_are_embedded_from_what_they_bought(tmp_path: Path):
    embed(tmp_path / "items")
    histories = pa.table(
        {
            "user_id": ["skipped", "ann", "eve"],
            "item_ids": [["comb"], ["soap", "gone", "comb"], ["gone"]],
            "item_times": [[1], [1, 2, 3], [1]],
        }
    ).slice(1)
    write_user_embeddings(
        histories, tmp_path / "items", half_life=1, as_of=AS_OF, out=tmp_path / "user_embedding"
    )
    view = pq.read_table(tmp_path / "user_embedding")
    assert view["user_id"].to_pylist() == ["ann", "eve"]
    assert view["embedding"].to_pylist()[0] == pytest.approx(unit(0.25, 1, 0))
    assert view["embedding"].to_pylist()[1] == [0, 0, 0]
    assert view["encoder"].to_pylist() == ["letters-1"] * 2


def test_an_encoder_that_gives_nonsense_is_refused(tmp_path: Path):
    for nonsense in (np.zeros((2, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(QualityError, match="one finite vector per text"):
            embed_items(shelf(), lambda _, n=nonsense: n, "x", seed=1, as_of=AS_OF, out=tmp_path)


def test_vectors_of_another_version_are_refused(tmp_path: Path):
    embed(tmp_path)
    np.save(tmp_path / "items.npy", np.zeros((3, 5), dtype=np.float32))
    with pytest.raises(VersionMismatchError, match="embed the items again"):
        write_user_embeddings(shelf(), tmp_path, half_life=1, as_of=AS_OF, out=tmp_path / "u")
