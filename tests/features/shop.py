"""Purchases written by hand: "ann soap 2024-01-03 rating=5 price=2.5 known=2024-01-05"."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from features import sail
from features.settings import SparkSettings

Row = tuple[str, str, datetime, float | None, float | None, int, datetime, bool]


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bought(row: str, sequence: int) -> Row:
    user, item, when, *more = row.split()
    known = dict(pair.split("=") for pair in more)
    rating, price = (float(known[k]) if k in known else None for k in ("rating", "price"))
    return user, item, day(when), rating, price, sequence, day(known.get("known", when)), True


@contextmanager
def sailing() -> Iterator[SparkSession]:
    """Sail's session; within, pyspark speaks with nobody else."""
    try:
        yield sail.start(SparkSettings(shuffle_partitions=2))
    finally:
        sail.stop()


def table(frame: DataFrame, *keys: str) -> dict[Any, dict[str, Any]]:
    """The rows by key; a key that comes twice is an error."""
    rows = [row.asDict() for row in frame.collect()]
    by_key = {tuple(r.pop(k) for k in keys) if len(keys) > 1 else r.pop(keys[0]): r for r in rows}
    assert len(by_key) == len(rows)
    return by_key
