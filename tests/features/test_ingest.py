"""From raw files to tables: where every row of the hand-made files lands."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import QualityError, RawDataError, UnknownFormatError
from features.formats import judge
from features.ingest import ingest, ingest_day

pytestmark = pytest.mark.spark

RAW = Path(__file__).parents[1] / "fixtures" / "raw"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
SEPT_13 = datetime(2009, 9, 13, tzinfo=UTC).timestamp()
ITEMS_2023 = RAW / "amazon_2023_items.jsonl"
GOOD_ITEM = '{"parent_asin": "B01", "title": "Lip Balm", "price": 7.04, "store": null}\n'


@pytest.fixture
def run(spark, tmp_path):
    def start(reviews, items, max_bad_share=1.0, **options):
        reviews = [reviews] if isinstance(reviews, Path) else reviews
        items = [items] if isinstance(items, Path) else items
        return ingest(
            spark, reviews, items, tmp_path / "out", quarantine_out=tmp_path / "quarantine",
            max_bad_share=max_bad_share, now=NOW, **options,
        )  # fmt: skip

    return start


@pytest.fixture
def rows(spark, tmp_path):
    """Rows of a written table, times as seconds."""

    def read(name, *wanted):
        folder = tmp_path / ("quarantine" if name == "quarantine" else f"out/{name}")
        frame = spark.read.parquet(str(folder))
        if "event_timestamp" in wanted:
            millis = "unix_millis(event_timestamp) / 1000"
            frame = frame.selectExpr("* except(event_timestamp)", f"{millis} AS event_timestamp")
        return sorted(map(tuple, frame.select(*wanted).collect()), key=repr)

    return read


def refused(rows, table):
    found = rows("quarantine", "table", "file", "line", "reason")
    assert all(Path(file).is_file() for _, file, _, _ in found)
    return {line: reason for where, _, line, reason in found if where == table}


PURCHASE = ("user_id", "item_id", "event_timestamp", "rating", "price", "sequence", "item_known")
ITEM = ("item_id", "title", "categories", "brand", "price", "has_title")


def test_2014(run, rows):
    report = run(RAW / "amazon_2014_reviews.jsonl", RAW / "amazon_2014_items.txt")
    assert rows("purchases", *PURCHASE) == [
        ("A1", "B01", SEPT_13, 5.0, 7.04, 0, True),
        ("A1", "B02", SEPT_13 + 86400, 3.0, None, 1, True),
        ("A2", "B99", SEPT_13, 4.0, None, 0, False),
        ("A3", "B02", SEPT_13, None, None, 0, True),
    ]
    assert rows("items", *ITEM) == [
        ("B01", "Lip Balm, 2 oz", ["Beauty", "Skin Care", "Lips"], "Anne's", 7.04, True),
        ("B02", 'Nail "Gloss" Red', ["Beauty", "Nails"], None, None, True),
        ("B03", "Plain JSON", ["Beauty"], None, 3.0, True),
        ("B04", "", [], None, None, False),
    ]
    assert refused(rows, "purchases") == {
        6: judge.NO_USER, 7: judge.NO_ITEM, 8: judge.NO_TIME, 9: judge.TIME_UNREADABLE,
        10: judge.TOO_OLD, 11: judge.FUTURE, 12: judge.RATING_OUTSIDE, 13: judge.RATING_UNREADABLE,
        14: judge.UNREADABLE, 15: judge.UNREADABLE, 16: judge.UNREADABLE,
    }  # fmt: skip
    assert refused(rows, "items") == {7: judge.NO_ITEM, 8: judge.UNREADABLE, 9: judge.UNREADABLE}
    assert report.rows == {"purchases": 16, "items": 9}
    assert (report.purchases, report.users, report.items) == (4, 3, 4)
    assert report.duplicates == {"purchases": 1, "items": 1}
    assert (report.conflicting_items, report.unknown_items, report.untitled_items) == (1, 1, 1)
    assert report.quarantined["items"] == {judge.UNREADABLE: 2, judge.NO_ITEM: 1}
    assert report.first_purchase == datetime(2009, 9, 13, tzinfo=UTC)
    assert [file.format for file in report.files] == ["amazon-2014", "amazon-2014"]
    assert json.loads(report.to_json())["last_purchase"] == "2009-09-14T00:00:00+00:00"


def test_2018(run, rows):
    run(RAW / "amazon_2018_reviews.jsonl", RAW / "amazon_2018_items.jsonl")
    assert rows("purchases", *PURCHASE) == [
        ("A1", "B01", SEPT_13, 5.0, 7.04, 1, True),
        ("A1", "B02", SEPT_13 - 9 * 86400, 3.0, 5.0, 0, True),
        ("A2", "B99", SEPT_13, 4.0, None, 0, False),
    ]
    assert rows("items", *ITEM) == [
        ("B01", "Lip & Balm", ["Beauty", "Health & Care"], "Anne's", 7.04, True),
        ("B02", "Nail Gloss", ["Beauty"], None, 5.0, True),
        ("B03", "", [], None, None, False),
        ("B04", "Big Spender", ["Beauty"], "X", 1299.0, True),
    ]
    assert refused(rows, "purchases") == {
        4: judge.TIME_UNREADABLE, 5: judge.TOO_OLD, 6: judge.NO_TIME, 7: judge.RATING_OUTSIDE,
    }  # fmt: skip
    assert refused(rows, "items") == {5: judge.NO_ITEM}


def test_2023(run, rows):
    run(RAW / "amazon_2023_reviews.jsonl", ITEMS_2023)
    assert rows("purchases", *PURCHASE) == [
        ("A1", "B01", SEPT_13 + 0.123, 5.0, 7.04, 0, True),
        ("A1", "B02", SEPT_13 + 86400, 3.0, None, 1, True),
        ("A2", "B99", SEPT_13, None, None, 0, False),
    ]
    assert rows("items", *ITEM) == [
        ("B01", "Lip Balm", ["Beauty", "Lips"], "Anne's", 7.04, True),
        ("B02", "Nail Gloss Red", ["All Beauty"], None, None, True),
        ("B03", "", [], None, None, False),
        ("B04", "Odd", ["All Beauty"], "X", 3.5, True),
    ]
    assert refused(rows, "purchases") == {
        4: judge.NO_USER, 5: judge.NO_ITEM, 6: judge.FUTURE, 7: judge.RATING_UNREADABLE,
    }  # fmt: skip
    assert refused(rows, "items") == {5: judge.NO_ITEM, 6: judge.UNREADABLE}


def test_csv(run, rows):
    report = run(RAW / "reviews.csv", ITEMS_2023)
    assert rows("purchases", *PURCHASE) == [
        ("A,2", 'B"9', SEPT_13, 4.0, None, 0, False),
        ("A1", "B01", SEPT_13 + 0.123, 5.0, 7.04, 0, True),
        ("A1", "B02", SEPT_13 + 86400, None, None, 1, True),
        ("A3", "B01", SEPT_13, 5.0, 7.04, 0, True),
    ]
    assert refused(rows, "purchases") == {
        6: judge.REPEATED_HEADER, 7: judge.UNREADABLE, 8: judge.UNREADABLE, 9: judge.UNREADABLE,
        10: judge.NO_USER, 11: judge.NO_ITEM, 12: judge.NO_TIME, 13: judge.TIME_UNREADABLE,
        14: judge.RATING_OUTSIDE, 15: judge.RATING_UNREADABLE,
    }  # fmt: skip
    assert report.rows["purchases"] == 14
    assert report.quarantined["purchases"][judge.REPEATED_HEADER] == 1


@pytest.fixture
def small_blocks(spark):
    spark.conf.set("spark.sql.files.maxPartitionBytes", "300")
    yield
    spark.conf.unset("spark.sql.files.maxPartitionBytes")


def test_lines_and_order_hold_when_files_are_split(spark, run, rows, small_blocks, tmp_path):
    header = "user_id,parent_asin,rating,timestamp\n"
    lines = [f"U,B{i % 40:02},,{SEPT_13 * 1000:.0f}" for i in range(40)]
    lines[7] = lines[33] = "broken"
    lines[20] = ""
    plain, packed = tmp_path / "a b [1].csv", tmp_path / "_hidden.csv"
    plain.write_text(header + "\n".join(lines))
    packed.write_bytes(gzip.compress((header + "\n".join(lines).replace("U", "V")).encode()))
    items = tmp_path / "items"
    items.write_text(GOOD_ITEM)
    report = run([plain, packed], items)
    assert spark.read.text(str(tmp_path / "a b*.csv")).rdd.getNumPartitions() > 1
    found = rows("quarantine", "file", "line")
    assert set(found) == {(str(file), line) for file in (plain, packed) for line in (9, 35)}
    assert len(found) == 4
    kept = [f"B{i % 40:02}" for i in range(40) if i not in {7, 20, 33}]
    for user in "UV":
        bought = {row[2]: row[1] for row in rows("purchases", "user_id", "item_id", "sequence")
                  if row[0] == user}  # fmt: skip
        assert [bought[place] for place in range(len(bought))] == kept
    assert report.rows["purchases"] == 78


def test_packing_is_told_from_content_not_name(run, tmp_path):
    liar, plain = tmp_path / "reviews.txt", tmp_path / "items.gz"
    liar.write_bytes(gzip.compress((RAW / "amazon_2023_reviews.jsonl").read_bytes()))
    plain.write_text(GOOD_ITEM)
    assert run(liar, plain).purchases == 3


def test_layouts_may_be_mixed_and_files_repeated(run, tmp_path):
    files = [RAW / name for name in ("reviews.csv", "amazon_2018_reviews.jsonl", "reviews.csv")]
    report = run(files, [ITEMS_2023, ITEMS_2023])
    assert report.purchases == 4 + 3
    assert report.duplicates == {"purchases": 4, "items": 4}
    assert report.conflicting_items == 0


def test_too_many_bad_rows_stop_before_anything_is_published(run, rows, tmp_path):
    with pytest.raises(QualityError) as stop:
        run(RAW / "amazon_2023_reviews.jsonl", ITEMS_2023, max_bad_share=0.4)
    message = str(stop.value)
    assert "57.1% of the rows for purchases were refused: " in message
    assert "for items" not in message
    assert judge.NO_USER in message
    assert str(tmp_path / "quarantine") in message
    assert len(rows("quarantine", "line")) == 6
    assert not (tmp_path / "out").exists()


def test_no_purchase_at_all_is_no_release(run, tmp_path):
    empty = tmp_path / "reviews.csv"
    empty.write_text("user_id,parent_asin,rating,timestamp\n")
    with pytest.raises(QualityError, match="no purchase"):
        run(empty, ITEMS_2023)


def test_files_in_the_wrong_place(run, tmp_path):
    with pytest.raises(RawDataError, match=r"feeds items .*given as --reviews.*give it as --items"):
        run(ITEMS_2023, ITEMS_2023)
    with pytest.raises(RawDataError, match=r"feeds purchases .*given as --items"):
        run(RAW / "reviews.csv", RAW / "amazon_2018_reviews.jsonl")
    with pytest.raises(RawDataError, match="no files for items"):
        run(RAW / "reviews.csv", [])
    with pytest.raises(RawDataError, match="no header of the format csv"):
        run(RAW / "amazon_2018_reviews.jsonl", ITEMS_2023, format="csv")
    odd = tmp_path / "odd"
    odd.write_text("hello\n")
    with pytest.raises(UnknownFormatError, match="begins with 'hello'"):
        run(odd, ITEMS_2023)


def test_progress_ends_at_its_total(run):
    seen = []
    run(RAW / "reviews.csv", ITEMS_2023, format="csv", progress=lambda *step: seen.append(step))
    assert seen == [(done, 5) for done in range(1, 6)]


def test_when_a_row_became_known_is_read_and_is_never_before_the_purchase(run, spark, tmp_path):
    head = "user_id,parent_asin,rating,timestamp,known_at\n"
    lines = (
        "ann,B01,5,1577836800000,1578009600000",  # two days late
        "ann,B01,5,1577836800000,1577923200000",  # the same purchase, told one day late
        "bob,B01,5,1577836800000,1577750400000",  # known the day before: at once
        "eve,B01,5,1577836800000,",
        "dan,B01,5,1577836800000,soon",
        "dan,B01,5,1577836800000,4102444800000",  # 2100
    )
    reviews = tmp_path / "late.csv"
    reviews.write_text(head + "\n".join(lines) + "\n")
    items = tmp_path / "items.jsonl"
    items.write_text(GOOD_ITEM)
    report = run(reviews, items)
    assert report.quarantined["purchases"] == {
        judge.KNOWN_UNREADABLE: 1, judge.KNOWN_IN_FUTURE: 1,
    }  # fmt: skip
    frame = spark.read.parquet(str(tmp_path / "out" / "purchases"))
    late = "unix_seconds(known_at) - unix_seconds(event_timestamp) late"
    found = {row["user_id"]: row["late"] for row in frame.selectExpr("user_id", late).collect()}
    assert found == {"ann": 86_400, "bob": 0, "eve": 0}


def test_a_further_day_follows_on_from_the_tables(run, spark, tmp_path):
    head, row = "user_id,parent_asin,rating,timestamp\n", "{},B01,5,{}000\n"
    (first := tmp_path / "first.csv").write_text(
        head + row.format("ann", 1577836800) + row.format("ann", 1577840000)
    )
    (items := tmp_path / "items.jsonl").write_text(GOOD_ITEM)
    run(first, items)
    (then := tmp_path / "then.csv").write_text(
        head
        + row.format("ann", 1577840000)  # known already
        + row.format("ann", 1577930000)
        + row.format("eve", 1577930000)
        + "eve,B01,7,1577930000000\n"
    )
    added = ingest_day(spark, [then], tmp_path / "out", tmp_path / "day",
                       quarantine_out=tmp_path / "refused", max_bad_share=0.5, now=NOW)  # fmt: skip
    assert added == 2
    both = [str(tmp_path / folder / "purchases") for folder in ("out", "day")]
    rows = spark.read.parquet(*both).select("user_id", "sequence", "price").collect()
    assert sorted(map(tuple, rows)) == [
        ("ann", 0, 7.04), ("ann", 1, 7.04), ("ann", 2, 7.04), ("eve", 0, 7.04),
    ]  # fmt: skip
    assert spark.read.parquet(str(tmp_path / "refused")).first()["reason"] == judge.RATING_OUTSIDE
    with pytest.raises(QualityError, match=r"25\.0%"):
        ingest_day(spark, [then], tmp_path / "out", tmp_path / "strict",
                   quarantine_out=tmp_path / "refused", max_bad_share=0.1, now=NOW)  # fmt: skip
    assert not (tmp_path / "strict").exists()
