"""Training rows hold what was known at their moment, and nothing of what was planted around it."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.repo.views import SPECS
from features.settings import StoreSettings
from features.store import FeatureRepo
from recsys.errors import LabelError
from recsys.training_set import make, read_labels
from tests.features.shop import day
from tests.features.stores import edge_table, write_view

MOMENT = day("2024-03-01")
HOUR = timedelta(hours=1)
VIEW = "item_stats"


def stats(purchases: int, event, known_at) -> pa.Table:
    """One row of an item: how often it was bought by `event`, as it was known at `known_at`."""
    row = edge_table(VIEW).slice(0, 1)
    stamps = {"event_timestamp": event, "created_timestamp": known_at}
    for name, value in {"item_id": "soap", "purchases": purchases, **stamps}.items():
        at = row.schema.get_field_index(name)
        row = row.set_column(at, name, pa.array([value], row.schema.field(at).type))
    return row


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> FeatureRepo:
    folder = tmp_path_factory.mktemp("training")
    write_view(
        folder / "offline",
        VIEW,
        stats(5, MOMENT - 24 * HOUR, MOMENT - 24 * HOUR),
        stats(7, MOMENT - 2 * HOUR, MOMENT - 2 * HOUR),  # the one to be found
        stats(666, MOMENT - HOUR, MOMENT + HOUR),  # late: tells of before, known after
        stats(999, MOMENT + HOUR, MOMENT + HOUR),  # the future
        stats(6, MOMENT - 2 * HOUR, MOMENT - 3 * HOUR),  # corrected since, before the moment
    )
    made = FeatureRepo(folder / "feast", StoreSettings())
    made.apply(folder / "offline")
    return made


LABELS = """user_id,item_id,event_timestamp,label
0017,soap,2024-03-01 00:00:00,1
0017,soap,2024-02-29T12:00:00,0
0017,soap,2024-03-01 02:00:00,1
0018,comb,2024-03-01 00:00:00,0
0017,soap,2024-03-01 00:00:00,1
"""


@pytest.mark.spark
def test_neither_late_nor_future_rows_leak(repo, spark, tmp_path: Path):
    (tmp_path / "labels.csv").write_text(LABELS)
    out = tmp_path / "a set" / "made.parquet"
    assert make(spark, repo, tmp_path / "labels.csv", out) == 5
    rows = pq.read_table(out).sort_by([("item_id", "ascending"), ("event_timestamp", "ascending")])
    assert rows["user_id"].to_pylist() == ["0018", *["0017"] * 4]
    assert rows["label"].to_pylist() == [0, 0, 1, 1, 1]
    # nothing of the comb; at noon the day before, the first; then the corrected one, twice; and
    # an hour after all was known, the last
    assert rows[f"{VIEW}__purchases"].to_pylist() == [None, 5, 7, 7, 999]
    assert {name for name in rows.column_names if name.startswith(VIEW)} == {
        f"{VIEW}__{name}" for name in SPECS[VIEW].columns
    }
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("user_id,item_id\na,b\n", "no column event_timestamp"),
        ("user_id,item_id,event_timestamp\na,b,17\n", "holds int64, not times"),
        ("user_id,item_id,event_timestamp\na,b,\na,b,2024-03-01\n", "is empty in 1 rows"),
        ("", "can't be read"),
    ],
)
def test_labels_that_will_not_do_are_named(content, complaint, tmp_path):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(LabelError, match=complaint):
        read_labels(tmp_path / "labels.csv")


def test_labels_may_be_parquet_and_keep_their_columns(tmp_path):
    table = pa.table(
        {
            "user_id": ["a"], "item_id": ["b"], "weight": [0.5],
            "event_timestamp": pa.array([MOMENT], pa.timestamp("ns", tz="Europe/Berlin")),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "labels.parquet")
    (row,) = read_labels(tmp_path / "labels.parquet").to_pylist()
    assert row == {"user_id": "a", "item_id": "b", "weight": 0.5, "event_timestamp": MOMENT}
