"""What "before a moment" means: the one place that cuts purchases by time and breaks ties.

Features at `as_of` see purchases strictly before it. Where two purchases can't be told apart by
time, a hash of the item with a fixed seed decides, never an id, a row number or the file's order.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from features.errors import extra
from features.instants import utc
from features.sail import aside, runs
from features.ties import SEED

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

KNOWN = "known_at"
DAY = 86_400
AT_A_TIME = 3
"""Jobs that Spark is given at once."""
WINDOWS = (7, 30, 90, 365)
"""The days back over which shoppers and items are counted; and ever, which has no name."""


def before(purchases: DataFrame, as_of: datetime) -> DataFrame:
    """Keep the purchases that are known at `as_of`: made before it, and known before it.

    A late row, made before and known after, is not seen; where nobody tells when a row became
    known, it was at once.
    """
    moment = F.lit(utc(as_of))
    made = purchases.filter(F.col("event_timestamp") < moment)
    return made.filter(F.col(KNOWN) < moment) if KNOWN in purchases.columns else made


def known_from(purchases: DataFrame, moment: datetime) -> Column:
    """Tell which purchases are not known yet at `moment`."""
    later = F.col("event_timestamp") >= F.lit(utc(moment))
    return later | (F.col(KNOWN) >= F.lit(utc(moment))) if KNOWN in purchases.columns else later


def seconds(column: str = "event_timestamp") -> Column:
    """Read a timestamp column as whole epoch seconds."""
    return F.unix_seconds(F.col(column))


def epoch_day(column: str = "event_timestamp") -> Column:
    """Read a timestamp column as the number of its UTC day since 1970."""
    return F.floor(seconds(column) / F.lit(DAY)).cast("int")


def days_before(as_of: datetime, moment: Column) -> Column:
    """Count the days from `moment` (epoch seconds) to `as_of`, with fraction."""
    return (F.lit(int(utc(as_of).timestamp())) - moment) / F.lit(float(DAY))


def since(as_of: datetime, days: int) -> Column:
    """Tell where the last `days` days before `as_of` begin, in epoch seconds."""
    return F.lit(int(utc(as_of).timestamp()) - days * DAY)


def bought_within(as_of: datetime, days: int) -> Column:
    """Count the rows of a group that lie in the last `days` days before `as_of`."""
    return F.count_if(seconds() >= since(as_of, days))


def exact_mean(column: str) -> Column:
    """Average the known values, summed as decimals: the same whatever order Spark adds in."""
    known = F.col(column).try_cast("decimal(24,9)")
    return ratio(F.sum(known), F.count(known))


def ratio(total: Column, count: Column) -> Column:
    """Share a total out; null where nothing was counted."""
    return total.cast("double") / F.nullif(count, F.lit(0))


def exact_variance(number: Column) -> Column:
    """Tell the variance of whole numbers, without an error of rounding; null for less than two.

    The sum of the squares must fit in 64 bits: gaps of a life do, and a million millionths.
    """
    count, total = F.count(number), F.sum(number).cast("decimal(19,0)")
    squares = F.sum(number * number).cast("decimal(19,0)")
    over = count.cast("decimal(12,0)") * squares - total * total  # n² times the variance
    return F.when(count > 1, over.cast("double") / (count * count))


def tie_break(*columns: str) -> Column:
    """Order by nothing that carries information, yet the same in every run."""
    return F.xxhash64(*(F.col(name) for name in columns), F.lit(SEED))


def stamped(view: DataFrame, as_of: datetime) -> DataFrame:
    """Add the two timestamps that Feast joins on."""
    moment = F.lit(utc(as_of))
    return view.withColumn("event_timestamp", moment).withColumn("created_timestamp", moment)


def spread(frame: DataFrame, *keys: str | Column) -> DataFrame:
    """Place rows by a hash of their key, over as many partitions as the session shuffles to.

    The number is said, because Spark would otherwise put what looks small into one, for one core.
    """
    partitions = int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    return frame.repartition(partitions, *keys)


@contextmanager
def in_memory(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep a frame that several jobs read; it is let go at the end of the block."""
    if runs(frame.sparkSession):
        with aside(frame) as kept:
            yield kept
        return
    frame.persist()
    try:
        yield frame
    finally:
        frame.unpersist()


def side_by_side(jobs: Iterable[Callable[[], None]]) -> None:
    """Run some jobs at a time: one plans and compiles while another computes."""
    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
