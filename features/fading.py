"""How links fade with age: in integers that stay what they are from one day to the next.

A link weighs half of one that is a half-life younger. Counted back from today, every count would
be another one tomorrow; counted from a base that stands for years, only new links weigh more. All
that is made of the counts is a ratio of them, from which the common factor falls out.
"""

from dataclasses import dataclass
from datetime import datetime
from math import inf

from features.errors import extra
from features.instants import utc
from features.timeline import DAY

with extra("features"):
    from pyspark.sql import Column
    from pyspark.sql import functions as F

SPAN = 8
"""Half-lives for which a base stands: by then the newest link weighs 256, which integers bear."""


@dataclass(frozen=True)
class Fading:
    """How much a link weighs by its day; the base follows from the moment, for all runs alike."""

    half_life: float = inf  # days
    base: int = 0  # the day since 1970 whose links weigh one
    now: float = 1.0  # what a link of the last moments weighs

    @classmethod
    def at(cls, moment: datetime, half_life: float) -> "Fading":
        """The fading whose base stands at a moment."""
        span, today = SPAN * half_life, utc(moment).timestamp() / DAY
        base = int(today // span * span)
        return cls(half_life, base, float(2.0 ** ((today - base) / half_life)))

    def weighed(self, whole: Column, time: Column) -> Column:
        """Weigh what counts `whole` on the base by the UTC day of a time, as an integer."""
        days = F.floor(time / DAY) - F.lit(float(self.base))
        # Spark's pow is Java's StrictMath: the same on every machine
        return F.rint(whole * F.pow(F.lit(2.0), days / F.lit(self.half_life))).cast("long")


UNFADED = Fading()
"""Where nobody has a clock, no link is older than another."""
