"""Schemas at the borders: pandera says what is wrong, and here it also stops the job.

On Spark pandera only notes what it finds on the frame; whoever forgets to look goes on with bad
data. `checked` looks.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from features.errors import QualityError, extra
from features.quality.rules import RULES, Rules


@contextmanager
def _not_a_doctest() -> Iterator[None]:
    """Spark takes a main module without a file (`python -c`) for a doctest, and exits."""
    main = sys.modules["__main__"]
    nameless = not hasattr(main, "__file__")
    if nameless:
        main.__file__ = "-c"
    try:
        yield
    finally:
        if nameless:
            del main.__file__


with extra("features"), _not_a_doctest():
    import pandera.pyspark as pa
    from pandera.config import ValidationDepth, config_context
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F
    from pyspark.sql.types import DataType, StructType

SHOWN = 5


def shaped(frame: DataFrame, table: str) -> DataFrame:
    """Check that a frame has the columns and types of a table, or raise; no row is read."""
    with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
        _stop(_schema(table).validate(_empty(frame)), table)
    return frame


def checked(frame: DataFrame, table: str) -> DataFrame:
    """Check columns, types and, in one pass over the rows, nulls and ranges, or raise."""
    rules = RULES[table]
    broken = _broken(shaped(frame, table), rules)
    schema = _schema(table, tuple((rule, broken[rule] == 0) for rule in broken))
    with config_context(validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        _stop(schema.validate(_empty(frame)), table, broken)
    return frame


def _stop(frame: Any, table: str, broken: dict[str, int] | None = None) -> None:
    """Raise what pandera noted on the frame."""
    if not (errors := frame.pandera.errors):
        return
    found = [entry for part in errors.values() for kind in part.values() for entry in kind]
    told = [
        f"{rule}: {broken[rule]} rows" if broken and rule in broken else str(entry["error"])
        for entry in found
        for rule in [str(entry.get("check") or "")]
    ]
    raise QualityError(
        "; ".join(told[:SHOWN]),
        where=table,
        fix="nothing was published; look at the source of these rows",
    )


def _empty(frame: DataFrame) -> DataFrame:
    """Make a frame of the same shape, in which every list may hold nulls, as Parquet has it.

    Of no rows: for its messages pandera would run the job, and quote a shopper's row.
    """
    ddl = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in frame.schema)
    return frame.sparkSession.createDataFrame([], ddl)


@cache
def _schema(table: str, rules: tuple[tuple[str, bool], ...] = ()) -> Any:
    columns = {name: pa.Column(_type(kind), nullable=True) for name, kind in
               RULES[table].columns.items()}  # fmt: skip
    checks = [pa.Check(_verdict(holds), name=rule, error=rule) for rule, holds in rules]
    return pa.DataFrameSchema(columns, checks=checks, name=table, strict=True)


def _verdict(holds: bool) -> Any:
    return lambda _frame: holds


@cache
def _type(kind: str) -> DataType:
    parsed = DataType.fromDDL(f"it {kind}")
    assert isinstance(parsed, StructType)
    return parsed["it"].dataType


def _broken(frame: DataFrame, rules: Rules) -> dict[str, int]:
    """Count the rows that break each rule: one pass, where pandera would make one per rule."""
    broken: dict[str, Column] = {
        f"{name} is never null": F.col(name).isNull() for name in sorted(rules.never_null)
    }
    for name, (low, high) in rules.ranges.items():
        # nan is larger than all numbers in Spark, and inf is no number to learn from
        finite = F.col(name).cast("double").between(max(low, -1.7e308), min(high, 1.7e308))
        broken[f"{name} lies in {low:g} to {high:g}"] = F.col(name).isNotNull() & ~finite
    counts = frame.agg(*(F.count_if(rule).alias(str(n)) for n, rule in enumerate(broken.values())))
    row = counts.collect()[0]  # one number per rule
    return {rule: row[str(n)] for n, rule in enumerate(broken)}
