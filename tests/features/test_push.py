"""A purchase pushed online is what the batch would have computed a moment later."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.embeddings import embed_items, write_user_embeddings
from features.errors import QualityError
from features.history import user_history, user_purchase_stats
from features.lookup import Lookup
from features.push import ItemVectors, Purchase, Pushed, Pusher
from features.schema import ITEMS, PURCHASES, ddl
from features.store import FeatureRepo
from features.ties import tie_break
from tests.features.shop import bought, day
from tests.features.stores import KINDS, store_settings

AS_OF = day("2024-03-01")
SECOND = timedelta(seconds=1)
RECENT, HALF_LIFE = 4, 2.0
SHELF = ("soap", "comb", "oil", "wax", "balm")
VIEWS = ["user_purchase_stats", "user_history", "user_embedding"]
ANN = ("ann soap 2024-01-03", "ann comb 2024-02-11", "ann oil 2024-02-11")
EXACT = ("purchases", "recency_days", "tenure_days", "mean_gap_days", "distinct_items")


@pytest.fixture(scope="module")
def computed(spark, tmp_path_factory):
    """Compute the views of some purchases at a moment into a folder, as the batch does."""
    items = spark.createDataFrame(
        [(name, name.title(), ["Beauty"], None, None, True) for name in SHELF], ddl(ITEMS)
    )
    shelf = tmp_path_factory.mktemp("embeddings")
    embed_items(
        pq.ParquetDataset(_written(items, shelf / "items")).read(),
        lambda texts: np.array([[len(t), t.count("o"), 1] for t in texts], np.float32),
        "tiny-1",
        seed=0,
        as_of=AS_OF,
        out=shelf,
    )

    def compute(rows, as_of) -> Path:
        out = tmp_path_factory.mktemp("offline")
        purchases = spark.createDataFrame(
            [bought(r, n) for n, r in enumerate(rows)], ddl(PURCHASES)
        )
        _written(user_purchase_stats(purchases, items, as_of), out / "user_purchase_stats")
        _written(user_history(purchases, as_of, RECENT), out / "user_history")
        write_user_embeddings(
            pq.ParquetDataset(out / "user_history").read(),
            shelf,
            half_life=HALF_LIFE,
            as_of=as_of,
            out=out / "user_embedding",
        )
        return out

    compute.shelf = shelf
    return compute


def _written(frame, folder: Path) -> Path:
    frame.write.parquet(str(folder))
    return folder


@pytest.fixture(params=KINDS)
def settings(request):
    with store_settings(request.param) as own:
        yield own


def filled(home: Path, settings, offline: Path, as_of=AS_OF) -> FeatureRepo:
    repo = FeatureRepo(home, settings)
    repo.apply(offline)
    repo.materialize(as_of, as_of, VIEWS)
    return repo


def pusher(repo: FeatureRepo, computed, recent: int = RECENT) -> Pusher:
    order = pq.read_table(computed.shelf / "item_ids.parquet")["item_id"].to_pylist()
    positions = {item: at for at, item in enumerate(order)}
    vectors = np.load(computed.shelf / "items.npy")
    taste = ItemVectors("user_embedding", "tiny-1", positions, vectors, HALF_LIFE)
    return Pusher(repo, [taste], recent, clock=lambda: day("2024-12-31"))


def purchase(row: str) -> Purchase:
    user, item, when, *_ = bought(row, 0)
    return Purchase(user, item, when)


def told(repo: FeatureRepo, user: str):
    return {view: {k: v[0] for k, v in repo.read(view, [user]).items()} for view in VIEWS}


@pytest.mark.spark
@pytest.mark.parametrize(
    ("before", "pushed"),
    [
        (ANN, "ann wax 2024-03-05"),
        (ANN, "ann wax 2024-02-11"),  # late, and tied with two others
        ((*ANN, "ann wax 2024-02-20"), "ann soap 2024-03-05"),  # the oldest falls out
        ((*ANN, "ann wax 2024-02-20"), "ann balm 2024-02-01"),  # late, and the oldest falls out
        (ANN, "ann unheard-of 2024-03-05"),
        (ANN, "bob soap 2024-03-05"),  # her first
    ],
)
def test_a_push_gives_what_the_batch_would_have(computed, tmp_path, before, pushed):
    with store_settings("sqlite") as settings, store_settings("sqlite") as other:
        repo = filled(tmp_path / "pushed", settings, computed(before, AS_OF))
        one = purchase(pushed)
        assert pusher(repo, computed).push(one) is Pushed.APPLIED
        later = max(AS_OF, one.event_timestamp + SECOND)
        batch = filled(tmp_path / "batch", other, computed((*before, pushed), later), later)
        got, expected = told(repo, one.user_id), told(batch, one.user_id)
    assert got["user_history"] == expected["user_history"]
    assert got["user_embedding"] == expected["user_embedding"]
    stats = got["user_purchase_stats"]
    for name in ("event_timestamp", *EXACT, *(n for n in stats if n.startswith("purchases_"))):
        if name == "distinct_items" and len(before) == RECENT:
            assert stats[name] == len(before), "as materialised: not all purchases are kept"
        elif name in stats:
            assert stats[name] == expected["user_purchase_stats"][name], name


@pytest.mark.spark
def test_what_is_pushed_is_seen_by_the_next_look_up(computed, settings, tmp_path):
    repo = filled(tmp_path, settings, computed(ANN, AS_OF))
    lookup = Lookup(repo, None, lambda: AS_OF)
    (before,) = lookup.lookup(["ann"])
    push = pusher(repo, computed)
    began = time.perf_counter()
    assert push.push(purchase("ann wax 2024-03-01")) is Pushed.APPLIED
    (after,) = lookup.lookup(["ann"])
    assert time.perf_counter() - began < 1
    assert before.values("user_history")["item_ids"][-1] != "wax"
    assert after.values("user_history")["item_ids"][-1] == "wax"
    assert after.values("user_embedding") != before.values("user_embedding")
    assert after.values("user_purchase_stats")["purchases"] == 4
    assert repo.read_by_feast("user_history", ["ann"]) == repo.read("user_history", ["ann"])


@pytest.mark.spark
def test_what_is_imagined_is_what_pushing_leaves_and_nothing_is_written(computed, tmp_path):
    with store_settings("sqlite") as settings:
        repo = filled(tmp_path, settings, computed((*ANN, "bob oil 2024-02-02"), AS_OF))
        lookup = Lookup(repo, timedelta(days=9_999), lambda: AS_OF, views=VIEWS)
        push = pusher(repo, computed)
        for user, items in (("ann", ("wax", "soap")), ("bob", ("balm",)), ("eve", ("comb",))):
            bought_now = [purchase(f"{user} {item} 2024-03-05") for item in items]
            before = lookup.lookup([user])[0]
            imagined = push.imagine(before, bought_now)
            unchanged = lookup.lookup([user])[0]
            assert {v: dict(before.values(v)) for v in VIEWS} == {
                v: dict(unchanged.values(v)) for v in VIEWS
            }
            assert [push.push(each) for each in bought_now] == [Pushed.APPLIED] * len(bought_now)
            after = lookup.lookup([user])[0]
            for view in VIEWS:
                for name, value in after.values(view).items():
                    assert imagined[view][name] == pytest.approx(value, nan_ok=True), (view, name)
        lookup.close()


@pytest.mark.spark
def test_the_same_purchase_twice_changes_nothing(computed, settings, tmp_path):
    repo = filled(tmp_path, settings, computed(ANN, AS_OF))
    push, wax = pusher(repo, computed), purchase("ann wax 2024-03-05")
    assert push.push(wax) is Pushed.APPLIED
    before = told(repo, "ann")
    assert push.push(wax) is Pushed.DUPLICATE
    assert told(repo, "ann") == before
    assert push.push(purchase("ann soap 2024-01-03")) is Pushed.DUPLICATE  # known to the batch
    assert push.push(purchase("ann wax 2024-03-06")) is Pushed.APPLIED
    assert push.push(purchase("ann wax 2023-01-01")) is Pushed.TOO_OLD
    assert told(repo, "ann")["user_purchase_stats"]["purchases"] == 5


@pytest.mark.spark
def test_an_older_run_leaves_what_was_pushed_and_a_later_one_replaces_it(
    computed, settings, tmp_path
):
    offline = computed(ANN, AS_OF)
    repo = filled(tmp_path, settings, offline)
    pusher(repo, computed).push(purchase("ann wax 2024-03-05"))
    before = told(repo, "ann")
    assert repo.materialize(AS_OF, AS_OF, VIEWS) == 0
    assert told(repo, "ann") == before
    later = day("2024-03-06")
    repo.apply(computed(ANN, later))
    assert repo.materialize(later, later, VIEWS) == 3
    assert told(repo, "ann")["user_history"]["item_ids"][-1] != "wax"


@pytest.mark.spark
def test_what_can_not_be_is_refused(computed, tmp_path):
    with store_settings("sqlite") as settings:
        push = pusher(filled(tmp_path, settings, computed(ANN, AS_OF)), computed)
        with pytest.raises(QualityError, match="of the future"):
            push.push(Purchase("ann", "wax", day("2025-01-01")))
        with pytest.raises(QualityError, match="without shopper or item"):
            push.push(Purchase("ann", "", AS_OF))
        with pytest.raises(QualityError, match="no time zone"):
            push.push(Purchase("ann", "wax", AS_OF.replace(tzinfo=None)))


@pytest.mark.spark
def test_ties_break_as_in_spark(spark):
    from features.timeline import SEED
    from features.timeline import tie_break as by_spark

    items = ["", "a", "B000ABCDEF", "é刷", *("x" * n for n in range(1, 70))]
    frame = spark.createDataFrame([(item,) for item in items], "item_id string")
    expected = {row[0]: row[1] for row in frame.select("item_id", by_spark("item_id")).collect()}
    assert {item: tie_break(item, SEED) for item in items} == expected


@pytest.mark.spark
def test_a_history_hashes_as_in_spark(computed, tmp_path, spark):
    odd = 'o"clock\\\n\t\x01\x1f é/\x7f'
    with store_settings("sqlite") as settings, store_settings("sqlite") as other:
        rows = [("ann", odd, day("2024-02-01"), None, None, 0, day("2024-02-01"), True)]
        frame = spark.createDataFrame(rows, ddl(PURCHASES))
        later = day("2024-02-01") + SECOND
        offline = tmp_path / "offline"
        _written(user_history(frame, later, RECENT), offline / "user_history")
        batch = FeatureRepo(tmp_path / "batch", other)
        batch.apply(offline)
        batch.materialize(later, later, ["user_history"])
        repo = FeatureRepo(tmp_path / "pushed", settings)
        repo.apply(offline)
        pusher(repo, computed).push(Purchase("ann", odd, day("2024-02-01")))
        assert repo.read("user_history", ["ann"]) == batch.read("user_history", ["ann"])


@pytest.mark.spark
def test_purchases_pushed_at_once_are_all_counted(computed, settings, tmp_path):
    """Two processes of a shop, here two threads with connections of their own."""
    repo = filled(tmp_path, settings, computed(ANN, AS_OF))

    def shop(hours: range) -> list[Pushed]:
        own = pusher(FeatureRepo(repo.home, settings), computed, recent=50)
        moments = [AS_OF + timedelta(hours=hour) for hour in hours]
        return [own.push(Purchase("ann", "wax", moment)) for moment in moments]

    with ThreadPoolExecutor(2) as shops:
        outcomes = [*shops.map(shop, (range(0, 20, 2), range(1, 20, 2)))]
    assert {each for outcome in outcomes for each in outcome} == {Pushed.APPLIED}
    got = told(repo, "ann")
    assert got["user_purchase_stats"]["purchases"] == 3 + 20
    pushed = [int((AS_OF + timedelta(hours=hour)).timestamp()) for hour in range(20)]
    assert got["user_history"]["item_times"][3:] == pushed
