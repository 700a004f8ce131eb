import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import VersionMismatchError
from recsys.catalogue import Catalogue, ItemStats
from recsys.errors import ArtifactError
from tests.recsys.shop import make_catalogue, write_items


@pytest.fixture
def written(tmp_path):
    catalogue = make_catalogue()
    write_items(catalogue, tmp_path / "items", tmp_path / "embeddings")
    return catalogue, tmp_path / "items", tmp_path / "embeddings"


def test_items_stand_in_the_order_of_their_embeddings(written):
    made, items, embeddings = written
    loaded = Catalogue.load(items, embeddings)
    assert loaded.item_ids == made.item_ids
    assert loaded.titles == made.titles
    assert loaded.categories == made.categories
    assert loaded.brands == made.brands
    assert np.isnan(loaded.prices[0])
    assert loaded.prices[1] == made.prices[1]
    assert isinstance(loaded.vectors.base, np.memmap)
    assert np.array_equal(loaded.vectors, made.vectors)
    assert loaded.index[made.item_ids[5]] == 5
    assert loaded.fingerprint == made.fingerprint


def test_codes_name_categories_and_brands():
    catalogue = make_catalogue()
    codes, names = catalogue.leaves
    assert names == ["Home > Coffee > Coffee goods", "Home > Garden > Garden goods"]
    assert all((codes == 0) == [i.startswith("Coffee") for i in catalogue.item_ids])
    assert set(catalogue.brand_codes) == {-1, 0, 1}
    coffee = [i.startswith("Coffee") for i in catalogue.item_ids]
    assert (catalogue.parent_codes == 0).tolist() == coffee, "the category above the narrowest"
    assert set(catalogue.parent_codes) == {0, 1}


def test_an_item_of_one_category_or_none_has_no_category_above():
    catalogue = make_catalogue()
    paths = [("Home",), (), ("Home", "Coffee"), *catalogue.categories[3:]]
    codes = replace(catalogue, categories=paths).parent_codes
    assert codes[:2].tolist() == [-1, -1]
    assert codes[2] >= 0


def test_an_item_without_an_embedding_is_refused(written):
    _, items, embeddings = written
    table = pq.read_table(items)
    extra = table.slice(0, 1).set_column(0, "item_id", pa.array(["new"]))
    pq.write_table(extra, items / "part-1.parquet")
    with pytest.raises(VersionMismatchError, match="1 items have no embedding"):
        Catalogue.load(items, embeddings)


@pytest.mark.parametrize("card", [{"encoder": "x", "dim": 9}, {"encoder": "x"}, []])
def test_a_card_that_does_not_match_is_refused(written, card):
    _, items, embeddings = written
    (embeddings / "encoder.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError):
        Catalogue.load(items, embeddings)


def test_a_torn_file_is_named(written):
    _, items, embeddings = written
    whole = (embeddings / "items.npy").read_bytes()
    (embeddings / "items.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=r"items\.npy"):
        Catalogue.load(items, embeddings)


def test_an_item_never_sold_counts_zero_and_knows_no_rating(tmp_path):
    catalogue = make_catalogue()
    row = {"item_id": "Coffee-3", "purchases": 4, "buyers": 3, "purchases_30d": 1}
    row |= {"purchases_90d": 2, "mean_rating": 4.5, "age_days": 10.0, "price_level": None}
    pq.write_table(pa.Table.from_pylist([row, row | {"item_id": "gone"}]), tmp_path / "p.parquet")
    stats = ItemStats.load(tmp_path, catalogue)
    sold = catalogue.index["Coffee-3"]
    assert stats.purchases[sold] == 4
    assert stats.purchases.sum() == 4
    assert stats.mean_rating[sold] == 4.5
    assert np.isnan(stats.mean_rating).sum() == len(catalogue) - 1
