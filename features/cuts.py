"""What is history and what is target: purchases cut by time, or each shopper's last left out.

By time is how a shop runs: nobody knows a purchase made later, whosever it is. Leave-one-out is how
papers measure: each shopper's last purchase is the target, so the purchases of others may be later.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from features.errors import QualityError, extra
from features.instants import utc
from features.moments import NAMES, Moments
from features.timeline import DAY, KNOWN, before, epoch_day, seconds, tie_break

with extra("features"):
    from pyspark.sql import DataFrame, Window
    from pyspark.sql import functions as F

Mode = Literal["refreshed", "train-only"]

BACK = "back"
LEFT_OUT = {"early": 4, "train": 3, "validate": 2, "eval": 1}
"""Which purchase is the target at each cut, counted from the shopper's last."""


@dataclass(frozen=True)
class Cut:
    """One moment: what may be known, and what is to be predicted."""

    name: str
    as_of: datetime  # features see purchases strictly before it
    histories: DataFrame  # purchases that make the shoppers' histories
    known: DataFrame  # purchases that item statistics and pairs may count
    targets: DataFrame | None  # user_id, item_id, event_timestamp, tie_safe; None: all is history
    clock: bool = True  # whether its moment is one at which somebody stood: links fade back from it


def serving(purchases: DataFrame, as_of: datetime) -> Cut:
    """Cut where all that was bought before is history, and nothing is to be predicted."""
    past = before(purchases, as_of)
    return Cut(NAMES[-1], as_of, past, past, None)


def temporal(purchases: DataFrame, moments: Moments) -> list[Cut]:
    """Cut at each moment: the targets are what was bought from there to the next moment.

    Only shoppers with a history have targets. Serving comes last and has none.
    """
    starts = [utc(getattr(moments, name)) for name in NAMES]
    cuts = []
    for name, start, end in zip(NAMES, starts, [*starts[1:], None], strict=True):
        past = before(purchases, start)
        targets = None
        if end is not None:
            span = before(purchases, end).filter(F.col("event_timestamp") >= F.lit(start))
            targets = _targets(span, past)
        cuts.append(Cut(name, start, past, past, targets))
    return cuts


def leave_one_out(purchases: DataFrame, mode: Mode) -> list[Cut]:
    """Leave out each shopper's last purchase for eval, her last but one for validate, and so on.

    Refreshed, all of a shopper's purchases before her target are known; train-only, the last of
    them makes her history but is not counted: then training looks just like the test, where the
    purchase before the target was the validation's. `purchases` may come from `numbered`; who keeps
    those in memory counts back only once.
    """
    rows = purchases if BACK in purchases.columns else numbered(purchases)
    hidden = 1 if mode == "train-only" else 0
    as_of = _after_all(rows, least=LEFT_OUT["train"] + 1 + hidden)
    cuts = []
    for name, target in LEFT_OUT.items():
        histories = rows.filter(F.col(BACK) > target)
        known = rows.filter(F.col(BACK) > target + hidden) if hidden else histories
        targets = _targets(rows.filter(F.col(BACK) == target), histories)
        cuts.append(Cut(name, as_of, histories, known, targets, clock=False))
    return cuts


def numbered(purchases: DataFrame) -> DataFrame:
    """Number each shopper's purchases from the last, 1, by time at its full precision.

    The hash decides what was bought at once. Two ratings of one purchase are told apart only so
    that every run numbers them alike. When a row became known is dropped: by leave-one-out there is
    no clock, so that nothing can be late.
    """
    latest = Window.partitionBy("user_id").orderBy(
        F.desc("event_timestamp"), tie_break("item_id"), "item_id", "rating"
    )
    return purchases.drop(KNOWN).withColumn(BACK, F.row_number().over(latest))


def _targets(rows: DataFrame, past: DataFrame) -> DataFrame:
    """Keep the rows of shoppers with a past; tie-safe: made on another day than the last of it."""
    last = past.groupBy("user_id").agg(F.max("event_timestamp").alias("last"))
    return rows.join(last, "user_id").select(
        "user_id",
        "item_id",
        "event_timestamp",
        (epoch_day() != epoch_day("last")).alias("tie_safe"),
    )


def _after_all(rows: DataFrame, least: int) -> datetime:
    """Find the midnight after the last purchase; refuse where nobody bought `least` times."""
    seen = rows.agg(F.max(seconds()).alias("last"), F.max(BACK).alias("most")).collect()[0]
    if (seen["most"] or 0) < least:
        raise QualityError(
            f"nobody has more than {seen['most'] or 0} purchases, at least {least} are needed",
            where="leave-one-out",
            fix="ingest more purchases, or set cuts.protocol to temporal",
        )
    return datetime.fromtimestamp(seen["last"] // DAY * DAY, UTC) + timedelta(days=1)
