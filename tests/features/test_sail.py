"""Sail, which adds a day without Java: when it is chosen, what it reads, and what if it breaks."""

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features import sail
from features.errors import QualityError, RawDataError
from features.formats import formats, get, simple
from features.ingest import ingest_day
from features.preflight import inspect
from features.quality.border import checked
from features.settings import SAIL, SparkSettings
from features.spark import a_day
from tests.features.shop import sailing
from tests.features.test_formats import FILES, RAW

NOW = datetime(2024, 1, 1, tzinfo=UTC)
REVIEWS = [file for file, (_, table) in FILES.items() if table == "purchases"]
CSV = "user_id,parent_asin,rating,timestamp\n"


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda _cls: None))


def csv(folder: Path, *rows: str) -> Path:
    file = folder / "day.csv"
    file.write_text(CSV + "\n".join(rows) + "\n")
    return file


@pytest.mark.usefixtures("nothing_runs")
def test_a_day_of_simple_rows_is_sails_and_everything_else_is_sparks(tmp_path: Path):
    rows = csv(tmp_path, "ann,a,5,1577836800000", "", "bob,b,,1577836800000")
    mine = SparkSettings()
    assert sail.for_a_day(mine, [rows]).master == SAIL
    assert sail.for_a_day(mine.model_copy(update={"day": "master"}), [rows]) == mine.model_copy(
        update={"day": "master"}
    )
    cluster = mine.model_copy(update={"master": "spark://host:7077"})
    assert sail.for_a_day(cluster, [rows]) == cluster
    (tmp_path / "views" / "a.parquet").parent.mkdir()
    (tmp_path / "views" / "a.parquet").write_bytes(b"x" * (2 << 20))
    small = mine.model_copy(update={"day_most_mib": 1})
    assert sail.for_a_day(small, [rows], [tmp_path / "views"]) == small
    assert sail.for_a_day(small, [rows]).master == SAIL
    assert sail.for_a_day(mine, [csv(tmp_path, '"ann",a,5,1577836800000')]) == mine  # it is quoted
    assert sail.for_a_day(mine, [tmp_path / "none"]).master == SAIL  # that is told without Java


@pytest.mark.spark
def test_what_runs_already_adds_the_day(spark: SparkSession):
    assert spark is not None
    assert sail.for_a_day(SparkSettings()).master == SparkSettings().master


ODD = {
    "csv": ['ann,"a",5,1', "ann,a,5", "ann,a,5,1,2", "ann\t,a,5,1", "ann,a\x00,5,1"],
    "amazon-2023": ['{"user_id": 5}', '{"user_id": "a", "user_id": "b"}', "{'user_id': 'a'}", "[]",
                    '{"user_id": true}', '{"user_id": ["a"]}', '{"rating": NaN}', '{"a": 1} x'],
    "amazon-2014": ['{"reviewerID": "ann", "asin": "a", "reviewTime": "01 2, 2014"}', "{"],
    "amazon-2018": ['{"reviewerID": "a\\u0007", "asin": "a", "unixReviewTime": 1}'],
}  # fmt: skip


@pytest.mark.parametrize("name", formats())
def test_what_can_be_read_in_several_ways_is_left_to_spark(name):
    header = CSV.strip() if name == "csv" else ""
    assert [line for line in ODD[name] if get(name).simple(line, header) is not None] == []


@pytest.mark.spark
@pytest.mark.parametrize("file", REVIEWS)
def test_sail_judges_simple_lines_as_spark_does(spark, file, tmp_path):
    layout, raw = get(FILES[file][0]), inspect(RAW / file)
    header = raw.head[0] if layout.header else ""
    lines = [
        line
        for line in simple.lines_of(raw)
        if line == header or simple.blank(line) or layout.simple(line, header) is not None
    ]
    assert len(lines) >= 2
    (day := tmp_path / "day.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _shop(spark, tmp_path)

    def added(session: SparkSession, who: str) -> int:
        return ingest_day(session, [day], tmp_path, tmp_path / who, max_bad_share=1, now=NOW,
                          quarantine_out=tmp_path / f"{who} refused")  # fmt: skip

    by_spark = added(spark, "spark")
    with sailing() as session:
        assert added(session, "sail") == by_spark > 0
    assert _rows(tmp_path / "sail" / "purchases") == _rows(tmp_path / "spark" / "purchases")
    assert _rows(tmp_path / "sail refused") == _rows(tmp_path / "spark refused")


def _shop(spark: SparkSession, folder: Path) -> None:
    """A history of nobody, and no items: what a day is added to."""
    from features.schema import ITEMS, PURCHASES, ddl

    for name, columns in (("purchases", PURCHASES), ("items", ITEMS)):
        spark.createDataFrame([], ddl(columns)).write.parquet(str(folder / name))


def _rows(folder: Path) -> list[str]:
    return sorted(map(str, pq.read_table(folder).to_pylist()))


texts = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["a", "5", "1e3", " 5 ", "", "-1", "٣", "None", ".", "1577836800000", "ann b", "4,5", 'q"']
)
values = texts | st.integers(-9, 1 << 70) | st.floats(allow_nan=True) | st.none() | st.booleans()
objects = st.dictionaries(
    st.sampled_from(["user_id", "parent_asin", "rating", "timestamp"]), values
)
lines = st.one_of(
    objects.map(json.dumps), objects.map(lambda row: json.dumps(row, ensure_ascii=False)), texts
).filter(lambda line: "\n" not in line)


@pytest.mark.spark
@settings(max_examples=6, deadline=None)
@given(st.lists(lines, min_size=40, max_size=80))
def test_what_is_simple_is_read_as_spark_reads_it(spark, written):
    _same_texts(spark, "amazon-2023", "", written)


@pytest.mark.spark
@settings(max_examples=6, deadline=None)
@given(st.lists(st.lists(texts, min_size=3, max_size=5).map(",".join), min_size=40, max_size=80))
def test_cut_at_commas_is_read_as_spark_reads_it(spark, written):
    _same_texts(spark, "csv", CSV.strip(), [line for line in written if "\n" not in line])


def _same_texts(spark: SparkSession, name: str, header: str, written: list[str]) -> None:
    layout = get(name)
    rows = [(0, 0, at, line, False) for at, line in enumerate(written)]
    frame = spark.createDataFrame(
        rows, "file int, block long, at long, value string, heading boolean"
    )
    loose = layout.purchases(frame, header).select("at", "readable", "row.*").collect()
    for row in loose:
        told = layout.simple(written[row["at"]], header)
        if told is not None:
            assert row["readable"]
            for key, value in told.items():
                same = (lambda text: text) if key in {"user_id", "parent_asin"} else _number
                assert same(value) == same(row[key])


def _number(text: str | None) -> float | str | None:
    """A rating or time by its value: Spark writes 1E2 as 100.0, and both are read as the same."""
    try:
        number = float(text) if text and text.isascii() and text.strip() == text else nan
        return number if isfinite(number) else text
    except ValueError:
        return text


@pytest.mark.spark
def test_a_day_that_tells_nothing_new_is_a_table_without_rows(tmp_path, spark):
    _shop(spark, tmp_path)
    day = csv(tmp_path, "ann,a,5,1577836800000", "bob,b,,1577836800000")
    known = (NOW, datetime(2025, 1, 1, tzinfo=UTC))  # both were known before
    with sailing() as session:
        ingest_day(session, [day], tmp_path, tmp_path / "out", quarantine_out=tmp_path / "refused",
                   max_bad_share=1, now=NOW, known=known)  # fmt: skip
    for folder in (tmp_path / "out" / "purchases", tmp_path / "refused"):
        assert spark.read.parquet(str(folder)).count() == 0
    both = spark.read.parquet(str(tmp_path / "purchases"), str(tmp_path / "out" / "purchases"))
    assert both.schema == spark.read.parquet(str(tmp_path / "purchases")).schema


@pytest.mark.spark
def test_a_line_that_spark_alone_reads_is_named(tmp_path, spark):
    _shop(spark, tmp_path)
    day = csv(tmp_path, "ann,a,5,1577836800000", '"bob",b,5,1577836800000')
    with sailing() as session, pytest.raises(RawDataError, match=r"day\.csv:3.*Spark alone"):
        ingest_day(session, [day], tmp_path, tmp_path / "out", quarantine_out=tmp_path / "refused",
                   max_bad_share=1, now=NOW)  # fmt: skip


@pytest.mark.spark
def test_sail_stops_at_the_border_as_spark_does(tmp_path, purchases):
    purchases("ann a 2024-01-01 rating=9").write.parquet(str(tmp_path / "purchases"))
    with sailing() as session, pytest.raises(QualityError, match="rating lies in 1 to 5: 1 rows"):
        checked(session.read.parquet(str(tmp_path / "purchases")), "purchases")


@pytest.mark.spark
def test_where_sail_breaks_spark_does_the_work_and_it_is_said(spark, monkeypatch, caplog):
    monkeypatch.setattr(
        sail, "for_a_day", lambda mine, *_: mine.model_copy(update={"master": SAIL})
    )
    did = []

    def work(session: SparkSession) -> int:
        did.append(sail.runs(session))
        if sail.runs(session):
            session.sql("no word of this is SQL").collect()
        return session.range(3).select(F.col("id") + 1).count()

    with caplog.at_level(logging.WARNING):
        assert a_day(SparkSettings(), work) == 3
    assert did == [True, False]
    assert not sail.running()
    assert "Sail could not add the day, so Spark does" in caplog.text
    assert spark.range(2).count() == 2  # and pyspark speaks with Java again


def test_a_day_needs_no_java(tmp_path: Path):
    script = """
from pathlib import Path
from features.settings import SparkSettings
from features.spark import a_day, stop
print(a_day(SparkSettings(), lambda spark: spark.range(3).count()))
stop()
"""
    without = {k: v for k, v in os.environ.items() if k != "JAVA_HOME"} | {"PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=without, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("3", "")
