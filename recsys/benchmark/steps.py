"""The steps that are timed, one per process: `python -m recsys.benchmark.steps NAME HOME …`.

A step prints one JSON object as its last line.
"""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.benchmark.home import Home
from recsys.errors import extra
from recsys.evaluation.memory import peak
from recsys.settings import Settings, load
from recsys.tables import read_table

if TYPE_CHECKING:
    from personalizer.vectors import Encoder

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import functions as spark_functions

    from features import embeddings, history
    from features.cuts import serving
    from features.daily import Step, advance
    from features.ingest import ingest, ingest_day
    from features.spark import a_day, session, stop
    from features.timeline import before, in_memory

DAY = timedelta(days=1)
WEEKS = 28


def raw(home: Home, settings: Settings, *files: str) -> dict[str, Any]:
    """From raw files to the online store: the moment that serves, nothing else."""
    reviews, items = (tuple(map(Path, part.split("\n"))) for part in files)
    with ThreadPoolExecutor(1) as beside:  # Java's start and Spark's planning leave the cores idle
        encoder = beside.submit(_encoder, home, settings)
        beside.submit(_import_store)
        spark = session(settings.features.spark)
        report = ingest(
            spark, reviews, items, home.tables, quarantine_out=home.refused,
            max_bad_share=settings.features.ingest.max_bad_share, now=datetime.now(UTC),
        )  # fmt: skip
        as_of = datetime.combine(report.last_purchase.date() + DAY, datetime.min.time(), UTC)
        embedded = beside.submit(_embed_items, home, settings, encoder.result(), as_of)
        _write(home, settings, home.purchases(spark), as_of)
        embedded.result()
    _go_online(home, settings, as_of)
    return {"purchases": report.purchases, "users": report.users, "as_of": as_of.isoformat()}


def rewind(home: Home, settings: Settings) -> dict[str, Any]:
    """Go back to the evening before a day of usual size: not timed, it prepares `day`."""
    spark = session(settings.features.spark)
    start = _usual_day(home)
    kept, today = home.rewound(), before(home.purchases(spark), start + DAY)
    before(home.purchases(spark), start).write.parquet(str(kept.tables / "purchases"))
    rows = today.filter(
        spark_functions.col("event_timestamp") >= spark_functions.lit(start)
    ).select(
        "user_id",
        spark_functions.col("item_id").alias("parent_asin"),
        "rating",
        spark_functions.unix_millis("event_timestamp").alias("timestamp"),
        spark_functions.unix_millis("known_at").alias("known_at"),
    )
    table = rows.toPandas()  # one day
    table.to_csv(home.day_file, index=False, float_format="%g")
    _write(kept, settings, kept.purchases(spark), start)
    _go_online(kept, settings, start)
    return {"as_of": start.isoformat(), "day_purchases": len(table)}


def day(home: Home, settings: Settings, as_of: str) -> dict[str, Any]:
    """One further day: its raw file to the online store."""
    kept, start = home.rewound(), datetime.fromisoformat(as_of)
    with ThreadPoolExecutor(1) as beside:
        beside.submit(_import_store)  # it takes seconds, and one core is free

        def add(spark: SparkSession) -> None:
            ingest_day(
                spark, [home.day_file], kept.tables, kept.day, quarantine_out=kept.refused,
                max_bad_share=settings.features.ingest.max_bad_share, now=datetime.now(UTC),
            )  # fmt: skip
            items = spark.read.parquet(str(kept.tables / "items"))
            step = Step(start, start + DAY, kept.purchases(spark), items, items)
            advance(step, kept.features, settings.features.history, kept.next_features)

        tables = [kept.tables, kept.features]
        a_day(settings.features.spark, add, reviews=[home.day_file], tables=tables)
    _go_online(kept, settings, start + DAY, features=kept.next_features)
    return {}


def online(home: Home, settings: Settings, as_of: str) -> dict[str, Any]:
    """Write user rows both ways, look shoppers up, and compare them with a whole computation."""
    from recsys.benchmark import online as measures

    kept, end = home.rewound(), datetime.fromisoformat(as_of) + DAY
    spark = session(settings.features.spark)
    told = measures.writing(kept, settings, end) | measures.looking_up(kept, settings, end)
    with in_memory(before(kept.purchases(spark), end)) as past:
        items = spark.read.parquet(str(kept.tables / "items"))
        whole = settings.features.history
        views = {
            "user_purchase_stats": history.user_purchase_stats(past, items, end, whole),
            "user_history": history.user_history(past, end, whole.recent_items),
        }
        return told | measures.skewed(kept, settings, end, views)


def _write(home: Home, settings: Settings, purchases: DataFrame, as_of: datetime) -> None:
    items = purchases.sparkSession.read.parquet(str(home.tables / "items"))
    with in_memory(items):
        cut = serving(purchases, as_of)
        history.write_moment(cut, items, settings=settings.features.history, out=home.features)


def _encoder(home: Home, settings: Settings) -> "Encoder":
    from personalizer.cache import CachedEncoder
    from personalizer.encoder import TextEncoder

    encoder = TextEncoder(settings.personalizer.encoder)
    return CachedEncoder(encoder, home.root / "embeddings.sqlite")


def _embed_items(home: Home, settings: Settings, encoder: "Encoder", as_of: datetime) -> None:
    embeddings.embed_items(
        read_table(home.tables / "items", ["item_id", "title", "categories"]),
        encoder.encode, encoder.version, seed=settings.seed, as_of=as_of, out=home.embeddings,
    )  # fmt: skip


def _go_online(
    home: Home, settings: Settings, as_of: datetime, features: Path | None = None
) -> None:
    """Embed the shoppers, and bring all views of a moment online."""
    serve = (features or home.features) / "serve"
    embeddings.write_user_embeddings(
        read_table(serve / "user_history"), home.embeddings,
        half_life=settings.features.embedding.half_life_purchases, as_of=as_of,
        out=serve / "user_embedding",
    )  # fmt: skip
    repo = home.repo(settings, "feast")
    repo.apply(home.offline(serve))
    repo.materialize(as_of - DAY, as_of + DAY, home.views())


def _import_store() -> None:
    from features.repo.loading import load as load_feast

    load_feast()


def _usual_day(home: Home) -> datetime:
    """Find the latest day with at least as many purchases as half of the days of four weeks."""
    times = read_table(home.tables / "purchases", ["event_timestamp"])["event_timestamp"]
    counts = pc.value_counts(times.cast(pa.timestamp("us")).cast(pa.date32()))
    days = sorted((one["values"], one["counts"]) for one in counts.to_pylist())[-WEEKS:]
    usual = sorted(count for _, count in days)[len(days) // 2]
    last = max(day for day, count in days if count >= usual)
    return datetime.combine(last, datetime.min.time(), UTC)


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "raw": raw,
    "rewind": rewind,
    "day": day,
    "online": online,
}


def main(name: str, folder: str, *words: str) -> None:
    """Run one step and print what it tells."""
    with peak() as memory:
        told = STEPS[name](Home(Path(folder)), load(), *words)
        told["peak_mib"] = memory.mib
    stop()
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
