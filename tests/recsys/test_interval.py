"""Intervals: any order, twice, two at once: the same tables, and features as from all of them."""

import csv
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys.artifacts import ArtifactStore
from recsys.errors import StageError
from recsys.pipeline import interval_features, lineage
from recsys.pipeline.daily import hand_over
from recsys.pipeline.interval import Interval, files_of, ingest, ready
from recsys.pipeline.moments import RunMoments
from recsys.settings import load
from tests.conftest import Home

DAY = timedelta(days=1)


def test_an_interval_names_its_files(tmp_path: Path) -> None:
    interval = Interval.parse("2024-03-01", "2024-03-02T00:00:00+00:00")
    assert interval.end - interval.start == DAY
    for name in ("a-2024-03-01.csv", "b-2024-03-01.csv"):
        (tmp_path / name).touch()
    found = files_of([f"{tmp_path}/*-{{start:%Y-%m-%d}}.csv"], interval)
    assert [path.name for path in found] == ["a-2024-03-01.csv", "b-2024-03-01.csv"]
    assert ready(load(), interval, [f"{tmp_path}/a-{{start:%Y-%m-%d}}.csv"])
    assert not ready(load(), interval, [f"{tmp_path}/a-{{end:%Y-%m-%d}}.csv"])
    with pytest.raises(StageError, match="is not before"):
        Interval(interval.end, interval.start)


def some_days(home: Home, folder: Path, days: int) -> tuple[datetime, str]:
    """A raw file of the days after the data end, with duplicates and rows told late."""
    start = RunMoments.read(home.path / "features" / "current").serve
    table = pq.read_table(home.path / "tables" / "current" / "purchases")
    users, items = (sorted(set(table[name].to_pylist())) for name in ("user_id", "item_id"))
    rng = random.Random(3)
    with (folder / "bought.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "parent_asin", "rating", "timestamp", "known_at"])
        for _ in range(days * 6):
            when = int((start + DAY * rng.random() * days).timestamp()) * 1000
            late = when + rng.choice([0, 0, 86_400_000])
            row = [rng.choice(users[:40]), rng.choice(items), 4.0, when, late]
            rows.writerows([row] * rng.choice([1, 1, 2]))
    return start, str(folder / "bought.csv")


@pytest.mark.slow
@pytest.mark.spark
def test_a_back_fill_in_any_order_is_the_same(home: Home, tmp_path: Path) -> None:
    settings, days = load(), 30
    start, file = some_days(home, tmp_path, days)
    intervals = [Interval(start + DAY * n, start + DAY * (n + 1)) for n in range(days)]
    store, began = ArtifactStore(settings.home), lineage.of_data(settings)
    made = []
    for order in (intervals, random.Random(1).sample(intervals, days)):
        hand_over(settings, began)
        for interval in order:
            latest = ingest(settings, interval, [file])
            hand_over(settings, latest)
        made.append(latest["tables"])
    assert made[0] == made[1]
    with ThreadPoolExecutor(2) as both:  # cleared, and run twice at once
        again = both.map(lambda _: ingest(settings, intervals[3], [file])["tables"], range(2))
        assert set(again) == {made[0]}
    tables = pq.read_table(store.open("tables", made[0]).path / "purchases").to_pylist()
    root = pq.read_table(store.open("tables", began["tables"]).path / "purchases").num_rows
    new = [row for row in tables if row["event_timestamp"] >= start]
    assert len(tables) == root + len(new)
    assert len({(row["user_id"], row["item_id"], row["event_timestamp"]) for row in new}) == len(
        new
    )
    numbers: dict[str, list[int]] = {}
    for row in tables:
        numbers.setdefault(row["user_id"], []).append(row["sequence"])
    assert all(sorted(each) == list(range(len(each))) for each in numbers.values())


@pytest.mark.slow
def test_a_day_is_not_added_to_features_of_other_settings_or_other_code(home: Home) -> None:
    settings = load()
    store, data = ArtifactStore(settings.home), lineage.of_data(settings)
    standing = store.open("features", data["features"])
    assert interval_features.counted_alike(standing, settings)
    history = settings.features.history.model_copy(update={"pair_half_life_days": 30.0})
    features = settings.features.model_copy(update={"history": history})
    other = settings.model_copy(update={"features": features})
    assert not interval_features.counted_alike(standing, other)
    older = dict(standing.manifest.parameters)
    del older["features.history.pair_half_life_days"]
    for change in ({"parameters": older}, {"code": "0123456789abcdef"}):
        other_one = replace(standing, manifest=replace(standing.manifest, **change))
        assert not interval_features.counted_alike(other_one, settings)


@pytest.mark.slow
@pytest.mark.spark
def test_a_days_features_are_those_of_a_whole_run(home: Home, tmp_path: Path) -> None:
    settings = load()
    start, file = some_days(home, tmp_path, 2)
    store, began = ArtifactStore(settings.home), lineage.of_data(settings)
    first, second = (Interval(start + DAY * n, start + DAY * (n + 1)) for n in range(2))
    one = interval_features.features(settings, ingest(settings, first, [file]), first)
    hand_over(settings, one)
    two = interval_features.features(settings, ingest(settings, second, [file]), second)
    moments = RunMoments.read(store.open("features", two["features"]).path)
    assert moments.serve == datetime.combine(start.date(), datetime.min.time(), UTC) + 2 * DAY
    hand_over(settings, {**began, "tables": two["tables"]})  # from the root in one go
    folder = store.folder("features", two["features"])
    kept = {view.name: pq.read_table(view) for view in (folder / "serve").iterdir()}
    folder.rename(tmp_path / "day by day")
    whole = interval_features.features(settings, {**began, "tables": two["tables"]}, second)
    assert whole["features"] == two["features"]
    for name, table in kept.items():
        other = pq.read_table(folder / "serve" / name)
        assert table.select(other.column_names).to_pylist() == other.to_pylist(), name
