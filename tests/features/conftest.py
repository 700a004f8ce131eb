from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import DataFrame, SparkSession

from features.schema import ITEMS, PURCHASES, ddl
from features.settings import SparkSettings
from features.spark import session
from tests.features.shop import bought


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    running = session(
        SparkSettings(master="local[1]", driver_memory="1g", shuffle_partitions=2), "tests"
    )
    yield running
    running.stop()


@pytest.fixture
def purchases(spark: SparkSession) -> Callable[..., DataFrame]:
    def make(*rows: str) -> DataFrame:
        return spark.createDataFrame(
            [bought(row, line) for line, row in enumerate(rows)], ddl(PURCHASES)
        ).coalesce(1)

    return make


@pytest.fixture
def items(spark: SparkSession) -> Callable[..., DataFrame]:
    def make(**shelf: tuple[list[str], str | None, float | None]) -> DataFrame:
        rows = [(i, i.title(), *about, True) for i, about in shelf.items()]
        return spark.createDataFrame(rows, ddl(ITEMS)).coalesce(1)

    return make
