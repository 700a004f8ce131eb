"""The moments that separate history from future."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from features.errors import QualityError, extra

with extra("features"):
    from pyspark.sql import DataFrame
    from pyspark.sql import functions as F


NAMES = ("early", "train", "validate", "eval", "serve")


@dataclass(frozen=True)
class Moments:
    """Five UTC midnights: teach from `early` and from `train` on, decide, measure, serve."""

    early: datetime
    train: datetime
    validate: datetime
    eval: datetime
    serve: datetime


def choose(
    purchases: DataFrame, *, holdout_share: float, validate_share: float, label_share: float
) -> Moments:
    """Cut the purchases so that about `holdout_share` of them are targets of the report.

    Of those before, the latest `validate_share` are there to decide on, and twice `label_share`
    before them are labels to learn from: two lessons, because what was bought just after the
    features were computed is most like what will be. Only days with purchases can be cuts, and each
    of the five spans holds at least one day.
    """
    day = F.to_date("event_timestamp")
    daily = purchases.groupBy(day.alias("day")).agg(F.count("*").alias("n")).orderBy("day")
    rows = daily.collect()  # one row per day, whatever the number of purchases
    days, counts = [row["day"] for row in rows], [row["n"] for row in rows]
    if len(days) < len(NAMES):
        raise QualityError(
            f"purchases on {len(days)} distinct days, at least {len(NAMES)} are needed",
            where="moments",
            fix="ingest a longer time span: history, two lessons, decisions and targets "
            "need a day each",
        )
    held = _cut(counts, holdout_share, range(4, len(counts)))
    validate = _cut(counts[:held], validate_share, range(3, held))
    train = _cut(counts[:held], validate_share + label_share, range(2, validate))
    early = _cut(counts[:held], validate_share + 2 * label_share, range(1, train))
    return Moments(
        early=_midnight(days[early]),
        train=_midnight(days[train]),
        validate=_midnight(days[validate]),
        eval=_midnight(days[held]),
        serve=_midnight(days[-1] + timedelta(days=1)),
    )


def _cut(counts: Sequence[int], share: float, allowed: range) -> int:
    """Find the index whose tail comes nearest to `share` of all; the later on a tie."""
    wanted = share * sum(counts)
    return min(allowed, key=lambda index: (abs(sum(counts[index:]) - wanted), -index))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
