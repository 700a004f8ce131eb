"""The quality watch on data whose distances were worked out by hand."""

import subprocess
import sys
from math import log
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import QualityError
from features.history import user_history, user_purchase_stats
from features.items import item_days, item_stats
from features.pairs import co_purchases, together, transitions
from features.quality.border import checked, shaped
from features.quality.drift import ks, psi
from features.quality.late import LATE, stored
from features.quality.profile import Numbers, Profile, profile
from features.quality.rules import RULES
from features.quality.watch import breaches, daily, watch
from features.settings import HistorySettings, QualitySettings
from tests.features.shop import day

AS_OF = day("2024-03-01")
TENTHS = np.repeat(np.arange(1.0, 11), 10)  # ten of each number from 1 to 10


@pytest.mark.spark
def test_what_the_jobs_make_passes_the_border(purchases, items):
    bought = purchases("ann a 2024-01-01 rating=4", "ann b 2024-01-01", "ann b 2024-01-09",
                       "bob b 2024-02-01", "bob c 2024-02-02")  # fmt: skip
    shelf = items(a=(["X"], "B", 1.0), b=([], None, None))
    views = {
        "purchases": bought,
        "items": shelf,
        "user_purchase_stats": user_purchase_stats(bought, shelf, AS_OF),
        "user_history": user_history(bought, AS_OF, 50),
        "item_stats": item_stats(bought, shelf, AS_OF),
        "item_days": item_days(bought, AS_OF),
        "transitions": transitions(bought, AS_OF, HistorySettings()),
        "together": together(bought, AS_OF, HistorySettings()),
        "co_purchases": co_purchases(bought, AS_OF, HistorySettings()),
    }
    assert set(views) == set(RULES) - {"user_embedding", "item_embedding", *LATE}
    for name, view in views.items():
        assert checked(view, name) is view


@pytest.mark.spark
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["* except(user_id)"], "user_id"),
        (["*", "1 extra"], "extra"),
        (["* except(rating)", "'5' rating"], "rating"),
        (["* except(rating)", "7D rating"], "rating lies in 1 to 5: 2 rows"),
        (["* except(rating)", "double('nan') rating"], "rating lies in 1 to 5: 2 rows"),
        (["* except(item_id)", "nullif(item_id, 'a') item_id"], "item_id is never null: 1 rows"),
    ],
)
def test_the_border_stops_what_is_wrong_and_names_it(purchases, change, told):
    frame = purchases("ann a 2024-01-01", "bob b 2024-01-01").selectExpr(*change)
    with pytest.raises(QualityError, match=told) as refused:
        checked(frame, "purchases")
    assert refused.value.where == "purchases"


@pytest.mark.spark
def test_the_shape_is_told_without_reading_a_row(spark):
    from features.schema import ITEMS, ddl

    trap = spark.range(1).selectExpr("string(raise_error('a row was read')) item_id")
    frame = trap.crossJoin(spark.createDataFrame([], ddl(ITEMS)).drop("item_id"))
    assert shaped(frame, "items") is frame
    with pytest.raises(QualityError, match="brand"):
        shaped(frame.drop("brand"), "items")


def test_rules_and_definitions_say_the_same():
    from feast.types import Array, Float32, Float64, Int64, String

    from features.repo.views import SPECS

    written = {"bigint": Int64, "double": Float64, "string": String, "array<float>": Array(Float32),
               "array<string>": Array(String), "array<bigint>": Array(Int64),
               "array<double>": Array(Float64)}  # fmt: skip
    ours = {"user_purchase_stats", "user_history", "item_stats", *LATE}
    for name in ours:
        of_feast = {column: str(kind) for column, kind in SPECS[name].columns.items()}
        stamps = {f"{SPECS[name].entity}_id", "event_timestamp", "created_timestamp"}
        rules = {c: str(written[k]) for c, k in RULES[name].columns.items() if c not in stamps}
        assert rules == of_feast, name


def test_importing_from_a_command_line_snippet_does_not_end_the_process():
    code = "import features.quality.border; print('alive')"
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_psi_and_ks_are_those_worked_out_by_hand():
    before = Numbers.of(TENTHS, len(TENTHS))
    assert psi(before, TENTHS) == ks(before, TENTHS) == 0
    # the lower half moved up: bins of .1 became five of .0001 (the floor) and five of .2
    upper = np.repeat(np.arange(6.0, 11), 20)
    assert ks(before, upper) == pytest.approx(0.5)
    expected = 5 * (0.2 - 0.1) * log(0.2 / 0.1) + 5 * (1e-4 - 0.1) * log(1e-4 / 0.1)
    assert psi(before, upper) == pytest.approx(expected)
    # above all that was known: the last bin has everything
    assert ks(before, TENTHS + 100) == pytest.approx(1)


def test_drift_of_a_column_of_few_values():
    half = np.array([0.0] * 50 + [1.0] * 50)
    before = Numbers.of(half, 100)
    assert before.grid == (0, 1)
    assert before.cumulative == (0.5, 1)
    most = np.array([0.0] * 80 + [1.0] * 20)
    assert ks(before, most) == pytest.approx(0.3)
    assert psi(before, most) == pytest.approx(0.3 * log(0.8 / 0.5) - 0.3 * log(0.2 / 0.5))


@pytest.fixture
def view(tmp_path: Path):
    def write(name: str, **columns) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        pq.write_table(pa.table(columns), folder / "part-0.parquet")
        return folder

    return write


def test_a_profile_tells_numbers_lists_and_nulls(view):
    folder = view("v", id=["a", "b", None, "d"], n=[1, None, 3, 5], many=[[1, 2], [], [3], None])
    told = profile(folder)
    assert told.rows == 4
    n, many = told.columns["n"], told.columns["many"]
    assert (n.nulls, n.low, n.high, n.mean) == (0.25, 1, 5, 3)
    assert (many.low, many.high, many.mean) == (0, 2, 1)  # of a list, its length
    assert told.columns["id"].nulls == 0.25
    assert Profile.from_dict(told.as_dict()) == told


def test_a_breach_names_view_check_value_and_limit(view):
    now = view("now", price=np.repeat(np.arange(6.0, 11), 20), old=pa.nulls(100, pa.float64()))
    then = view("then", price=TENTHS, old=TENTHS)
    found = list(watch({"v": now}, {"v": profile(now)}, {"v": profile(then)}, QualitySettings()))
    told = {str(one) for one in breaches(found)}
    assert told == {
        "v.price: psi is 3.797, limit 0.5",
        "v.price: ks is 0.5, limit 0.4",
        "v.old: change of nulls is 1, limit 0.2",
    }
    alone = list(watch({"v": now}, {"v": profile(now)}, {}, QualitySettings()))
    assert alone
    assert not breaches(alone)
    few = list(watch({"v": now}, {"v": profile(now)}, {}, QualitySettings(least_rows=101)))
    assert [str(one) for one in breaches(few)] == ["v: rows is 100, limit 101"]


def test_the_same_data_again_is_no_drift(view):
    folder = view("v", price=TENTHS, n=np.arange(100))
    told = {"v": profile(folder)}
    found = list(watch({"v": folder}, told, told, QualitySettings(max_psi=1e-9, max_ks=1e-9)))
    assert not breaches(found)


def test_values_that_an_engine_rounds_otherwise_are_no_drift(view):
    """Where values repeat, a last bit would move all of them past the points that were kept."""
    trend = np.log2(np.repeat([3.0, 5.0, 7.0, 11.0], 25))
    then, now = view("then", trend=trend), view("now", trend=trend.astype(np.float32))
    up = view("up", trend=np.nextafter(trend, np.inf))
    told = {"v": profile(then)}
    for folder in (now, up):
        found = list(watch({"v": folder}, told, told, QualitySettings(max_psi=1e-9, max_ks=1e-9)))
        assert not breaches(found)


def test_a_week_without_purchases_is_seen():
    weeks = np.repeat(np.arange(100, 128), 10)
    assert not breaches(list(daily(np.append(weeks, np.repeat(np.arange(128, 135), 4)),
                                   QualitySettings())))  # fmt: skip
    dry = list(daily(np.append(weeks, [134] * 6), QualitySettings()))
    # 6 in the last seven days are 6/7 a day, of 10 before
    assert [str(one) for one in breaches(dry)] == [
        "purchases: purchases a day, last week against the four before is 0.08571, limit 0.1"
    ]
    assert [one.value for one in dry[:3]] == [6, 0, 0]


def floats(*rows: list[float]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


def late(folder: Path, **changed: object) -> Path:
    """Two shoppers' embeddings, as the index leaves them; columns of None are left out."""
    moment = pa.array([day("2024-01-02")] * 2, pa.timestamp("us", tz="UTC"))
    columns = {
        "user_id": ["ann", "bob"],
        "event_timestamp": moment,
        "created_timestamp": moment,
        "embedding": floats([0.5, 1.0], [0.0, 2.0]),
        "encoder": ["links-2-a", "links-2-a"],
    }
    kept = {name: value for name, value in (columns | changed).items() if value is not None}
    folder.mkdir()
    pq.write_table(pa.table(kept), folder / "part.parquet")
    return folder


def test_a_view_made_without_spark_passes_the_border(tmp_path):
    stored(late(tmp_path / "whole"), "user_collaborative")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"encoder": None}, "column encoder is missing"),
        ({"mood": ["good", "bad"]}, "column mood is not known"),
        ({"embedding": [[0.5], [1.0]]}, "column embedding is list<element: double>, not array"),
        ({"user_id": ["ann", None]}, "user_id is never null: 1 broken"),
        ({"embedding": floats([1.0, 2.0], [float("nan"), 1.0])}, "finite numbers: 1 broken"),
        ({"embedding": floats([1.0, 2.0], [1.0])}, r"embeddings of \[1, 2\] numbers"),
        ({"encoder": ["links-2-a", "links-2-b"]}, "2 encoders in one view"),
    ],
)
def test_a_view_made_without_spark_is_stopped_at_the_border(tmp_path, changed, told):
    with pytest.raises(QualityError, match=told):
        stored(late(tmp_path / "broken", **changed), "user_collaborative")
