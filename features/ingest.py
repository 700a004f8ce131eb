"""Raw purchase files to the canonical tables, with every refused row in the quarantine."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

from features.errors import QualityError, RawDataError, extra
from features.formats import Table, detect, get
from features.ingest_report import IngestReport, RawFileReport, moment
from features.preflight import RawFile, preflight
from features.quality.border import shaped
from features.quality.rules import RULES
from features.sail import fill
from features.schema import ITEMS, PURCHASES, QUARANTINE, ddl
from features.schema import Column as SchemaColumn
from features.staging import FILE_ORDER, Source, Staged, quarantine, staged

with extra("features"):
    import pyarrow.parquet as pq
    from pyspark.sql import Column, DataFrame, Observation, SparkSession, Window
    from pyspark.sql import functions as F

Progress = Callable[[int, int], None]
_STEPS = 5
_IDENTITY = ("user_id", "item_id", "event_timestamp", "rating")
_OPTION = {Table.PURCHASES: "--reviews", Table.ITEMS: "--items"}


def ingest(
    spark: SparkSession,
    reviews: Sequence[Path],
    items: Sequence[Path],
    out: Path,
    *,
    quarantine_out: Path,
    max_bad_share: float,
    now: datetime,
    format: str = "auto",  # noqa: A002
    progress: Progress | None = None,
) -> IngestReport:
    """Write `out/purchases` and `out/items`; refused rows go to the folder `quarantine_out`.

    The quarantine is written before the share of refused rows is judged, so that it survives a
    stop; then nothing else is written. A format that is named goes for the files it can be; files
    of the other kind are still recognised by their content.
    """
    step = _stepper(progress)
    sources = [_source(file, Table.PURCHASES, format) for file in preflight(reviews)]
    listed = [_source(file, Table.ITEMS, format) for file in preflight(items)]
    _need(sources, Table.PURCHASES)
    _need(listed, Table.ITEMS)
    step()
    with (
        staged(spark, sources, Table.PURCHASES, now) as bought,
        staged(spark, listed, Table.ITEMS, now) as known,
    ):
        step()
        _write_quarantine(spark, [bought, known], quarantine_out)
        _judge([bought, known], max_bad_share, quarantine_out)
        step()
        item_counts = _write_items(known, out / "items")
        step()
        good = bought.frame.where(F.col("reason").isNull())
        counts = _write_purchases(spark, good, out)
        step()
    return _report(bought, known, counts, item_counts)


def _source(file: RawFile, table: Table, name: str) -> Source:
    """Find the format of a file and check that it feeds this table."""
    where = str(file.path)
    if name != "auto" and table in get(name).tables:
        member = get(name)
        found = member.recognise(file.head)
        if found is None and member.header:
            what = f"the first line is no header of the format {name}"
            raise RawDataError(what, where=where, fix=f"expected: {member.about}")
    else:
        member, found = detect(file.head, where)
    if found not in {None, table}:
        given, right = _OPTION[table], _OPTION[Table(str(found))]
        what = f"feeds {found} ({member.name}), but was given as {given}"
        raise RawDataError(what, where=where, fix=f"give it as {right}")
    return Source(file, member)


def _need(sources: Sequence[Source], table: Table) -> None:
    if not sources:
        option = _OPTION[table]
        raise RawDataError(f"no files for {table}", where=option, fix=f"give some as {option}")


def _write_quarantine(spark: SparkSession, stages: Sequence[Staged], out: Path) -> None:
    """Write the refused rows; a table without any is not read again."""
    parts = [quarantine(spark, stage) for stage in stages if stage.refused]
    none = spark.createDataFrame([], ddl(QUARANTINE))
    _write(reduce(DataFrame.unionByName, parts, none), QUARANTINE, out)


def _judge(stages: Sequence[Staged], max_bad_share: float, folder: Path) -> None:
    """Stop where too many rows were refused, or where nothing is left."""
    bad = [_verdict(stage) for stage in stages if stage.share > max_bad_share]
    if bad:
        raise QualityError(
            f"{'; '.join(bad)}; at most {max_bad_share:.1%} may be",
            where=str(folder),
            fix="look at the refused rows there, then mend the source "
            "or raise features.ingest.max_bad_share",
        )
    if not stages[0].good:
        raise QualityError("there is no purchase in the files", where=str(folder))


def _verdict(stage: Staged) -> str:
    commonest = sorted(stage.refused.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    reasons = ", ".join(f"{reason} ({rows})" for reason, rows in commonest)
    return f"{stage.share:.1%} of the rows for {stage.table} were refused: {reasons}"


def _write_items(stage: Staged, out: Path) -> dict[str, Any]:
    """Keep the first row of every item; count what it shadows."""
    content = F.struct("title", "categories", "brand", "price")
    seen = Window.partitionBy("item_id").orderBy(*FILE_ORDER)
    nth, same = F.col("nth"), F.col("content").eqNullSafe(F.col("kept"))
    counted = Observation()
    rows = (
        stage.frame.where(F.col("reason").isNull())
        .withColumns({"content": content, "nth": F.row_number().over(seen)})
        .withColumn("kept", F.first("content").over(seen))
        .observe(
            counted,
            F.count_if(nth == 1).alias("items"),
            F.count_if((nth > 1) & same).alias("repeated"),
            F.count_if((nth > 1) & ~same).alias("conflicting"),
            F.count_if((nth == 1) & ~F.col("has_title")).alias("untitled"),
        )
        .where(nth == 1)
    )
    _write(rows, ITEMS, out)
    return counted.get


def ingest_day(
    spark: SparkSession,
    reviews: Sequence[Path],
    tables: Path,
    out: Path,
    *,
    quarantine_out: Path,
    max_bad_share: float,
    now: datetime,
    known: tuple[datetime, datetime] | None = None,
) -> int:
    """Write `out/purchases` for files of one further day, as they follow on from `tables`.

    What `tables` has already is collapsed as in one file; items are those of `tables`. With
    `known`, rows that became known outside [start, end) are passed over. Returns how many purchases
    are new.
    """
    sources = [_source(file, Table.PURCHASES, "auto") for file in preflight(reviews)]
    _need(sources, Table.PURCHASES)
    history = spark.read.parquet(str(tables / "purchases"))
    with staged(spark, sources, Table.PURCHASES, now) as bought:
        _write_quarantine(spark, [bought], quarantine_out)
        _judge([bought], max_bad_share, quarantine_out)
        fresh = _following(bought, history)
        if known is not None:
            start, end = (F.lit(moment) for moment in known)
            fresh = fresh.where((F.col("known_at") >= start) & (F.col("known_at") < end))
        _write(_numbered(spark, fresh, tables), PURCHASES, out / "purchases")
    written = (out / "purchases").glob("*.parquet")
    return sum(pq.read_metadata(str(path)).num_rows for path in written)


def _following(stage: Staged, history: DataFrame) -> DataFrame:
    """Leave out the rows that are in the history; say where each shopper's sequence goes on."""
    rows = stage.frame.where(F.col("reason").isNull())
    same = [F.col(f"new.{c}").eqNullSafe(F.col(f"old.{c}")) for c in _IDENTITY]
    shoppers = F.broadcast(rows.select("user_id").distinct())
    known = history.join(shoppers, "user_id", "left_semi")
    next_one = known.groupBy("user_id").agg((F.max("sequence") + 1).alias("first"))
    fresh = rows.alias("new").join(known.alias("old"), reduce(Column.__and__, same), "left_anti")
    return fresh.join(F.broadcast(next_one), "user_id", "left")


def _numbered(spark: SparkSession, good: DataFrame, tables: Path) -> DataFrame:
    """Collapse exact duplicates, number each shopper's purchases, add the list price."""
    equal = Window.partitionBy(*_IDENTITY)
    order = Window.partitionBy("user_id").orderBy("event_timestamp", *FILE_ORDER)
    listed = spark.read.parquet(str(tables / "items")).select(
        "item_id", "price", F.lit(True).alias("item_known")
    )
    first = F.coalesce("first", F.lit(0)) if "first" in good.columns else F.lit(0)
    return (
        good.repartition("user_id")
        # told twice, a purchase was known when it was told first
        .withColumn("nth", F.row_number().over(equal.orderBy("known_at", *FILE_ORDER)))
        .where(F.col("nth") == 1)
        .withColumn("sequence", F.row_number().over(order) - 1 + first)
        .join(listed, "item_id", "left")
        .withColumn("item_known", F.coalesce("item_known", F.lit(False)))
    )


def _write_purchases(spark: SparkSession, good: DataFrame, out: Path) -> dict[str, Any]:
    """Write the purchases, and count them on the way."""
    counted = Observation()
    rows = _numbered(spark, good, out).observe(
        counted,
        F.count("*").alias("purchases"),
        F.count_if(F.col("sequence") == 0).alias("users"),
        F.count_if(~F.col("item_known")).alias("unknown"),
        # as numbers: a timestamp would come back in the zone of this process
        F.min(F.unix_millis("event_timestamp")).alias("first"),
        F.max(F.unix_millis("event_timestamp")).alias("last"),
    )
    _write(rows, PURCHASES, out / "purchases")
    return counted.get


def _write(rows: DataFrame, table: tuple[SchemaColumn, ...], out: Path) -> None:
    canonical = rows.select(*(F.col(column.name).cast(column.type) for column in table))
    checked = shaped(canonical, out.name) if out.name in RULES else canonical
    checked.write.mode("overwrite").parquet(str(out))
    fill(checked, out)


def _report(
    bought: Staged, known: Staged, counts: dict[str, Any], item_counts: dict[str, Any]
) -> IngestReport:
    stages = (bought, known)
    return IngestReport(
        files=[
            RawFileReport.of(source, stage.table) for stage in stages for source in stage.sources
        ],
        rows={str(stage.table): stage.rows for stage in stages},
        purchases=counts["purchases"],
        users=counts["users"],
        items=item_counts["items"],
        duplicates={
            str(Table.PURCHASES): bought.good - counts["purchases"],
            str(Table.ITEMS): item_counts["repeated"],
        },
        conflicting_items=item_counts["conflicting"],
        quarantined={str(stage.table): dict(stage.refused) for stage in stages},
        unknown_items=counts["unknown"],
        untitled_items=item_counts["untitled"],
        first_purchase=moment(counts["first"]),
        last_purchase=moment(counts["last"]),
    )


def _stepper(progress: Progress | None) -> Callable[[], None]:
    done = iter(range(1, _STEPS + 1))

    def step() -> None:
        if progress is not None:
            progress(next(done), _STEPS)

    return step
