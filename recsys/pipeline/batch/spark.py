"""The same shards, scored by a Spark cluster: `mapInPandas` over the numbers of the shards.

The workers read the home themselves, so it lies where all of them see it. What they make comes back
as Parquet, one folder per shard, and from there on it is as if tasks had scored it.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.errors import extra
from recsys.pipeline.batch.job import LISTS, Plan
from recsys.pipeline.batch.rows import SCHEMA, columns_of
from recsys.pipeline.batch.shards import MOMENT, complete, shard_file, work_folder
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.parts import catalogue_of, shoppers_at
from recsys.pipeline.step import opened, stage_of
from recsys.settings import Settings

with extra("features"):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["score_all"]

_ROWS = (
    "shard int, place long, user_id string, item_ids array<string>, scores array<double>, "
    "reasons array<string>, rung string, why string"
)


def score_all(settings: Settings, plan: Plan, spark: "SparkSession | None" = None) -> int:
    """Score all shards of a plan on the cluster of the settings; returns how many lists."""
    from features.spark import session, stop

    folder = work_folder(settings.home, plan.version)
    if complete(folder) == plan.shards:
        return _count(folder, plan.shards)
    ours = spark is None
    spark = spark or session(settings.features.spark)
    made = folder / "spark"
    whole = settings.model_copy(update={"home": settings.home.resolve()})
    numbers = spark.range(0, plan.shards, numPartitions=plan.shards)
    scored = numbers.mapInPandas(scorer(whole, plan), _ROWS)
    scored.write.mode("overwrite").partitionBy("shard").parquet(str(made))
    if ours:
        stop()
    with opened(settings, {"features": plan.lineage["features"]}) as context:
        moment = RunMoments.read(context.path("features")).serve
    for shard in range(plan.shards):
        _take_over(made / f"shard={shard}", shard_file(folder, (shard, plan.shards)), moment)
    shutil.rmtree(made)
    return _count(folder, plan.shards)


def scorer(
    settings: Settings, plan: Plan
) -> Callable[[Iterator["pd.DataFrame"]], Iterator["pd.DataFrame"]]:
    """What a worker does with the numbers of its shards; the models are opened once."""

    def score(portions: Iterator["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
        from recsys.pipeline.stages.lists import recommender_at

        needed = {kind: plan.lineage[kind] for kind in stage_of(LISTS).inputs}
        with opened(settings, needed) as context:
            catalogue = catalogue_of(context.inputs)
            recommender = recommender_at(context, MOMENT, catalogue)
            for shard in (int(number) for portion in portions for number in portion["id"]):
                shoppers = shoppers_at(context.inputs, MOMENT, catalogue, (shard, plan.shards))
                place = 0
                for part in recommender.stream(shoppers, settings.lists.length, explain=True):
                    where = {"shard": shard, "place": range(place, place + len(part))}
                    place += len(part)
                    yield pd.DataFrame(where | columns_of(part, catalogue))

    return score


def _take_over(made: Path, path: Path, moment: datetime) -> None:
    """Write a shard's file from what Spark left, in the order of the shoppers."""
    table = pq.read_table(made).sort_by("place") if made.is_dir() else SCHEMA.empty_table()
    if made.is_dir():
        stamps: Any = pa.array([moment] * table.num_rows, pa.timestamp("us", tz="UTC"))
        table = table.append_column("event_timestamp", stamps).select(SCHEMA.names).cast(SCHEMA)
    aside = path.with_name(f".{path.name}.spark")
    pq.write_table(table, aside)
    aside.replace(path)


def _count(folder: Path, shards: int) -> int:
    files = (shard_file(folder, (shard, shards)) for shard in range(shards))
    return sum(pq.read_metadata(file).num_rows for file in files)
