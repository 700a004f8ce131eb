"""Each DAG for real: on SQLite, and once on PostgreSQL, for Airflow and for the product."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, func, select, text

from recsys.artifacts import ArtifactStore, Releases
from recsys.pipeline import lineage
from recsys.pipeline.moments import RunMoments
from recsys.results import database
from recsys.results.models import Recommendation, Release
from recsys.settings import load
from tests.conftest import Home
from tests.dags.conftest import python

pytestmark = [pytest.mark.slow, pytest.mark.spark]

LATER = "2026-01-02T00:00:00+00:00"
SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432"
RunDags = Callable[..., list[dict[str, Any]]]


def a_day(home: Home, folder: Path) -> datetime:
    """Write a raw file of purchases for the day after the data end; returns that day."""
    day = RunMoments.read(home.path / "features" / "current").serve
    bought = pq.read_table(home.path / "tables" / "current" / "purchases").slice(0, 20).to_pylist()
    lines = [
        f"{row['user_id']},{row['item_id']},5.0,{int(day.timestamp() + 60 * n) * 1000}"
        for n, row in enumerate(bought)
    ]
    text = "\n".join(["user_id,parent_asin,rating,timestamp", *lines]) + "\n"
    (folder / f"bought-{day:%Y-%m-%d}.csv").write_text(text)
    return day


def lists_in(engine: Any) -> tuple[int, int]:
    """Shoppers with a list in the newest release, and all rows of it."""
    with engine.connect() as connection:
        newest = connection.scalar(select(func.max(Release.id)))
        mine = Recommendation.release_id == newest
        shoppers = select(func.count(Recommendation.user_id.distinct())).where(mine)
        rows = select(func.count()).select_from(Recommendation).where(mine)
        return int(connection.scalar(shoppers) or 0), int(connection.scalar(rows) or 0)


def test_a_day_goes_all_the_way(home: Home, run_dags: RunDags, tmp_path: Path) -> None:
    day = a_day(home, tmp_path)
    before = lineage.live(load())
    told = run_dags(
        (
            "purchase_features",
            (day + timedelta(days=1, hours=1)).isoformat(),
            {"reviews": [str(tmp_path / "bought-{start:%Y-%m-%d}.csv")]},
        ),
        ("user_profiles", LATER, {"shards": 2}),
        ("batch_scoring", LATER, {"shards": 3}),
        ("maintenance", LATER, {"keep_releases": 2}),
        spark=True,
    )
    assert told[2]["tasks"]["score"] == ["success"] * 3
    settings = load()
    live = lineage.live(settings)
    assert {kind for kind in live if live[kind] != before[kind]} == {
        "tables", "features", "embeddings", "quality", "index", "profiles", "store", "lists",
    }  # fmt: skip
    store = ArtifactStore(settings.home)
    assert RunMoments.read(store.open("features", live["features"]).path).serve == day + timedelta(
        1
    )
    shoppers = store.open("lists", live["lists"]).manifest.metrics["lists"]
    assert lists_in(database.of(settings))[0] == shoppers


def test_a_training_ends_in_a_release(home: Home, run_dags: RunDags) -> None:
    before = Releases(ArtifactStore(home.path)).live()
    told = run_dags(
        ("train_models", LATER, {}), ("offline_report", LATER, {"hold": "never"}), spark=True
    )
    assert told[1]["tasks"]["publish"] == ["success"]
    assert told[1]["tasks"]["approve"] == ["skipped"]
    live = Releases(ArtifactStore(home.path)).live()
    candidate = lineage.read(load(), lineage.CANDIDATE)
    assert candidate is not None
    assert all(lineage.live(load())[kind] == candidate[kind] for kind in lineage.MODEL_KINDS)
    assert str(live) >= str(before)


@pytest.fixture
def postgres() -> Iterator[str]:
    """A database of the test's own: its URL."""
    name = f"tailor_airflow_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    admin = create_engine(f"{SERVER}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield f"{SERVER}/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.mark.postgres
def test_on_postgresql(
    home: Home, run_dags: RunDags, airflow: dict[str, str], postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Both in one database: neither takes the other's tables for its own."""
    monkeypatch.setenv("TAILOR_RESULTS__URL", postgres)
    theirs = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres}
    python(airflow | theirs, "-m", "airflow", "db", "migrate")
    shutil.rmtree(home.path / "batch", ignore_errors=True)
    run_dags(("batch_scoring", LATER, {"shards": 2}), **theirs)
    engine = database.connect(postgres)
    shoppers, rows = lists_in(engine)
    assert database.check(engine) == []
    engine.dispose()
    assert 0 < shoppers < rows
