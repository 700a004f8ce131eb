"""The moments that separate history from future."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from features.errors import QualityError, extra

with extra("features"):
    from pyspark.sql import DataFrame
    from pyspark.sql import functions as F


@dataclass(frozen=True)
class Moments:
    """Three UTC midnights: models learn up to `train`, are measured at `eval`, serve at `serve`."""

    train: datetime
    eval: datetime
    serve: datetime


def choose(purchases: DataFrame, *, holdout_share: float, label_share: float) -> Moments:
    """Cut the purchases so that about `holdout_share` of them are targets of the report.

    Of those before, about `label_share` are labels to learn from. Only days with purchases can be
    cuts, and each of the three spans holds at least one day.
    """
    day = F.to_date("event_timestamp")
    daily = purchases.groupBy(day.alias("day")).agg(F.count("*").alias("n")).orderBy("day")
    rows = daily.collect()  # one row per day, whatever the number of purchases
    days, counts = [row["day"] for row in rows], [row["n"] for row in rows]
    if len(days) < 3:
        raise QualityError(
            f"purchases on {len(days)} distinct days, at least 3 are needed",
            where="moments",
            fix="ingest a longer time span: history, labels and targets each need a day",
        )
    held = _cut(counts, holdout_share, first=2)
    label = _cut(counts[:held], label_share, first=1)
    return Moments(
        train=_midnight(days[label]),
        eval=_midnight(days[held]),
        serve=_midnight(days[-1] + timedelta(days=1)),
    )


def _cut(counts: Sequence[int], share: float, *, first: int) -> int:
    """Find the index from `first` on whose tail comes nearest to `share`; the later on a tie."""
    wanted = share * sum(counts)
    return min(
        range(first, len(counts)), key=lambda index: (abs(sum(counts[index:]) - wanted), -index)
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
