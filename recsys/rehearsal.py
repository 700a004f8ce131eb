"""A small shop's features from end to end: what `tailor features warm` lets Java remember."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.errors import extra
from recsys.sample.files import ITEMS, REVIEWS
from recsys.sample.make import write
from recsys.settings import Settings

with extra("features"):
    from pyspark.sql import SparkSession

    from features.cuts import serving
    from features.daily import Step, advance
    from features.history import write_moment
    from features.ingest import ingest

SHOPPERS, CATALOGUE = 60, 80


def rehearse(spark: SparkSession, settings: Settings) -> None:
    """Ingest a shop, compute its features, add a day."""
    history = settings.features.history
    with TemporaryDirectory(prefix="tailor-rehearsal-") as folder:
        home = Path(folder)
        write(home / "shop", users=SHOPPERS, items=CATALOGUE, seed=settings.seed)
        report = ingest(
            spark, [home / "shop" / REVIEWS], [home / "shop" / ITEMS], home,
            quarantine_out=home / "quarantine", max_bad_share=1.0, now=datetime.now(UTC),
        )  # fmt: skip
        purchases, items = (spark.read.parquet(str(home / name)) for name in ("purchases", "items"))
        start = datetime.combine(report.last_purchase.date(), datetime.min.time(), UTC)
        write_moment(serving(purchases, start), items, settings=history, out=home / "evening")
        step = Step(start, start + timedelta(days=1), purchases, items, items)
        advance(step, home / "evening", history, home / "next")
