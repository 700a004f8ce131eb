from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession

from features.schema import ITEMS, PURCHASES, ddl
from tests.features.shop import bought


@pytest.fixture(scope="session")
def purchases(spark: SparkSession) -> Callable[..., DataFrame]:
    def make(*rows: str) -> DataFrame:
        return spark.createDataFrame(
            [bought(row, line) for line, row in enumerate(rows)], ddl(PURCHASES)
        ).coalesce(1)

    return make


@pytest.fixture(scope="session")
def items(spark: SparkSession) -> Callable[..., DataFrame]:
    def make(**shelf: tuple[list[str], str | None, float | None]) -> DataFrame:
        rows = [(i, i.title(), *about, True) for i, about in shelf.items()]
        return spark.createDataFrame(rows, ddl(ITEMS)).coalesce(1)

    return make
