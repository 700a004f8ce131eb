"""What every raw format must do, and how Spark reads the odd values in them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from features.errors import UnknownFormatError
from features.formats import Table, columns, detect, formats, get, judge
from features.preflight import inspect

RAW = Path(__file__).parents[1] / "fixtures" / "raw"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
FILES = {
    "amazon_2014_reviews.jsonl": ("amazon-2014", Table.PURCHASES),
    "amazon_2014_items.txt": ("amazon-2014", Table.ITEMS),
    "amazon_2018_reviews.jsonl": ("amazon-2018", Table.PURCHASES),
    "amazon_2018_items.jsonl": ("amazon-2018", Table.ITEMS),
    "amazon_2023_reviews.jsonl": ("amazon-2023", Table.PURCHASES),
    "amazon_2023_items.jsonl": ("amazon-2023", Table.ITEMS),
    "reviews.csv": ("csv", Table.PURCHASES),
}
MEMBERS = [(name, table) for name, member in formats().items() for table in sorted(member.tables)]


def lines_of(spark, path: Path):
    header = inspect(path).head[0]
    rows = [(0, 0, i, line) for i, line in enumerate(path.read_text("utf-8-sig").splitlines())]
    lines = spark.createDataFrame(rows, "file int, block long, at long, value string")
    return lines.withColumn("heading", F.lit(False)), header


@pytest.mark.parametrize("file", FILES)
def test_exactly_one_format_recognises_a_file(file):
    head = inspect(RAW / file).head
    claims = {name: member.recognise(head) for name, member in formats().items()}
    name, table = FILES[file]
    assert {key: claim for key, claim in claims.items() if claim} == {name: table}
    assert detect(head, file) == (get(name), table)


@pytest.mark.parametrize("member", formats().values(), ids=formats())
@pytest.mark.parametrize("head", [[], [""], ["\x7f"], ["{}"], ["a,b"], ["{" * 5000], ['"' * 999]])
def test_no_format_claims_nonsense(member, head):
    assert member.recognise(head) is None


@pytest.mark.parametrize("member", formats().values(), ids=formats())
def test_a_format_says_what_it_is(member):
    assert member.about
    assert member.tables
    assert formats()[member.name] is member


def test_every_format_has_a_file_for_each_table_it_feeds():
    assert sorted(FILES.values()) == sorted(MEMBERS)


@pytest.mark.spark
@pytest.mark.parametrize("file", FILES)
def test_every_format_gives_canonical_columns(spark, file):
    name, table = FILES[file]
    member = get(name)
    lines, header = lines_of(spark, RAW / file)
    if table is Table.PURCHASES:
        rows = judge.purchases(member.purchases(lines, header), NOW)
        types = {"user_id": "string", "event_timestamp": "timestamp", "rating": "double"}
    else:
        rows = judge.items(member.items(lines, header))
        types = {"title": "string", "categories": "array<string>", "price": "double"}
    types |= {"item_id": "string", "reason": "string", "raw": "string", "at": "bigint"}
    assert types.items() <= dict(rows.dtypes).items()
    found = rows.collect()
    assert None in {row["reason"] for row in found}
    for row in found:
        assert (row["raw"] is None) == (row["reason"] is None)
        assert row["reason"] is not None or row["item_id"]


def test_an_unknown_layout_is_told_with_what_was_seen():
    with pytest.raises(
        UnknownFormatError, match=r"it begins with 'id;stars'.*amazon-2018: "
    ) as error:
        detect(["id;stars", "1;2"], "odd.txt")
    assert error.value.where == "odd.txt"
    with pytest.raises(UnknownFormatError, match="no raw format 'xml'"):
        get("xml")


PRICES = {
    "7.04": 7.04, "$7.04": 7.04, " $7 ": 7.0, "$1,299.00": 1299.0, "$5.00 - $9.00": 5.0,
    "5-9": 5.0, "from 3.50": 3.5, "1.5E2": 150.0, "0": 0.0, "": None, "None": None, "NaN": None,
    "Infinity": None, "1e999": None, "-3": None, "12,99": None, "7.04 each": None, "5d": None,
    ".a-box-inner{width:100px}": None, "$": None, "9" * 400: None, "٣": None,
}  # fmt: skip
NUMBERS = {
    "5": 5.0, " 5.0 ": 5.0, "-1e3": -1000.0, ".5": 0.5, "5.": 5.0, "": None, "five": None,
    "NaN": None, "inf": None, "5f": None, "0x10": None, "1,000": None, "5 5": None,
}  # fmt: skip
DAY = 86_400_000.0
DAYS = {
    "01 2, 1970": DAY, "1 2, 1970": DAY, "01 02,1970": DAY, "02 30, 2009": None, "13 1, 2009": None,
    "2009-09-13": 14_500 * DAY, "soon": None, "": None,
}  # fmt: skip


@pytest.mark.spark
@pytest.mark.parametrize(
    ("read", "cases"),
    [(columns.price, PRICES), (columns.number, NUMBERS), (columns.american_day_ms, DAYS)],
)
def test_odd_values(spark, read, cases):
    texts = spark.createDataFrame([(text,) for text in cases], "text string")
    found = {row[0]: row[1] for row in texts.select("text", read(F.col("text"))).collect()}
    assert found == cases


@pytest.mark.spark
def test_a_line_is_exactly_one_json_object(spark):
    deep = '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    cases = {
        '{"a": 1}': "1", ' {"a": null} ': None, '{"a": {"b": [1]}}': '{"b":[1]}', '{"b": 1}': None,
        '{"a": "}{"}': "}{",
    }  # fmt: skip
    refused = ["{", "5", "null", "[]", '[{"a":1}]', '{"a":1}{"a":2}', '{"a":1},{"a":2}',
               '{"a":1} x', "{'a': 1}", deep]  # fmt: skip
    texts = spark.createDataFrame([(text,) for text in [*cases, *refused]], "text string")
    found = columns.with_json_row(texts, "text", ["a"]).select("text", "row").collect()
    read = {row["text"]: row["row"]["a"] for row in found if row["row"] is not None}
    assert read == cases
