"""Run the jobs from raw files to features: `python -m tests.features.jobs MASTER RAW OUT`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from features.cuts import temporal
from features.history import write_moment
from features.ingest import ingest
from features.moments import choose
from features.settings import HistorySettings, SparkSettings
from features.spark import session

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def jobs(spark: SparkSession, raw: Path, out: Path) -> None:
    """Canonical tables, and the features of a moment."""
    ingest(
        spark, [raw / "reviews.jsonl.gz"], [raw / "items.jsonl.gz"], out / "tables",
        quarantine_out=out / "quarantine", max_bad_share=0.5, now=NOW,
    )  # fmt: skip
    purchases = spark.read.parquet(str(out / "tables" / "purchases"))
    items = spark.read.parquet(str(out / "tables" / "items"))
    moments = choose(purchases, holdout_share=0.1, validate_share=0.1, label_share=0.1)
    for cut in temporal(purchases, moments)[2:3]:
        write_moment(cut, items, settings=HistorySettings(), out=out / "features")


if __name__ == "__main__":
    master, raw, out = sys.argv[1:]
    jobs(
        session(SparkSettings(master=master, driver_memory="1g", shuffle_partitions=2)),
        Path(raw),
        Path(out),
    )
