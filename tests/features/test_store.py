"""Feast, for real, on a tiny shop in a folder with a space in its name."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.cuts import serving
from features.errors import StoreError
from features.history import write_moment
from features.repo.views import VIEWS
from features.settings import HistorySettings, StoreSettings
from features.store import FeatureRepo
from features.training import training_features
from tests.features.shop import day

pytestmark = pytest.mark.spark

AS_OF = day("2024-03-01")
WRITTEN = ["user_purchase_stats", "user_history", "item_stats", "user_embedding"]


def embeddings(folder: Path, key: str, *keys: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    folder.mkdir()
    moment = pa.array([AS_OF] * 2, pa.timestamp("us", tz="UTC"))
    table = pa.table(
        {
            key: keys,
            "embedding": pa.array(list(vectors), pa.list_(pa.float32())),
            "encoder": ["tiny-1"] * 2,
            "event_timestamp": moment,
            "created_timestamp": moment,
        }
    )
    pq.write_table(table, folder / "part.parquet")


@pytest.fixture(scope="module")
def offline(spark, tmp_path_factory) -> Path:
    from features.schema import ITEMS, PURCHASES, ddl
    from tests.features.shop import bought

    out = tmp_path_factory.mktemp("a shop") / "off line"
    rows = ("ann soap 2024-02-01 price=2", "ann comb 2024-02-11", "bob comb 2024-02-20")
    purchases = spark.createDataFrame([bought(r, n) for n, r in enumerate(rows)], ddl(PURCHASES))
    items = spark.createDataFrame([("soap", "Soap", ["Beauty"], "Lush", 3.0, True)], ddl(ITEMS))
    write_moment(serving(purchases, AS_OF), items, settings=HistorySettings(), out=out.parent)
    out = (out.parent / "serve").rename(out)
    embeddings(out / "user_embedding", "user_id", "ann", "bob")
    embeddings(out / "item_embedding", "item_id", "soap", "comb")
    return out


@pytest.fixture(scope="module")
def repo(offline: Path) -> FeatureRepo:
    filled = FeatureRepo(offline.parent / "feast home", StoreSettings())
    filled.apply(offline)
    steps: list[tuple[int, int]] = []
    filled.materialize(AS_OF - timedelta(days=1), AS_OF, WRITTEN, lambda *step: steps.append(step))
    assert steps == [(2, 8), (4, 8), (6, 8), (8, 8)]
    return filled


def rows(repo: FeatureRepo) -> list[tuple[object, ...]]:
    with sqlite3.connect(repo.home / "online_entities.sqlite") as online:
        names = [n for (n,) in online.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return [
            (name, *row)
            for name in sorted(names)
            for row in online.execute(f'SELECT * FROM "{name}" ORDER BY 1')
        ]


def test_online_values_are_those_that_were_computed(repo):
    stats = repo.read("user_purchase_stats", ["bob", "ann"])
    assert stats["purchases"] == [1, 2]
    assert stats["recency_days"] == [10, 19]
    assert stats["mean_gap_days"] == [None, 10]
    assert stats["mean_price"] == [None, 2]
    assert stats["event_timestamp"] == [AS_OF, AS_OF]
    history = repo.read("user_history", ["ann"])
    assert history["item_ids"] == [["soap", "comb"]]
    assert history["item_times"][0][0] == day("2024-02-01").timestamp()


def test_embeddings_come_back_bit_by_bit(repo):
    expected = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    got = repo.read("user_embedding", ["ann", "bob"])
    assert np.array_equal(np.array(got["embedding"], dtype=np.float32), expected)
    assert got["encoder"] == ["tiny-1", "tiny-1"]


def test_materialising_again_changes_nothing(repo, offline):
    before = rows(repo)
    repo.apply(offline)
    repo.materialize(AS_OF - timedelta(days=1), AS_OF, WRITTEN)
    assert rows(repo) == before
    assert len(before) > 0


def test_the_interval_is_respected(repo):
    before = rows(repo)
    repo.materialize(AS_OF - timedelta(days=9), AS_OF - timedelta(days=8), ["user_embedding"])
    assert rows(repo) == before


def test_feast_leaves_the_callers_session_as_it_was(repo, spark):
    assert spark.conf.get("spark.sql.parser.quotedRegexColumnNames") == "false"


def published(release: str, *users: str) -> pa.Table:
    return pa.table(
        {
            "user_id": list(users),
            "event_timestamp": pa.array([AS_OF] * len(users), pa.timestamp("us", tz="UTC")),
            "item_ids": [["comb", "soap"]] * len(users),
            "scores": [[0.75, 0.5]] * len(users),
            "release": [release] * len(users),
        }
    )


def test_a_published_list_replaces_the_one_before(repo):
    repo.write_recommendations(published("r1", "ann", "bob"))
    repo.write_recommendations(published("r2", "ann"))
    lists = repo.read("user_recommendations", ["ann", "bob", "eve"])
    assert lists["release"] == ["r2", "r1", None]
    assert lists["item_ids"][0] == ["comb", "soap"]
    assert lists["scores"][0] == [0.75, 0.5]
    assert lists["event_timestamp"] == [AS_OF, AS_OF, None]


def test_lists_with_a_column_missing_are_refused(repo):
    with pytest.raises(StoreError, match="release"):
        repo.write_recommendations(published("r1", "ann").drop_columns(["release"]))


def test_training_reads_the_rows_as_they_were_at_the_moment(repo, spark):
    import pandas as pd

    asked = pd.DataFrame(
        {
            "user_id": ["ann", "ann"],
            "item_id": ["soap", "soap"],
            "event_timestamp": [AS_OF, AS_OF - timedelta(days=1)],
        }
    )
    got = training_features(repo, spark.createDataFrame(asked)).toPandas()
    got = got.sort_values("event_timestamp")
    assert got["user_purchase_stats__purchases"].tolist()[1] == 2
    assert got["item_stats__buyers"].tolist()[1] == 1
    assert np.isnan(got["user_purchase_stats__purchases"].tolist()[0])  # not known the day before


def test_status_tells_what_is_online_until_when(repo, offline):
    status = {view.name: view for view in repo.status()}
    assert set(status) == set(VIEWS)
    assert status["user_history"].materialized_until == AS_OF
    assert status["item_embedding"].materialized_until is None
    assert status["user_history"].offline == str(offline / "user_history")


def test_a_store_never_applied_says_so(tmp_path: Path):
    repo = FeatureRepo(tmp_path, StoreSettings())
    assert repo.status() == []
    with pytest.raises(StoreError, match="never applied"):
        repo.materialize(AS_OF, AS_OF, ["user_history"])
    assert list(tmp_path.iterdir()) == []


def test_views_and_folders_that_do_not_exist_are_named(repo):
    with pytest.raises(StoreError, match="no such view: user_shoes"):
        repo.materialize(AS_OF, AS_OF, ["user_shoes"])
    with pytest.raises(StoreError, match=r"no folder .*user_recommendations"):
        repo.materialize(AS_OF, AS_OF, ["user_recommendations"])


def test_times_are_utc(repo):
    assert repo.read("user_history", ["ann"])["event_timestamp"] == [
        datetime(2024, 3, 1, tzinfo=UTC)
    ]
