"""Spark expressions the raw formats share: numbers, dates, prices, JSON and plain text."""

from collections.abc import Callable, Iterable
from typing import Any

from features.errors import extra
from features.formats import text
from features.formats.text import as_json
from features.formats.text import plain as to_plain
from features.formats.text import plain_path as to_plain_path

with extra("features"):
    import pandas as pd
    from pyspark import cloudpickle
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.functions import pandas_udf

# not every Spark worker has this package: the text functions travel with the job
cloudpickle.register_pickle_by_value(text)

# digits and controls are spelt out: engines differ about what their names mean
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_AMOUNT = r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
_PRICE = rf"^(?:from\s+)?\$?\s*{_AMOUNT}(?:\s*-\s*\$?\s*{_AMOUNT})?$"
_AMERICAN_DATE = r"^([0-9]{1,2}) ([0-9]{1,2}), ?([0-9]{4})$"
_DAY_MS = 86_400_000
_DEAREST = 1e9


def number(value: Column) -> Column:
    """Read text as a double; null where it is not a finite decimal number."""
    stripped = F.trim(value)
    return F.when(stripped.rlike(_NUMBER), stripped.try_cast("double"))


def given(value: Column) -> Column:
    """Take text without control characters and outer blanks; null where nothing is left."""
    stripped = F.trim(F.regexp_replace(value, r"[\x00-\x1f\x7f]", ""))
    return F.when(stripped != "", stripped)


def price(value: Column) -> Column:
    """Read a price: 7.04, "$7.04", the low end of "$5.00 - $9.00"; null for anything else."""
    # the low end is what the shop advertises, and a middle is a price nobody paid
    amount = F.regexp_extract(F.trim(value), _PRICE, 1)
    found = F.coalesce(number(value), number(F.regexp_replace(amount, ",", "")))
    return F.when(found.between(0, _DEAREST), found)


def american_day_ms(value: Column) -> Column:
    """Read text like "09 13, 2009" as milliseconds at the start of that day, UTC."""
    iso = F.regexp_replace(F.trim(value), _AMERICAN_DATE, "$3-$1-$2")
    return F.unix_date(iso.try_cast("date")).cast("double") * _DAY_MS


def with_json_row(lines: DataFrame, line: str, fields: Iterable[str]) -> DataFrame:
    """Add `row`: the JSON of a line as a struct of texts, null where it is not one object."""
    if "row" in lines.columns:
        return lines
    # as a list of one: from_json alone would ignore what follows the first object
    schema = "array<struct<" + ", ".join(f"`{name}`: string" for name in fields) + ">>"
    listed = F.concat(F.lit("["), F.col(line), F.lit("]"))
    rows = F.from_json(listed, schema, {"allowSingleQuotes": "false"})
    one = F.when(F.size("rows") == 1, F.col("rows")[0])
    return lines.withColumn("rows", rows).withColumn("row", one).drop("rows")


def json_texts(value: Column) -> Column:
    """Read the text of a JSON list as an array of texts; null where it is no list."""
    return F.from_json(value, "array<string>")


def plain(value: Column) -> Column:
    """Reduce text from a web page to plain text."""

    def convert(values: pd.Series) -> pd.Series:
        return values.map(to_plain)

    return _arrow(convert, "string", value)


def plain_path(values: Column) -> Column:
    """Reduce a path of texts from a web page to plain texts; drop those that come out empty."""

    def convert(paths: pd.Series) -> pd.Series:
        return paths.map(to_plain_path)

    return _arrow(convert, "array<string>", values)


def literal_as_json(line: Column, keys: Iterable[str]) -> Column:
    """Turn a line that holds a Python dict into JSON text; null where it does not."""
    wanted = tuple(keys)

    def convert(lines: pd.Series) -> pd.Series:
        return lines.map(lambda one: as_json(one, wanted))

    return _arrow(convert, "string", line)


def _arrow(function: Callable[[pd.Series], pd.Series], returns: str, column: Column) -> Column:
    """Apply a function of the module `text` in Spark's Python workers."""
    make: Any = pandas_udf  # its annotations ask for a function type that is optional
    result: Column = make(function, returns)(column)
    return result
