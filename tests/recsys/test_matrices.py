"""How items lead to items: read, kept, refused, weighed, followed twice; and by their words."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import VersionMismatchError
from recsys.candidates import ItemIndex, ItemMatrix
from recsys.candidates.matrices import wording
from recsys.candidates.similar import ALIKE, CLOSE, nearest_items
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError
from recsys.sparse import matrix
from tests.recsys.shop import make_catalogue


def weight_of(links, source, item):
    return links.weights(np.array([source]), item)[0]


def titled(*titles: str, brands=None, categories=None) -> Catalogue:
    n = len(titles)
    return Catalogue(
        item_ids=[f"i{i}" for i in range(n)],
        titles=list(titles),
        categories=categories or [()] * n,
        brands=brands or [None] * n,
        prices=np.ones(n, np.float32),
        vectors=np.eye(n, dtype=np.float32),
        encoder="tiny-1",
    )


def links(size: int, **pairs: float) -> ItemMatrix:
    """Links told as a0_1=weight: from 0 to 1."""
    ends = [tuple(map(int, name[1:].split("_"))) for name in pairs]
    rows, columns = zip(*ends, strict=True)
    return ItemMatrix(matrix(rows, columns, list(pairs.values()), (size, size)), "print")


def dense(links: ItemMatrix) -> list[list[float]]:
    return links.rows.toarray().tolist()


@pytest.fixture
def saved(tmp_path):
    catalogue = make_catalogue()
    a, b, c = catalogue.item_ids[:3]
    pairs = [(a, b, 0.75, 3.0), (a, "gone", 0.25, 1.0), ("gone", a, 1.0, 1.0), (c, a, 1.0, 9.0)]
    names = ("item_id", "neighbour_id", "weight", "support")
    rows = [dict(zip(names, pair, strict=True)) for pair in pairs]
    table = tmp_path / "table"
    table.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), table / "part-0.parquet")
    made = ItemMatrix.from_table(table, catalogue)
    made.save(tmp_path / "saved")
    return catalogue, made, tmp_path


def test_a_table_of_pairs_becomes_rows_without_what_left_the_catalogue(saved):
    catalogue, made, folder = saved
    assert made.rows.nnz == 2
    assert [weight_of(made, 0, 1), weight_of(made, 2, 0), weight_of(made, 1, 0)] == [0.75, 1, 0]
    assert made.fingerprint == catalogue.fingerprint
    assert weight_of(ItemMatrix.from_table(folder / "table", catalogue, "support"), 0, 1) == 3


def test_a_matrix_comes_back_mapped(saved):
    catalogue, made, folder = saved
    again = ItemMatrix.load(folder / "saved", catalogue)
    base = again.rows.data
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert dense(again) == dense(made)
    assert weight_of(again, 0, 1) == 0.75
    assert dense(again.scaled(np.ones(len(catalogue), np.float32))) == dense(made)
    assert (again.twice().rows != made.twice().rows).nnz == 0


def test_that_of_another_catalogue_or_torn_is_refused(saved):
    catalogue, _, folder = saved
    other = replace(catalogue, item_ids=list(catalogue.item_ids)[::-1])
    with pytest.raises(VersionMismatchError, match="another catalogue"):
        ItemMatrix.load(folder / "saved", other)
    for name, spoilt in (
        ("items", np.array([1, 99], np.int32)),
        ("items", np.array([-1, 0], np.int32)),
        ("weights", np.ones(1, np.float32)),
        ("indptr", np.zeros(3, np.int32)),
    ):
        whole = (folder / "saved" / f"{name}.npy").read_bytes()
        np.save(folder / "saved" / f"{name}.npy", spoilt)
        with pytest.raises(ArtifactError, match="don't belong together"):
            ItemMatrix.load(folder / "saved", catalogue)
        (folder / "saved" / f"{name}.npy").write_bytes(whole)
    (folder / "saved" / "matrix.json").write_text(json.dumps({"items": "x"}))
    with pytest.raises(VersionMismatchError):
        ItemMatrix.load(folder / "saved", catalogue)


def test_two_steps_multiply_along_each_way_and_leave_out_the_start():
    made = links(4, a0_1=0.5, a0_2=0.25, a1_3=0.5, a2_3=1.0, a1_0=1.0, a3_3=1.0)
    far = made.twice()
    assert weight_of(far, 0, 3) == 0.5 * 0.5 + 0.25 * 1
    assert weight_of(far, 0, 0) == 0, "there and back is nowhere"
    assert weight_of(far, 0, 1) == 0, "one step is not two"
    assert weight_of(far, 1, 2) == 0.25
    assert not far.rows.diagonal().any()
    assert far.fingerprint == made.fingerprint


def test_scaled_links_weigh_by_where_they_lead():
    made = links(3, a0_1=0.5, a0_2=0.25, a2_1=1.0)
    scaled = made.scaled(np.array([9, 2, 4], np.float32))
    assert dense(scaled) == [[0, 1, 1], [0, 0, 0], [0, 2, 0]]
    assert dense(made) == [[0, 0.5, 0.25], [0, 0, 0], [0, 1, 0]]


def test_items_told_in_the_same_words_find_each_other():
    told = wording(
        titled(
            "dark roast coffee beans",
            "dark roast coffee beans",
            "light roast coffee",
            "garden hose",
            "green garden hose reel",
            "anvil",
            *(f"filler{i}" for i in range(30)),
        )
    )
    assert weight_of(told, 0, 1) == pytest.approx(1, abs=1e-5)
    assert 0 < weight_of(told, 0, 2) < 1
    assert weight_of(told, 0, 2) == pytest.approx(weight_of(told, 2, 0))
    assert weight_of(told, 3, 4) > 0
    assert weight_of(told, 0, 3) == 0
    assert told.rows[[5]].nnz == 0, "nobody shares its word"
    assert not told.rows.diagonal().any()


def test_the_weight_is_the_square_of_the_cosine():
    """Of three titles of one word each known word is one dimension."""
    told = wording(titled("tea", "tea mug", "mug", *(f"filler{i}" for i in range(30))))
    assert weight_of(told, 0, 1) == pytest.approx(0.5, abs=1e-5)  # cosine of 45 degrees, squared
    assert weight_of(told, 0, 2) == 0


def test_brand_and_category_are_words_too():
    told = wording(
        titled(
            "mug",
            "kettle",
            "rake",
            *(f"filler{i}" for i in range(30)),
            brands=["Acme", "Acme", None, *[None] * 30],
            categories=[("Kitchen",), (), ("Kitchen",), *[()] * 30],
        )
    )
    assert weight_of(told, 0, 1) > 0
    assert weight_of(told, 0, 2) > 0
    assert weight_of(told, 1, 2) == 0


@pytest.mark.parametrize("titles", [("one", "two"), ("", ""), ("a", "b", "c")])
def test_a_catalogue_that_shares_no_words_has_no_links(titles):
    catalogue = titled(*titles)
    told = wording(catalogue)
    assert told.rows.shape == (len(titles),) * 2
    assert told.rows.nnz == 0
    assert told.fingerprint == catalogue.fingerprint


def test_the_nearest_items_are_near_and_never_the_item_itself():
    catalogue = make_catalogue()
    near = nearest_items(ItemIndex.build(catalogue))
    cosines = catalogue.vectors @ catalogue.vectors.T
    np.fill_diagonal(cosines, 0)
    expected = np.where(cosines > ALIKE, cosines**CLOSE, 0)
    assert near.rows.toarray() == pytest.approx(expected, abs=1e-5)


def test_what_is_opened_stays_in_its_files(saved):
    """Workers share the pages: nothing is copied that nobody asks for."""
    catalogue, _, folder = saved
    rows = ItemMatrix.load(folder / "saved", catalogue).rows
    for part in (rows.indptr, rows.indices, rows.data):
        behind = part
        while behind is not None and not isinstance(behind, np.memmap):
            behind = getattr(behind, "base", None)
        assert isinstance(behind, np.memmap)
