from dataclasses import replace

import numpy as np
import pytest

from features.errors import VersionMismatchError
from recsys.errors import ArtifactError
from recsys.shoppers import STATS, Shoppers
from tests.recsys.shop import AS_OF, make_catalogue, make_shoppers, write_moment


@pytest.fixture
def world(tmp_path):
    catalogue = make_catalogue()
    rows = write_moment(catalogue, tmp_path / "moment", tmp_path / "embeddings")
    return catalogue, rows, Shoppers.load(tmp_path / "moment", tmp_path / "embeddings", catalogue)


def test_views_meet_by_shopper(world):
    catalogue, _, shoppers = world
    row = {user: u for u, user in enumerate(shoppers.user_ids)}
    assert set(row) == {"a", "b", "c"}
    bought = [catalogue.item_ids[i] for i in shoppers.history(row["a"])]
    assert bought == ["Coffee-0", "Coffee-1"]  # what left the catalogue left the history
    assert shoppers.stats["purchases"][row["a"]] == 2
    assert np.isnan(shoppers.stats["purchases"][row["b"]])
    assert np.isnan(shoppers.stats["mean_price"]).all()
    assert not shoppers.vectors[row["b"]].any()
    assert shoppers.vectors[row["c"]].tolist() == [0.5] * 8
    assert shoppers.lengths[row["c"]] == 0
    assert shoppers.as_of == AS_OF


def test_a_look_up_gives_the_same_shopper_as_the_batch(world):
    catalogue, rows, shoppers = world
    for u, user in enumerate(shoppers.user_ids):
        row = next(r for r in rows if r["user_id"] == user)
        one, same = Shoppers.from_rows([row], catalogue, AS_OF), shoppers.take([u])
        assert one.items.tolist() == same.items.tolist()
        assert one.times.tolist() == same.times.tolist()
        assert np.array_equal(one.vectors, same.vectors)
        for name in STATS:
            assert np.array_equal(one.stats[name], same.stats[name], equal_nan=True)


def test_a_stranger_is_a_shopper_without_history():
    one = Shoppers.from_rows([{"user_id": "x"}], make_catalogue(), AS_OF)
    assert len(one) == 1
    assert one.lengths.tolist() == [0]
    assert one.recent()[0].shape == (1, 0)


def test_recent_is_newest_first_with_ages():
    catalogue = make_catalogue()
    shoppers = make_shoppers(catalogue, [["Coffee-1", "Coffee-2", "Coffee-3"], ["Garden-1"], []])
    items, ages = shoppers.recent(2)
    expected = [catalogue.index["Coffee-3"], catalogue.index["Coffee-2"]]
    assert items.tolist() == [expected, [catalogue.index["Garden-1"], -1], [-1, -1]]
    assert ages[0].tolist() == [1, 2]
    assert np.isnan(ages[2]).all()


def test_take_and_chunks_keep_each_shopper_whole():
    catalogue = make_catalogue()
    histories = [["Coffee-1"] * n for n in (2, 0, 3, 1)]
    shoppers = make_shoppers(catalogue, histories)
    picked = shoppers.take([2, 0])
    assert picked.user_ids.tolist() == ["u2", "u0"]
    assert picked.lengths.tolist() == [3, 2]
    chunks = list(shoppers.chunks(3))
    assert [len(chunk) for chunk in chunks] == [3, 1]
    assert np.concatenate([chunk.items for chunk in chunks]).tolist() == shoppers.items.tolist()


def test_taste_of_another_encoder_is_refused(world, tmp_path):
    catalogue, _, _ = world
    other = replace(catalogue, encoder="tiny-2")
    with pytest.raises(VersionMismatchError, match="tiny-1"):
        Shoppers.load(tmp_path / "moment", tmp_path / "embeddings", other)


def test_a_history_with_more_items_than_times_is_refused():
    row = {"user_id": "x", "item_ids": ["Coffee-1"], "item_times": []}
    with pytest.raises(ArtifactError):
        Shoppers.from_rows([row], make_catalogue(), AS_OF)
