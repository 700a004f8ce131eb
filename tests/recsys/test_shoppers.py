from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import VersionMismatchError
from recsys.errors import ArtifactError
from recsys.shoppers import DAY, FADES, STATS, Shoppers
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
    assert one.recent(3).tolist() == [[-1] * 3]
    assert one.ages.shape == (0,)


def test_recent_is_newest_first_and_ages_stand_with_the_purchases():
    catalogue = make_catalogue()
    shoppers = make_shoppers(catalogue, [["Coffee-1", "Coffee-2", "Coffee-3"], ["Garden-1"], []])
    expected = [catalogue.index["Coffee-3"], catalogue.index["Coffee-2"]]
    assert shoppers.recent(2).tolist() == [expected, [catalogue.index["Garden-1"], -1], [-1, -1]]
    assert shoppers.ages.tolist() == [3, 2, 1, 1]


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


CATALOGUE = make_catalogue()
ITEMS = CATALOGUE.item_ids


def bought(*histories: list[tuple[int, int]], own_moments: bool = False) -> Shoppers:
    """Shoppers with histories of (item, seconds)."""
    rows = [
        {
            "user_id": f"u{u}",
            "item_ids": [ITEMS[item] for item, _ in history],
            "item_times": [time for _, time in history],
        }
        for u, history in enumerate(histories)
    ]
    found = Shoppers.from_rows(rows, CATALOGUE, AS_OF)
    return replace(found, own_moments=own_moments)


def held(shoppers: Shoppers, kind: str) -> np.ndarray:
    return shoppers.profile(kind, len(CATALOGUE)).csr.toarray()


def test_a_moment_is_that_of_the_run_or_the_day_of_the_last_purchase():
    histories = [[(1, 5 * DAY + 7), (2, 9 * DAY + 100)], [], [(3, 4 * DAY)]]
    run = int(AS_OF.timestamp())
    assert bought(*histories).moments.tolist() == [run] * 3
    own = bought(*histories, own_moments=True)
    assert own.moments.tolist() == [9 * DAY, run, 4 * DAY], "the start of that day; else the run's"
    assert own.take([2, 0]).moments.tolist() == [4 * DAY, 9 * DAY]
    assert [chunk.own_moments for chunk in own.chunks(2)] == [True, True]
    ages = own.ages.tolist()
    assert ages == pytest.approx([4 - 7 / DAY, 0, 0]), "nothing is bought after a moment"


def test_who_loads_says_whether_moments_are_own(world, tmp_path):
    catalogue, _, shoppers = world
    own = Shoppers.load(tmp_path / "moment", tmp_path / "embeddings", catalogue, own_moments=True)
    assert (shoppers.own_moments, own.own_moments) == (False, True)
    last = {user: int(moment) for user, moment in zip(own.user_ids, own.moments, strict=True)}
    assert last == {"a": 0, "b": 0, "c": int(AS_OF.timestamp())}


def test_later_counts_purchases_and_days_strictly_after():
    shoppers = bought(
        [(1, 0), (2, 5), (3, 5), (4, DAY), (5, 2 * DAY), (6, 2 * DAY + 1)],
        [],
        [(7, 5)],
    )
    purchases, days = shoppers.later
    assert purchases.tolist() == [5, 3, 3, 2, 1, 0, 0]
    assert days.tolist() == [2, 2, 2, 1, 0, 0, 0]
    assert [part.tolist() for part in bought([], []).later] == [[], []]


def test_profiles_fade_with_each_later_purchase():
    shoppers = bought([(1, 0), (2, DAY), (1, 2 * DAY)], [(4, 7)], [])
    for kind, fade in FADES.items():
        profile = held(shoppers, kind)
        assert profile[0, 1] == pytest.approx(fade**2 + 1), "bought twice, it adds up"
        assert profile[0, 2] == pytest.approx(fade)
        assert profile[0].sum() == pytest.approx(fade**2 + fade + 1)
        assert np.flatnonzero(profile[1]).tolist() == [4]
        assert not profile[2].any()
    assert FADES["recent"] < FADES["whole"] < 1


def test_the_last_day_is_shared_by_what_was_bought_on_it():
    shoppers = bought(
        [(1, DAY - 1), (2, DAY), (3, DAY + 60), (2, 2 * DAY - 1), (5, 2 * DAY - 1)], [], [(4, 7)]
    )
    last = held(shoppers, "last")
    assert last[0, [1, 2, 3, 5]].tolist() == [0, 0.5, 0.25, 0.25]
    assert last[:, :].sum(axis=1).tolist() == [1, 0, 1]


HISTORIES = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=8),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_what_was_bought_at_once_weighs_the_same_in_any_order(told, random):
    """Against a plain count; shuffling ties changes no view."""
    histories = [
        sorted(((item, day * DAY + second) for item, day, second in history), key=lambda b: b[1])
        for history in told
    ]
    shoppers = bought(*histories)
    purchases, days = shoppers.later
    at = 0
    for history in histories:
        for _, time in history:
            after = [other for _, other in history if other > time]
            assert purchases[at] == len(after)
            assert days[at] == len({o // DAY for o in after if o // DAY > time // DAY})
            at += 1
    mixed = [
        sorted(random.sample(history, len(history)), key=lambda b: b[1]) for history in histories
    ]
    for kind in (*FADES, "last"):
        view = held(shoppers, kind)
        assert held(bought(*mixed), kind) == pytest.approx(view, rel=1e-6)
        for row in range(len(shoppers)):
            assert np.array_equal(held(shoppers.take([row]), kind)[0], view[row])


def test_all_purchases_of_a_table_make_histories():
    stamp = [datetime(2024, 1, day, tzinfo=UTC) for day in (3, 1, 2, 1, 1)]
    table = pa.table(
        {
            "user_id": ["b", "b", "a", "b", "b"],
            "item_id": [ITEMS[4], ITEMS[9], ITEMS[1], ITEMS[2], "gone"],
            "event_timestamp": pa.array(stamp, pa.timestamp("us", tz="UTC")),
        }
    )
    shoppers = Shoppers.from_purchases(table, CATALOGUE, AS_OF)
    assert shoppers.user_ids.tolist() == ["b", "a"]
    # of one second: in the order of the catalogue
    assert [shoppers.history(row).tolist() for row in range(2)] == [[2, 9, 4], [1]]
    assert shoppers.times.tolist() == [int(stamp[i].timestamp()) for i in (1, 1, 0, 2)]
    assert not shoppers.vectors.any()
    assert all(np.isnan(shoppers.stats[name]).all() for name in STATS)
